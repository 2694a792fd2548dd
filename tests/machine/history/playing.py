"""Executions of definitions in virtual time, and what their journals tell."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

from overwinter import Settings
from overwinter.orchestrator.machine.function import StateMachine
from overwinter.orchestrator.machine.history.events import aws_events
from overwinter.orchestrator.machine.history.replaying import Replayed, replay
from overwinter.state.codec import loads
from overwinter.state.errors import ExecutionError
from overwinter.testing.clock import VirtualLoop, run_virtual
from overwinter.testing.world import World
from overwinter.tests.machine.running import functions

Act = Callable[[World, Any], Awaitable[None]]


async def to_its_end(world: World, run: Any) -> None:
    with suppress(ExecutionError):
        await run.result()


def journal(
    definition: dict[str, Any],
    input: Any = None,
    *,
    act: Act = to_its_end,
    uses: Sequence[Any] = (),
    resources: dict[str, Any] | None = None,
    beside: Sequence[Any] = (),
) -> list[dict[str, Any]]:
    """All entries of an execution ``x``. ``act`` sees to it that it comes as far as it should; ``beside`` is served as
    well."""
    served = StateMachine("m", definition, [*functions.ALL, *uses], resources=resources or {})

    async def go(loop: VirtualLoop) -> list[dict[str, Any]]:
        world = World(loop, [served, *beside], Settings())
        try:
            await act(world, await world.start(served, input, id="x"))
            return [loads(text) for text in await world.ledger.history("x")]
        finally:
            world.end()

    return run_virtual(go)


def replayed(definition: dict[str, Any], input: Any = None, **how: Any) -> Replayed:
    found = replay("x", "m", journal(definition, input, **how))
    assert not found.problem
    return found


def told(definition: dict[str, Any], input: Any = None, **how: Any) -> tuple[list[str], list[int]]:
    """The types of the events, and what each follows."""
    events = aws_events(replayed(definition, input, **how))
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    return [event["type"] for event in events], [event["previousEventId"] for event in events]
