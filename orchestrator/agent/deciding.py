"""Tool calls that wait for a person: how it is asked, what is made of what people say, and what the model is told.

Each call of an answer goes its own way: one that is approved is made at once, one that is denied has its outcome, one
that is open waits. The model is asked again when the last of them has one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ...state.errors import InvalidInput
from ..governance.approvals import register
from ..governance.approvals.proposal import CHANGED, Proposal, op_of, propose
from ..governance.approvals.rule import Approval, rule_of
from ..governance.approvals.standing import Standings
from ..protocol.decider import Access, Fact
from . import observations
from .call import Call, Stage
from .identity import life
from .outbox import Outbox
from .spec import AgentSpec, ToolSpec
from .turn import Turn

FACTS = ("decided", "delegated")
"""What people say."""


class Requester(NamedTuple):
    """For whom calls are made, and what has been said already of calls that are made for them."""

    by: object
    standings: Standings


def rule(call: Call, tool: ToolSpec, arguments: dict[str, Any]) -> Approval | None:
    """Who must approve the call: whom a hook wants, in the place of the tool's own. Raises InvalidInput."""
    if call.asks:
        return rule_of(call.asks, "what a hook asks for")
    return tool.rule(arguments)


def lookup(call: Call, tool: ToolSpec, by: Approval, function: str) -> Access:
    """The reading of the standing approvals for all executions that may be for the call."""
    return register.lookup(call.looking(), function, what=tool.name, version=tool.version, role=by.role)


def looked(turn: Turn | None, outbox: Outbox, entry: Fact) -> bool:
    """It has been read. Where that has failed, nothing stands, and a person is asked."""
    op = str(entry.get("op", ""))
    outbox.confirm(op)
    call = None if turn is None else turn.calls.get(op.removesuffix(".s"))
    if call is None or call.looking() != op or call.stage is not Stage.ASKED or call.stands is not None:
        return False
    found = entry.get("value")
    call.stands = found if isinstance(found, list) else []  # pyright: ignore[reportUnknownMemberType]  # JSON
    return True


def asked(turn: Turn, call: Call, tool: ToolSpec, by: Approval, who: Requester, at: int, why: str = "") -> Fact:
    """The entry by which somebody is asked to approve the call."""
    entry: Fact = {"op": call.op, "at": at, "name": tool.name, "what": tool.name, "data": call.arguments}
    lasts, version = tool.approval_within, tool.version
    bound, standings = life(call.name, turn.mark), who.standings
    if call.stands and not why:  # what was read before the first question says nothing of a later one
        standings = Standings([*standings.record(), *call.stands])
    told = propose(entry, by, bound, lasts=lasts, version=version, requester=who.by, why=why, standings=standings)
    return told | {"shared": True}


def again(turn: Turn, call: Call, tool: ToolSpec, who: Requester, at: int) -> Fact | None:
    """The entry by which somebody is asked once more, because what was approved is another tool now; None when the
    call may be made. One that has begun was made by the tool that was approved."""
    proposal = call.proposal
    if proposal is None or not call.approved or proposal.version in ("", tool.version) or call.op in turn.marks:
        return None
    arguments = call.arguments or {}
    try:
        tool.check(arguments)
        wanted = rule(call, tool, arguments)
    except InvalidInput as error:
        return call.told(observations.unfit(str(error), ""))
    return None if wanted is None else asked(turn, call, tool, wanted, who, at, CHANGED)


def opened(turn: Turn, call: Call, entry: Fact, at: int) -> None:
    """Somebody is asked."""
    call.stage, call.approved, call.proposal = Stage.APPROVAL, False, Proposal(entry)
    call.arguments = entry["data"]
    turn.tick(at)


def about(turn: Turn | None, fact: Fact) -> Call | None:
    """The call that waits for what a fact may be about; or the input or output of the turn does."""
    waiting = () if turn is None else turn.approvals()
    return next((call for call in waiting if call.op == op_of(fact) and call.proposal is not None), None)


def take(turn: Turn | None, call: Call, entry: Fact, at: int, standings: Standings) -> bool:
    """Somebody has said something about the call, or time has passed. False when that changes nothing."""
    proposal = call.proposal
    if turn is None or proposal is None or not proposal.take(entry):
        return False
    standings.take(entry)
    if proposal.outcome is True:
        call.stage, call.approved = Stage.READY, True
        call.arguments = proposal.data
        call.edited = call.edited or bool(proposal.edited)
        turn.stock.granted(call)
        turn.tick(at)
    elif proposal.outcome is False and call.op in turn.calls:
        turn.settle(call, observations.EXPIRED if proposal.expired else observations.denied(proposal.last), at)
    elif proposal.outcome is False:
        call.end(observations.turned_down(entry if proposal.expired else proposal.last, call.name))
        turn.tick(at)
    return True


def objection(call: Call, tool: ToolSpec | None, fact: Fact) -> str:
    """Why what somebody says about a call counts for nothing; "" when it counts. An edit must fit the tool, and be for
    the same role to approve: it changes neither who is asked nor what is called."""
    assert call.proposal is not None
    why = call.proposal.objection(fact)
    if why or "data" not in fact:
        return why
    if tool is None:
        return f"there is no tool {call.name!r} any more"
    try:
        tool.check(fact["data"])
        wanted = rule(call, tool, fact["data"])
    except InvalidInput as error:
        return f"the arguments do not fit: {error}"
    before = call.proposal.asked.get("role")
    return "" if wanted is None or wanted.role == before else f"such a call is for {wanted.role} to approve"


def heard(turn: Turn | None, offered: Callable[[Turn], AgentSpec], fact: Fact, at: int) -> tuple[bool, list[Fact]]:
    """Whether what somebody says counts, and the entry that tells why it does not, as long as the call waits. What does
    not say what it is about counts never; older journals hold such, and stay readable."""
    call = about(turn, fact)
    if turn is None or call is None or not fact.get("digest"):
        return False, []
    why = objection(call, offered(turn).find(call.name), fact)
    return not why, [passed_over(fact, why, at)] if why else []


def refusal(turn: Turn | None, offered: Callable[[Turn], AgentSpec], fact: Fact) -> str:
    """The same for who is about to say it, while it can still be said otherwise."""
    call = about(turn, fact)
    if turn is None or call is None or call.proposal is None:
        return ""
    tool = offered(turn).find(call.name)
    version = call.proposal.version
    if fact.get("approved") is True and tool is not None and version not in ("", tool.version):
        return f"the tool {call.name!r} has changed since it was asked; deny it, and the model may ask again"
    return objection(call, tool, fact)


def passed_over(fact: Fact, why: str, at: int) -> Fact:
    """The entry that says so."""
    return {"type": "skipped", "at": at, "op": op_of(fact), "name": fact["type"], "by": fact.get("by", ""), "why": why}


def due(turn: Turn, now: int) -> list[Fact]:
    """The timers of all that is waited for that are due."""
    waiting = [call.proposal for call in turn.approvals() if call.proposal is not None]
    return [one.passing({"type": "timer", **timer, "at": now}) for one in waiting for timer in one.due(now)]


def wake(turn: Turn) -> list[int | None]:
    return [call.proposal.wake() for call in turn.approvals() if call.proposal is not None]
