"""A journal, folded into spans.

``Fold.take`` is given an execution's entries one after the other, and says which spans are known to have ended by each.
What it says follows from the entries alone: whoever folds the same ones, from the beginning or from where an execution
is taken up, comes to the same spans. It may begin at any entry from which the execution can be gone on with
(``Head.base``): a start, a message, a checkpoint.

A span is never open over a long wait. When the entries show that nothing but a wait was open for more than a minute,
the execution's span (or the turn's) ends before it, and another begins after it, with a link to the one before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from . import conventions
from .conventions import Conventions, Described, failure
from .ids import Context, Identity, context_of
from .roots import Open, Root
from .sampling import Sampling
from .span import Link, Span, SpanEvent, Step

Fact = Mapping[str, Any]
TURN = "aws/turn"
"""``from`` of a turn of a session that came with a request of AWS: each has a trace of its own, and the session one."""
_LASTS = 28 * 86_400
"""Seconds for which X-Ray takes what belongs to a trace: 30 days after the time in its id, and it is late by then."""
LONG_WAIT = 60_000
"""Milliseconds after which a wait ends a span."""
_ENDS_WAIT = frozenset(
    {
        "answered", "beat", "callback", "cancel", "child", "decided", "delegated", "event", "forked", "paused",
        "resolved", "resumed", "revoked", "terminated", "timer",
    }
)  # fmt: skip
"""Entries before which something was waited for."""
_REPEATED = frozenset({"answered", "beat", "cancel", "decided", "delegated", "doubt", "paused", "resumed", "revoked"})
"""Of these there may be several about the same; what came from outside has its own time in every process."""
_PLAIN = frozenset({"type", "op", "name", "at", "ms", "args", "value", "link"})
"""What a step says that went well at once."""
_CALLS = frozenset({"step", "model", "tool", "check", "listed", "summary"})


class Traces:
    """What all folds of a process go by."""

    __slots__ = ("conventions", "sampling")

    def __init__(self, sampling: Sampling = Sampling(), conventions: Conventions = Conventions()) -> None:
        self.sampling = sampling
        self.conventions = conventions

    def context(self, identity: Identity, caller: Fact) -> tuple[Context, Context | None]:
        """In which trace something is done that was begun so (its ``span_id`` is the parent's, "" for none), and the
        context of another trace that it is linked to."""
        said, source = context_of(caller), caller.get("from")
        links = source == "event" and self.conventions.events == "link"
        if source == TURN and said is not None:
            links = said.begun - identity.created // 1000 < _LASTS
        if said is not None and not links:
            return said._replace(sampled=self.sampling.takes(said.trace_id, said)), None
        own = identity.trace_id
        return Context(own, "", self.sampling.takes(own, said)), said

    def takes(self, identity: Identity) -> bool:
        """Whether an execution is sampled that goes on from nobody's trace."""
        return self.sampling.takes(identity.trace_id, None)


class Fold:
    """Of one execution. ``length`` is the number of the last entry it knows of."""

    __slots__ = (
        "_function", "_kind", "_open", "_operations", "_reopened", "_traces", "begun", "context", "identity", "length",
        "root",
    )  # fmt: skip

    def __init__(self, identity: Identity, function: str, kind: str, traces: Traces, length: int = 0) -> None:
        self.identity = identity
        self._function = function
        self._kind = kind
        self._traces = traces
        self._open: dict[str, Open] = {}
        self._operations = identity.operations()
        self._reopened = 0
        self.length = length
        self.begun = length + 1  # number of the entry by which the last execution, turn or history began
        self.root: Root | None = None
        self.context: Context | None = None  # of the last root; its span_id is the root's

    def operation(self, op: str) -> str:
        """The id of an operation's span."""
        return self.identity.operation(op, self._reopened)

    def take(self, entry: Fact) -> list[Span]:
        """The next entry; the spans that end with it."""
        step = self.step(entry) if entry.get("type") == "step" else None
        if step is not None:
            return [step.span]
        self.length += 1
        type = str(entry.get("type"))
        at = _time(entry)
        if type in ("start", "message", "checkpoint"):
            return self._begin(type, entry, at)
        if type == "retry" and self.root is None:
            self._reopen(entry, at)
            return []
        root = self.root
        if root is None:
            return []
        spans = self._rest(root, type, entry, at)
        root = self.root or root
        root.last = max(root.last, at)
        if type in _CALLS:
            spans += self._call(root, entry, at)
        elif type in _ENDS:
            spans += self._end(root, type, entry, at)
        elif type in _TELLS:
            spans += _TELLS[type](self, root, entry, at)
        return spans

    def step(self, entry: Fact) -> Step | None:
        """The next entry, a step's, if nothing else is known about it, as about most entries: what ``take`` comes to,
        in less than half of its time. None: there is more to it, and it was not taken."""
        root = self.root
        if root is None or not entry.keys() <= _PLAIN:
            return None
        op, name, at, ms = entry.get("op"), entry.get("name"), entry.get("at"), entry.get("ms", 0)
        if not (isinstance(op, str) and isinstance(name, str) and isinstance(at, int) and isinstance(ms, int)):
            return None
        if isinstance(entry.get("value"), dict) or op in self._open or op in root.done:
            return None
        self.length += 1
        if at > root.last:
            root.last = at
        root.done.add(op)
        id = self._operations.copy()
        id.update(f"{op}\0{self._reopened}".encode())
        return Step(root.context, id.digest(), name, op, at - ms, at)

    # -- roots ---------------------------------------------------------------------------------------

    def _begin(self, type: str, entry: Fact, at: int) -> list[Span]:
        before, spans = self.root, list[Span]()
        if type == "checkpoint":
            state: Any = entry.get("state")
            entry = {**state, **entry} if isinstance(state, dict) and "caller" in state else entry
            part: tuple[object, ...] = ("checkpoint", entry.get("first", at))
        else:
            part = ("message", entry.get("id", "")) if type == "message" else ()
        caller: Fact = entry.get("caller") or {}
        context, linked = self._traces.context(self.identity, _of_delivery(entry, caller))
        described = self._traces.conventions.root(self.identity.execution, self._function, self._kind, entry)
        self.begun = self.length
        span_id = self.identity.span_id("root", *part)
        parent_id = context.span_id
        if type == "checkpoint" and not parent_id:
            parent_id = self.identity.span_id("root")
        if before is not None:
            spans += self._rest_open(before, before.last)
            ahead = Link(context.trace_id, span_id, {"overwinter.link": "after"})
            spans.append(before.closed(at, links=(ahead,)))
        self._open.clear()  # who begins to read here knows of none
        self.root = Root(part, context._replace(span_id=span_id), parent_id, described, at, self.length)
        self.context = self.root.context
        if linked is not None:
            why = "request" if caller.get("from") == TURN else "event"
            self.root.links.append(Link(linked.trace_id, linked.span_id, {"overwinter.link": why}))
        return spans

    def _reopen(self, entry: Fact, at: int) -> None:
        """A failed execution is gone on with: it has a span again, and so have the operations that are done again."""
        self._reopened += 1
        if self.context is None:
            return
        context = self.context._replace(span_id=self.identity.span_id("root", "retry", self._reopened))
        described = self._traces.conventions.root(self.identity.execution, self._function, self._kind, {})
        self.root = Root(("retry", self._reopened), context, self.identity.span_id("root"), described, at, self.length)
        self.root.links.append(Link(context.trace_id, self.context.span_id, {"overwinter.link": "before"}))
        self.context = context

    def _rest(self, root: Root, type: str, entry: Fact, at: int) -> list[Span]:
        """The spans that ended before a long wait, which this entry shows, and a new root in their place."""
        begin = int(entry.get("due", at)) if type == "timer" else at - int(entry.get("ms") or 0)
        op = str(entry.get("op", ""))
        ends_wait = type in _ENDS_WAIT or (op in self._open and self._open[op].waits)
        if begin - root.last <= LONG_WAIT or not ends_wait:
            return []
        spans = self._rest_open(root, root.last)
        spans.append(root.closed(root.last))
        span_id = self.identity.span_id("root", *root.begin, "after", *_named(type, entry))
        context, first = root.context._replace(span_id=span_id), self.identity.span_id("root", *root.begin)
        following = Root(root.begin, context, root.parent_id or first, root.described, begin, self.length)
        following.links.append(Link(context.trace_id, root.context.span_id, {"overwinter.link": "before"}))
        waited = " ".join(str(word) for word in (entry.get("kind") or type, entry.get("name", "")) if word)
        following.event("waited", begin, overwinter__waited_for=waited, overwinter__ms=begin - root.last)
        following.done = root.done
        self.root, self.context = following, context
        return spans

    def _rest_open(self, root: Root, end: int) -> list[Span]:
        """Spans of what has begun elsewhere and is waited for: what comes of it is told where it comes."""
        spans: list[Span] = []
        for op, one in self._open.items():
            described = self._described_open(one)
            if described is not None and op not in root.done:
                root.done.add(op)
                spans.append(self._span(root, op, described, one.since, max(end, one.since), events=one.errors))
        return spans

    def _described_open(self, one: Open) -> Described | None:
        kind = one.entry.get("kind") if one.entry["type"] == "ordered" else ""
        if kind == "child":
            return conventions.child(one.entry)
        if kind == "publish":
            return conventions.published(one.entry)
        if one.entry.get("mark"):
            return self._traces.conventions.operation({**one.entry, "type": "step"}, elsewhere=True)
        return None

    def _end(self, root: Root, type: str, entry: Fact, at: int) -> list[Span]:
        if type == "reply" and root.begin[:2] != ("message", entry.get("to", "")):
            return []
        spans = self._rest_open(root, at)
        self._open.clear()
        error = entry.get("error") if type in ("failed", "reply") else None
        if lost := entry.get("lost"):
            root.event("budget.lost", at, overwinter__lost=str(lost))
        spans.append(root.closed(at, error, status="replied" if type == "reply" else type))
        self.root = None
        return spans

    # -- operations ----------------------------------------------------------------------------------

    def _span(
        self,
        root: Root,
        op: str,
        described: Described,
        start: int,
        end: int,
        error: Any = None,
        events: list[SpanEvent] | None = None,
    ) -> Span:
        attributes, text = described.attributes, ""
        if error is not None:
            text, classes = failure(error)
            attributes = {**attributes, **classes}
        context = root.context
        return Span(
            context.trace_id, self.operation(op), context.span_id, described.name, described.kind, start, end,
            attributes, tuple(events or ()), (), text, context.tracestate,
        )  # fmt: skip

    def _call(self, root: Root, entry: Fact, at: int) -> list[Span]:
        op = str(entry.get("op", ""))
        known = self._open.pop(op, None)
        value = entry.get("value")
        if isinstance(value, dict):
            root.cost += conventions.dollars(cast("Fact", value)) or 0.0
        if op in root.done:
            root.event("operation.ended", at, overwinter__operation=op, **_failed(entry))
            return []
        root.done.add(op)
        marked = known is not None and bool(known.entry.get("mark"))
        described = self._traces.conventions.operation(entry, elsewhere=marked)
        start = at - int(entry.get("ms") or 0)
        if known is not None and known.since >= root.start:
            start = min(start, known.since)
        events = None if known is None else known.errors
        return [self._span(root, op, described, start, at, entry.get("error"), events)]

    def _ordered(self, root: Root, entry: Fact, at: int) -> list[Span]:
        kind, op = entry.get("kind"), str(entry["op"])
        if kind == "approval":
            root.event("approval.requested", at, overwinter__operation=op, **_texts(entry, "name", "role"))
        elif kind in ("child", "publish"):
            self._open[op] = Open(entry, at, waits=True)
        return []

    def _sent(self, root: Root, entry: Fact, at: int) -> list[Span]:
        op = str(entry["op"])
        known = self._open.get(op)
        if known is None:
            return []
        known.waits = True
        kind = known.entry.get("kind")
        if kind == "publish" or (kind == "child" and known.entry.get("detached")):
            described = self._described_open(known)
            del self._open[op]
            if described is not None and op not in root.done:
                root.done.add(op)
                return [self._span(root, op, described, known.since, at, entry.get("error"))]
        return []

    def _child(self, root: Root, entry: Fact, at: int) -> list[Span]:
        ids = (op for op, one in self._open.items() if one.entry.get("id") == entry.get("id"))
        op = str(entry.get("op") or next(ids, ""))
        known = self._open.pop(op, None)
        failed = entry.get("error") or ({"message": str(entry.get("status"))} if _ended_ill(entry) else None)
        if known is None or op in root.done:
            root.event("child.ended", at, overwinter__child=str(entry.get("id", "")), **_failed({"error": failed}))
            return []
        root.done.add(op)
        return [self._span(root, op, conventions.child(known.entry), known.since, at, failed)]

    def _begun(self, root: Root, entry: Fact, at: int) -> list[Span]:
        self._open.setdefault(str(entry["op"]), Open(entry, at))
        return []

    def _retrying(self, root: Root, entry: Fact, at: int) -> list[Span]:
        known = self._open.setdefault(str(entry["op"]), Open(entry, at))
        known.waits = True
        text, classes = failure(entry.get("error"))
        known.errors.append(
            SpanEvent("retry", at, {"overwinter.attempt": int(entry.get("n", 0)), **classes, "error.message": text})
        )
        return []

    def _doubted(self, root: Root, entry: Fact, at: int) -> list[Span]:
        known = self._open.setdefault(str(entry["op"]), Open(entry, at))
        known.waits = True
        root.event("in_doubt", at, overwinter__operation=str(entry["op"]), **_texts(entry, "name", "why"))
        return []

    def _told(self, root: Root, entry: Fact, at: int) -> list[Span]:
        """What is an event of the root, as it is called in the journal."""
        names = ("op", "name", "approved", "by", "role", "verdict", "budget", "share", "why", "reason", "call", "from")
        root.event(_EVENTS[str(entry["type"])], at, **_texts(entry, *names), **_failed(entry))
        return []

    def _hooked(self, root: Root, entry: Fact, at: int) -> list[Span]:
        value: Any = entry.get("value")
        verdict = str(next(iter(cast("Fact", value)), "")) if isinstance(value, dict) else str(value or "")
        if verdict or "error" in entry:
            root.event("hook", at, overwinter__verdict=verdict, **_texts(entry, "op", "name", "call"), **_failed(entry))
        return self._call(root, entry, at)  # code of the user's, with a span that its own calls hang under


_ENDS = frozenset({"reply", "completed", "failed", "cancelled", "terminated"})
_EVENTS = {
    "decided": "approval.decided",
    "delegated": "approval.delegated",
    "resolved": "doubt.resolved",
    "warned": "budget.warning",
    "lost": "budget.lost",
    "routed": "model.routed",
    "handoff": "handoff",
    "stuck": "stuck",
    "paused": "paused",
    "resumed": "resumed",
    "forked": "forked",
    "cancel": "cancel.requested",
    "saga": "saga",
    "dead": "dead_letter",
}
_TELLS: dict[str, Callable[[Fold, Root, Fact, int], list[Span]]] = {
    **{type: Fold._told for type in _EVENTS},  # pyright: ignore[reportPrivateUsage]  # its own table
    "ordered": Fold._ordered,  # pyright: ignore[reportPrivateUsage]
    "sent": Fold._sent,  # pyright: ignore[reportPrivateUsage]
    "child": Fold._child,  # pyright: ignore[reportPrivateUsage]
    "begun": Fold._begun,  # pyright: ignore[reportPrivateUsage]
    "retrying": Fold._retrying,  # pyright: ignore[reportPrivateUsage]
    "doubt": Fold._doubted,  # pyright: ignore[reportPrivateUsage]
    "hook": Fold._hooked,  # pyright: ignore[reportPrivateUsage]
}
"""What is done with the other entries that say something."""


def _time(entry: Fact) -> int:
    return int(entry.get("taken") or entry.get("at") or 0)


def _named(type: str, entry: Fact) -> tuple[object, ...]:
    """What tells the end of a wait from the others of an execution, whatever else happened meanwhile."""
    when = entry.get("at") if type in _REPEATED else ""
    return type, entry.get("op") or entry.get("id", ""), entry.get("kind", ""), entry.get("n", ""), when


def _of_delivery(entry: Fact, caller: Fact) -> Fact:
    return {**caller, "from": "event"} if "delivery" in entry else caller


def _ended_ill(entry: Fact) -> bool:
    return entry.get("status") not in ("completed", None)


def _failed(entry: Fact) -> dict[str, str]:
    if entry.get("error") is None:
        return {}
    text, classes = failure(entry["error"])
    return {"error__type": str(classes["error.type"]), "error__message": text}


def _texts(entry: Fact, *names: str) -> dict[str, str | int | float | bool]:
    found = {f"overwinter__{name}": entry.get(name) for name in names}
    return {name: value for name, value in found.items() if isinstance(value, (str, int, float, bool))}
