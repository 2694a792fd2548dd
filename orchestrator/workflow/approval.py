"""``approve``: a person decides. The decision is bound to the digest of what was asked by which life of which
execution, and good once: it can't serve another execution that is made under the same id and asks for the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ...state.codec import stored
from ...state.errors import Denied
from ...state.quantities import Duration
from ...state.records import PAYLOAD_LIMIT
from ..governance.approvals import register
from ..governance.approvals.proposal import STANDING, Proposal, op_of, propose
from ..governance.approvals.proposal import digest_of as bound_to
from ..governance.approvals.rule import Approval
from ..governance.approvals.standing import Standings
from ..protocol.decider import Fact
from . import arguments
from .naming import named
from .operation import Operation, Waiting
from .run import Run
from .scope import Scope
from .timers import Timer

Fits = Callable[[Any], str]
"""Why arguments that a person has edited are none for the tool that is asked about; "" when they are."""


class Approved(NamedTuple):
    """Who approved, and what they wrote. Of several, all of them, with a comma between."""

    by: str
    reason: str


class Approving(Waiting[Approved]):
    """Done when those who are asked have decided. ``fits`` and ``version`` are those of the tool as it is here."""

    __slots__ = ("beside", "fits", "proposal", "version")
    kind = "approval"
    outside = True

    def __init__(self, run: Run, op: str, proposal: Proposal, fits: Fits | None, version: str) -> None:
        super().__init__(run, op, str(proposal.asked["what"]))
        self.proposal = proposal
        self.args = proposal.digest
        self.fits = fits
        self.version = version
        self.beside: list[Timer] = []

    @property
    def outdated(self) -> bool:
        """Whether the tool that was asked about is another one here."""
        return self.proposal.version not in ("", self.version)

    def objection(self, fact: Fact) -> str:
        """Why what somebody says counts for nothing; "" when it counts."""
        why = self.proposal.objection(fact)
        return why if why or "data" not in fact or self.fits is None else self.fits(fact["data"])

    def refusal(self, fact: Fact) -> str:
        """The same for who is about to say it."""
        if fact.get("approved") is True and self.outdated:
            return f"the tool {self.name!r} has changed since it was asked; deny it, or it is asked anew"
        return self.objection(fact)

    def hear(self, fact: Fact) -> bool:
        """Take it in. False when it changes nothing."""
        proposal = self.proposal
        if not proposal.take(fact):
            return False
        if proposal.outcome is None:
            self.arm()
            return True
        self.run.settle(self.op)
        self.settled()
        by, reason = str(proposal.last.get("by") or ""), str(proposal.last.get("reason") or "")
        if proposal.outcome:
            self.set_result(Approved(by, reason))
        else:
            self.fail(
                Denied(f"{self.name} was denied by {by or 'somebody'}: {reason}".rstrip(": "), reason=reason, by=by)
            )
        return True

    def arm(self) -> None:
        """Set what happens by itself while nobody decides."""
        self._disarm()
        for one in self.proposal.timers():
            fact: Fact = {"type": "timer", "op": one["op"], "kind": one["kind"]}
            identity = one["kind"], self.name
            self.beside.append(self.run.timers.add(one["op"], identity, one["due"], self._passed, (fact,)))

    def _passed(self, fact: Fact) -> None:
        self.hear({**fact, "at": self.run.timers.now})

    def _disarm(self) -> None:
        for timer in self.beside:
            timer.cancel()
        self.beside = []

    def settled(self) -> None:
        super().settled()
        self._disarm()

    def expired(self) -> None:
        self._disarm()
        self.fail(Denied(f"{self.name} was not decided in time", reason="expired"))


class Lookup(Operation[list[Fact]]):
    """The standing approvals for all executions that may be for a call. Where they can't be read nothing stands, and a
    person is asked."""

    __slots__ = ()

    def fail(self, error: BaseException) -> None:
        self.set_result([])


class Asking(Scope):
    """The part of a context that asks people."""

    __slots__ = ()

    def approve(
        self, what: str, *, data: Any = None, role: str | Approval | None = None, timeout: Duration | None = None
    ) -> Approving:
        """Ask a person of ``role`` to approve ``what`` (a short line; ``data`` is shown beside it); an ``Approval`` in
        its place says how many must, and more. Raises Denied when it is denied, or not decided within ``timeout`` (then
        its reason is "expired"), PayloadTooLarge for more than the store can take."""
        what = named(what, "what ctx.approve asks for")
        if not isinstance(role, Approval):
            role = None if role is None else Approval(named(role, "a role (None: anybody)"), requester=True)
        length = arguments.limit(timeout, "ctx.approve(timeout=…)")
        return ask(self._run, self._next(), what, stored(data, PAYLOAD_LIMIT), role, length)


def ask(
    run: Run,
    op: str,
    what: str,
    shown: Any,
    rule: Approval | None,
    lasts: int | None,
    *,
    version: str = "",
    fits: Fits | None = None,
    why: str = "",
    since: int = 0,
    stands: Sequence[Fact] | None = None,
) -> Approving:
    """Ask under ``op``. Of a call of a tool: which has that ``version``, and which arguments must fit also when a
    person edits them. ``why`` somebody is asked once more, at the earliest at the time ``since``. ``stands``: what has
    been read of standing approvals for all executions; None when nobody has looked."""
    assert run.origin is not None
    seed, requester = run.origin.seed, run.origin.caller.get("by")
    entry: Fact = {"op": op, "at": max(run.began(op), since), "name": what, "what": what}
    if shown is not None:
        entry["data"] = shown
    standings = Standings([*run.standings.record(), *stands]) if stands else run.standings
    entry = propose(entry, rule, seed, lasts=lasts, version=version, requester=requester, why=why, standings=standings)
    if stands is not None:
        entry["shared"] = True
    ahead = run.ahead(op)
    if ahead is not None and _asks(ahead, what, shown, seed):
        entry = {**ahead, **{name: entry[name] for name in ("what", "data") if name in entry}}
        entry.pop("blob", None)  # whoever was asked, was asked on these terms, perhaps by an older release
    elif op not in run.recorded:
        run.fit(entry)
    approving = Approving(run, op, Proposal(entry), fits, version)
    run.open(approving)
    if (until := entry.get("until")) is not None:
        approving.due(until)
    approving.arm()
    run.own[op] = entry
    return approving


async def standing(run: Run, op: str, what: str, version: str, role: str) -> list[Fact] | None:
    """Read the standing approvals for all executions before somebody is asked under ``op``. None where a release asked
    that read none. After a ``retry`` they say nothing: what was denied is for a person to decide."""
    place = f"{op.removesuffix('0')}s"
    if run.ahead(place) is None and run.ahead(op) is not None:
        return None
    looking = Lookup(run, place, register.LOOKUP)
    run.open(looking)
    run.effect(register.lookup(place, run.function, what=what, version=version, role=role))
    found = await looking
    return [] if op in run.renewed else found


def about(run: Run, fact: Fact) -> Approving | None:
    """The approval that a fact is about, if it is waited for."""
    op = run.ops.get(op_of(fact))
    return op if isinstance(op, Approving) else None


def passing(run: Run, due: Sequence[Fact]) -> list[Fact]:
    """What timers that are due come to: a standing approval's is a decision."""
    found = list[Fact]()
    for timer in due:
        asked = about(run, timer) if timer.get("kind") == STANDING else None
        found.append(timer if asked is None else asked.proposal.passing(timer))
    return found


def _asks(entry: Fact, what: str, data: Any, seed: str) -> bool:
    """Whether the entry asks for that: on its own terms, as this release or an older one did."""
    told = {name: value for name, value in entry.items() if name not in ("what", "data")} | {"what": what}
    digest = bound_to(told if data is None else {**told, "data": data}, seed)
    return entry.get("digest") in (digest, digest_of(what, data, seed), digest_of(what, data))


def digest_of(what: str, data: Any, seed: str | None = None) -> str:
    """What older releases bound an approval to: sha256 over the canonical JSON of both, and of the life that asks."""
    bound = [what, data] if seed is None else [what, data, seed]
    text = json.dumps(bound, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
