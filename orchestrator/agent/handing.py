"""Which of several agents has a conversation, and how it is handed over.

An agent with handoffs has a tool for each of them. A call of it is looked at like any other (arguments, hooks,
approval) and becomes the entry ``handoff``, when all other calls of the answer have their outcomes. From then on the
other agent has the conversation: its model is asked, with its instructions and tools; and the next message goes to it.
Of several handoffs in one answer the first whose arguments fit counts.

Who has it follows from the journal alone; before the window it stands in the head (``Thread.outside``). An agent is
found by its name among those that the first one can hand over to, so it need not be served. Pure.
"""

from __future__ import annotations

from ...state.codec import dumps
from ...state.errors import InvalidInput
from ..governance.usage import Allowance, handed_round
from ..protocol.decider import Fact
from . import observations
from .call import Call, Stage
from .conversation import Thread, Weight
from .judging import Failed, Judged
from .leaving import Leaving
from .spec import AgentSpec, HandoffSpec
from .turn import Turn

SECOND = "The conversation was not handed over by this call: another one in the same answer counts."


def second(spec: AgentSpec, turn: Turn, call: Call) -> bool:
    """Whether it hands the conversation over, and an earlier call of the answer does that already."""
    if spec.handoff(call.name) is None:
        return False
    for other in turn.calls.values():
        if other is call:
            break
        if other.stage is not Stage.DONE and spec.handoff(other.name) is not None:
            return True
    return False


def due(spec: AgentSpec, thread: Thread, turn: Turn, call: Call, allowed: Allowance) -> Judged:
    """What becomes of a call that hands the conversation over, when nothing speaks against it;
    None while other calls are at work."""
    handoff = spec.handoff(call.name)
    if handoff is None or any(other is not call for other in turn.unfinished()):
        return None
    if (over := handed_round(turn.holding.count, allowed)) is not None:
        return Failed(over)
    said = f" {dumps(call.arguments)}" if call.arguments else ""
    told = f"{spec.name} has handed this conversation over to you, {handoff.to}. Go on with it.{said}"
    entry: Fact = {"type": "handoff", "op": call.op, "call": call.id, "name": handoff.to, "from": spec.name}
    entry |= {"text": told} | ({"why": dumps(call.arguments)} if call.arguments else {})
    try:
        return entry | _left(handoff, thread, turn, told)
    except InvalidInput as error:
        return call.told(f"Error: the conversation was not handed over: {error}")


def _left(handoff: HandoffSpec, thread: Thread, turn: Turn, told: str) -> Fact:
    """What of the conversation the other one does not read, and what stands in its place."""
    messages = (*(message for _, past in thread.past() for message in past.messages), *turn.messages[1:])
    earlier = "\n\n".join(filter(None, (thread.summary, turn.summary)))
    stands = handoff.stands(Leaving(messages, earlier), told)
    return {} if stands is None else {"turns": turn.number - 1, "steps": turn.asked, "summary": stands}


def apply(entry: Fact, thread: Thread, turn: Turn, call: Call, to: AgentSpec, at: int) -> None:
    """Take in a ``handoff``. What the one before has chosen, found and listed for its model is not the other's."""
    turn.settle(call, observations.text_of(entry["text"]), at)
    if "steps" in entry:
        thread.leave(entry["turns"], "")
        turn.leave(entry["steps"], str(entry["summary"]))
    thread.refit(to.window)
    turn.weighed = 0, Weight()
    turn.content = to.about(turn.holding.content)
    turn.model = turn.route = turn.chosen = ""
    turn.offered, turn.within = None, None
    turn.discovered, turn.spoilt, turn.declined = [], set(), 0
    if turn.tools is not None:
        turn.tools = None
        turn.relisted += 1
    turn.holding.count += 1
    turn.holding.usage = turn.usage


def lost(first: str, holder: str) -> str:
    """Why an execution can't go on whose agent is not there any more."""
    return (
        f"agent {holder!r} has the conversation, and {first!r} hands over to none of that name here; serve the code in "
        "which it does (handoffs=[…]), then resume it"
    )
