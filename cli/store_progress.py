"""How far a long command is: a bar on stderr where a person reads, nothing when piped."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from ..orchestrator.upkeep.moving import Report, silent
from .view.terminal import console
from .view.text import clean


@contextmanager
def progress() -> Generator[Report]:
    """Inside the context the report moves the bar; it is gone afterwards."""
    out = console(stderr=True)
    if not out.is_terminal:
        yield silent
        return
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(24),
        TextColumn("{task.fields[so_far]}"),
    )
    with Progress(*columns, console=out, transient=True) as bar:
        task = bar.add_task("", total=None, so_far="")

        def report(what: str, done: int, total: int) -> None:
            so_far = f"{done:,} of {total:,}" if total else f"{done:,}" if done else ""
            bar.update(task, description=clean(what), completed=done, total=total or None, so_far=so_far)

        yield report
