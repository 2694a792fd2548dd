"""What people are asked to decide, and what they say: proposals, decisions, delegations. A decision counts for exactly
what was read, and once; whatever can't count is refused here, as far as the journal tells, with the reason.

Errors: UnknownExecution, AlreadyFinished, InvalidInput, StoreError.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple

from ..state.codec import dumps, mended
from ..state.errors import AlreadyFinished, InvalidInput
from ..state.ids import fork_of
from ..state.records import FINAL, Accepted, Answer, Filter, Head, NewMail
from .engine.delivery import mail_of
from .governance.approvals import register
from .governance.approvals.person import person
from .governance.approvals.proposal import Proposal, op_of
from .governance.approvals.standing import REVOKED, Standing, Standings
from .protocol import keys
from .protocol.decider import Fact
from .protocol.entries import decode, resolve
from .reading import LOOKED_BACK, Reading, type_of

_SAID = ("decided", "delegated")
"""Mail by which people say something."""


class Wanted(NamedTuple):
    """Which open approvals are meant; what is empty matches all. ``role`` is who decides now, ``function`` which agent,
    workflow or machine asks, ``before`` (epoch milliseconds) when it was asked at the latest, ``by`` whom it is for to
    decide alone."""

    role: str = ""
    function: str = ""
    before: int = 0
    by: str = ""

    def matches(self, proposal: Proposal) -> bool:
        return (
            (not self.role or proposal.role == self.role)
            and (not self.before or proposal.asked["at"] <= self.before)
            and (not self.by or person(proposal.approver) == person(self.by))
        )


class Deciding(Reading):
    """Approvals of the executions in ``store``."""

    async def prepare(self) -> None:
        """Before anything is sent."""

    async def _send(self, id: str, mail: NewMail, *, reopen: bool = False) -> Accepted:
        raise NotImplementedError

    async def _admit(self, id: str, fact: Fact) -> None:
        raise NotImplementedError

    # -- what is asked -------------------------------------------------------------------------------

    async def approvals(self, id: str) -> list[Fact]:
        """Open approvals: the ``ordered`` entries (op, what, role, digest, until, at, data) not yet decided, as things
        stand: with ``votes``, who has approved; ``approver``, the person it was given to; ``edited``, who has changed
        the arguments, and the ``original`` ones."""
        waiting = await self.proposals(id)
        await resolve(self.store, id, waiting)
        return waiting

    async def proposals(self, id: str) -> list[Fact]:
        """The same without what of them lies in blobs (``resolve`` puts it back)."""
        return [proposal.shown() for proposal in await self._undecided(id)]

    async def waiting(self, wanted: Wanted = Wanted()) -> AsyncIterator[tuple[Head, Fact]]:
        """Every open approval of every execution that is wanted, with the execution."""
        async for head in self.all(Filter(function=wanted.function, awaits="approval")):
            async for found in self.waiting_of(head, wanted):
                yield found

    async def waiting_of(self, head: Head, wanted: Wanted = Wanted()) -> AsyncIterator[tuple[Head, Fact]]:
        """Those of one execution."""
        for proposal in await self._undecided(head.id, head):
            if wanted.matches(proposal) and wanted.function in ("", head.function):
                yield head, proposal.shown()

    async def _undecided(self, id: str, head: Head | None = None) -> list[Proposal]:
        """Those that are neither decided nor about to be. ``head``: as it was a moment ago."""
        head = await self.show(id) if head is None else head
        if head.status in FINAL:
            return []
        said = await self._said(id)  # before the journal, into which it may be taken up meanwhile
        opened: dict[str, Proposal] = {}
        async for fact in self._facts(id, head.base - 1):
            kind = fact["type"]
            if kind == "ordered" and fact.get("kind") == "approval":
                opened[fact["op"]] = Proposal(fact)
            elif kind in ("checkpoint", "reply"):
                opened = {}  # whatever asked is over
            elif kind in (*_SAID, "timer", "observed"):
                await self._follow(id, opened, fact)
        now = self.clock()
        for fact in said:  # what was taken up already changes nothing once more
            if fact.get("digest"):
                await self._follow(id, opened, fact)
        return [one for one in opened.values() if one.outcome is None and (one.until or now + 1) > now]

    async def _follow(
        self, id: str, opened: dict[str, Proposal], fact: Fact, standings: Standings | None = None
    ) -> None:
        proposal = opened.get(op_of(fact))
        if proposal is not None:
            if "blob" in fact:
                await resolve(self.store, id, [fact])
            if proposal.take(fact) and standings is not None:
                standings.take(fact)

    async def _said(self, id: str) -> list[Fact]:
        """What people have said and nobody has taken up yet."""
        _, waiting = await self.store.mailbox(id)
        return [decode(text) for text in waiting if type_of(text) in _SAID]

    async def was_decided_by(self, id: str, event: str) -> bool:
        """Whether the decision that came as that event was taken, not too long before the end."""
        if any(fact.get("event") == event for fact in await self._said(id)):
            return True
        head = await self.show(id)  # read last: it shows what was taken up meanwhile
        texts = await self.store.history(id, max(head.length - LOOKED_BACK, 0), LOOKED_BACK)
        return any(fact["type"] == "decided" and fact.get("event") == event for fact in map(decode, texts))

    # -- what people say -----------------------------------------------------------------------------

    async def decide(
        self,
        id: str,
        op: str | None,
        approved: bool,
        *,
        by: str = "",
        reason: str = "",
        digest: str = "",
        event: str = "",
        role: str = "",
        arguments: Mapping[str, Any] | None = None,
        standing: Standing | None = None,
    ) -> str:
        """Approve or deny operation ``op`` (None: the only open one). Returns the op. ``digest``, when given,
        must be that of the proposal: what is approved is then exactly what was read. ``role``: as whom; it must be the
        one that is asked. ``arguments``: approve the call with these in the place of its own. ``standing``: what is
        said of later calls like it. ``event``: what it came as, for ``was_decided_by``. Raises InvalidInput, which says
        why a decision would count for nothing."""
        await self.prepare()
        chosen = await self._chosen(id, op, digest)
        fact: Fact = {"type": "decided", "at": self.clock(), "op": chosen.op, "approved": approved, "by": by}
        fact |= {"reason": reason, "digest": chosen.digest} | ({"event": event} if event else {})
        fact |= {"role": role} if role else {}
        if arguments is not None:
            fact["data"] = mended(dict(arguments))
        if standing is not None:
            if standing.for_all and fork_of(id):
                raise InvalidInput(
                    f"{id} is a fork, and has no effect on others: what is said here is not for them all"
                )
            data = fact.get("data", chosen.data)
            fact["standing"] = standing.terms(chosen.asked, chosen.role, data, fact["at"], chosen.digest, by)
        await self._check(id, chosen, fact)
        mail = mail_of(fact, keys.decision(chosen.op, chosen.asked["at"], *_which(chosen, fact)), lane=0)
        if standing is not None and standing.for_all:
            await self._say_for_all(id, chosen, mail, fact["standing"])
        else:
            await self._say(id, chosen, mail)
        return chosen.op

    async def approve(
        self,
        id: str,
        op: str | None = None,
        *,
        by: str = "",
        reason: str = "",
        digest: str = "",
        arguments: Mapping[str, Any] | None = None,
        standing: Standing | None = None,
    ) -> str:
        """``decide`` in favour. Returns the op."""
        return await self.decide(
            id, op, True, by=by, reason=reason, digest=digest, arguments=arguments, standing=standing
        )

    async def deny(self, id: str, op: str | None = None, *, by: str = "", reason: str = "", digest: str = "") -> str:
        """``decide`` against. Returns the op."""
        return await self.decide(id, op, False, by=by, reason=reason, digest=digest)

    async def delegate(
        self,
        id: str,
        op: str | None = None,
        *,
        by: str,
        role: str = "",
        to: str = "",
        reason: str = "",
        digest: str = "",
    ) -> str:
        """Give what is asked to another ``role`` to decide, or ``to`` one person. Returns the op. Who has approved it
        already, has. Raises InvalidInput."""
        await self.prepare()
        chosen = await self._chosen(id, op, digest)
        if why := chosen.unable(role, to):
            raise InvalidInput(f"the approval {chosen.op!r} of {id} can't be given to {to or role!r:.80}: {why}")
        fact: Fact = {"type": "delegated", "at": self.clock(), "op": chosen.op, "by": by, "reason": reason}
        fact |= {"digest": chosen.digest} | ({"role": role} if role else {}) | ({"to": to} if to else {})
        await self._check(id, chosen, fact)
        await self._say(id, chosen, mail_of(fact, keys.delegation(chosen.op, chosen.digest), lane=0))
        return chosen.op

    # -- of later calls ------------------------------------------------------------------------------

    async def standing(self, id: str) -> list[Fact]:
        """Standing approvals of an execution that are good now: id, what (the tool), version, role, by, at, and as was
        said until, exactly, up_to."""
        head = await self.show(id)
        if head.status in FINAL:
            return []
        said = [decode(text) for text in (await self.store.mailbox(id))[1] if type_of(text) == REVOKED]
        found = Standings()
        opened: dict[str, Proposal] = {}
        async for fact in self._facts(id, 0):
            if fact["type"] == "ordered" and fact.get("kind") == "approval":
                opened[fact["op"]] = Proposal(fact)
            elif fact["type"] in (*_SAID, "timer"):
                await self._follow(id, opened, fact, found)
            elif fact["type"] == REVOKED:
                found.take(fact)
        for fact in said:
            found.take(fact)
        now = self.clock()
        return [terms for terms in found.record() if terms.get("until", now + 1) > now]

    async def standings(
        self, id: str | None = None, *, role: str = "", function: str = ""
    ) -> AsyncIterator[tuple[Head, Fact]]:
        """Those of one execution, or of all that have not ended, of a role and a function where one is said. Their
        journals are read for it."""
        heads = self.all(Filter(function=function)) if id is None else _one(await self.show(id))
        async for head in heads:
            for terms in await self.standing(head.id) if head.status not in FINAL else ():
                if role in ("", terms["role"]) and function in ("", head.function):
                    yield head, terms

    async def standings_for_all(
        self, id: str | None = None, *, role: str = "", function: str = ""
    ) -> AsyncIterator[tuple[str, Fact]]:
        """Those for all executions of an agent, with its name; of the agent of one execution, or of all. Their terms
        name the ``execution`` that they were given in. No journal is read for it."""
        names = await register.functions(self.store) if id is None else [(await self.show(id)).function]
        for name in names:
            for terms in await register.good(self.store, name, self.clock()) if function in ("", name) else ():
                if role in ("", terms["role"]):
                    yield name, terms

    async def revoke(self, id: str, standing: str, *, by: str, reason: str = "") -> Fact:
        """End a standing approval; for all executions where it was given for all: ``id`` is then any execution of the
        agent, or the agent's name. What is asked from then on waits for somebody. Returns what it was. Raises
        InvalidInput when there is none."""
        await self.prepare()
        if not person(by):
            raise InvalidInput("it has to be known who revokes it; say so (by)")
        head = await self.find(id)
        found = await self.standing(id) if head is not None else []
        terms = next((one for one in found if one["id"] == standing), None)
        if terms is None:
            for name in [id] if head is None else [head.function, id]:
                ended = await register.revoke(self.store, name, standing, by=by, reason=reason, now=self.clock())
                if ended is not None:
                    return ended
            await self.show(id)
            found += [one async for _, one in self.standings_for_all(id)]
            names = ", ".join(f"{one['id']} ({one['what']})" for one in found) or "none"
            raise InvalidInput(f"{id} has no standing approval {standing[:80]!r}; there are: {names}")
        fact: Fact = {"type": REVOKED, "at": self.clock(), "standing": standing, "by": by, "reason": reason}
        accepted = await self._send(id, mail_of(fact, keys.revocation(standing), lane=0))
        if accepted.answer is Answer.DUPLICATE:
            raise AlreadyFinished(f"the standing approval {standing!r} of {id} has been revoked already")
        return terms

    async def _chosen(self, id: str, op: str | None, digest: str) -> Proposal:
        """The open approval that is meant."""
        waiting = await self._undecided(id)
        names = ", ".join(f"{one.op} ({one.asked.get('what', '')})" for one in waiting) or "none"
        if op is None:
            if not waiting:
                raise InvalidInput(f"{id} waits for no approval; read what it does (overwinter show)")
            if len(waiting) > 1:
                raise InvalidInput(f"{id} waits for {len(waiting)} approvals; say which: {names}")
            op = waiting[0].op
        chosen = next((one for one in waiting if one.op == op), None)
        if chosen is None:
            raise InvalidInput(f"{id} has no open approval {op!r}; open are: {names}")
        if digest and digest != chosen.digest:
            raise InvalidInput(f"the proposal {op!r} of {id} is not the one with digest {digest}; read it again")
        return chosen

    async def _check(self, id: str, chosen: Proposal, fact: Fact) -> None:
        """Refuse what would count for nothing: by the journal, and by the code where it is at hand."""
        why = chosen.objection(fact)
        if why:
            raise InvalidInput(f"the approval {chosen.op!r} of {id} can't be decided like that: {why}")
        await self._admit(id, fact)

    async def _say_for_all(self, id: str, chosen: Proposal, mail: NewMail, terms: Fact) -> None:
        """What is said of all executions is written before the decision is sent, so that no decision that was accepted
        lacks it. Where the decision is refused, it is taken back: unless it came before, and this is its repetition."""
        function, kept = (await self.show(id)).function, terms | {"execution": id}
        new = await register.give(self.store, function, kept, self.clock())
        try:
            await self._say(id, chosen, mail)
        except InvalidInput:
            if new and not await self._was_said(id, terms["id"]):
                await register.withdraw(self.store, function, terms["id"], self.clock())
            raise

    async def _was_said(self, id: str, standing: str) -> bool:
        """Whether a decision that was accepted has given that standing approval."""
        if await self.find(id) is None:
            return False
        said = await self._said(id)  # before the journal, into which it may be taken up meanwhile
        said += [fact async for fact in self._facts(id, 0) if fact["type"] == "decided"]
        given: list[Fact] = [fact["standing"] for fact in said if "standing" in fact]
        return any(terms["id"] == standing for terms in given)

    async def _say(self, id: str, chosen: Proposal, mail: NewMail) -> None:
        accepted = await self._send(id, mail)
        if accepted.answer is Answer.DUPLICATE:
            raise AlreadyFinished(f"the approval {chosen.op!r} of {id} has been decided already; read what it came to")


async def _one(head: Head) -> AsyncIterator[Head]:
    yield head


def _which(chosen: Proposal, fact: Fact) -> list[str]:
    """What tells a decision from others that may be made of the same question. One that an edit keeps from counting is
    in no other one's way, and what comes as one event, or by one link, says one thing."""
    if "data" in fact:
        return [chosen.digest, person(fact["by"]), hashlib.sha256(dumps(fact["data"]).encode()).hexdigest()]
    if chosen.needs > 1:
        return [chosen.digest, person(fact["by"]), fact.get("event") or ("yes" if fact["approved"] else "no")]
    return [chosen.digest] if chosen.digest != chosen.asked.get("digest") or "why" in chosen.asked else []
