"""Functions of the user's around a run and around its model calls: what they say, and what follows from that.

Each is asked once, as a step that is recorded (``hook``); a replay reads what it said. The places are those of
``around``, and what may be said there is in docs/hooks.md. Before a model call the conversation is made to fit, tools
are selected and the model is chosen first: a hook sees what would be asked.

An answer that hooks look at is held back: the entry ``model`` says so (``held``), nothing of it is streamed, and the
loop and those who follow get it with the entry ``passed``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from ...state.codec import mended
from ...state.errors import Denied
from ..errors.failures import Failure
from ..governance.approvals.proposal import Proposal, propose
from ..governance.approvals.rule import rule_of
from ..governance.usage import failure
from ..protocol.decider import Fact, Heard, Invoke
from ..protocol.media import Part
from ..usercode.resilience import each_told
from . import observations, withholding
from .answer import Reading, read
from .around import Asked, Gate, ModelReply, ModelUse, RunUse
from .call import Call, Stage
from .conversation import Message, Thread
from .hooking import failed
from .identity import life
from .judging import HOOK, Failed, Judge, Judged, Taken
from .spec import AgentSpec, HookSpec
from .turn import Phase, Turn
from .withholding import INPUT, OUTPUT

REVIEW_WITHIN = 7 * 24 * 3_600_000
"""Milliseconds after which what nobody has approved counts as denied."""


Shown = Callable[[tuple[Message, ...]], tuple[Message, ...]]
"""A conversation with what is kept beside it."""


class Gates:
    """Of the runs and model calls of one agent."""

    __slots__ = ("_judge", "_shown", "_spec")

    def __init__(self, spec: AgentSpec, judge: Judge, shown: Shown) -> None:
        self._spec = spec
        self._judge = judge
        self._shown = shown

    # -- before the run ------------------------------------------------------------------------------

    def beginning(self, turn: Turn) -> bool:
        """Whether the turn must not begin yet. One whose model was asked is over that: hooks that came with newer code
        are too late."""
        if turn.asked or turn.phase is not Phase.THINK or turn.thinking() in turn.marks:
            return False
        gate = turn.around.begins
        return gate.verdict is None and self._waits(gate, "before_run")

    def begun(self, turn: Turn, at: int) -> Judged:
        """What they have made of it; None when it goes on, or waits."""
        if turn.asked:
            return None
        gate = turn.around.begins
        if gate.verdict is not None and "skip" in gate.verdict:
            return Taken(gate.verdict["skip"], {})
        return _stopped(gate) or self._review(turn, gate, "before_run", {"input": turn.content}, at)

    # -- before a model call -------------------------------------------------------------------------

    def asking(self, turn: Turn) -> Judged:
        """What they have made of the model call that is due; None when it goes on, or waits."""
        gate = turn.asks_at()
        verdict = gate.verdict or {}
        if "skip" in verdict:
            given = verdict["skip"]
            answer = cast("Fact", given) if isinstance(given, dict) else {"text": observations.told(given)}
            said: Fact = {**answer, "model": f"{HOOK}{verdict['name']}", "usage": {}, "cost": "0"}
            fact: Fact = {"type": "model", "op": gate.op, "name": said["model"], "ms": 0, "value": said}
            return fact | self.held()
        return _stopped(gate)

    def asked(self, turn: Turn) -> Asked:
        """How the model is asked."""
        return turn.asks_at().asked(turn.asked_of, turn.within)

    def model(self, turn: Turn) -> str:
        """Who is asked."""
        return self._spec.model_named(turn.asks_at().change("model") or turn.model)

    def messages(self, turn: Turn, thread: Thread) -> tuple[Message, ...]:
        """What is read: the conversation, and what hooks say for this call alone."""
        more = [
            Message("user", text)
            for text in (*turn.asks_at().change("messages", ()), *turn.stock.told(turn.thinking()))
        ]
        return self._shown(thread.messages([*turn.messages, *more] if more else turn.messages))

    def thought(self, turn: Turn, thread: Thread, offered: AgentSpec) -> Invoke:
        """The call of the model, by the agent with the tools of this turn."""
        name, held, asked, op = self.model(turn), self.held(), self.asked(turn), turn.thinking()
        means = turn.stock.means(op)
        call = offered.think(self.messages(turn, thread), turn.content, name, turn.offered, asked, means)
        policy = self._spec.model_policy(name, turn.route)
        policy = policy if means.hold is None else each_told(policy)
        heard = Heard(turn.id, turn.content, turn.streamed, turn.mark, bool(held))
        return Invoke(op, name, "model", call, False, policy, held, write=mended, heard=heard)

    def held(self) -> Fact:
        """What a model call says when its answer is looked at before anybody reads it."""
        return {"held": True} if self.hold else {}

    @property
    def hold(self) -> bool:
        return bool(self._hooks("after_model") or self._hooks("after_run"))

    # -- about an answer, and about the output -------------------------------------------------------

    def heard(self, turn: Turn) -> Judged:
        """What becomes of an answer that is held back; None while a hook is to speak."""
        gate, verdict = turn.around.hears, turn.around.hears.verdict or {}
        if "guide" in verdict:
            return {"type": "passed", "op": gate.op, "guide": verdict["guide"]}
        if (stopped := _stopped(gate)) is not None:
            return stopped
        if self._waits(gate, "after_model"):
            return None
        reading = answer_of(turn)
        concluding = [asked for asked in reading.calls if self._spec.concludes(asked.call.name)]
        final = not reading.calls or len(concluding) == len(reading.calls)
        passed: Fact = {"type": "passed", "op": gate.op, "name": reading.model}
        return passed if final and self._hooks("after_run") else passed | {"value": _told(reading) | gate.beside}

    def ended(self, turn: Turn, taken: Taken, at: int) -> Judged:
        """What becomes of the output of the run; None while a hook is to speak, or a person."""
        gate, verdict = turn.ends_at(), turn.ends_at().verdict or {}
        turn.around.taken = taken
        if "guide" in verdict:
            finals = self._judge.finals(turn)
            text = observations.sent_back(verdict["guide"], tool=bool(finals))
            return finals[0].told(text) if finals else {"type": "observed", "op": gate.op, "text": text}
        if (stopped := _stopped(gate)) is not None:
            return stopped
        value = gate.value if gate.changed else taken.value
        if self._waits(gate, "after_run"):
            return self._review(turn, gate, "after_run", {"output": value}, at)
        if turn.around.hears.op != turn.said or not turn.said:
            beside = taken.beside
        elif turn.around.closed != turn.said:
            said = {"text": observations.told(value)} | turn.around.hears.beside
            return {"type": "passed", "op": turn.said, "name": turn.model, "value": said}
        else:
            beside = {key: op for key, op in taken.beside.items() if key != "said"}
        return Taken(value, {key: op for key, op in beside.items() if key != "said"} if gate.changed else beside)

    def withheld(self, turn: Turn) -> Fact:
        """What of a turn that ends with an error nobody has let through."""
        begins, looked_at = turn.around.begins, bool(self._hooks("after_run"))
        answered = turn.phase is Phase.JUDGE or bool(self._judge.finals(turn))
        what = {INPUT: begins.stopped() or self.beginning(turn), OUTPUT: looked_at and answered}
        return withholding.fact([name for name, so in what.items() if so])

    # -- who is asked --------------------------------------------------------------------------------

    def due(self, turn: Turn, thread: Thread) -> list[Invoke]:
        """The hook to be asked now, beside those before a model call."""
        spec, gate = self._spec, turn.around.begins
        run = RunUse(spec.name, turn.content, turn.number)
        if self.beginning(turn):
            return self._next(gate, "before_run", lambda hook: hook.begin(run, spec.fits, spec.finish))
        if turn.phase is Phase.HEARD and turn.around.held is not None and turn.around.hears.verdict is None:
            reading, use = answer_of(turn), self._use(turn, thread)
            calls = tuple(asked.call for asked in reading.calls)
            reply = ModelReply(reading.text, calls, reading.refusal, reading.model)
            return self._next(turn.around.hears, "after_model", lambda hook: hook.answer(use, reply))
        if turn.around.taken is not None and turn.ends_at().verdict is None:
            gate, taken = turn.ends_at(), turn.around.taken.value
            output = gate.value if gate.changed else taken
            return self._next(gate, "after_run", lambda hook: hook.end(run, output, spec.finish))
        return []

    def before(self, turn: Turn, thread: Thread) -> list[Invoke]:
        """The hook that looks at the model call before it is made; none when it may be."""
        gate = turn.asks_at()
        spoken = gate.heard >= len(self._hooks("before_model"))  # then nobody looks at the conversation
        if spoken or gate.verdict is not None or turn.thinking() in turn.marks:
            return []
        use = self._use(turn, thread)
        return self._next(gate, "before_model", lambda hook: hook.ask(use))

    def _use(self, turn: Turn, thread: Thread) -> Callable[[], ModelUse]:
        spec, messages, asked, name = self._spec, self.messages(turn, thread), self.asked(turn), self.model(turn)
        offered, content, step = turn.offered, turn.content, turn.asked + 1
        agent = spec.offering(turn.tools)

        def use() -> ModelUse:
            return agent.used(messages, content, name, offered, asked, step)

        return use

    def _hooks(self, place: str) -> list[HookSpec]:
        return [hook for hook in self._spec.hooks if place in hook.places]

    def _waits(self, gate: Gate, place: str) -> bool:
        """Whether a hook is to speak, or a person to decide. What is decided goes by the journal alone."""
        reviewed = gate.review is not None and gate.review.approved
        return gate.heard < len(self._hooks(place)) or (bool(gate.asks) and not reviewed)

    def _next(self, gate: Gate, place: str, work: Callable[[HookSpec], Callable[[], Any]]) -> list[Invoke]:
        hooks = self._hooks(place)
        if gate.heard >= len(hooks):
            return []
        hook = hooks[gate.heard]
        more = {"failing": hook.failing}
        return [Invoke(gate.hook(), hook.name, "hook", work(hook), hook.threaded(place), hook.policy, more)]

    def _review(self, turn: Turn, gate: Gate, place: str, data: dict[str, Any], at: int) -> Fact | None:
        """The entry by which a person is asked, when all hooks have spoken and one of them wants that."""
        if not gate.asks or gate.review is not None or gate.heard < len(self._hooks(place)):
            return None
        what = f"{self._spec.name} {next(iter(data))}"
        rule = rule_of(gate.asks, "what a hook asks for")
        entry: Fact = {"op": gate.approval(), "at": at, "name": what, "what": what, "data": data}
        return propose(entry, rule, life(what, turn.mark), lasts=REVIEW_WITHIN)


# -- what entries change --------------------------------------------------------------------------------


def gate_of(turn: Turn, op: str) -> Gate | None:
    """The place whose hook has that op, and is due."""
    begins, asks, hears, ends = turn.gates()
    thinks = turn.phase is Phase.THINK
    due = {
        begins: thinks and not turn.asked,
        asks: thinks,
        hears: turn.phase is Phase.HEARD,
        ends: turn.phase in (Phase.JUDGE, Phase.ACT) or (thinks and not turn.said),
    }
    return next((gate for gate, fit in due.items() if fit and gate.verdict is None and gate.hook() == op), None)


def expected(turn: Turn, op: str) -> bool:
    """Whether the turn waits for the outcome of a call of that op."""
    call = turn.calls.get(op) or turn.hooked(op)
    checks = (turn.judging() and op == turn.checking()) or gate_of(turn, op) is not None
    return turn.thinks(op) or checks or turn.lists(op) or (call is not None and call.stage is not Stage.DONE)


def said(entry: Fact, turn: Turn, gate: Gate) -> None:
    """Take in what a hook has said, or that it has failed."""
    told = entry.get("value")
    verdict: Fact = failed(entry) if "error" in entry else cast("Fact", dict(told)) if isinstance(told, dict) else {}  # pyright: ignore[reportUnknownArgumentType]  # JSON
    if verdict.keys() & {"end", "refuse", "skip"} or ("guide" in verdict and gate.letter != "b"):
        gate.verdict = verdict | {"name": entry.get("name", "")}
        return
    gate.heard += 1
    if "guide" in verdict:
        turn.messages.append(Message("user", observations.text_of(verdict["guide"])))
    elif "ask" in verdict:
        gate.asks = gate.asks or str(verdict["ask"])
    elif "change" not in verdict:
        return
    elif gate is turn.around.begins:
        _recast(turn, verdict["change"])
    elif gate.letter == "b":
        gate.merged(cast("Fact", verdict["change"]) if isinstance(verdict["change"], dict) else {})
    else:
        gate.value, gate.changed = verdict["change"], True


def ordered(entry: Fact, turn: Turn, at: int) -> bool:
    """A person is asked about what a hook has looked at."""
    if turn.stock.ordered(entry):
        turn.tick(at)
        return True
    for gate in (turn.around.begins, turn.ends_at()):
        if gate.approval() == entry.get("op") and gate.review is None:
            gate.review = Call(entry["op"], "", str(entry.get("what", "")), "", entry["data"], "")
            gate.review.stage, gate.review.proposal = Stage.APPROVAL, Proposal(entry)
            turn.tick(at)
            return True
    return False


def hold(turn: Turn, op: str, value: Any, model: str) -> None:
    """The model has answered, and the answer is kept back until hooks have looked at it. One that is no answer yet, or
    can't be taken, is none of their business."""
    reading = read(value, op, model)
    turn.usage = turn.usage.plus(reading.usage)
    if reading.cut or reading.malformed or reading.paused or not (reading.text or reading.calls or reading.refusal):
        turn.answered(op, value, model, paid=False)
    else:
        turn.around.held, turn.around.hears, turn.phase = (op, value, model), Gate(op, "a"), Phase.HEARD
        turn.around.hears.beside = {
            name: value[name] for name in ("usage", "cost") if isinstance(value, dict) and name in value
        }


