"""What an agent has used, and what it may use. Plain sums that fit into the head of an execution.

Tokens and money are those the model reported; an answer without a price counts in ``unpriced``, so that a
limit on cost is never held against an amount that nobody knows. Failed attempts that were billed count too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Context, Decimal, InvalidOperation
from typing import Any, NamedTuple, Protocol, cast

from ...state.codec import loads
from ...state.errors import LimitExceeded
from ...state.quantities import span
from ..errors.failures import Failure
from .budgets.amount import NOTHING as NONE
from .budgets.amount import Amount, amount_of
from .parts import Tokens, tokens_of

ZERO = Decimal(0)
_SMALLEST = Decimal("1e-12")
_EXACT = Context(prec=100)  # not the thread's: a program may have set another, and sums must not round


class Usage(NamedTuple):
    """Sums over model answers. ``iterations`` counts answers; what a failed attempt was billed for is in the others.
    ``beside`` is what children took, what calls may have taken of which nobody knows, and what is counted because a
    budget wants it."""

    iterations: int = 0
    parts: Tokens = Tokens()
    cost: Decimal = ZERO
    unpriced: int = 0
    beside: Amount = NONE

    @property
    def tokens(self) -> int:
        return self.parts.total

    @property
    def amount(self) -> Amount:
        """All of it, as budgets count."""
        if self.beside is NONE:
            return Amount(self.parts.total, self.cost, self.iterations, iterations=self.iterations)
        return self.beside.plus(Amount(self.parts.total, self.cost, self.iterations, iterations=self.iterations))

    def plus(self, other: Usage) -> Usage:
        if other is NOTHING or self is NOTHING:  # sums are asked for at each commit, and most have one part
            return self if other is NOTHING else other
        return Usage(
            self.iterations + other.iterations,
            self.parts.plus(other.parts),
            _EXACT.add(self.cost, other.cost),
            self.unpriced + other.unpriced,
            self.beside if other.beside is NONE else self.beside.plus(other.beside),
        )

    def minus(self, other: Usage) -> Usage:
        if other is NOTHING:
            return self
        return Usage(
            self.iterations - other.iterations,
            self.parts.minus(other.parts),
            _EXACT.subtract(self.cost, other.cost),
            self.unpriced - other.unpriced,
            self.beside if other.beside is NONE else self.beside.minus(other.beside),
        )

    def record(self) -> dict[str, Any]:
        """``{"iterations", "input", "output", …, "cost", "unpriced"?}``: the parts, and the cost as decimal text."""
        record: dict[str, Any] = {"iterations": self.iterations, **self.parts.record(), "cost": format(self.cost, "f")}
        if self.unpriced:
            record["unpriced"] = self.unpriced
        if self.beside is not NONE and (beside := self.beside.record()):
            record["beside"] = beside
        return record


NOTHING = Usage()
"""What is used before anything is."""


def recorded(record: dict[str, Any]) -> Usage:
    """The Usage that ``record`` was made from."""
    beside = amount_of(record["beside"]) if "beside" in record else NONE
    return Usage(record["iterations"], tokens_of(record), Decimal(record["cost"]), record.get("unpriced", 0), beside)


def used_by(state: str) -> Usage | None:
    """What an execution has used, as the state of its head tells; None where that does not."""
    if '"usage"' not in state:
        return None
    try:
        told: Any = loads(state)
        return recorded(told["usage"])
    except (ValueError, TypeError, KeyError, ArithmeticError):
        return None  # no agent's: the word stands in something else


def reported(record: Mapping[str, Any], iterations: int = 0) -> Usage:
    """What an answer, or a failed attempt, says was used (``{"usage", "cost"}``), read without trust. ``doubt`` is what
    may have been beside that, and nobody knows."""
    cost = _cost(record.get("cost"))
    beside = amount_of(record["doubt"]) if "doubt" in record else NONE
    if beside is not NONE and "usage" not in record:
        return Usage(beside=beside)
    return Usage(iterations, tokens_of(record.get("usage")), cost or ZERO, 1 if cost is None else 0, beside)


def _cost(value: Any) -> Decimal | None:
    if not isinstance(value, str):
        return None
    try:
        cost = Decimal(value)
    except InvalidOperation:
        return None
    if not cost.is_finite() or not 0 <= cost < 10**12:
        return None
    return cost if len(value) < 20 and "e" not in value.lower() else cost.quantize(_SMALLEST).normalize()


class Allowance(Protocol):
    """Limits for one run, or for each message of a session. None: unlimited."""

    @property
    def iterations(self) -> int | None: ...

    @property
    def tokens(self) -> int | None: ...

    @property
    def cost(self) -> Decimal | None: ...

    @property
    def repairs(self) -> int | None:
        """Answers that could not be taken."""
        ...

    @property
    def repeats(self) -> int | None:
        """How often the same tool may have the same outcome for the same arguments."""
        ...

    @property
    def handoffs(self) -> int | None:
        """How often the conversation may be handed to another agent."""
        ...

    @property
    def time(self) -> int | None:
        """Milliseconds of work; waiting for people's approvals does not count."""
        ...


