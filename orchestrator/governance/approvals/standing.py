"""Standing approvals: what somebody who approves a call says of later ones like it, in the same execution, or in all
executions of the same function (``register``).

One is bound to the tool's version and to the role that was asked, and is good for the calls of that tool, for those
with exactly these arguments, or for those whose named arguments are no more than what is said; until the execution
ends, or for a time. It is a word of the one person who gave it: where several have to approve it is one of them, and
where the requester may not, the requester's is none. A call that fits is proposed like any other; the proposal names
those that fit it, and ``decided`` entries follow from that. What is asked already when one is given waits as it did.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, cast

from ....state.errors import InvalidInput
from ....state.quantities import Duration, milliseconds
from ...protocol.decider import Fact

SESSION = "session"
MOST = 100
"""Standing approvals that one execution has at once."""
_PLAIN = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
REVOKED = "revoked"
"""The type of the entry that ends one."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is said beside an approval, of later calls. ``lasts``: "session", as long as the execution, or for a time
    within it. ``exactly``: with these arguments. ``up_to``: names of arguments, and the most that each may be.
    ``for_all``: in all executions of the function, for a time.

    Raises InvalidInput.
    """

    lasts: Duration = SESSION
    exactly: bool = False
    up_to: Mapping[str, int | float | Decimal | str] | None = None
    for_all: bool = False

    def __post_init__(self) -> None:
        if self.lasts != SESSION:
            try:
                good = milliseconds(self.lasts) > 0
            except ValueError:
                good = False
            if not good:
                raise InvalidInput(
                    f'a standing approval lasts for a "session" or a time like "1d", not {self.lasts!r:.80}'
                )
        if not isinstance(self.for_all, bool):  # pyright: ignore[reportUnnecessaryIsInstance]  # as users may give it
            raise InvalidInput("for_all= of a standing approval is True or False")
        if self.for_all and self.lasts == SESSION:
            raise InvalidInput('a standing approval for all executions lasts for a time; say which, like "1d"')
        if not isinstance(self.exactly, bool):  # pyright: ignore[reportUnnecessaryIsInstance]  # as users may give it
            raise InvalidInput("exactly= of a standing approval is True or False")
        if self.exactly and self.up_to is not None:
            raise InvalidInput("a standing approval is for exactly these arguments, or up to an amount; not both")
        if self.up_to is not None and not self.up_to:
            raise InvalidInput("up_to= of a standing approval names no argument; give one, like amount=100")
        for name, most in (self.up_to or {}).items():
            if amount(most) is None:
                raise InvalidInput(f"up_to= of a standing approval: {name} is {most!r:.80}; give a number, 0 or more")

    def terms(self, asked: Fact, role: object, data: Any, at: int, digest: str, by: str) -> Fact:
        """What the decision records of it. ``asked`` is the proposal that is decided, ``data`` the arguments that are
        approved, ``digest`` that of what was read."""
        bound = json.dumps([digest, by], ensure_ascii=False)
        told: Fact = {"id": "s" + hashlib.sha256(bound.encode("utf-8", "surrogatepass")).hexdigest()[:12]}
        told |= {"what": asked.get("what"), "version": asked.get("version", ""), "role": role, "by": by, "at": at}
        if self.lasts != SESSION:
            told["until"] = at + milliseconds(self.lasts)
        if self.exactly:
            told["exactly"] = arguments_digest(data)
        if self.up_to is not None:
            told["up_to"] = {name: str(amount(most)) for name, most in self.up_to.items()}
        return told | ({"for_all": True} if self.for_all else {})


def objection(terms: Any, asked: Fact, role: str | None, data: Any, moved: Sequence[str]) -> str:
    """Why a decision can't say that of later calls; "" when it can: it is never about more than what was asked."""
    if not asked.get("version"):
        return "it is no call of a tool, so there are no later ones that a standing approval could be for"
    if moved:
        return "it was given on to be decided this once, so no standing approval follows from it"
    said = cast("Fact", terms) if isinstance(terms, dict) else {}
    if "for_all" in said and not asked.get("shared"):
        return "an older release has asked this, which knew of no standing approvals for all executions; leave that out"
    if (said.get("what"), said.get("version"), said.get("role")) != (asked.get("what"), asked["version"], role):
        return "the standing approval is for another tool, version or role than what is asked"
    if "exactly" in said and said["exactly"] != arguments_digest(data):
        return "the standing approval is for other arguments than those that are approved"
    limits: Mapping[str, Any] = said.get("up_to", {})
    over = [name for name, most in limits.items() if not _within(data, name, most)]
    return f"the call itself is not within it: {over[0]} is no number from 0 up to {limits[over[0]]}" if over else ""


class Standings:
    """Those of one execution, folded from its entries, oldest first."""

    __slots__ = ("open",)

    def __init__(self, kept: Iterable[Fact] = ()) -> None:
        self.open: dict[str, Fact] = {str(one["id"]): one for one in kept}

    def take(self, fact: Fact) -> bool:
        """A decision that counts, or a revocation. False when it changes nothing."""
        if fact["type"] == REVOKED:
            return self.open.pop(str(fact.get("standing")), None) is not None
        terms = fact.get("standing")
        if not isinstance(terms, dict) or fact.get("approved") is not True or "for_all" in terms:
            return False  # those for all are not this execution's: what ends them is not in its journal
        self.open[str(terms["id"])] = terms  # pyright: ignore[reportUnknownArgumentType]  # JSON
        for old in list(self.open)[:-MOST]:  # the eldest ends: fewer calls are approved, never more
            del self.open[old]
        return True

    def fit(self, asked: Fact) -> list[Fact]:
        """Those that a proposal which is about to be made fits."""
        return [terms for terms in self.open.values() if fits(terms, asked)]

    def record(self) -> list[Fact]:
        """For what goes on without the entries."""
        return list(self.open.values())


def fits(terms: Fact, asked: Fact) -> bool:
    """Whether a call that is about to be proposed is one of those."""
    bound = asked.get("what"), asked.get("version"), asked.get("role")
    if (terms["what"], terms["version"], terms["role"]) != bound or not terms["version"]:
        return False
    if "until" in terms and asked["at"] >= terms["until"]:
        return False
    if "exactly" in terms and terms["exactly"] != arguments_digest(asked.get("data")):
        return False
    return all(_within(asked.get("data"), name, most) for name, most in terms.get("up_to", {}).items())


def arguments_digest(data: Any) -> str:
    """What exactly these arguments are told by."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _within(data: Any, name: str, most: str) -> bool:
    """Whether that argument is said, and is a number from 0 up to that."""
    value = amount(data.get(name)) if isinstance(data, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]  # JSON
    limit = amount(most)
    return value is not None and limit is not None and value <= limit


def amount(value: object) -> Decimal | None:
    """A number of 0 or more, also as text that nobody reads as another one; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        return None
    if isinstance(value, str) and not _PLAIN.fullmatch(value):
        return None
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        return None
    return found if found.is_finite() and found >= 0 else None
