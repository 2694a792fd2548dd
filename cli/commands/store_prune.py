"""``overwinter store prune``: executions that have ended, and have not changed for a time, are deleted.

Never what is leased or under way, never the child of a parent that may still ask for it.
``--json``: ``{"dry_run", "pruned", "statuses": {status: n}, "kept": {reason: n}}``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, NamedTuple

import click

from ...state.quantities import milliseconds
from ...state.records import FINAL, Filter, Head
from .. import reach
from ..options import by_default, duration_option, json_option, store_option
from ..selection import confirm, selection

if TYPE_CHECKING:
    from ...orchestrator.upkeep.retention import Verdict
    from ...state.store import Store

JSON = "--json: {dry_run, pruned, statuses: {status: n}, kept: {reason: n}}"


class Plan(NamedTuple):
    """What is to be pruned."""

    age: int  # ms
    where: Filter  # with statuses

    def of(self, store: Store, now: int) -> AsyncGenerator[Verdict]:
        from ...orchestrator.upkeep.retention import old

        return old(store, self.age, self.where.status, now, self.where)


class Pruned(NamedTuple):
    """How many went, by status, and how many stayed, by reason."""

    gone: Counter[str]
    kept: Counter[str]


def _statuses(_: click.Context, __: click.Parameter, value: Sequence[str]) -> tuple[str, ...]:
    return tuple(status for words in value for status in words.split(",") if status)


@click.command(epilog=JSON)
@click.option(
    "--status", multiple=True, callback=_statuses, metavar="STATUS", help="Only these; all that have ended by default."
)
@duration_option("--older-than age", default="30d", show_default=True, help="Not changed for this long.")
@click.option("--where", multiple=True, metavar="KEY=VALUE", help="Only those with function=, prefix=, parent= …")
@click.option("--dry-run", is_flag=True, help="Only count.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask before deleting.")
@store_option
@json_option
def prune_command(
    status: Sequence[str], age: str, where: Sequence[str], dry_run: bool, yes: bool, store: str, as_json: bool
) -> None:
    """Delete executions that are over for long enough. --status idle also deletes sessions at rest."""
    from ...orchestrator.upkeep.retention import check

    chosen = selection(where, status or tuple(sorted(FINAL)))
    plan = Plan(milliseconds(age), chosen)
    check(plan.age, chosen.status)
    done = reach.run(_prune(store, plan, dry_run=dry_run, ask=not yes))
    if as_json:
        from ..view.terminal import emit

        gone, kept = dict(done.gone), dict(done.kept)
        emit({"dry_run": dry_run, "pruned": done.gone.total(), "statuses": gone, "kept": kept})
    else:
        _report(done, age, dry_run=dry_run)


async def _prune(dsn: str, plan: Plan, *, dry_run: bool, ask: bool) -> Pruned:
    from ...orchestrator.protocol.clock import present

    async with reach.opened(dsn) as store:
        now = await present(store)
        if dry_run or ask:
            counted = await _count(store, plan, now)
            if dry_run or not counted.gone:
                return counted
            confirm("delete", counted.gone.total())
        return await _delete(store, plan, now)


async def _count(store: Store, plan: Plan, now: int) -> Pruned:
    from ..store_progress import progress

    found = Pruned(Counter(), Counter())
    with progress() as report:
        async with aclosing(plan.of(store, now)) as verdicts:
            async for verdict in verdicts:
                _note(found, verdict)
                report("looking", found.gone.total() + found.kept.total(), 0)
    return found


def _note(found: Pruned, verdict: Verdict) -> None:
    if verdict.kept:
        found.kept[verdict.kept] += 1
    else:
        found.gone[verdict.head.status] += 1


async def _delete(store: Store, plan: Plan, now: int) -> Pruned:
    from ...orchestrator.governance.budgets.recovery import recover_all
    from ...orchestrator.upkeep.retention import TOGETHER, drop
    from ..store_progress import progress

    await recover_all(store, now)  # what dead processes have used of shared budgets stands in journals alone
    done = Pruned(Counter(), Counter())
    batch: list[Head] = []

    async def flush() -> None:
        for head, went in zip(batch, await drop(store, batch, now, by=by_default()), strict=True):
            done.gone[head.status] += went
            done.kept["changed meanwhile"] += not went
        batch.clear()
        report("deleting", done.gone.total(), 0)

    with progress() as report:
        async with aclosing(plan.of(store, now)) as verdicts:
            async for verdict in verdicts:
                if verdict.kept:
                    done.kept[verdict.kept] += 1
                    continue
                batch.append(verdict.head)
                if len(batch) == TOGETHER:
                    await flush()
        await flush()
    return Pruned(+done.gone, +done.kept)


def _report(done: Pruned, age: str, *, dry_run: bool) -> None:
    from ..view.heads import tally
    from ..view.terminal import say
    from ..view.text import counted

    gone, kept = done.gone.total(), done.kept.total()
    verb = "would be deleted" if dry_run else "deleted"
    of_them = f" ({tally(done.gone).plain})" if gone else ""
    say(f"{counted(gone, 'execution')} {verb}{of_them}; not changed for {age}")
    if kept:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in done.kept.most_common())
        say(f"{kept:,} as old stay: {reasons}", style="dim")
