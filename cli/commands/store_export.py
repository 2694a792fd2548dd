"""``overwinter store export FILE``: the store as JSON lines (docs/store.md has the format). ``-`` is stdout.

A file appears under its name only when it is whole; a pipe or a device is written to as it is. Exit
code 1 when an execution could not be read.
``--json``: ``{"file", "executions", "values", "bytes", "left_out": [{id, why}]}``.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...state.quantities import milliseconds
from ...state.records import STATUSES, Filter
from .. import reach
from ..exits import FAILED, USAGE, Exit
from ..options import by_default, duration_option, json_option, store_option
from ..selection import selection

if TYPE_CHECKING:
    from ...orchestrator.upkeep.archive import Exported

JSON = "--json: {file, executions, values, bytes, left_out: [{id, why}]}"
STORED = ("", "-wal", "-shm", "-journal")
"""What the files of a SQLite store are called, behind its name."""


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
    if as_json and file in _STDOUT:
        raise click.UsageError(f"--json and {file} both write to stdout; name a file")
    chosen = selection(where, status)
    written = _Count()
    with _opened(file, store, force=force) as write:
        done = reach.run(_export(store, written.through(write), chosen, before, file))
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


async def _export(dsn: str, write: Callable[[bytes], object], where: Filter, before: str | None, file: str) -> Exported:
    from ... import __version__
    from ...orchestrator.audit.readings import reading
    from ...orchestrator.protocol.clock import present
    from ...orchestrator.reading import Reading
    from ...orchestrator.upkeep.archive import export
    from ..store_progress import progress
    from ..view.terminal import say

    async with reach.opened(dsn) as store:
        now = await present(store)
        chosen = {name: value for name, value in where._asdict().items() if value}
        chosen |= {"before": before} if before else {}
        told: dict[str, Any] = {"to": file, "executions": sum((await Reading(store).counts()).values())}
        told |= {"of": chosen} if chosen else {}
        await reading(store, "store.export", "store", by=by_default(), **told)
        if before is not None:
            where = where._replace(before=max(now - milliseconds(before), 1))
        if owners := await store.owners(now):
            names = ", ".join(sorted(owners)[:3])
            say(f"! {names} works on the store; for one picture of everything, stop it meanwhile", style="yellow")
        with progress() as report:
            return await export(store, write, at=now, release=__version__, where=where, report=report)


_STDOUT = ("-", "/dev/stdout")


@contextlib.contextmanager
def _opened(file: str, store: str, *, force: bool) -> Generator[Callable[[bytes], object]]:
    """Where the lines go. A file is made beside its place and put there when it is whole and on the disk; that of a
    link is the one it points to. What is no file, a pipe or a device, is written to and stays what it is."""
    if file in _STDOUT:
        yield sys.stdout.buffer.write
        sys.stdout.buffer.flush()
        return
    part = Path(f"{os.path.realpath(file)}.part")
    _refuse_own(store, file, Path(file), part)
    try:
        there = _there(file)
        if there is not None and not force:
            advice = "Choose another name, or write over it with --force."
            raise Exit(f"{file} is there already", code=USAGE, advice=advice)
        if there is not None and not stat.S_ISREG(there.st_mode):
            with os.fdopen(os.open(file, os.O_WRONLY), "wb") as out:
                yield out.write
            return
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0)
            with os.fdopen(os.open(part, flags, 0o600), "wb") as out:
                yield out.write
                out.flush()
                os.fsync(out.fileno())
            part.replace(os.path.realpath(file))
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise Exit(f"{file} can't be written: {error.strerror or error}", code=USAGE) from None


def _there(file: str) -> os.stat_result | None:
    try:
        return Path(file).stat()
    except FileNotFoundError:
        return None


def _refuse_own(dsn: str, file: str, *written: Path) -> None:
    """Raises Exit when a file that would be written is one of the store's: by name, for not all of them are always
    there, and by what is there, for a file has many names."""
    path = reach.sqlite_path(dsn)
    if path is None:
        return
    own = [Path(f"{name}{part}") for name in {str(path), os.path.realpath(path)} for part in STORED]
    for one in written:
        if any(os.path.realpath(one) == os.path.realpath(mine) or _same(one, mine) for mine in own):
            advice = "Name another file, or - for stdout."
            raise Exit(f"{file} belongs to the store that is exported", code=USAGE, advice=advice)


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _report(file: str, done: Exported, bytes_: int) -> None:
    from ..view.terminal import say
    from ..view.text import counted, size

    values = f", {counted(done.values, 'key-value entry', 'key-value entries')}" if done.values else ""
    where = "" if file in _STDOUT else f" to {file}"
    say(f"exported {counted(done.executions, 'execution')}{values}{where}, {size(bytes_)}")
    for id, why in done.left_out[:20]:
        say(f"✗ {id} was left out: {why}", style="red")
    if len(done.left_out) > 20:
        say(f"… and {len(done.left_out) - 20:,} more were left out", style="red")
