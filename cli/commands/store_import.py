"""``overwinter store import FILE``: what ``store export`` wrote goes into the store. ``-`` is stdin.

Executions that are there already are left as they are, so doing it again does no harm. Nothing of an execution that
the file holds only in part is imported.
``--json``: ``{"file", "executions", "there", "values", "values_there"}``.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from ...state.quantities import seconds
from .. import reach
from ..exits import USAGE, Exit
from ..options import by_default, duration_option, json_option, store_option

if TYPE_CHECKING:
    from ...orchestrator.upkeep.archive import Imported

JSON = "--json: {file, executions, there, values, values_there}"


@click.command(epilog=JSON)
@click.argument("file", metavar="FILE|-", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@duration_option("--patience", default="0s", show_default=True, help="Wait so long for processes to stop.")
@store_option
@json_option
def import_command(file: str, patience: str, store: str, as_json: bool) -> None:
    """Read an export into the store, which is made if it is not there.

    No process may work on the store meanwhile: a child must not end before its parent is there.
    """
    with _opened(file) as stream:
        done = reach.run(_import(store, stream, seconds(patience)))
    if as_json:
        from ..view.terminal import emit

        emit({"file": file, **done._asdict()})
        return
    from ..view.terminal import say
    from ..view.text import counted

    there = done.there + done.values_there
    said = [counted(done.executions, "execution")]
    said += [counted(done.values, "key-value entry", "key-value entries")] if done.values else []
    also = f"; {there:,} were there already and stay as they are" if there else ""
    say(f"imported {', '.join(said)}{also}")


@contextlib.contextmanager
def _opened(file: str) -> Generator[BinaryIO]:
    if file == "-":
        yield sys.stdin.buffer
        return
    try:
        stream = Path(file).open("rb")  # noqa: SIM115  # closed below; only opening it is an expected error
    except OSError as error:
        raise Exit(f"{file} can't be read: {error.strerror}", code=USAGE) from None
    with stream:
        yield stream


async def _import(dsn: str, stream: BinaryIO, patience: float) -> Imported:
    from ...orchestrator.audit.store_chain import record
    from ...orchestrator.protocol.clock import present
    from ...orchestrator.protocol.moved import refuse_moved
    from ...orchestrator.upkeep.archive import lines_of, load
    from ...orchestrator.upkeep.moving import nobody
    from ..store_carrying import made
    from ..store_progress import progress

    async with made(dsn) as store:
        with progress() as report:
            await nobody(store, patience, report)
            await refuse_moved(store)
            name = getattr(stream, "name", "")
            await record(store, "store.import", "store", at=await present(store), by=by_default(), source=str(name))
            return await load(store, lines_of(stream), report=report)
