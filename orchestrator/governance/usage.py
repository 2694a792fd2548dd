"""What an agent has used, and what it may use. Plain sums that fit into the head of an execution.

Tokens and money are those the model reported; an answer without a price counts in ``unpriced``, so that a
limit on cost is never held against an amount that nobody knows.
"""

from __future__ import annotations

from decimal import Context, Decimal
from typing import Any, NamedTuple, Protocol

from ...state.errors import LimitExceeded
from ...state.quantities import span
from ..errors.failures import Failure

ZERO = Decimal(0)
_EXACT = Context(prec=100)  # not the thread's: a program may have set another, and sums must not round


class Usage(NamedTuple):
    """Sums over model answers. ``iterations`` counts answers, tokens are counted by the provider."""

    iterations: int = 0
    input: int = 0
    output: int = 0
    cost: Decimal = ZERO
    unpriced: int = 0

    @property
    def tokens(self) -> int:
        return self.input + self.output

    def plus(self, other: Usage) -> Usage:
        return Usage(
            self.iterations + other.iterations,
            self.input + other.input,
            self.output + other.output,
            _EXACT.add(self.cost, other.cost),
            self.unpriced + other.unpriced,
        )

    def minus(self, other: Usage) -> Usage:
        return Usage(
            self.iterations - other.iterations,
            self.input - other.input,
            self.output - other.output,
            _EXACT.subtract(self.cost, other.cost),
            self.unpriced - other.unpriced,
        )

    def record(self) -> dict[str, Any]:
        """``{"iterations", "input", "output", "cost", "unpriced"?}`` with the cost as decimal text."""
        record: dict[str, Any] = {
            "iterations": self.iterations,
            "input": self.input,
            "output": self.output,
            "cost": format(self.cost, "f"),
        }
        if self.unpriced:
            record["unpriced"] = self.unpriced
        return record


def recorded(record: dict[str, Any]) -> Usage:
    """The Usage that ``record`` was made from."""
    return Usage(
        record["iterations"],
        record["input"],
        record["output"],
        Decimal(record["cost"]),
        record.get("unpriced", 0),
    )


class Allowance(Protocol):
    """Limits for one run, or for each message of a session. None: unlimited."""

    @property
    def iterations(self) -> int | None: ...

    @property
    def tokens(self) -> int | None: ...

    @property
    def cost(self) -> Decimal | None: ...

    @property
    def time(self) -> int | None:
        """Milliseconds of work; waiting for people's approvals does not count."""
        ...


def exceeded(used: Usage, allowed: Allowance) -> Failure | None:
    """The limit that forbids another model call, as a recorded LimitExceeded; None while there is room."""
    if allowed.iterations is not None and used.iterations >= allowed.iterations:
        return _limit("iterations", used.iterations, allowed.iterations, f"{used.iterations} model calls")
    if allowed.tokens is not None and used.tokens >= allowed.tokens:
        return _limit("tokens", used.tokens, allowed.tokens, f"{used.tokens:,} tokens")
    if allowed.cost is None:
        return None
    if used.unpriced:
        return failure(
            LimitExceeded,
            "the model reports no price, so the limit on cost can't be held; limit tokens instead, or set "
            "input_cost_per_token and output_cost_per_token in the agent's settings",
            {"limit": "cost"},
        )
    if used.cost >= allowed.cost:
        return _limit("cost", format(used.cost, "f"), format(allowed.cost, "f"), format(used.cost, "f"))
    return None


def overtime(allowed: Allowance) -> Failure:
    """The recorded LimitExceeded of a turn that took too long."""
    limit = allowed.time or 0
    return _limit("time", limit, limit, span(limit))


def _limit(name: str, used: int | str, allowed: int | str, shown: str) -> Failure:
    message = f"the limit on {name} is reached: {shown} used"
    if name != "time":
        message += f" of {allowed}" if isinstance(allowed, str) else f" of {allowed:,}"
    else:
        message = f"the limit on time is reached: no answer within {shown}"
    message += "; raise the agent's limit, or ask for less"
    return failure(LimitExceeded, message, {"limit": name, "used": used, "allowed": allowed})


def failure(kind: type[Exception], message: str, data: dict[str, Any] | None = None) -> Failure:
    """An error as the journal holds it, without an exception being made."""
    recorded: Failure = {"kind": f"{kind.__module__}.{kind.__qualname__}", "message": message}
    if data:
        recorded["data"] = data
    return recorded
