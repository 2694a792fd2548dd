"""``Approval``: who must approve a call, how many of them, within what time, and what happens meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ....state.errors import InvalidInput
from ....state.quantities import Duration, count, milliseconds

MOST = 20
"""How many people may have to agree."""
SOONEST = 1000
"""Milliseconds between two reminders, at the least."""


@dataclass(frozen=True, slots=True)
class Approval:
    """Somebody of ``role`` must approve a call before it is made.

    - ``by``: how many different people. One who denies ends it.
    - ``within``: how long that may take; after that it counts as denied.
    - ``requester``: whether the person for whom the call is made may be one of them.
    - ``remind``: how often those who are to decide are reminded.
    - ``escalate``: after how long the question goes to which other role, as ``("1d", "head-of-desk")``.

    A role alone, ``approval="desk"``, is ``Approval("desk", requester=True)``. Raises InvalidInput.
    """

    role: str
    by: int = 1
    within: Duration | None = None
    requester: bool = False
    remind: Duration | None = None
    escalate: tuple[Duration, str] | None = None

    def __post_init__(self) -> None:
        role_of(self.role, "the role of an Approval")
        if count(self.by, 1, "by= of an Approval") > MOST:
            raise InvalidInput(f"by= of an Approval is {self.by}; {MOST} people are the most")
        if not isinstance(self.requester, bool):  # pyright: ignore[reportUnnecessaryIsInstance]  # as users may give it
            raise InvalidInput("requester= of an Approval is True (who asked may approve too) or False")
        _span(self.within, "within")
        often = _span(self.remind, "remind")
        if often is not None and often < SOONEST:
            raise InvalidInput(f"remind= of an Approval is {self.remind!r}; remind once a second at the most")
        if self.escalate is not None:
            after, role = _pair(self.escalate)
            _span(after, "escalate")
            role_of(role, "the role in escalate= of an Approval")

    def lasts(self, otherwise: int | None) -> int | None:
        """Milliseconds after which it counts as denied."""
        return otherwise if self.within is None else milliseconds(self.within)

    def terms(self, at: int) -> dict[str, Any]:
        """What of it a proposal that is made at that time says, beside the role and the expiry."""
        found: dict[str, Any] = {"needs": self.by} if self.by > 1 else {}
        if self.remind is not None:
            found["reminds"] = milliseconds(self.remind)
        if self.escalate is not None:
            found["escalates"] = {"at": at + milliseconds(self.escalate[0]), "role": self.escalate[1]}
        return found


Given = str | Approval | None
"""A role, a rule, or nobody."""


def rule_of(given: object, what: str) -> Approval | None:
    """The rule that is meant. Raises InvalidInput for what is neither a rule nor a role."""
    if given is None or isinstance(given, Approval):
        return given
    return Approval(role_of(given, what), requester=True)


def role_of(given: object, what: str) -> str:
    if not isinstance(given, str) or not given.strip():
        raise InvalidInput(f"{what} is {given!r:.80}, and no role; give a text that names one, or None for nobody")
    return given


def _pair(given: tuple[Any, ...]) -> tuple[Any, Any]:
    if type(given) is tuple and len(given) == 2:
        return given[0], given[1]
    raise InvalidInput('escalate= of an Approval is a time and a role: ("1d", "head-of-desk")')


def _span(given: Duration | None, what: str) -> int | None:
    if given is None:
        return None
    found = milliseconds(given)
    if found <= 0:
        raise InvalidInput(f"{what}= of an Approval is {given!r}; give a time, like '2h'")
    return found