def exceeded(used: Usage, allowed: Allowance, lent: Collection[str] = ()) -> Failure | None:
    """The limit that forbids another model call, as a recorded LimitExceeded; None while there is room. ``lent`` are
    those that whoever has ordered the work has set (``budget``)."""
    if allowed.iterations is not None and used.iterations >= allowed.iterations:
        return _limit("iterations", used.iterations, allowed.iterations, f"{used.iterations} model calls")
    if allowed.tokens is not None and (tokens := used.tokens + used.beside.tokens) >= allowed.tokens:
        return _limit("tokens", tokens, allowed.tokens, f"{tokens:,} tokens", lent)
    if allowed.cost is None:
        return None
    if used.unpriced:
        return failure(
            LimitExceeded,
            "nobody knows the model's price, so the limit on cost can't be held; limit tokens instead, or give the "
            "agent prices=Prices(input=…, output=…), in dollars for a million tokens",
            {"limit": "cost"},
        )
    cost = used.cost if used.beside is NONE else _EXACT.add(used.cost, used.beside.cost)
    if cost >= allowed.cost:
        return _limit("cost", format(cost, "f"), format(allowed.cost, "f"), format(cost, "f"), lent)
    return None


def overtime(allowed: Allowance) -> Failure:
    """The recorded LimitExceeded of a turn that took too long."""
    limit = allowed.time or 0
    return _limit("time", limit, limit, span(limit))


def repeated(tool: str, times: int, allowed: Allowance) -> Failure | None:
    """The recorded LimitExceeded of a turn that goes in circles; None while it does not."""
    if allowed.repeats is None or times < allowed.repeats:
        return None
    message = (
        f"the limit on repeats is reached: the tool {tool!r} was called {times} times with the same arguments, and the "
        "same came of it each time. (Give the agent Limits(repeats=…) for more; a tool that waits for something had "
        "better wait within, or be a workflow.)"
    )
    data = {"limit": "repeats", "used": times, "allowed": allowed.repeats}
    return failure(LimitExceeded, message, data)


def handed_round(times: int, allowed: Allowance) -> Failure | None:
    """The recorded LimitExceeded of a turn that is handed from agent to agent; None while it may be."""
    if allowed.handoffs is None or times < allowed.handoffs:
        return None
    message = (
        f"the limit on handoffs is reached: the conversation was handed over {times} times for one message; say in the "
        "agents' instructions who is there for what, or raise the limit of the agent that it began with"
    )
    return failure(LimitExceeded, message, {"limit": "handoffs", "used": times, "allowed": allowed.handoffs})


def unrepaired(allowed: int, problem: str) -> Failure:
    """The recorded LimitExceeded of a turn whose answers did not fit. ``problem`` is what the model would be told."""
    again = f"and {allowed} repair{'s' * (allowed != 1)} did not help" if allowed else "and no repair is allowed"
    message = (
        f"the limit on repairs is reached: the answer can't be taken, {again}. The last time: {problem[:1_000]} "
        "(Give the agent Limits(repairs=…) for more, a type that is easier to fill in, or another model.)"
    )
    return failure(LimitExceeded, message, {"limit": "repairs", "used": allowed, "allowed": allowed})


def unrepaired_in(error: Failure | None) -> bool:
    """Whether it is such a one."""
    data: object = None if error is None else error.get("data")
    return isinstance(data, dict) and cast("Failure", data).get("limit") == "repairs"


def _limit(name: str, used: int | str, allowed: int | str, shown: str, lent: Collection[str] = ()) -> Failure:
    message = f"the limit on {name} is reached: {shown} used"
    if name != "time":
        message += f" of {allowed}" if isinstance(allowed, str) else f" of {allowed:,}"
    else:
        message = f"the limit on time is reached: no answer within {shown}"
    if name in lent:
        message += ", which was left of the limit of whoever ordered it; raise that one, or ask for less"
    else:
        message += "; raise the agent's limit, or ask for less"
    return failure(LimitExceeded, message, {"limit": name, "used": used, "allowed": allowed})


def failure(kind: type[Exception], message: str, data: dict[str, Any] | None = None) -> Failure:
    """An error as the journal holds it, without an exception being made."""
    recorded: Failure = {"kind": f"{kind.__module__}.{kind.__qualname__}", "message": message}
    if data:
        recorded["data"] = data
    return recorded
