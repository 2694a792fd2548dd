"""What somebody outside may send to an execution that waits, as an example of its type: for whoever looks at it, in a
process that does not have the code.

It stands in the head's state: ``{"takes": {"event paid": "true", "approval refund": ""}}``, by what the execution
awaits from outside. An example is JSON that the type accepts; "" where there is none. It is made when the execution
comes to rest, once for each type, and never on the way of a step.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Protocol, cast

from ...state.codec import dumps, loads
from ...state.example import example_of
from ..errors.attributes import attempted
from .mismatch import Waits

MOST = 8
"""How many of the things that an execution waits for are told of in its head."""
EVENT = "event "
"""How that begins which an execution awaits, when it is an event."""
NOTHING = "{}"
"""The state that follows on one with examples: an empty text would leave them."""


class Typed(Waits, Protocol):
    """An operation that somebody outside completes with a value of ``type``."""

    @property
    def type(self) -> Any: ...


def state_of(waiting: Iterable[object]) -> str:
    """The head's state for what is waited for; "" when it is one thing, of which no example can be made."""
    takes: dict[str, str] = {}
    for operation in waiting:
        if len(takes) == MOST:
            break
        one = cast("Typed", operation)
        takes.setdefault(f"{one.kind} {one.name}", example(one.type) if hasattr(operation, "type") else "")
    return dumps({"takes": takes}) if len(takes) > 1 or any(takes.values()) else ""


def taken(state: str, awaits: str) -> str:
    """JSON of a value that what is awaited takes, as a head's state says; "" when it says nothing."""
    text = _held(state).get(awaits)
    return text if isinstance(text, str) else ""


def waits(state: str, awaits: str) -> list[str]:
    """All that is awaited, "event paid" or "approval refund", what ``awaits`` names first."""
    return list(dict.fromkeys([*([awaits] if awaits else []), *map(str, _held(state))]))


def events(state: str, awaits: str) -> list[str]:
    """The names of the events among it."""
    return [thing.removeprefix(EVENT) for thing in waits(state, awaits) if thing.startswith(EVENT)]


def _held(state: str) -> dict[str, object]:
    if '"takes"' not in state:
        return {}
    try:
        held: Any = loads(state)
    except ValueError:
        return {}
    takes: Any = cast("dict[str, Any]", held).get("takes") if isinstance(held, dict) else None
    return cast("dict[str, object]", takes) if isinstance(takes, dict) else {}


def example(annotation: Any) -> str:
    """JSON of a value of that type; "" when there is none. The same type is asked once."""
    try:
        return _known(annotation)
    except TypeError:  # it can't be hashed
        return _made(annotation)


def _made(annotation: Any) -> str:
    """Whatever the type does when it is looked at: it is a hint."""
    return attempted(lambda: example_of(annotation)) or ""


_known = lru_cache(maxsize=1024)(_made)
