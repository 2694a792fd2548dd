"""A streamed answer in OpenAI's chat protocol while it is read: events out of the bytes, pieces out of the events, and
what went wrong in the middle.

An answer is whole when the server has said why it ended. A stream that ends without that was cut off, whatever it
looks like: some that stand between end every stream in order.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from .chat import Unfit
from .events import Event, Events, TooLong
from .pieces import Pieces
from .port import Emit

_DONE = "[DONE]"


class Heard:
    """``pieces`` is what was said, ``failure`` the JSON of an error that came in its place, or None."""

    def __init__(self, emit: Emit) -> None:
        self.pieces = Pieces(emit)
        self.failure: object = None
        self.over = False
        self._events = Events()

    def feed(self, data: bytes) -> None:
        """What was read. Raises Unfit; of what stands behind the end, nothing is looked at."""
        try:
            events = self._events.feed(data)
        except TooLong as error:
            raise Unfit(str(error)) from None
        self._take(events)

    def end(self) -> None:
        """The server has closed the stream in order. Raises Unfit."""
        self._take(self._events.end())
        if self.pieces.said and not self.pieces.finish and not self.over:
            self.failure = _failure("", _json(self._events.aside()))

    def plain(self) -> str:
        """What the server sent when it sent no stream; "" when it did."""
        return "" if self.pieces.said or self.pieces.finish else self._events.aside()

    def _take(self, events: list[Event]) -> None:
        for event in events:
            if self.over:
                return
            for data in _texts(event.data):
                self._read(event.kind, data)

    def _read(self, kind: str, data: str) -> None:
        if data.strip() == _DONE:
            self.over = True
        if self.over or not data.strip():
            return
        try:
            body: object = json.loads(data)
        except (ValueError, RecursionError):
            if kind != "error":
                raise Unfit(f"an event is no JSON: {data[:200]}") from None
            body = {"error": {"message": data}}
        if (failure := _failure(kind, body)) is not None:
            self.failure, self.over = failure, True
        else:
            self.pieces.add(body)


def _texts(data: str) -> list[str]:
    """One text; or several, when a server leaves out the empty lines between its events."""
    if "\n" not in data or data.strip() == _DONE:
        return [data]
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        lines = data.split("\n")
        return lines if all(line[:1] in ("{", "[", "") for line in lines) else [data]
    return [data]


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _failure(kind: str, body: object) -> object:
    """The error that an event tells, as the body of one; None for every other event."""
    if not isinstance(body, Mapping):
        return None
    event = cast("Mapping[str, Any]", body)
    if event.get("error"):
        return event
    if kind == "error" or event.get("object") == "error" or event.get("type") == "error":
        return {"error": event}
    choices = event.get("choices")
    first: object = cast("list[object]", choices)[0] if isinstance(choices, list) and choices else None
    inner = cast("Mapping[str, Any]", first).get("error") if isinstance(first, Mapping) else None
    return {"error": inner} if inner else None
