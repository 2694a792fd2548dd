"""Budgets of an agent: plain data, checked when it is made.

Agent("desk", model, budgets=[
    Budget("session", cost="5.00", at_limit=Ask("finance", cost="2.00")),
    Budget("tenant", per="day", cost="100", timezone="Europe/Berlin", warn=0.8),
])
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Literal, NamedTuple, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ...orchestrator.governance.approvals.rule import Approval, rule_of
from ...orchestrator.governance.budgets.account import bounds_of
from ...orchestrator.governance.budgets.amount import UNITS, Amount
from ...orchestrator.governance.budgets.bound import ACCOUNTS, INSIDE, Bound
from ...state.errors import InvalidInput
from ...state.quantities import Duration, count, milliseconds, money

Money = str | int | float | Decimal
WINDOWS = ("", "hour", "day", "month")


class Cheaper(NamedTuple):
    """From that ``share`` of the budget on (0.8, when none is given), ``model`` is asked. At the limit itself the turn
    ends. Of an account it is asked when that leaves nothing for the other one, so a ``share`` is refused there."""

    model: str
    share: float | None = None


class Ask(NamedTuple):
    """At the limit somebody is asked for so much more: of that role, or as an Approval says."""

    role: str | Approval
    tokens: int = 0
    cost: Money = 0
    model_calls: int = 0
    tool_calls: int = 0
    iterations: int = 0


AtLimit = Literal["stop"] | Cheaper | Ask


class Budget:
    """What may be used for one thing. ``of`` is what it is for: "call" (one model call), "run" (a run, or the answer to
    one message), "session" (an execution as a whole), or an account that executions share: "agent", "user", "tenant".
    Those of accounts may be ``per`` "hour", "day" or "month" of a ``timezone``.

    ``tokens``, ``cost`` (US dollars), ``model_calls``, ``tool_calls``, ``iterations`` (answers of the model), ``time``
    (of work). ``at_limit``: "stop", ``Cheaper(model)`` or ``Ask(role, cost=…)``. ``warn``: from that share on it is
    said that it runs out. ``tell``: the model is told how much is left, rounded; not of an account, of which others
    take meanwhile.

    Raises InvalidInput."""

    def __init__(
        self,
        of: str,
        *,
        tokens: int | None = None,
        cost: Money | None = None,
        model_calls: int | None = None,
        tool_calls: int | None = None,
        iterations: int | None = None,
        time: Duration | None = None,
        per: str = "",
        timezone: str = "UTC",
        at_limit: AtLimit = "stop",
        warn: float | None = None,
        tell: bool = False,
    ) -> None:
        if of not in (*INSIDE, *ACCOUNTS):
            raise InvalidInput(f"a budget is for one of {', '.join((*INSIDE, *ACCOUNTS))}, not {of!r:.40}")
        try:
            most: dict[str, int | Decimal] = {}
            counted = zip(UNITS, (tokens, None, model_calls, tool_calls, iterations, None), strict=True)
            most |= {name: count(value, 0, f"{name} (None: no limit)") for name, value in counted if value is not None}
            most |= {} if cost is None else {"cost": money(cost)}
            most |= {} if time is None else {"time": milliseconds(time)}
            if not most and of in INSIDE:
                raise ValueError(f"says nothing; give one of {', '.join(f'{unit}=' for unit in UNITS)}")
            if of == "call" and (wrong := most.keys() - {"tokens", "cost"}):
                raise ValueError(f"one model call has tokens and a cost, and no {' or '.join(sorted(wrong))}")
            bounds_of(most)
            self.bound = _checked(of, most, per, timezone, at_limit, warn, tell)
        except (ValueError, TypeError) as error:
            raise InvalidInput(f"the budget for {of!r}: {error}") from None

    def __repr__(self) -> str:
        return f"Budget({self.bound.key!r})"


def _checked(
    of: str, most: dict[str, int | Decimal], per: str, zone: str, at_limit: Any, warn: float | None, tell: bool
) -> Bound:
    if per not in WINDOWS:
        raise ValueError(f"per= is one of {', '.join(filter(None, WINDOWS))}, or nothing for ever, not {per!r:.40}")
    if per and of in INSIDE:
        raise ValueError(
            f"per={per!r} is for accounts ({', '.join(ACCOUNTS)}); what is inside of an execution ends with it"
        )
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{zone!r:.60} is no time zone; write it like Europe/Berlin") from None
    if warn is not None:
        share_of(warn, "warn")
        if not most:
            raise ValueError("warn= is a share of what is limited, and nothing is; give it where the limit is set")
    if tell and of in ACCOUNTS:
        raise ValueError(
            f"tell= is for {', '.join(INSIDE)}: what is left of an account follows from no journal, since others take "
            "of it meanwhile; leave it out, or give the session a budget of its own"
        )
    bound = Bound(of, most, per, zone, warn=warn, tell=tell)
    if isinstance(at_limit, Cheaper):
        if at_limit.share is not None and of in ACCOUNTS:
            raise ValueError(
                f"share= of Cheaper is for {', '.join(INSIDE)}: of an account the cheaper model is asked when it "
                "leaves nothing for the other one; leave it out"
            )
        share = 0.8 if at_limit.share is None else share_of(at_limit.share, "share of Cheaper")
        return bound._replace(then="cheaper", model=at_limit.model, share=share)
    if isinstance(at_limit, Ask):
        return _asking(bound, at_limit)
    if at_limit != "stop":
        raise ValueError(f'at_limit is "stop", Cheaper(model) or Ask(role, cost=…), not {at_limit!r:.60}')
    return bound


def _asking(bound: Bound, ask: Ask) -> Bound:
    counts = [count(getattr(ask, unit), 0, unit) for unit in ("tokens", "model_calls", "tool_calls", "iterations")]
    more = Amount(counts[0], money(ask.cost), *counts[1:])
    if bound.per in ACCOUNTS:
        raise ValueError("nobody is asked about an account that executions share; overwinter budget raise gives more")
    if not any(getattr(more, unit) for unit in bound.most):
        raise ValueError(f"Ask({ask.role!r}) asks for no more of {', '.join(bound.most)}; say how much")
    return bound._replace(then="ask", ask=rule_of(ask.role, "who is asked for more"), more=more)


def share_of(value: object, what: str) -> float:
    """A share above 0 and up to 1. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= 1:
        raise ValueError(f"{what} is a share like 0.8, not {value!r:.40}")
    return float(value)


def budgets_of(agent: str, given: object) -> tuple[Bound, ...]:
    """Of one agent. Raises InvalidInput."""
    several = cast("Sequence[Any]", given if isinstance(given, (list, tuple)) else (given,))  # as users may give it
    wrong: list[Any] = [one for one in several if not isinstance(one, Budget)]
    if wrong:
        raise InvalidInput(f'agent {agent!r}: budgets=[Budget("session", cost="5.00"), …], not {wrong[0]!r:.60}')
    bounds = tuple(one.bound for one in cast("Sequence[Budget]", several))
    keys = [bound.key for bound in bounds]
    if twice := [key for key in keys if keys.count(key) > 1]:
        raise InvalidInput(f"agent {agent!r} has two budgets for {twice[0]!r}; give one")
    return bounds
