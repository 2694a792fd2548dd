"""From commits to numbers: what a transition that is durable says is counted, by the process that stored it.

Pure but for the instruments: entries in, counts out. Nothing is asked, and an entry that can't be read counts nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence

from . import catalogue
from .billing import OPEN, Bills, Used, lost
from .entry import READ, Call, Fact, call_of, is_plain, mapping, parsed, parts, type_of, whole
from .instruments import Metrics

_CALLS = frozenset({"step", "tool", "check", "hook", "listed"})
_ENDINGS = frozenset({"completed", "failed", "cancelled", "terminated"})
_BESIDE = frozenset({"model", "summary", "retrying", "doubt", "ordered", "decided", "lost", "stuck", "reply", ""})
_READ = _CALLS | _ENDINGS | _BESIDE
"""Types of entries that are parsed; "" is one that does not begin with its type."""
_PROVIDERS = {
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "gemini": "gcp.gemini",
    "mistral": "mistral_ai",
    "vertex_ai": "gcp.vertex_ai",
    "watsonx": "ibm.watsonx.ai",
    "xai": "x_ai",
}
"""Providers that the conventions call otherwise than a model's name begins."""


class Feed:
    """Counts into ``metrics`` what commits say."""

    def __init__(self, metrics: Metrics) -> None:
        self._started = metrics.counter(catalogue.STARTED)
        self._ended = metrics.counter(catalogue.ENDED)
        self._turns = metrics.counter(catalogue.TURNS)
        self._stuck = metrics.counter(catalogue.STUCK)
        self._doubts = metrics.counter(catalogue.DOUBTS)
        self._retries = metrics.counter(catalogue.RETRIES)
        self._steps = metrics.counter(catalogue.STEPS)
        self._operations = metrics.histogram(catalogue.OPERATIONS)
        self._tools = metrics.histogram(catalogue.TOOLS)
        self._asked = metrics.counter(catalogue.ASKED)
        self._decided = metrics.counter(catalogue.DECIDED)
        self._tokens = metrics.counter(catalogue.TOKENS)
        self._cost = metrics.counter(catalogue.COST)
        self._unpriced = metrics.counter(catalogue.UNPRICED)
        self._gen_ai_tokens = metrics.histogram(catalogue.GEN_AI_TOKENS)
        self._gen_ai_duration = metrics.histogram(catalogue.GEN_AI_DURATION)
        self._bills = Bills()
        self._tried: OrderedDict[tuple[str, str], int] = OrderedDict()  # attempts of open calls that were counted

    def expects(self, function: str, kind: str) -> None:
        """A function of that kind is served here: its counters are there from now on, at 0. A counter that is first
        seen at 1 has not grown, for whoever looks at it now and then, and the first failure would be missed."""
        self._started.add((function,), 0)
        for status in ("completed", "failed"):
            self._ended.add((function, status), 0)
        for counter in (self._retries, self._stuck, self._doubts):
            counter.add((function,), 0)
        for status in ("succeeded", "failed"):
            self._steps.add((status,), 0)
            if kind == "agent":
                self._turns.add((function, status), 0)

    def plain(self, steps: int) -> None:
        """So many transitions are durable that were nothing but one plain step each."""
        self._steps.add(("succeeded",), steps)

    def committed(
        self, id: str, function: str, entries: Sequence[str], blobs: Mapping[str, bytes], *, first: bool
    ) -> None:
        """A transition of execution ``id`` is durable; ``first``: it is the first one that there was."""
        if first:
            self._started.add((function,))
        for text in entries:
            type = type_of(text)
            if is_plain(text):
                self.plain(1)
            elif type in _ENDINGS and '"lost":' not in text:
                self._ended.add((function, type))
            elif type in _READ and (entry := parsed(text, blobs)) is not None:
                self._entry(id, function, entry)

    def _entry(self, id: str, function: str, entry: Fact) -> None:
        type = str(entry.get("type", ""))
        if type in _CALLS:
            call = call_of(entry)
            self._tries(id, function, entry, call.attempts - 1, over=True)
            self._call(call)
        elif type in ("model", "summary"):
            self._answered(id, function, entry)
        elif type == "retrying":
            self._retrying(id, function, entry)
        elif type in _ENDINGS:
            self._ended.add((function, type))
            self._lose(function, mapping(entry.get("lost")))
        elif type == "reply":
            self._turns.add((function, "failed" if entry.get("error") is not None else "succeeded"))
            self._lose(function, mapping(entry.get("lost")))
        elif type == "lost":
            self._lose(function, entry)
        elif type == "stuck":
            self._stuck.add((function,))
        elif type == "doubt":
            if not entry.get("asked"):
                self._doubts.add((function,))
        elif type == "ordered":
            if entry.get("kind") == "approval":
                self._asked.add((function,))
        elif type == "decided":
            self._decided.add((function, "approved" if entry.get("approved") else "denied"))

    def _call(self, call: Call) -> None:
        status = "failed" if call.failed else "succeeded"
        if call.kind == "step":
            self._steps.add((status,))
            return
        seconds = call.ms / 1000
        self._operations.observe((call.kind, status), seconds)
        if call.kind == "tool":
            self._tools.observe((call.name, status), seconds)

    def _retrying(self, id: str, function: str, entry: Fact) -> None:
        self._tries(id, function, entry, whole(entry.get("n")), over=False)
        for used in self._bills.added(id, entry):
            self._spend(function, str(entry.get("name", "")), used)

    def _tries(self, id: str, function: str, entry: Fact, retries: int, *, over: bool) -> None:
        """So many attempts were or are to be followed by another: those that were counted before are not again."""
        key = (id, str(entry.get("op", "")))
        before = self._tried.pop(key, 0)
        if retries > before:
            self._retries.add((function,), retries - before)
        if not over:
            self._tried[key] = max(before, retries)
            if len(self._tried) > OPEN:
                self._tried.popitem(last=False)

    def _answered(self, id: str, function: str, entry: Fact) -> None:
        call = call_of(entry)
        self._tries(id, function, entry, call.attempts - 1, over=True)
        self._call(call)
        if call.name.startswith("hook/"):
            return  # no model was asked
        value = mapping(entry.get("value"))
        if call.kind == "summary" and "usage" not in value:
            return  # a function has made it
        error = str(mapping(entry.get("error")).get("kind", "")).rpartition(".")[2]
        named = ("chat", provider(call.name), call.name)
        self._gen_ai_duration.observe((*named, error), call.ms / 1000)
        for used in self._bills.added(id, entry):
            self._spend(function, call.name, used)
        if "usage" in value:
            self._weigh(named, parts(mapping(value.get("usage"))))
            if value.get("cost") is None:
                self._unpriced.add((call.name,))

    def _weigh(self, named: tuple[str, str, str], tokens: Mapping[str, int]) -> None:
        read = sum(count for part, count in tokens.items() if part in READ)
        self._gen_ai_tokens.observe((*named, "input"), read)
        self._gen_ai_tokens.observe((*named, "output"), sum(tokens.values()) - read)

    def _lose(self, function: str, told: Mapping[str, object]) -> None:
        if told:
            self._spend(function, str(told.get("name", "")), lost(told))

    def _spend(self, function: str, model: str, used: Used) -> None:
        for part, count in used.tokens.items():
            self._tokens.add((function, model, part), count)
        if used.cost:
            self._cost.add((function, model), used.cost)


def provider(model: str) -> str:
    """The provider of a model by its name, as the conventions call it: "openai/gpt-5" is of openai."""
    prefix, slash, _ = model.partition("/")
    return _PROVIDERS.get(prefix, prefix) if slash else "unknown"
