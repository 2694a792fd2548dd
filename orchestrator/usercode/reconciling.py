"""What a tool declares for the case that nobody knows whether a call of it took effect: whom to ask, and what happens
when that is not known either.

A ``reconcile`` function is given the idempotency key and the arguments of the call. It looks and changes nothing, and
says one of three things: ``Done(result)``, ``NotDone()``, ``Unknown(why)``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from inspect import iscoroutinefunction
from typing import Any, Literal, NamedTuple, get_args

from ...state.errors import InvalidInput
from ...state.quantities import Duration, briefly, milliseconds, span

Then = Literal["give-up", "not-done"]
THEN: tuple[str, ...] = get_args(Then)
WAITS: Duration = "7d"
"""For how long a person may say what came of a call, like an approval."""


class Done(NamedTuple):
    """It took effect, and this is what it gave."""

    result: Any = None


class NotDone(NamedTuple):
    """It did not take effect, and will not: it may be made again."""


class Unknown(NamedTuple):
    """It can't be told, for this reason. It is asked again later."""

    why: str = ""


class GiveUp(NamedTuple):
    """Nobody will ever know: whoever ordered it is told so. A person says that, or the rule after a time."""


Outcome = Done | NotDone | Unknown


@dataclass(frozen=True, slots=True)
class Resolve:
    """A call in doubt waits until somebody resolves it, for ``after`` (None: for ever). When nobody has, ``then`` says
    what is taken for true: "give-up" tells whoever ordered it that nobody knows, "not-done" makes the call again."""

    after: Duration | None = WAITS
    then: Then = "give-up"

    def __post_init__(self) -> None:
        if self.then not in THEN:
            raise InvalidInput(f"then={self.then!r} is unknown; it is one of {', '.join(THEN)}")
        try:
            nothing = self.after is not None and not milliseconds(self.after)
        except ValueError as error:
            raise InvalidInput(f"after=: {error}; None waits for ever") from None
        if nothing:
            raise InvalidInput("after= is longer than nothing; None waits for ever")


InDoubtRule = Literal["ask", "fail"] | Resolve
"""What happens when nobody knows: "ask" waits for a person, as ``Resolve()`` says; "fail" is an InDoubt at once."""


@dataclass(frozen=True, slots=True)
class Contract:
    """The part of a call's policy that says what a doubt means. ``waits``: for how many milliseconds somebody may
    resolve it, None for ever, 0: nobody is waited for."""

    reconcile: Callable[[str, dict[str, Any]], Any] | None = None
    waits: int | None = 0
    then: str = "give-up"
    threaded: bool = False  # ``reconcile`` is a plain function: it runs in a thread

    @property
    def within(self) -> str:
        return "for ever" if self.waits is None else span(self.waits)


def contract(reconcile: Callable[[str, dict[str, Any]], Any] | None, rule: object, what: str) -> Contract | None:
    """What was declared, of a tool that is called ``what``. None: nothing but an InDoubt. Raises InvalidInput."""
    if rule == "ask":
        rule = Resolve()
    threaded = reconcile is not None and not _asynchronous(reconcile)
    if isinstance(rule, Resolve):
        waits = None if rule.after is None else milliseconds(rule.after)
        return Contract(reconcile, waits, rule.then, threaded)
    if rule != "fail":
        raise InvalidInput(f'in_doubt= of tool {what!r} is {briefly(rule)}; it is "ask", "fail" or a Resolve(…)')
    return None if reconcile is None else Contract(reconcile, threaded=threaded)


def _asynchronous(function: Callable[..., Any]) -> bool:
    while isinstance(function, partial):
        function = function.func
    return iscoroutinefunction(function) or iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004  # the method itself


def outcome(said: object, name: str) -> Outcome:
    """What a reconcile function has said, whatever that is."""
    if isinstance(said, (Done, NotDone, Unknown)):
        return said
    return Unknown(f"reconcile of {name!r} returned {said!r:.80}, which is neither Done, NotDone nor Unknown")
