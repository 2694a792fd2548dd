"""``overwinter store export FILE``: the store as JSON lines (docs/store.md has the format). ``-`` is stdout.

A file appears under its name only when it is whole. Exit code 1 when an execution could not be read.
``--json``: ``{"file", "executions", "values", "bytes", "left_out": [{id, why}]}``.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...state.quantities import milliseconds
from ...state.records import STATUSES, Filter
from .. import reach
from ..exits import FAILED, USAGE, Exit
from ..options import duration_option, json_option, store_option
from ..selection import selection

if TYPE_CHECKING:
    from ...orchestrator.upkeep.archive import Exported

JSON = "--json: {file, executions, values, bytes, left_out: [{id, why}]}"


@click.command(epilog=JSON)
@click.argument("file", metavar="FILE|-")
@click.option("--status", multiple=True, type=click.Choice(STATUSES), metavar="STATUS", help="Only these; repeatable.")
@click.option("--where", multiple=True, metavar="KEY=VALUE", help="Only those with function=, prefix=, parent= …")
@duration_option("--before", default=None, help="Only what has not changed for this long, like 30d.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@store_option
@json_option
@click.pass_context
def export_command(
    ctx: click.Context,
    file: str,
    status: Sequence[str],
    where: Sequence[str],
    before: str | None,
    force: bool,
    store: str,
    as_json: bool,
) -> None:
    """Write the store, or the executions that match, to FILE.

    Whole exports also hold the shared key-value entries. Values are not encrypted in the file: only you may read it.
    """
    if as_json and file == "-":
        raise click.UsageError("--json and - both write to stdout; name a file")
    chosen = selection(where, status)
    written = _Count()
    with _opened(file, force=force) as write:
        done = reach.run(_export(store, written.through(write), chosen, before))
    if as_json:
        from ..view.terminal import emit

        left_out = [{"id": id, "why": why} for id, why in done.left_out]
        emit(
            {
                "file": file,
                "executions": done.executions,
                "values": done.values,
                "bytes": written.bytes,
                "left_out": left_out,
            }
        )
    else:
        _report(file, done, written.bytes)
    ctx.exit(FAILED if done.left_out else 0)


class _Count:
    """Bytes that went through."""

    def __init__(self) -> None:
        self.bytes = 0

    def through(self, write: Callable[[bytes], object]) -> Callable[[bytes], object]:
        def counted(line: bytes) -> None:
            self.bytes += len(line)
            write(line)

        return counted


async def _export(dsn: str, write: Callable[[bytes], object], where: Filter, before: str | None) -> Exported:
    from ... import __version__
    from ...orchestrator.protocol.clock import present
    from ...orchestrator.upkeep.archive import export
    from ..store_progress import progress
    from ..view.terminal import say

    async with reach.opened(dsn) as store:
        now = await present(store)
        if before is not None:
            where = where._replace(before=max(now - milliseconds(before), 1))
        if owners := await store.owners(now):
            names = ", ".join(sorted(owners)[:3])
            say(f"! {names} works on the store; for one picture of everything, stop it meanwhile", style="yellow")
        with progress() as report:
            return await export(store, write, at=now, release=__version__, where=where, report=report)


@contextlib.contextmanager
def _opened(file: str, *, force: bool) -> Generator[Callable[[bytes], object]]:
    """Where the lines go. The file is made beside its place and put there when it is whole and on the disk."""
    if file == "-":
        yield sys.stdout.buffer.write
        sys.stdout.buffer.flush()
        return
    path, part = Path(file), Path(f"{file}.part")
    if path.exists() and not force:
        raise Exit(f"{file} is there already", code=USAGE, advice="Choose another name, or write over it with --force.")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            yield out.write
            out.flush()
            os.fsync(out.fileno())
        part.replace(path)
    except OSError as error:
        raise Exit(f"{file} can't be written: {error.strerror or error}", code=USAGE) from None
    finally:
        part.unlink(missing_ok=True)


def _report(file: str, done: Exported, bytes_: int) -> None:
    from ..view.terminal import say
    from ..view.text import counted, size

    values = f", {counted(done.values, 'key-value entry', 'key-value entries')}" if done.values else ""
    where = "" if file == "-" else f" to {file}"
    say(f"exported {counted(done.executions, 'execution')}{values}{where}, {size(bytes_)}")
    for id, why in done.left_out[:20]:
        say(f"✗ {id} was left out: {why}", style="red")
    if len(done.left_out) > 20:
        say(f"… and {len(done.left_out) - 20:,} more were left out", style="red")
