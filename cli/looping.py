"""The event loop of a command: like ``asyncio.run``, and it ends although tasks refuse to be cancelled or threads of
``asyncio.to_thread`` still run, where ``asyncio.run`` would wait for both without a limit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from ..state.daemons import let_go

T = TypeVar("T")

STUBBORN = 1.0  # seconds that cancelled tasks get to end


def run(work: Coroutine[Any, Any, T], loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None) -> T:
    """Run ``work`` to its end; what it leaves behind is cancelled and dropped."""
    runner = asyncio.Runner(loop_factory=loop_factory)
    loop = runner.get_loop()
    let_go(loop)
    try:
        return runner.run(work)
    finally:
        if _all_ended(loop):
            runner.close()
        else:
            asyncio.set_event_loop(None)
            loop.close()


def _all_ended(loop: asyncio.AbstractEventLoop) -> bool:
    """Cancel what still runs. Whether all of it has ended."""
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        _, left = loop.run_until_complete(asyncio.wait(left, timeout=STUBBORN))
    for task in left:
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # asyncio's own way (see gather)
    return not left
