"""``overwinter budget list|show|set|raise|freeze|unfreeze|remove|recover|spent|bounds``: what the accounts that
executions share may use and have used, what was spent by whom, and by how much agents may overdraw.

``--json``: ``list`` an array of what ``show`` and ``set`` give: ``{"account", "frozen", "limits", "windows", "slices",
"changes", "past"?}``; ``raise`` ``{"account", "windows"}``; ``freeze`` and ``unfreeze`` ``{"account", "frozen"}``;
``remove`` ``{"account", "removed"}``; ``recover`` ``{"recovered"}``; ``spent`` an array of ``{"of", "tokens", "cost",
"answers", "unpriced"}``; ``bounds`` of ``{"agent", "budget", "model", "ascii", "any", "cost"}``. Times are milliseconds
since 1970, costs decimal text.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from .. import reach
from ..exits import USAGE, Exit
from ..options import by_default, file_argument, json_option, store_option, text_option

if TYPE_CHECKING:
    from ...orchestrator.governance.budgets.accounts import Standing
    from ...orchestrator.governance.budgets.amount import Amount
    from ...orchestrator.spending import By, Spent
    from ...state.store import Store

Command = TypeVar("Command", bound=Callable[..., Any])
T = TypeVar("T")
_UNITS = ("tokens", "cost", "model_calls", "tool_calls", "iterations", "time")
_WINDOWS = {"hour": "hour", "day": "day", "month": "month", "ever": ""}
_BY = ("agent", "user", "tenant", "model", "day")
STANDING = "--json: {account, frozen, limits, windows, slices, changes}"


@click.group("budget")
def budget_command() -> None:
    """What accounts that executions share may use: tenant:acme, user:u-1, agent:support; user:* is each user's."""


def _account(command: Command) -> Command:
    return click.argument("account", metavar="KIND:NAME")(command)


def _who(command: Command) -> Command:
    """``--by`` and ``--reason``."""
    command = text_option("--reason", unsaid="", help="Why; it is kept with the account.")(command)
    return click.option("--by", default=None, help="Who does it; you, when not given.")(command)


def _units(command: Command) -> Command:
    for name, what in (
        ("time", "milliseconds of work"),
        ("iterations", "answers that are taken"),
        ("tool-calls", "calls of tools"),
        ("model-calls", "calls of models"),
    ):
        command = click.option(f"--{name}", default=None, type=click.IntRange(0), help=f"So many {what}.")(command)
    command = text_option("--cost", metavar="DOLLARS", help="So much money.")(command)
    return click.option("--tokens", default=None, type=click.IntRange(0), help="So many tokens.")(command)


def _said(units: dict[str, Any]) -> dict[str, Any]:
    return {name: units[name] for name in _UNITS if units.get(name) is not None}


def _with(store: str, work: Callable[[Store, int], Awaitable[T]], *, writes: bool = False) -> T:
    async def inside() -> T:
        from ...orchestrator.protocol.clock import present

        async with reach.control(store) as control:
            if writes:
                await control.prepare()
            return await work(control.store, await present(control.store))

    return reach.run(inside())


@budget_command.command("list", epilog="--json: [{account, frozen, limits, windows, slices, changes}]")
@store_option
@json_option
def list_command(store: str, as_json: bool) -> None:
    """All accounts that have limits or have used something."""
    from ...orchestrator.governance.budgets.accounts import listed

    _tell(_with(store, listed), as_json=as_json)


@budget_command.command("show", epilog=STANDING)
@_account
@click.option("--past", is_flag=True, help="Also what was used in windows that are over.")
@store_option
@json_option
def show_command(account: str, past: bool, store: str, as_json: bool) -> None:
    """One account: its limits, what is used and drawn, who has changed what."""
    from ...orchestrator.governance.budgets import accounts

    async def work(there: Store, now: int) -> tuple[Standing, dict[str, Amount]]:
        return await accounts.shown(there, account, now), await accounts.past(there, account) if past else {}

    one, before = _with(store, work)
    _tell_one(one, before, as_json=as_json)


