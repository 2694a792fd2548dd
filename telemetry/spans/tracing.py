"""What a process knows of the traces of its executions: it hears what is loaded and what is stored, folds that into
spans, and says in which context a call is made.

Nothing goes out before it is stored. Of an execution that is not sampled no entry is read, unless it fails or costs
more than a limit: then its journal is read once more, and its spans go out all the same, from the beginning of the turn
or of the history that it is in.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol, cast

from ...state.codec import loads
from ...state.errors import OverwinterError
from ...state.records import Change
from .batch import Batch, Exporter, Limits
from .conventions import Conventions, dollars, part
from .fold import Fold, Traces
from .ids import Context, Identity
from .sampling import Sampling
from .span import Span

log = logging.getLogger("overwinter")
Fact = Mapping[str, Any]
History = Callable[[str, int, int], Awaitable[Sequence[str]]]
_STEP = '{"type":"step"'
_QUIET = (_STEP, '{"type":"completed"')
"""What is no reason to look at an execution that is not sampled, when no error is in it: most of all entries."""
_START = '{"type":"start"'
_BEGINS = (_START, '{"type":"message"', '{"type":"checkpoint"')
_REPLACED = frozenset({"from", "tracestate"})
_KINDS = frozenset({"workflow", "agent", "tool"})
_AGAIN = 60_000
"""Milliseconds before its last entry, of which the spans of one that died may not have gone out."""
_MOMENT = 0.02
"""Seconds."""
_READ = 10_000
"""Entries of one execution that are read once more at the most."""


class Head(Protocol):
    """What is asked of an execution's head."""

    @property
    def id(self) -> str: ...
    @property
    def function(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def created(self) -> int: ...
    @property
    def length(self) -> int: ...
    @property
    def base(self) -> int: ...
    @property
    def deaths(self) -> int: ...


class _Traced:
    """An execution of which this process holds the journal, or did."""

    baggage = ""  # of who began what is under way
    context: Context | None = None  # of what is under way; its span_id is the parent's
    kept = False  # it is not sampled, and goes out all the same
    cost = 0.0

    def __init__(self, head: Head) -> None:
        self.identity = Identity(head.id, head.created)
        self.function = head.function
        self.kind = head.kind
        self.base = head.base
        self.fold: Fold | None = None  # None: it is not sampled
        self.missed: list[tuple[str, int]] | None = None  # what was stored while the journal is read once more


class Tracing:
    """Traces of one runtime. ``exporter`` is where spans go; ``known``: so many executions are kept in mind."""

    def __init__(
        self,
        exporter: Exporter,
        sampling: Sampling = Sampling(),
        conventions: Conventions = Conventions(),
        *,
        limits: Limits = Limits(),
        known: int = 4096,
    ) -> None:
        self.traces = Traces(sampling, conventions)
        self._errors, self._costs = sampling.errors, sampling.cost > 0
        self.batch = Batch(exporter, limits)
        self._known: OrderedDict[str, _Traced] = OrderedDict()
        self._most = known
        self._cold = True
        self._history: History | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.commits: list[Change] = []
        """Stored, and not looked at yet."""
        self._told: dict[str, int] = {}  # executions that were told once more, and how long they were
        self.lost: tuple[int, int] = (0, -1)
        """A process has died that was at work between these times; what it stored last may not have gone out."""
        self.colds: set[str] = set()
        """Spans of which such processes have said that they began cold with them."""
        self._first: Callable[[str], Coroutine[Any, Any, None]] | None = None

    def reads(self, history: History) -> None:
        """Where journals are read: ``(id, after, limit)``."""
        self._history = history

    def tells(self, first: Callable[[str], Coroutine[Any, Any, None]]) -> None:
        """What is to be done with the id of the span that says that this process began cold."""
        self._first = first

    # -- what is heard -------------------------------------------------------------------------------

    def loaded(self, head: Head, entries: Sequence[Fact]) -> None:
        """An execution is taken up here, with the entries from ``head.base`` on."""
        if self.commits and head.id in self._known:
            self.settle()
        if head.kind not in _KINDS or head.function.startswith("overwinter/"):
            return
        traced, known = _Traced(head), self._known
        if head.id in known:
            known.move_to_end(head.id)
        elif len(known) >= self._most:
            known.popitem(last=False)
        known[head.id] = traced
        if not entries:
            return
        last = int(entries[-1].get("at", 0))
        lost = self.lost[0] <= last <= self.lost[1] and self._told.get(head.id) != head.length
        again = bool(head.deaths) or lost
        for entry in entries:
            self._take(traced, entry, out=again and int(entry.get("at", 0)) > last - _AGAIN, known=True)
        if traced.kept and traced.fold is None:
            spans = self._kept(traced, entries)
            if again:  # it goes out when it fails, which is when the process may have died
                self.put(spans, again=True)

    def again(self, head: Head, entries: Sequence[Fact]) -> None:
        """Nobody is at work on it, and who was has died: its last spans may not have gone out."""
        self.loaded(head, entries)
        self._told[head.id] = head.length

    def heard(self) -> None:
        """``commits`` has its first one. They are looked at in a moment, together with those that come until then,
        which costs less than looking at each when it comes. Whoever asks for anything has them looked at before."""
        asyncio.get_running_loop().call_later(_MOMENT, self.settle)

    def settle(self) -> None:
        """Look at the commits that were stored."""
        commits, known, costs = self.commits, self._known, self._costs
        while commits:
            some = commits[:]
            commits.clear()
            for change in some:
                traced = known.get(change.id)
                if traced is None:
                    continue
                if traced.fold is None and traced.missed is None and not costs:  # it is not sampled
                    for text in change.entries:
                        if '"error":' in text or not text.startswith(_QUIET):
                            break
                    else:
                        continue
                try:
                    self._stored(traced, change)
                except Exception:  # what can't be told keeps nothing else from being told
                    log.exception("telemetry: a commit of %s can't be told", change.id)

    def _stored(self, traced: _Traced, change: Change) -> None:
        base, traced.base = traced.base, change.base
        for text in change.entries:
            self._next(traced, text, base)

    def _next(self, traced: _Traced, text: str, base: int) -> None:
        """The next entry of one that is at work here. ``base``: from where on its journal says all that led to it; a
        commit that begins anew has entries from before that, too."""
        if traced.missed is not None:
            traced.missed.append((text, base))
        elif traced.fold is not None:
            entry = cast("Fact", loads(text))
            step = traced.fold.step(entry) if text.startswith(_STEP) else None
            if step is None:
                self._take(traced, entry, out=True, text=text, base=base)
            else:
                self.batch.put((step,))
        elif self._tells(text) or (text.startswith(_BEGINS) and self._may_be_sampled(traced, text)):
            self._take(traced, cast("Fact", loads(text)), out=True, text=text, base=base)

    def _tells(self, text: str) -> bool:
        """Whether an entry of an execution that is not sampled may be a reason to keep it."""
        return (self._errors and '"error":' in text) or (self._costs and '"cost":' in text)

    def _may_be_sampled(self, traced: _Traced, text: str) -> bool:
        """Whether what begins with an entry may be sampled, as far as that is known without reading it: of one that
        goes on from nobody, its own trace says so."""
        if not text.startswith(_START) or '"caller":' in text or '"delivery":' in text:
            return True
        return self.traces.takes(traced.identity)

    def _take(
        self, traced: _Traced, entry: Fact, *, out: bool, known: bool = False, text: str = "", base: int = 1
    ) -> None:
        """The next entry of one. ``out``: what ends with it goes out. ``known``: those before are at hand. ``text``: as
        it is stored, ``base`` as in ``_next``."""
        before = traced.fold
        if entry.get("type") in ("start", "message", "checkpoint"):
            self._begin(traced, entry)
        fold = traced.fold
        if fold is None:
            ended = [] if before is None else before.take(entry)  # it was kept, and ends with what begins now
            if out and ended:
                self.put(ended, again=known)
            if self._is_kept(traced, entry):
                traced.kept = True
                if not known:
                    self._read_again(traced, text, base)
            return
        spans = fold.take(entry)
        if out and spans:
            self.put(spans, again=known)

    def _begin(self, traced: _Traced, entry: Fact) -> None:
        """With it, it is decided anew whether it is sampled."""
        caller = part(entry, "caller") or part(part(entry, "state"), "caller")
        caller = {**caller, "from": "event"} if "delivery" in entry else caller
        traced.context, _ = self.traces.context(traced.identity, caller)
        traced.baggage = str(caller.get("baggage") or "")
        traced.kept, traced.cost = False, 0.0
        if not traced.context.sampled:
            traced.fold = None
        elif traced.fold is None:
            traced.fold = self._fold(traced)

    def _fold(self, traced: _Traced) -> Fold:
        return Fold(traced.identity, traced.function, traced.kind, self.traces)

    def _is_kept(self, traced: _Traced, entry: Fact) -> bool:
        sampling, value = self.traces.sampling, entry.get("value")
        if isinstance(value, dict):
            traced.cost += dollars(cast("Fact", value)) or 0.0
        return (sampling.errors and entry.get("error") is not None) or 0 < sampling.cost < traced.cost

    # -- what was not sampled and is kept ------------------------------------------------------------

    def _read_again(self, traced: _Traced, text: str, base: int) -> None:
        if self._history is None:
            return
        traced.missed = []
        self._beside(self._reread(traced, self._history, text, base))

    def _beside(self, doing: Coroutine[Any, Any, None]) -> None:
        """Do that, and have it done before the last words."""
        task = asyncio.ensure_future(doing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _kept(self, traced: _Traced, entries: Sequence[Fact]) -> list[Span]:
        """The spans since the last start, message or checkpoint, of all the entries."""
        fold = traced.fold = self._fold(traced)
        numbered = [(fold.length + 1, fold.take(entry)) for entry in entries]
        return [span for number, spans in numbered if number >= fold.begun for span in spans]

    async def _reread(self, traced: _Traced, history: History, until: str, base: int) -> None:
        """``until``: what comes after that entry is in ``missed``, and is not to be told twice."""
        fold = self._fold(traced)
        numbered: list[tuple[int, list[Span]]] = []
        try:
            for text in await history(traced.identity.execution, base - 1, _READ):
                numbered.append((fold.length + 1, fold.take(cast("Fact", loads(text)))))
                if text == until:  # no other is the same: it has its time, and the digest of all before it
                    break
            else:
                if fold.length >= _READ:  # what lies between is not told, and why it is kept all the same
                    numbered.append((fold.length + 1, fold.take(cast("Fact", loads(until)))))
        except (OverwinterError, ValueError) as error:
            log.warning("telemetry: the journal of %s can't be read (%s)", traced.identity.execution, error)
        missed, traced.missed = traced.missed or (), None
        traced.fold = fold
        self.put([span for number, spans in numbered if number >= fold.begun for span in spans])
        for text, base in missed:
            self._next(traced, text, base)  # with one of them it may be read once more: what follows is missed again

    # -- what goes on --------------------------------------------------------------------------------

    def caller(self, execution: str, op: str, caller: Fact, report: str = "") -> Fact:
        """What is said of who orders something by the operation ``op``: its span is the parent of what comes of it.
        ``report``: it is a call in this process, by what its entry is called."""
        self.settle()
        traced = self._known.get(execution)
        if traced is None:
            return caller
        fresh = "traceparent" in caller or traced.kind == "agent"  # its turn is known here only when it is stored
        context = traced.context
        if context is None or (report and fresh):
            context, _ = self.traces.context(traced.identity, caller)
        fold = traced.fold
        span_id = traced.identity.operation(op, 0) if fold is None else fold.operation(op)
        told = {name: value for name, value in caller.items() if name not in _REPLACED} if caller else {}
        flags = "01" if context.sampled or traced.kept else "00"
        told["traceparent"] = f"00-{context.trace_id}-{span_id}-{flags}"
        if context.tracestate:
            told["tracestate"] = context.tracestate
        return told

    def event(self, execution: str, op: str, event: Fact) -> Fact:
        """An event that is published, with the trace that it belongs to and the baggage of who began all this, when it
        does not say so itself."""
        self.settle()
        traced = self._known.get(execution)
        if traced is None or event.get("traceparent"):
            return event
        said = {"baggage": traced.baggage, **event} if traced.baggage else event
        own = self.caller(execution, op, {})
        return {**said, **{name: own[name] for name in ("traceparent", "tracestate") if name in own}}

    # -- what goes out -------------------------------------------------------------------------------

    def put(self, spans: Sequence[Span], *, again: bool = False) -> None:
        """Have spans exported. The first execution of a process says that it was one; ``again``: of one that has died,
        which may have told them, and they are to be the same."""
        if again and self.colds:
            spans = [_cold(span) if span.span_id in self.colds else span for span in spans]
        elif self._cold and not again:
            spans = self._begun_cold(spans)
        self.batch.put(spans)

    def _begun_cold(self, spans: Sequence[Span]) -> Sequence[Span]:
        for number, span in enumerate(spans):
            if "faas.trigger" in span.attributes:
                self._cold = False
                if self._first is not None:
                    self._beside(self._first(span.span_id))
                return [*spans[:number], _cold(span), *spans[number + 1 :]]
        return spans

    async def flush(self, timeout: float) -> bool:
        """Export what waits, for so many seconds at the most. Whether all is out."""
        return await asyncio.to_thread(self.batch.flush, await self._rest(timeout))

    async def close(self, timeout: float) -> None:
        await asyncio.to_thread(self.batch.close, await self._rest(timeout))

    async def _rest(self, timeout: float) -> float:
        """Have all put in that is known until now. How many of the seconds are left."""
        self.settle()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while self._tasks and deadline > loop.time():  # what one of them reads may lead to another
            await asyncio.wait(self._tasks, timeout=deadline - loop.time())
        return max(0.0, deadline - loop.time())


def _cold(span: Span) -> Span:
    return span._replace(attributes={**span.attributes, "faas.coldstart": True})