def passed(entry: Fact, turn: Turn) -> bool:
    """An answer that was held back is let through; or it is told, which changes nothing here."""
    if "value" in entry:
        turn.around.closed = str(entry["op"])
    if turn.around.held is None or turn.around.held[0] != entry.get("op"):
        return "value" in entry
    op, value, name = turn.around.held
    gate = turn.around.hears
    if gate.changed:  # what is opaque in an answer belongs to its words as they were
        value, name = {**gate.value, "model": f"{HOOK}{name}"}, name
    turn.answered(op, value, name, paid=False)
    if "guide" in entry:
        turn.guided(observations.text_of(entry["guide"]))
    return True


def answer_of(turn: Turn) -> Reading:
    """The answer that is held back, as hooks have made it."""
    assert turn.around.held is not None
    op, value, name = turn.around.held
    return read(turn.around.hears.value if turn.around.hears.changed else value, op, name)


def _told(reading: Reading) -> Fact:
    """An answer for those who follow."""
    calls = [{"id": each.call.id, "name": each.call.name, "arguments": each.call.arguments} for each in reading.calls]
    told = {"text": reading.text, "tool_calls": calls, "refusal": reading.refusal}
    return {name: value for name, value in told.items() if value}


def _recast(turn: Turn, content: Any) -> None:
    """The turn is about something else. Images, sounds and files stay: what a hook changes is the words."""
    first = turn.messages[0]
    parts = (Part("text", observations.told(content)), *(part for part in first.parts if part.kind != "text"))
    turn.content = content
    turn.messages[0] = Message("user", observations.told(content), parts=parts if first.parts else ())
    turn.weighed = (0, turn.weighed[1].minus(turn.weighed[1]))


def _stopped(gate: Gate) -> Judged:
    """The end of the turn, where a hook or a person wants that."""
    verdict: dict[str, Any] = gate.verdict or {}
    if "end" in verdict:
        return Failed(cast("Failure", verdict["end"]))
    if "refuse" in verdict:
        return Failed(failure(Denied, str(verdict["refuse"])))
    if gate.review is not None and gate.review.stage is Stage.DONE:
        return Failed(failure(Denied, gate.review.content))
    return None