@budget_command.command("set", epilog=STANDING)
@_account
@click.option("--per", default="day", show_default=True, type=click.Choice(list(_WINDOWS)), help="In which window.")
@click.option("--timezone", "zone", default="UTC", show_default=True, help="Whose days, like Europe/Berlin.")
@_units
@click.option("--warn", default=None, type=float, help="The share at which it is said in the log, like 0.8.")
@click.option("--by", default=None, help="Who does it; you, when not given.")
@store_option
@json_option
def set_command(
    account: str, per: str, zone: str, warn: float | None, by: str | None, store: str, as_json: bool, **units: Any
) -> None:
    """Limit an account in one window; without any unit that limit is taken away.

    It holds in all processes within seconds.
    """
    from ...orchestrator.governance.budgets.account import Limit
    from ...orchestrator.governance.budgets.accounts import set_limits, shown

    async def work(there: Store, now: int) -> Standing:
        limit = Limit(_WINDOWS[per], _said(units), zone, warn)
        await set_limits(there, account, [limit], now, by=by_default() if by is None else by)
        return await shown(there, account, now)

    _tell_one(_with(store, work, writes=True), as_json=as_json)


@budget_command.command("raise", epilog="--json: {account, windows}")
@_account
@click.option("--per", default=None, type=click.Choice(list(_WINDOWS)), help="Only that limit; all, when not given.")
@_units
@_who
@store_option
@json_option
def raise_command(
    account: str, per: str | None, by: str | None, reason: str, store: str, as_json: bool, **units: Any
) -> None:
    """Allow more in the window of now, and in none after it."""
    from ...orchestrator.governance.budgets.accounts import raise_limits

    async def work(there: Store, now: int) -> list[str]:
        window = None if per is None else _WINDOWS[per]
        who = by_default() if by is None else by
        return await raise_limits(there, account, _said(units), now, window=window, by=who, reason=reason)

    windows = _with(store, work, writes=True)
    _done({"account": account, "windows": windows}, f"raised {account} for {_list(windows)}", as_json=as_json)


@budget_command.command("freeze", epilog="--json: {account, frozen}")
@_account
@_who
@store_option
@json_option
def freeze_command(account: str, by: str | None, reason: str, store: str, as_json: bool) -> None:
    """Let nothing more be used. What is under way is settled."""
    _freeze(account, by, reason, store, frozen=True, as_json=as_json)


@budget_command.command("unfreeze", epilog="--json: {account, frozen}")
@_account
@_who
@store_option
@json_option
def unfreeze_command(account: str, by: str | None, reason: str, store: str, as_json: bool) -> None:
    """Let it be used again, within its limits."""
    _freeze(account, by, reason, store, frozen=False, as_json=as_json)


@budget_command.command("remove", epilog="--json: {account, removed}")
@_account
@click.option("--yes", "-y", is_flag=True, help="Do not ask before removing.")
@store_option
@json_option
def remove_command(account: str, yes: bool, store: str, as_json: bool) -> None:
    """Forget an account: its limits, what it has used, and its past. Journals keep what was spent."""
    from ...orchestrator.governance.budgets.accounts import remove, shown

    async def work(there: Store, now: int) -> bool:
        await shown(there, account, now)
        if not yes:
            _confirm(account)
        return await remove(there, account, by=by_default())

    removed = _with(store, work, writes=True)
    _done(
        {"account": account, "removed": removed},
        f"removed {account}" if removed else "nothing was known of it",
        as_json=as_json,
    )


@budget_command.command("recover", epilog="--json: {recovered}")
@store_option
@json_option
def recover_command(store: str, as_json: bool) -> None:
    """Give back what processes that have ended had drawn and not used, as the journals say.

    Processes do it by themselves when an account refuses.
    """
    from ...orchestrator.governance.budgets.recovery import recover_all
    from ..view.text import counted

    found = _with(store, recover_all, writes=True)
    _done({"recovered": found}, f"recovered {counted(found, 'slice')}", as_json=as_json)


