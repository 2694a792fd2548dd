"""A proposal: what is asked, of whom, and what they have said so far.

It is made of the ``ordered`` entry that asks, and changed by ``decided``, ``delegated`` and ``timer`` entries alone, so
whoever reads the journal knows as much as who keeps it. ``digest`` stands for what is asked now: it changes when the
arguments, or who is to decide, do, so nobody decides what they have not read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ...protocol.decider import Fact
from .person import person
from .rule import Approval
from .standing import Standings
from .standing import objection as too_wide

KIND = "approval"
REMINDER, ESCALATION, STANDING = "reminder", "escalation", "standing"
"""Kinds of the timers that a proposal has beside its expiry, whose kind is that of the operation."""
CHANGED = "the tool has changed since that was approved"
"""Why somebody is asked once more."""
_BOUND = ("op", "role", "until", "version", "needs", "requester", "reminds", "escalates", "why")
"""What of the entry its digest stands for, beside what is asked."""


def propose(
    entry: Fact,
    rule: Approval | None,
    life: str,
    *,
    lasts: int | None,
    version: str = "",
    requester: object = None,
    latest: int | None = None,
    why: str = "",
    standings: Standings | None = None,
) -> Fact:
    """``entry`` (op, at, name, what, data) as the one by which somebody is asked. ``life`` tells the life that asks
    from every other one, ``lasts`` is for how many milliseconds, unless the rule says; nobody waits longer than until
    ``latest``. ``version`` is the tool's, ``requester`` for whom the call is made, ``why`` why once more. Those of the
    ``standings`` that it fits, and that count, are named in it."""
    at: int = entry["at"]
    asked: Fact = {"type": "ordered", **entry, "kind": KIND}
    if rule is not None:
        asked["role"] = rule.role
        lasts = rule.lasts(lasts)
    if lasts is not None:
        asked["until"] = at + lasts if latest is None else min(at + lasts, latest)
    if version:
        asked["version"] = version
    if rule is not None:
        asked |= rule.terms(at)
        if not rule.requester and requester:
            asked["requester"] = str(requester)
    if why:
        asked["why"] = why
    asked["digest"] = digest_of(asked, life)
    if standings is not None and (named := _counting(asked, standings)):
        asked["standing"] = named
    return asked


def _counting(asked: Fact, standings: Standings) -> list[Fact]:
    """Id and giver of the standing approvals that approve it: each is the word of one person, under the same rule as
    any."""
    trial, found = Proposal(asked), list[Fact]()
    for terms in standings.fit(asked):
        if trial.outcome is None and trial.take(_stood(trial, terms)):
            found.append({"id": terms["id"], "by": terms["by"]})
    return found


def _stood(proposal: Proposal, given: Mapping[str, Any]) -> Fact:
    """The decision that follows from a standing approval."""
    told: Fact = {"type": "decided", "op": proposal.op, "approved": True, "by": given["by"], "under": given["id"]}
    return told | {"digest": proposal.digest, "reason": f"standing approval {given['id']}"}


def digest_of(asked: Fact, life: str) -> str:
    """What an approval is bound to."""
    terms = {name: asked[name] for name in _BOUND if name in asked}
    return _digest([KIND, asked.get("what"), asked.get("data"), life, terms])


def _digest(bound: Any) -> str:
    text = json.dumps(bound, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def op_of(fact: Fact) -> str:
    """The operation of the approval that an entry is about."""
    op = str(fact.get("op", ""))
    return op.rpartition(".")[0] if fact.get("kind") in (REMINDER, ESCALATION, STANDING) else op


class Proposal:
    """``data`` are the arguments as they are now, ``edited`` whether a person has changed them, ``votes`` who has
    approved. ``outcome``: True approved, False denied, None open."""

    __slots__ = (
        "_told", "approver", "asked", "data", "digest", "edited", "escalated", "expired", "last", "moved", "outcome",
        "reasons", "reminded", "role", "under", "votes",
    )  # fmt: skip

    def __init__(self, asked: Fact) -> None:
        self.asked = asked
        self.data: Any = asked.get("data")
        self.digest = str(asked.get("digest", ""))
        self.role: str | None = asked.get("role")
        self.approver = ""  # the one person who may decide; "": whoever has the role
        self.votes: list[str] = []
        self.reasons: list[str] = []
        self.under: list[str] = []  # ids of the standing approvals that have been counted
        self.edited = ""  # by whom
        self.moved: list[str] = []  # the roles and persons that it was with before
        self.reminded = 0
        self._told: int = asked["at"]  # when those who are to decide were told of it last
        self.escalated = False
        self.expired = False
        self.outcome: bool | None = None
        self.last: Fact = {}  # the decision that brought it about

    @classmethod
    def as_shown(cls, told: Mapping[str, Any]) -> Proposal:
        """That of which ``shown`` is known, for who wants to know what may be done with it."""
        proposal = cls(dict(told))
        proposal.approver, proposal.votes = str(told.get("approver", "")), list(told.get("votes", ()))
        return proposal

    @property
    def op(self) -> str:
        return str(self.asked["op"])

    @property
    def version(self) -> str:
        """Of the tool that it is about; "" when it is about none, or an older release asked."""
        return str(self.asked.get("version", ""))

    @property
    def needs(self) -> int:
        return int(self.asked.get("needs", 1))

    @property
    def until(self) -> int | None:
        return self.asked.get("until")

    # -- what may be done ----------------------------------------------------------------------------

    def objection(self, fact: Fact) -> str:
        """Why a decision or a delegation counts for nothing; "" when it counts."""
        if fact.get("digest") not in (None, "", self.digest):
            return "it is about something else than what is asked now; read the proposal again"
        by, role = str(fact.get("by") or ""), fact.get("role" if fact["type"] == "decided" else "as")
        if role and role != self.role:
            return f"{role!r} does not decide it: {self.role or 'anybody'} does"
        if self.approver and person(by) != person(self.approver):
            return f"it is for {self.approver} alone to decide"
        requester = str(self.asked.get("requester", ""))
        if not person(by) and (requester or self.needs > 1 or fact["type"] == "delegated" or "standing" in fact):
            return "it has to be known who decides; say so (by)"
        if requester and person(by) == person(requester):
            return f"{requester} has asked for it, and somebody else has to decide"
        if fact["type"] == "delegated":
            return "" if fact.get("role") or fact.get("to") else "it says neither a role nor a person to delegate to"
        same = fact.get("data", self.data) == self.data
        if fact.get("approved") is True and same and person(by) in map(person, self.votes):
            return f"{by or 'somebody'} has approved it already, and {self.needs} different people have to"
        if "standing" in fact and fact.get("approved") is not True:
            return "only who approves a call says something of later ones"
        if "standing" in fact:
            wide = too_wide(fact["standing"], self.asked, self.role, fact.get("data", self.data), self.moved)
            if wide:
                return wide
        return self._unedited(fact) if "data" in fact else ""

    def unable(self, role: str, to: str) -> str:
        """Why that role, or that person alone, could not decide it; "" when they could. Nobody could take it back from
        who was given it all the same."""
        if role and not role.strip():
            return "that names no role"
        if not to:
            return ""
        who, requester = person(to), str(self.asked.get("requester", ""))
        if not who:
            return "that names nobody"
        if requester and who == person(requester):
            return f"{requester} has asked for it, and somebody else has to decide"
        if who in map(person, self.votes):
            return f"{to} has approved it already, and {self.needs} different people have to"
        return ""

    def _unedited(self, fact: Fact) -> str:
        if fact.get("approved") is not True:
            return "what is denied is not edited; say in the reason what would be right"
        if not self.version:
            return "it is no call of a tool, so there are no arguments to edit"
        return "" if isinstance(fact["data"], dict) else "arguments are an object by their names"

    # -- what has happened ---------------------------------------------------------------------------

    def take(self, fact: Fact) -> bool:
        """An entry, or a decision that is about to be one. False when it changes nothing."""
        if self.outcome is not None or op_of(fact) != self.op:
            return False
        if fact["type"] == "timer":
            return self._timer(fact)
        if fact["type"] not in ("decided", "delegated") or self.objection(fact):
            return False
        if fact["type"] == "delegated":
            self._move(str(fact.get("role") or ""), str(fact.get("to") or ""))
        else:
            self._decided(fact)
        return True

    def _decided(self, fact: Fact) -> None:
        by, reason = str(fact.get("by") or ""), str(fact.get("reason") or "")
        if fact.get("approved") is not True:
            self.outcome, self.last = False, fact
            return
        if "data" in fact and fact["data"] != self.data:  # whoever has approved before, approved something else
            self.data, self.edited, self.votes, self.reasons = fact["data"], by or "somebody", [], []
            self.digest = _digest([self.digest, "edited", self.data])
        self.votes.append(by)
        self.under += [str(fact["under"])] if "under" in fact else []
        self.reasons += [reason] if reason else []
        if len(self.votes) >= self.needs:
            self.outcome = True
            self.last = {**fact, "by": ", ".join(self.votes), "reason": "; ".join(self.reasons)}

    def _move(self, role: str, to: str) -> None:
        self.moved.append(self.approver or self.role or "anybody")
        if role:
            self.role, self.approver = role, ""
        if to:
            self.approver = to
        self.digest = _digest([self.digest, "moved", self.role, self.approver])

    def _timer(self, fact: Fact) -> bool:
        kind, place = fact.get("kind"), str(fact.get("op"))
        if kind == REMINDER:
            if place != f"{self.op}.remind{self.reminded + 1}":
                return False
            self.reminded, self._told = self.reminded + 1, int(fact.get("at", self._told))
        elif kind == ESCALATION:
            if self.escalated or "escalates" not in self.asked:
                return False
            self.escalated = True
            self._move(str(self.asked["escalates"]["role"]), "")
        else:
            self.outcome, self.expired = False, True
            self.last = {"reason": "expired"}
        return True

    def timers(self) -> list[Fact]:
        """What happens by itself while nobody decides: op, kind and ``due`` of each next timer, but for the expiry."""
        asked, found = self.asked, list[Fact]()
        if self.outcome is not None:
            return found
        for number, given in enumerate(self.asked.get("standing", ()), 1):
            if given["id"] not in self.under and self.digest == asked["digest"]:
                found.append({"op": f"{self.op}.stands{number}", "kind": STANDING, "due": asked["at"]})
        if "reminds" in asked:
            due = self._told + asked["reminds"]
            found.append({"op": f"{self.op}.remind{self.reminded + 1}", "kind": REMINDER, "due": due})
        if "escalates" in asked and not self.escalated:
            found.append({"op": f"{self.op}.escalate", "kind": ESCALATION, "due": asked["escalates"]["at"]})
        return [one for one in found if self.until is None or one["due"] < self.until]

    def passing(self, timer: Fact) -> Fact:
        """The fact that a timer which is due is: what a standing approval decides is a decision, and not time alone."""
        if timer.get("kind") != STANDING:
            return timer
        given = self.asked["standing"][int(str(timer["op"]).rpartition(".stands")[2]) - 1]
        return _stood(self, given) | {"at": timer["at"]}

    def wake(self) -> int | None:
        """When the next of all these is due."""
        times = [one["due"] for one in self.timers()] + ([] if self.until is None else [self.until])
        return min(times, default=None)

    def due(self, now: int) -> list[Fact]:
        """The timers that are due, the earliest of each kind."""
        if self.until is not None and self.until <= now:
            return [{"op": self.op}]
        told = sorted((one for one in self.timers() if one["due"] <= now), key=lambda one: one["due"])
        return [{"op": one["op"], "kind": one["kind"]} for one in told]

    # -- for people ----------------------------------------------------------------------------------

    def shown(self) -> Fact:
        """The entry as things stand: the arguments and the role of now, and what has happened to it."""
        told = dict(self.asked) | {"digest": self.digest}
        if self.edited:
            told.pop("blob", None)
            told |= {"original": self.asked.get("data"), "data": self.data, "edited": self.edited}
        if self.role is not None:
            told["role"] = self.role
        told |= {"approver": self.approver} if self.approver else {}
        told |= {"votes": list(self.votes)} if self.votes else {}
        told |= {"moved": list(self.moved)} if self.moved else {}
        return told | ({"reminded": self.reminded} if self.reminded else {})
