"""How a budget stands: what of it is used, whether a call fits into the rest, and what is said when it does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from ...state.errors import LimitExceeded
from ..errors.failures import Failure
from ..governance.budgets.amount import Amount
from ..governance.budgets.bound import Bound
from ..governance.budgets.hold import LEAST, Room, Terms, cost, fit
from ..governance.usage import failure
from .turn import Turn

_TELLS = (90, 75, 50, 25, 10, 5)
"""What a model is told of what is left, in hundredths: rounded, so that what a provider has cached of it stays good."""
LIMITS = Bound("run", {})
"""What an agent's Limits are as a budget."""


class Standing(NamedTuple):
    """A budget and what was used of it."""

    bound: Bound
    most: Mapping[str, Any]
    used: Amount
    lent: tuple[str, ...] = ()


def told(standings: Sequence[Standing]) -> str:
    """What the model is told of what is left; "": nothing."""
    told: list[str] = []
    for standing in standings:
        if standing.bound.tell:
            left = 100 * (1 - share_of(standing))
            step = next((step for step in _TELLS if left >= step), 0)
            some = f"more than {step}%" if step else f"less than {_TELLS[-1]}%"
            told.append(f"{some} of the budget for {whose(standing.bound)} is left")
    return f"[{'; '.join(told)}]" if told else ""


def counts(most: Mapping[str, Any]) -> bool:
    """Whether a budget names anything."""
    return any(value is not None for value in most.values())


def short_of(standing: Standing, input: int, terms: Terms) -> str:
    """Which unit of it does not leave enough for the call; "": none."""
    most, used = standing.most, standing.used
    for unit, least in (("iterations", 1), ("model_calls", 1)):
        if most.get(unit) is not None and getattr(used, unit) + least > most[unit]:
            return unit
    if most.get("time") is not None and used.time >= most["time"]:
        return "time"
    if most.get("tokens") is not None and fit(input, terms, Room(most["tokens"] - used.tokens, None)) is None:
        return "tokens"
    if most.get("cost") is not None and fit(input, terms, Room(None, most["cost"] - used.cost)) is None:
        return "cost"
    return ""


def share_of(standing: Standing) -> float:
    """How much of it is used, of the unit of which there is least left."""
    used = standing.used
    return max([float(getattr(used, unit)) / float(most) for unit, most in standing.most.items() if most], default=0.0)


def error(short: Standing, input: int, terms: Terms, turn: Turn, more: str = "") -> Failure:
    unit = short_of(short, input, terms) or "tokens"
    used = getattr(short.used, unit)
    if unit not in ("tokens", "cost"):
        return reached(short, unit, f"{used:,} {unit.replace('_', ' ')}", turn, more)
    if unit == "tokens":
        needs = f"{input + LEAST:,} tokens ({input:,} to read, estimated, and {LEAST} to write)"
        return reached(short, unit, f"{used:,} tokens", turn, f", and the next model call takes at least {needs}{more}")
    price = cost(input, LEAST, terms)
    needs = "" if price is None else f", and the next model call takes at least {format(price, 'f')}"
    return reached(short, unit, format(used, "f"), turn, needs + more)


def reached(short: Standing, unit: str, shown: str, turn: Turn, more: str = "") -> Failure:
    bound, most = short.bound, short.most[unit]
    allowed: int | str = plain(most)
    of = allowed if isinstance(allowed, str) else f"{allowed:,}"
    name = unit.replace("_", " ")
    what = f"the limit on {name}" if bound is LIMITS else f"the budget for {whose(bound)}, its limit on {name},"
    said = f"{what} is reached: {shown} used of {of}{more}"
    if unit in short.lent:
        said += ", which was left of the limit of whoever ordered it; raise that one, or ask for less"
    else:
        said += "; raise the agent's limit, or ask for less"
    used = getattr(short.used, unit)
    data: dict[str, Any] = {"limit": unit, "used": plain(used), "allowed": allowed, "per": bound.per}
    if far := so_far(turn):
        data["so_far"] = far
    return failure(LimitExceeded, said, data)


def so_far(turn: Turn) -> str:
    """The last words of the model in this turn."""
    said = [message.content for message in turn.messages if message.role == "assistant" and message.content]
    return said[-1][:4_096] if said else ""


def whose(bound: Bound) -> str:
    return {"call": "one model call", "run": "this run", "session": "this session"}.get(bound.per, bound.per)


def plain(value: Any) -> int | str:
    return format(value, "f") if isinstance(value, Decimal) else int(value)
