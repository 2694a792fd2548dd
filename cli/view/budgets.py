"""Budgets for people: a bar for each limit, how much of it is used, and when its window ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from rich.text import Text

from ...orchestrator.governance.budgets.account import measured
from .heads import Cell, table
from .moments import clock
from .text import clean

if TYPE_CHECKING:
    from ...functions.agents.overshoot import Overshoot
    from ...orchestrator.governance.budgets.accounts import Standing, Window
    from ...orchestrator.governance.budgets.amount import Amount
    from ...orchestrator.spending import Spent

WIDTH = 12
_PER = {"hour": "an hour", "day": "a day", "month": "a month", "": "for ever"}
_TITLES = ("ACCOUNT", "PER", "USED", "OF", "", "UNTIL")


def standings(found: Sequence[Standing], width: int, now: int) -> Iterator[Text]:
    """A line for each limit; for an account without one what it has used at all."""
    rows: list[list[Cell]] = []
    for one in found:
        name = clean(one.account)
        rows += _rows(one, name, now) or [
            [(name, "bold"), *[(text, "dim") for text in ("", "", "", "its own each", "")]]
        ]
    yield from table(_TITLES, rows, width)


def _rows(one: Standing, name: str, now: int) -> list[list[Cell]]:
    rows: list[list[Cell]] = []
    frozen = one.rules.frozen is not None
    for window in one.windows:
        for unit, used, most in _bounds(window):
            share = float(used) / float(most) if most else 1.0
            warn = window.bound.warn if window.bound is not None else None
            style = "red" if frozen or share >= 1 else "yellow" if warn is not None and share >= warn else "green"
            end = "" if window.ends is None else clock(window.ends, now)
            rows.append([
                (name, "bold"),
                (_PER[window.window], ""),
                (amount(unit, used), ""),
                (amount(unit, most), ""),
                (f"{bar(share)} {share:.0%}" + (" frozen" if frozen else ""), style),
                (end, "dim"),
            ])  # fmt: skip
    if not rows and one.windows:
        ever = next(window for window in one.windows if window.window == "")
        told = ", ".join(amount(unit, measured(ever.used, unit)) for unit in ever.used.record()) or "nothing"
        what = "frozen" if frozen else "no limit"
        rows.append(
            [(name, "bold"), (_PER[""], ""), (told, ""), ("", ""), (what, "red" if frozen else "dim"), ("", "")]
        )
    if not rows:
        rows = [
            [
                (name, "bold"),
                (_PER[limit.window], ""),
                ("", ""),
                (amount(unit, most), ""),
                ("frozen" if frozen else "for each", "red" if frozen else "dim"),
                ("", ""),
            ]
            for limit in one.rules.limits
            for unit, most in limit.most.items()
        ]
    return rows


def _bounds(window: Window) -> Iterator[tuple[str, Any, Any]]:
    if window.bound is not None:
        for unit, most in window.bound.most.items():
            yield unit, measured(window.used, unit), most


def bar(share: float) -> str:
    """A share of 1 as a bar: full when it is used up, and never full before."""
    filled = WIDTH if share >= 1 else min(int(share * WIDTH), WIDTH - 1)
    return "█" * filled + "░" * (WIDTH - filled)


def amount(unit: str, value: Any) -> str:
    """ "1,200 tokens", "$4.20"."""
    if unit == "cost":
        return money(Decimal(str(value)))
    return f"{value:,} {unit.replace('_', ' ')}" if unit != "time" else f"{value / 1000:,.1f} s"


def money(cost: Decimal) -> str:
    """To the cent, or as exactly as it is where there is less."""
    cents = cost.quantize(Decimal("0.01")) if cost == cost.quantize(Decimal("0.01")) else cost.normalize()
    return f"${cents:,f}"


def details(one: Standing, now: int) -> Iterator[Text]:
    """What a table has no room for: a freeze, what is drawn, the last changes."""
    frozen = one.rules.frozen
    if frozen is not None:
        said = f": {clean(frozen.reason)}" if frozen.reason else ""
        yield Text(f"frozen by {clean(frozen.by) or 'somebody'} {clock(frozen.at, now)}{said}", "red")
    for slice in one.slices:
        told = ", ".join(amount(unit, value) for unit, value in slice["amount"].items()) or "nothing"
        yield Text(f"drawn {clock(slice['at'], now)} by {clean(str(slice['owner']))}: {told}", "dim")
    for change in one.changes[-10:]:
        yield Text(f"{clock(int(change['at']), now)} {_change(change)}", "dim")


def before(past: Mapping[str, Amount]) -> Iterator[Text]:
    """Windows that are over, the earliest first."""
    for key in sorted(past):
        used = ", ".join(amount(unit, measured(past[key], unit)) for unit in past[key].record())
        yield Text(f"{clean(key)}: {used or 'nothing'}", "dim")


def _change(change: Mapping[str, Any]) -> str:
    told: list[str] = []
    for window, limit in change.get("limits", {}).items():
        most = ", ".join(amount(unit, value) for unit, value in limit["most"].items()) or "no limit"
        told.append(f"{most} {_PER.get(window, window)}")
    for unit, value in change.get("amount", {}).items():
        told.append(
            f"{amount(unit, value)} more in {', '.join(key or 'all time' for key in change['windows'].values())}"
        )
    by = f" by {change['by']}" if change.get("by") else ""
    reason = f" ({change['reason']})" if change.get("reason") else ""
    return clean(f"{change['what']}{by}{': ' if told else ''}{'; '.join(told)}{reason}")


def spent_table(found: Sequence[Spent], by: str, width: int) -> Iterator[Text]:
    """The dearest first, and the sum."""
    rows: list[list[Cell]] = [
        [
            (clean(one.of) or "-", "bold"),
            (f"{one.usage.tokens:,}", ""),
            (f"{one.usage.iterations:,}", "dim"),
            (money(one.usage.cost) + (f" and {one.usage.unpriced:,} unpriced" if one.usage.unpriced else ""), ""),
        ]
        for one in found
    ]
    yield from table([by.upper(), "TOKENS", "ANSWERS", "COST"], rows, width)


def bounds_table(found: Sequence[Overshoot], width: int) -> Iterator[Text]:
    """By how much one call may overdraw each, in English and in any text."""
    rows: list[list[Cell]] = [
        [
            (clean(one.agent), "bold"),
            (clean(one.budget), ""),
            (clean(one.model), "dim"),
            (f"{one.ascii:,} tokens", ""),
            (f"{one.any:,} tokens", ""),
            ("whatever it costs" if one.cost is None else money(one.cost), "yellow" if one.cost is None else ""),
        ]
        for one in found
    ]
    yield from table(["AGENT", "BUDGET", "MODEL", "PLAIN TEXT", "ANY TEXT", "AT MOST"], rows, width)