@budget_command.command("spent", epilog="--json: [{of, tokens, cost, answers, unpriced}]")
@click.option("--by", default="agent", show_default=True, type=click.Choice(_BY), help="What to sum by.")
@text_option("--since", metavar="TIME", help="From then on: 7d (ago), or 2026-11-29.")
@text_option("--until", metavar="TIME", help="Before then.")
@store_option
@json_option
def spent_command(by: str, since: str | None, until: str | None, store: str, as_json: bool) -> None:
    """What was spent, from the journals' own records, exact to the last one."""
    from ...orchestrator.reading import Reading
    from ...orchestrator.spending import Span, spending
    from ..store_progress import progress
    from .events import moment

    span = Span(None if since is None else moment(since), None if until is None else moment(until))

    async def work(there: Store, _: int) -> list[Spent]:
        with progress() as report:
            return await spending(Reading(there), cast("By", by), span, report)

    found = _with(store, work)
    if as_json:
        from ..view.terminal import emit

        emit([one.record() for one in found])
        return
    from ..view.budgets import spent_table
    from ..view.terminal import console

    out = console()
    for line in spent_table(found, by, out.width) if found else ("nothing was spent",):
        out.print(line)


@budget_command.command("bounds", epilog="--json: [{agent, budget, model, ascii, any, cost}]")
@file_argument
@json_option
def bounds_command(file: str, as_json: bool) -> None:
    """By how much the agents in FILE may overdraw what they declare, at the most, with one model call."""
    from pathlib import Path

    from ...functions.agents.agent import Agent
    from ...functions.agents.overshoot import overshoots
    from ...functions.invocation.loading import functions_of, load, sound

    agents: list[Agent[Any]] = []
    for one in sound(functions_of(load(Path(file)))).values():
        if isinstance(one, Agent):
            agents.append(one)  # pyright: ignore[reportUnknownArgumentType]  # of whatever output
    found = [one for agent in agents for one in overshoots(agent)]
    if as_json:
        from ..view.terminal import emit

        emit([one.record() for one in found])
        return
    from ..view.budgets import bounds_table
    from ..view.terminal import console

    out = console()
    for line in bounds_table(found, out.width) if found else ("no agent has a budget of tokens or money",):
        out.print(line)


def _freeze(account: str, by: str | None, reason: str, store: str, *, frozen: bool, as_json: bool) -> None:
    from ...orchestrator.governance.budgets import accounts

    async def work(there: Store, now: int) -> None:
        change = accounts.freeze if frozen else accounts.unfreeze
        await change(there, account, now, by=by_default() if by is None else by, reason=reason)

    _with(store, work, writes=True)
    _done({"account": account, "frozen": frozen}, f"{'froze' if frozen else 'unfroze'} {account}", as_json=as_json)


def _tell(found: list[Standing], *, as_json: bool) -> None:
    if as_json:
        from ..view.terminal import emit

        emit([one.record() for one in found])
        return
    from ..view.budgets import standings
    from ..view.moments import now
    from ..view.terminal import console

    out = console()
    for line in standings(found, out.width, now()) if found else ("there are no budgets",):
        out.print(line)


def _tell_one(one: Standing, past: Mapping[str, Amount] = {}, *, as_json: bool) -> None:
    if as_json:
        from ..view.terminal import emit

        more = {"past": {key: amount.record() for key, amount in past.items()}} if past else {}
        emit(one.record() | more)
        return
    from ..view.budgets import before, details
    from ..view.moments import now
    from ..view.terminal import show

    _tell([one], as_json=False)
    show(*before(past), *details(one, now()))


def _done(told: dict[str, Any], sentence: str, *, as_json: bool) -> None:
    if as_json:
        from ..view.terminal import emit

        emit(told)
        return
    from ..view.text import clean

    click.echo(clean(sentence))


def _list(windows: list[str]) -> str:
    return ", ".join(key or "ever" for key in windows)


def _confirm(account: str) -> None:
    from ..view.terminal import interactive
    from ..view.text import clean

    question = f"forget what {clean(account)} may use and has used?"
    if not interactive():
        raise Exit(f"{question} There is nobody to ask", code=USAGE, advice="Add --yes to do it without asking.")
    click.confirm(question, abort=True, err=True)
