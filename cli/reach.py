"""How commands reach a store: opened for one command, and never created by a command that only reads."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..security.redaction import redact_logs
from ..state.errors import OverwinterError
from ..state.records import Head
from . import looping
from .exits import UNAVAILABLE, Exit

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from ..orchestrator.control import Control
    from ..state.store import Store

T = TypeVar("T")

_WORD = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9._/:@%+=,-]*")
"""What is the same word to every shell. Others may choose ids, and shells put a completion in as it is: unquoted, it
would be run."""
_COMPLETED = 50


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run one command's coroutine to its end."""
    redact_logs(logging.getLogger())
    return looping.run(work)


def sqlite_path(dsn: str) -> Path | None:
    """The file of a SQLite DSN (``sqlite:///relative``, ``sqlite:////absolute``); None for any other store."""
    if not dsn.startswith("sqlite:///"):
        return None
    name = dsn.removeprefix("sqlite:///").split("?", 1)[0]
    return None if name in ("", ":memory:") else Path(name)


def refuse_absent(dsn: str) -> None:
    """Raises Exit when a SQLite file does not exist: a command that reads makes none."""
    path = sqlite_path(dsn)
    if path is not None and not path.exists():
        from .environment import names_a_store

        advice = "overwinter dev FILE makes one; --store or OVERWINTER_STATE chooses another."
        if names_a_store():
            advice = "The .env here names another one, and this command reads none: name it by --store."
        raise Exit(f"there is no store at {path}", code=UNAVAILABLE, advice=advice)


@asynccontextmanager
async def opened(dsn: str, *, create: bool = False) -> AsyncGenerator[Store]:
    """An open store. Without ``create`` a SQLite file that does not exist stays absent and is an error."""
    if not create:
        refuse_absent(dsn)
    from ..state.opening import open_store
    from ..state.sealing.marker import refuse_sealed

    store = open_store(dsn)
    await store.open()
    try:
        await refuse_sealed(store)
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def control(dsn: str) -> AsyncGenerator[Control]:
    """Everything that may be read from an open store and done to it, without running anything."""
    from ..functions.control import Control

    async with opened(dsn) as store:
        yield Control(store)


async def tell_moved(store: Store) -> str:
    """Say when what was in the store belongs to another one: what is shown is as it was then. Where it is, or ""."""
    from ..orchestrator.protocol.moved import read_mark, refusal
    from ..security.address import shown
    from .view.terminal import say

    mark = await read_mark(store)
    if mark is None:
        return ""
    say(refusal(shown(store.dsn), mark), style="yellow")
    return mark.other


def head_json(head: Head) -> dict[str, Any]:
    """An execution for programs, in the same shape as over HTTP. Times are milliseconds since the epoch."""
    from ..orchestrator.governance.usage import used_by
    from ..orchestrator.machine.version import definition_of
    from ..orchestrator.workflow.takes import taken

    used = used_by(head.state)
    return {
        "id": head.id,
        "function": head.function,
        "kind": head.kind,
        "status": head.status,
        "version": head.version,
        "length": head.length,
        "created": head.created,
        "updated": head.updated,
        "wake": head.wake,
        "awaits": head.awaits,
        "takes": taken(head.state, head.awaits),
        "note": head.note,
        "parent": head.parent,
        "owner": head.owner,
        "deaths": head.deaths,
        "definition": definition_of(head.state),
        "tokens": None if used is None else used.amount.tokens,
        "cost": None if used is None else format(used.amount.cost, "f"),
    }


def ids(dsn: str, prefix: str) -> list[CompletionItem]:
    """Up to 50 ids for shell completion, of those that need no quotes; an unreadable store completes nothing."""
    from click.shell_completion import CompletionItem

    from .view.text import clean

    async def read() -> list[CompletionItem]:
        found: list[CompletionItem] = []
        async with control(dsn) as reading:
            for head in await reading.list(prefix=prefix, limit=_COMPLETED * 4):
                if _WORD.fullmatch(head.id):
                    found.append(CompletionItem(head.id, help=clean(f"{head.function} {head.status}")))
        return found[:_COMPLETED]

    try:
        return run(read())
    except (OverwinterError, OSError, ImportError):
        return []
