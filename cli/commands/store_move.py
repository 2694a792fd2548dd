"""``overwinter store move --to DSN``: everything in the store, also what is under way, goes on in another one.

It may be interrupted at any moment and done again. Nothing is removed from the source, but it is marked, and a process
that opens it later is told where to go; ``--undo`` takes the mark off.
``--json``: ``{"from", "to", "executions", "copied", "same", "values", "before"}``, with ``--undo`` ``{"from", "to",
"undone"}``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ...state.quantities import seconds
from .. import reach
from ..exits import USAGE, Exit
from ..options import by_default, duration_option, json_option, store_option

if TYPE_CHECKING:
    from ...orchestrator.protocol.moved import Mark
    from ...orchestrator.upkeep.moving import Moved

JSON = "--json: {from, to, executions, copied, same, values, before}; {from, to, undone} with --undo"


@click.command(epilog=JSON)
@click.option("--to", "target", default=None, metavar="DSN", help="The store to move to; it is made if need be.")
@duration_option("--patience", default="30s", show_default=True, help="Wait so long for processes to stop.")
@click.option("--undo", "back", is_flag=True, help="Use the source again; the copy is left where it is.")
@click.option("--yes", "-y", is_flag=True, help="With --undo: also when the move was finished.")
@store_option
@json_option
def move_command(target: str | None, patience: str, back: bool, yes: bool, store: str, as_json: bool) -> None:
    """Move everything to another store. No process may work on either meanwhile.

    Executions keep their ids, journals, timers, approvals and mail; the etags of key-value entries are new.
    """
    from ...security.address import shown
    from ..view.terminal import emit, say

    if back == (target is not None):
        raise click.UsageError("name a store with --to DSN, or give a move up with --undo")
    if target is None:
        mark = reach.run(_undo(store, finished=yes))
        if as_json:
            emit({"from": shown(store), "to": mark.other if mark else None, "undone": mark is not None})
        elif mark is None:
            say(f"{shown(store)} is not being moved; there is nothing to undo")
        else:
            say(f"{shown(store)} may be used again; what was copied to {mark.other} should be removed")
        return
    done = reach.run(_move(store, target, seconds(patience)))
    if as_json:
        emit({"from": shown(store), "to": shown(target), **done._asdict()})
    else:
        _report(done, shown(target))
        if shown(target) == target:  # else it would say something that can't be used as it stands
            say(f"→ OVERWINTER_STATE={target}", style="dim")


async def _undo(dsn: str, *, finished: bool) -> Mark | None:
    from ...orchestrator.audit.store_chain import record
    from ...orchestrator.protocol.clock import present
    from ...orchestrator.protocol.moved import read_mark
    from ...orchestrator.upkeep.moving import undo

    async with reach.opened(dsn) as store:
        mark = await read_mark(store)
        if mark is not None and mark.state == "moved" and not finished:
            advice = "If nothing has gone on there, or none of it is wanted: overwinter store move --undo --yes"
            raise Exit(f"the move to {mark.other} is finished", code=USAGE, advice=advice)
        if mark is not None:
            await record(store, "store.move-undo", "store", at=await present(store), by=by_default(), to=mark.other)
        return await undo(store, finished=finished)


async def _move(dsn: str, target: str, patience: float) -> Moved:
    from ...orchestrator.audit.store_chain import record
    from ...orchestrator.protocol.clock import present
    from ...orchestrator.protocol.moved import NOTICE, read_mark
    from ...orchestrator.upkeep.moving import move
    from ...security.address import shown
    from ..store_carrying import made
    from ..store_progress import progress

    # The processes on one machine's file are all known; elsewhere one that is idle shows nowhere.
    settle = 0.0 if reach.sqlite_path(dsn) and reach.sqlite_path(target) else NOTICE
    async with reach.opened(_absolute(dsn)) as here, made(_absolute(target)) as there:
        if await read_mark(here) is None:  # else it has been said, and what says it may have been copied
            target = shown(there.dsn)
            await record(here, "store.move", "store", at=await present(here), by=by_default(), to=target)
        with progress() as report:
            return await move(here, there, patience=patience, settle=settle, report=report)


def _absolute(dsn: str) -> str:
    """What the mark says must be true in any folder."""
    path = reach.sqlite_path(dsn)
    return dsn if path is None else dsn.replace(str(path), str(path.resolve()), 1)


def _report(done: Moved, target: str) -> None:
    from ..view.terminal import say
    from ..view.text import counted

    if done.before:
        say(f"it has moved to {target} before; nothing was left to do")
    else:
        values = f" and {counted(done.values, 'key-value entry', 'key-value entries')}" if done.values else ""
        earlier = f" ({done.same:,} of them by an earlier run)" if done.same else ""
        total = counted(done.copied + done.same, "execution")
        say(f"moved {total}{earlier}{values} to {target}", style="green")
