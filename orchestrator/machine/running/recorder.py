"""What happened, as AWS's history names it. It is counted, and not kept: who wants it lets the journal pass once
more.

Each run of a distributed Map's items is an execution of its own to AWS, so its events are numbered on their own.
"""

from __future__ import annotations

from typing import Any

from .frame import Frame
from .limits import HistoryFull

Event = dict[str, Any]

_PASSED_BY = ("StateSucceeded", "MapRunSucceeded")
"""Events that the next one does not point to, though an end of the execution does."""
_BESIDE = ("Aborted", "MapIterationFailed")
"""Events that point to the last one that counts, however many of them there are."""
_ENDS = ("ExecutionSucceeded", "ExecutionFailed")
_POINT_NOWHERE = ("ExecutionStarted", "ExecutionTimedOut", "ExecutionAborted")


class Counter:
    """Counts the events of a history; each is known by its number, from 1 on."""

    def __init__(self) -> None:
        self.most: int | None = None

    def add(self, type: str, at: int, frame: Frame, **details: Any) -> int:
        """The number of the event. ``frame`` is the flow that it is of. With ``most``, the last one is kept for what is
        said of the execution as a whole; raises HistoryFull for any other."""
        top = frame.top
        if self.most is not None and top.count >= self.most - 1 and not type.startswith("Execution"):
            raise HistoryFull
        top.count += 1
        return top.count

    def note(self, what: str, at: int, frame: Frame, **details: Any) -> None:
        """Something that AWS has no event for."""

    def join(self, outer: Frame, inner: Frame, *, failed: bool = False) -> None:
        """A flow within a state has ended, and what the state does next follows from it."""


class _Chain:
    """Where a flow's next event points to. ``tail`` may be an event that is passed by; ``begun`` is the event that the
    flows within its state begin from; ``before`` is where it stood before its state failed."""

    __slots__ = ("before", "begun", "failed", "last", "tail")

    def __init__(self, last: int) -> None:
        self.last = self.tail = self.begun = self.before = last
        self.failed = 0


class Recorder(Counter):
    """``everything`` in order: ``{"id", "previous", "type", "at", "flow", "run", "outer", "index", …details}``.

    ``flow`` is the id of the frame, ``run`` that of the frame whose numbers it has, ``outer`` that of the one around
    it. Notes have no id."""

    def __init__(self) -> None:
        self.everything: list[Event] = []
        self._chains: dict[str, _Chain] = {}

    def add(self, type: str, at: int, frame: Frame, **details: Any) -> int:
        number = super().add(type, at, frame, **details)
        previous = self._pointed(self._chain(frame), type, number)
        self.everything.append({"id": number, "previous": previous, "type": type, "at": at, **_place(frame), **details})
        return number

    def note(self, what: str, at: int, frame: Frame, **details: Any) -> None:
        self.everything.append({"id": 0, "type": what, "at": at, **_place(frame), **details})

    @property
    def events(self) -> list[Event]:
        """The history of the execution itself."""
        return [event for event in self.everything if event["id"] and not event["run"]]

    def join(self, outer: Frame, inner: Frame, *, failed: bool = False) -> None:
        if inner.top is outer.top:
            chain, last = self._chain(outer), self._chain(inner).last
            chain.last = chain.tail = last if failed else max(chain.last, last)

    def _chain(self, frame: Frame) -> _Chain:
        found = self._chains.get(frame.id)
        if found is None:
            outer = frame.parent if frame.top is not frame else None
            found = self._chains[frame.id] = _Chain(self._chain(outer).begun if outer is not None else 0)
        return found

    def _pointed(self, chain: _Chain, type: str, number: int) -> int:
        """Which event this one points to."""
        if type in _POINT_NOWHERE:
            return 0
        if type in _ENDS:
            return chain.tail
        if type.endswith(_BESIDE):
            chain.tail = number
            return chain.last
        if type.endswith(_PASSED_BY):
            previous, chain.tail = chain.tail, number
            return previous
        if type == "EvaluationFailed" and chain.failed == chain.last:
            chain.last = chain.before  # a catcher's own mistake takes the place of the failure that it was to catch
        previous = chain.last
        if type.endswith("StateFailed"):
            chain.before, chain.failed = previous, number
        chain.last = chain.tail = number
        if type.endswith("StateStarted"):
            chain.begun = number
        return previous


def _place(frame: Frame) -> Event:
    outer = frame.parent.id if frame.parent is not None else None
    return {"flow": frame.id, "run": frame.top.id, "outer": outer, "index": frame.index}
