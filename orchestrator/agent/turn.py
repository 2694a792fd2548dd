"""One turn: from a message (or the start of a run) to its answer. What the model asked for and how far it is.

A turn is data that entries change; what follows from it is decided elsewhere (``decider``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from enum import Enum
from typing import Any, NamedTuple

from ..errors.failures import Failure
from ..governance.budgets.amount import NOTHING as NOBODY
from ..governance.budgets.amount import amount_of
from ..governance.usage import NOTHING, Usage
from ..protocol.calls import OpenCalls
from ..protocol.decider import Fact
from ..protocol.media import Part, parts_of, text_of
from . import marking, observations
from .answer import Reading, read, shown
from .around import Around, Gate
from .billing import Billed
from .call import Call, Stage
from .conversation import READER, RESULT, Message, Past, Weight, Window, brought, cut, heaviness, summarized
from .holding import Holding
from .repeating import Repeats
from .stock import Lasting, Stock

Narrowing = Callable[[str, Any], Collection[str] | None]
"""Which tools may still be called in a turn, after that result of a tool of that name; None: as before."""

_NONE: frozenset[str] = frozenset()


class Phase(Enum):
    """What comes next in a turn."""

    THINK = "think"  # the model is to be asked, or is being asked
    JUDGE = "judge"  # it has answered without calling tools
    ACT = "act"  # tools are at work
    HEARD = "heard"  # it has answered, and hooks look at that first
    BROKEN = "broken"  # the model can't be asked: its call failed for good


FINDER = "find_tools"
"""Name of the tool that finds others; it gives their names."""


class Found(NamedTuple):
    """A final answer that fits the output type, as plain JSON, and what its entry says of where it was given."""

    value: Any
    beside: Fact


class Turn:
    """The turn under way. ``mark`` tells it from every other turn, also of another execution that is made under the
    same id. ``since`` is when work on it began, ``allowed`` what was used before its allowance
    began (more than nothing only after a ``retry``)."""

    __slots__ = (
        "allowed", "answer", "around", "asked", "asked_of", "billed", "calls", "chosen", "content", "declined",
        "discovered", "doubtful", "error", "faulted", "first", "folded", "found", "holding", "id", "mark", "marks",
        "messages", "model", "notes", "number", "offered", "phase", "reading", "refused", "relisted", "repairs",
        "repeats", "rerouted", "route", "said", "shortened", "since", "spoilt", "steps", "stock", "stopped",
        "stopped_at", "streamed", "summary", "surplus", "timed_out", "tools", "tried", "unlisted", "usage",
        "verdict", "weighed", "within",
    )  # fmt: skip

    def __init__(
        self, number: int, first: int, id: str, content: Any, since: int, mark: str = "",
        streamed: bool = False, parts: tuple[Part, ...] = (), holder: str = "", lasting: Lasting | None = None,
    ) -> None:  # fmt: skip
        self.number = number
        self.streamed = streamed  # who asked listens to the answer while it is being said
        self.mark = mark
        self.first = first
        self.id = id
        self.content = text_of(parts) if parts else content  # what takes a text gets one
        self.holding = Holding(holder, self.content)
        self.since = since
        self.messages = [Message("user", observations.told(self.content), parts=parts)]
        self.offered: tuple[str, ...] | None = None  # tools, where they are selected
        self.discovered: list[str] = []  # tools that the model has found
        self.steps: list[tuple[int, int]] = []  # number of each answer, and where its messages begin
        self.summary = ""  # of what of this turn has left the window
        self.weighed = 0, Weight()  # so many messages, and how much they are
        self.tried: list[str] = []  # what was summarized for the next answer, and how
        self.folded: Fact | None = None  # a summary that nobody has looked at
        self.spoilt: set[str] = set()  # what failed to be summarized
        self.phase = Phase.THINK
        self.asked = 0  # answers of the model so far
        self.asked_of: dict[str, int] = {}  # calls that it asked for, by tool
        self.said = ""  # op of the last answer
        self.model = ""  # who is asked; "" for whom the agent names first
        self.route = ""  # of which route of the agent's
        self.chosen = ""  # op of the call that a choice was made for
        self.rerouted = 0  # calls for the next answer that failed, and led to another choice
        self.shortened = False  # the past was, for the next answer
        self.usage = self.allowed = NOTHING
        self.stock = Stock(lasting or Lasting())
        self.billed = Billed()  # for failed attempts of the model call that is open
        self.reading: Reading | None = None  # the last answer
        self.calls: dict[str, Call] = {}  # of the last answer, by op
        self.surplus = self.declined = 0
        self.notes: list[str] = []  # observations to stand after the tools' results
        self.found: Found | None = None  # what the last answer says, when it is a final one
        self.verdict: Fact | None = None  # what the validators say of it
        self.repairs = 0  # how often the model was asked again, because its answer could not be taken
        self.faulted = ""  # op of the last answer that could not
        self.repeats = Repeats()  # calls whose outcome was the same again
        self.error: Failure | None = None
        self.tools: dict[str, Any] | None = None  # what servers of tools have listed for it
        self.relisted = 0  # how often they were asked anew
        self.unlisted: Failure | None = None  # why they have not
        self.within: frozenset[str] | None = None  # the tools that it may call; None: all
        self.timed_out = False
        self.stopped = 0  # milliseconds that don't count, because a person had to decide
        self.stopped_at: int | None = None
        self.marks: dict[str, Fact] = {}  # the last begun or retrying fact of calls without outcome
        self.around = Around(number)
        self.doubtful: set[str] = set()  # calls whose outcome is unknown
        self.refused = _NONE  # those of them that were known when the model answered last

    def thinking(self, more: int = 0) -> str:
        """Op of the model call that is due; with 1 ``more``, of the one in its place when it has failed."""
        op, made = f"t{self.number}.m{self.asked + 1}", self.rerouted + more
        return f"{op}.r{made}" if made else op

    def checking(self) -> str:
        """Op of the call of the validators, for the last answer."""
        return f"{self.said}.check"

    def asks_at(self) -> Gate:
        """Before the model call that is due."""
        if self.around.asks.op != self.thinking():
            self.around.asks = Gate(self.thinking(), "b")
        return self.around.asks

    def ends_at(self) -> Gate:
        """After the last answer; after none, when a hook has given one before the model was asked."""
        if self.around.ends.op != (op := self.said or self.around.begins.op):
            self.around.ends = Gate(op, "e")
        return self.around.ends

    def thinks(self, op: str) -> bool:
        """Whether that call is the model's, or of who summarizes for it, and due."""
        return self.phase is Phase.THINK and op in (self.thinking(), self.summarizing())

    def gates(self) -> tuple[Gate, ...]:
        return self.around.begins, self.asks_at(), self.around.hears, self.ends_at()

    def listing(self) -> str:
        """Op of the call that asks servers for their tools."""
        op = f"t{self.number}.list"
        return f"{op}.r{self.relisted}" if self.relisted else op

    def lists(self, op: str) -> bool:
        """Whether that call is due."""
        return self.tools is None and self.unlisted is None and op == self.listing()

    def narrow(self, names: Collection[str] | None) -> None:
        """From now on only these of the tools that may be called; None: no change."""
        if names is not None:
            self.within = frozenset(names) if self.within is None else self.within & frozenset(names)

    def summarizing(self) -> str:
        """Op of the call for a summary that is due before the model is asked."""
        return f"{self.thinking()}.c{len(self.tried) + 1}"

    def judging(self) -> bool:
        """Whether the last answer may be a final one, of which the validators have not said what they think."""
        return self.phase in (Phase.JUDGE, Phase.ACT) and self.verdict is None

    def timer(self) -> str:
        """Op of the turn's time limit."""
        return f"t{self.number}.time"

    def unfinished(self) -> list[Call]:
        return [call for call in self.calls.values() if call.stage is not Stage.DONE]

    def acting(self) -> bool:
        """Whether the last answer's calls are already being worked on."""
        return any(call.stage is not Stage.ASKED for call in self.calls.values())

    def approvals(self) -> list[Call]:
        reviews = [review for gate in self.gates() if (review := gate.waiting()) is not None]
        if self.stock.pleas and (plea := self.stock.waiting()) is not None:
            reviews.append(plea)
        return [call for call in self.calls.values() if call.stage is Stage.APPROVAL] + reviews

    def doubts(self) -> list[Call]:
        """Calls of which somebody is to say what came of them."""
        return [self.calls[op] for op, mark in self.marks.items() if op in self.calls and marking.doubtful(mark)]

    def outside(self) -> bool:
        """Whether somebody outside is to decide or to work on something."""
        children = [call for call in self.calls.values() if call.stage is Stage.CHILD]
        return bool(children or self.approvals() or self.doubts())

    def deadline(self, limit: int | None) -> int | None:
        """When the time is over; None while a person has to decide."""
        if limit is None or self.stopped_at is not None or self.timed_out:
            return None
        return self.since + limit + self.stopped

    def answered(self, op: str, value: Any, model: str, *, paid: bool = True) -> None:
        """The model has answered. What is opaque in its answer is kept with the message and nowhere else."""
        self.around.held, self.around.asked = None, self.asks_at()
        self.asked += 1
        self.said, self.rerouted, self.shortened = op, 0, False
        self.tried, self.folded = [], None
        if self.reading is None or not self.reading.paused:  # what goes on after a pause is one with what was before it
            self.steps.append((self.asked, len(self.messages)))
        self.found = self.verdict = None
        self.model = model  # asked on in this turn: what it gave beside its words is for it alone
        reading = self.reading = read(value, op, model)
        self.usage = self.usage.plus(reading.usage) if paid else self.usage
        self.declined += bool(reading.refusal)
        calls = tuple(shown(asked) for asked in reading.calls)
        text = reading.refusal or reading.text
        if text or calls or (reading.paused and reading.opaque):
            self.messages.append(Message("assistant", text, calls, opaque=reading.opaque, model=reading.model))
        self.surplus = reading.surplus
        # Calls of one answer are made together: none waits for another's doubt.
        self.refused = frozenset(self.doubtful) if self.doubtful else _NONE
        self.calls = {}
        for index, asked in enumerate(reading.calls):
            call_op = f"{op}.{index}"
            name = asked.call.name
            call = Call(call_op, asked.call.id, name, asked.call.arguments, asked.arguments, asked.problem)
            call.nth = self.asked_of[name] = self.asked_of.get(name, 0) + 1
            self.calls[call_op] = call
        self.phase = Phase.ACT if self.calls else Phase.THINK if reading.paused else Phase.JUDGE

    def routed(self, model: str, route: str, op: str, *, shorter: bool) -> None:
        """That model is to be asked, in the place of one that failed or as was chosen for this call."""
        self.model, self.route, self.chosen = model, route, op
        if self.phase is Phase.BROKEN:
            self.phase, self.error = Phase.THINK, None
            self.rerouted += 1
        self.shortened = self.shortened or shorter

    def attempted(self, entry: Fact, calls: OpenCalls) -> None:
        """A fact about the open model call: its failed attempts may have been billed."""
        more = self.billed.more(entry)
        self.usage = self.usage.plus(more)
        self.count(model_calls=int(more.tokens > 0), time=entry.get("ms", 0))
        self.stock.again(entry, calls)

    def count(self, **units: int) -> None:
        """So much was used, if a budget wants it counted."""
        if self.stock.lasting.counts and (more := self.stock.lasting.counted(**units)) is not NOBODY:
            self.usage = self.usage.plus(Usage(beside=more))

    def used(self, record: object) -> None:
        """So much was used beside what the model's answers tell, or may have been."""
        self.usage = self.usage.plus(Usage(beside=amount_of(record)))

    def noted(self, entry: Fact) -> None:
        """Something about budgets: a call may have been paid for (``lost``), or one of them runs out."""
        self.used(entry)
        self.stock.noted(entry)

    def repaired(self, repair: int) -> None:
        """The last answer could not be taken, which is the so-manieth of the turn."""
        self.repairs, self.faulted = repair, self.said

    def observed(self, text: str) -> None:
        """The model is told something about its answer as a whole."""
        self.notes.append(text)
        if not self.said:  # about an answer that a hook has given at once
            self.around.begins.verdict, self.around.begins.heard = None, self.around.begins.heard + 1
        if self.phase is Phase.ACT:
            self.surplus = 0
        else:
            self._reflect()

    def guided(self, text: str) -> None:
        """The last answer is not gone by, and the model is told why."""
        for call in self.calls.values():
            call.end(observations.GUIDED)
        self.surplus = 0
        self.notes.append(text)
        self._reflect()

    def settle(self, call: Call, content: str, at: int, entry: int = 0) -> None:
        """A call has its outcome, in the ``entry`` of that number. When it was the last one, the model is next."""
        call.end(content, entry)
        self.repeats.note(call, self.said)
        self.marks.pop(call.op, None)
        self.tick(at)
        if self.phase is Phase.ACT and all(call.stage is Stage.DONE for call in self.calls.values()):
            self._reflect()

    def came(self, call: Call, entry: Fact, at: int, number: int, most: int) -> None:
        """The entry of that number has the outcome of a call, of which ``most`` characters are read: it is settled, or
        hooks look at it first. Of what they look at nobody reads the whole again."""
        self.count(tool_calls=1, time=entry.get("ms", 0))
        if entry.get("media"):
            call.parts = parts_of(entry.get("value"))
        if call.name == FINDER and isinstance(found := entry.get("value"), list):
            self.discovered += [name for name in found if isinstance(name, str)]  # pyright: ignore[reportUnknownVariableType]  # JSON
        if call.after:
            call.stage, call.content = Stage.LOOKED, call.told_of(observations.outcome(entry))
            self.marks.pop(call.op, None)
        else:
            most = RESULT if call.name == READER else most  # its pages are as long as they may be, and not cut again
            self.settle(call, call.told_of(observations.outcome(entry, number, most)), at, number)

    def hooked(self, op: str) -> Call | None:
        """The call whose hook has that op, and is due."""
        call = self.calls.get(op.rpartition(".")[0])
        looked_at = call is not None and call.stage in (Stage.ASKED, Stage.LOOKED)
        return call if call is not None and looked_at and call.hook() == op else None

    def tick(self, at: int) -> None:
        """Stop the turn's clock while a person has to decide, and let it go on after."""
        waiting = bool(self.approvals() or self.doubts())
        if waiting and self.stopped_at is None:
            self.stopped_at = at
        elif not waiting and self.stopped_at is not None:
            self.stopped += max(0, at - self.stopped_at)
            self.stopped_at = None

    def past(self, window: Window, taken: str = "") -> Past:
        """The turn as later ones remember it: every call with an answer. ``taken`` is the call that gave the final
        one."""
        for call in self.unfinished() if taken in self.calls else ():
            call.end(observations.TAKEN if call.op == taken else observations.SPARE)
        for call in self.unfinished():
            waits, call.parts = call.stage is Stage.APPROVAL, ()
            call.end(observations.UNDECIDED if waits else observations.UNFINISHED)
        if self.phase is Phase.ACT:
            self._reflect()
        messages, holder = tuple(self.messages), self.holding.began
        return Past(self.first, self.id, messages, self.weigh(window), self.usage, holder)

    def weigh(self, window: Window) -> Weight:
        """How much its messages are. Each is weighed once."""
        count, weight = self.weighed
        if count < len(self.messages):
            weight = weight.plus(heaviness(window, self.messages[count:]))
            self.weighed = len(self.messages), weight
        return weight

    def leave(self, step: int, summary: str) -> None:
        """The messages of all answers up to that one are outside, and the summary stands in their place. What the turn
        is about stays."""
        stay = [place for place in self.steps if place[0] > step]
        begin = stay[0][1] if stay else len(self.messages)
        shown = [summarized(summary)] if summary else []
        rest = self.messages[begin:]
        self.messages[1:] = [*shown, *rest]
        shift = 1 + len(shown) - begin
        self.steps = [(number, place + shift) for number, place in stay]
        self.summary, self.weighed = summary, (0, Weight())

    def cut(self, entries: frozenset[int], keep: int) -> None:
        """Only so many characters of the results that stand in these entries."""
        self.messages = [cut(message, entries, keep) for message in self.messages]
        self.weighed = 0, Weight()

    def _reflect(self) -> None:
        """The outcomes of all calls, in the order asked for, then what else there is to say."""
        calls = self.calls.values()
        self.messages += [Message("tool", call.content, tool_call_id=call.id, entry=call.entry) for call in calls]
        self.messages += [brought(call.name, call.id, call.parts) for call in calls if call.parts]
        self.messages += [Message("user", note) for note in self.notes]
        self.notes = []
        self.calls = {}
        self.found = None
        self.phase = Phase.THINK
