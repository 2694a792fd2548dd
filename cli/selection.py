"""Executions chosen by ``--where``, and the question before something is done to many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from ..state.records import FINAL, STATUSES, Filter
from .exits import USAGE, Exit

if TYPE_CHECKING:
    from ..orchestrator.reading import Reading

LIVE = tuple(status for status in STATUSES if status not in FINAL)


def selection(where: Sequence[str], statuses: Sequence[str]) -> Filter:
    """The filter of ``--where`` words. Raises UsageError naming the keys."""
    chosen: list[str] = []
    fields: dict[str, Any] = {"function": "", "prefix": "", "parent": None, "awaits": ""}
    for word in where:
        key, mark, value = word.partition("=")
        if key == "status" and value:
            chosen += value.split(",")
        elif key in fields and mark and value:
            fields[key] = value
        else:
            keys = ", ".join(("status", *fields))
            raise click.BadParameter(f"{word!r} is not KEY=VALUE with a key of {keys}", param_hint="--where")
    unknown = [status for status in chosen if status not in STATUSES]
    if unknown:
        raise click.BadParameter(f"no status {unknown[0]!r}; there are {', '.join(STATUSES)}", param_hint="--where")
    return Filter(tuple(chosen) or tuple(statuses), **fields)


async def matching(reading: Reading, where: Filter) -> int:
    """How many there are."""
    found = 0
    async for _ in reading.all(where):
        found += 1
    return found


def confirm(action: str, count: int) -> None:
    from .view.terminal import interactive
    from .view.text import counted

    question = f"{action} {counted(count, 'execution')}?"
    if not interactive():
        raise Exit(f"{question} There is nobody to ask", code=USAGE, advice="Add --yes to do it without asking.")
    click.confirm(question, abort=True, err=True)
