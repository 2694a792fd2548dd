"""An event to publish, from what somebody gives."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ...state.codec import stored
from ...state.errors import InvalidInput
from ...state.quantities import briefly
from ..events.attributes import Extension
from ..events.event import CloudEvent

SOURCE = "/overwinter"
"""Where an event comes from that names no source."""


def made(
    event: str | CloudEvent,
    data: Any = None,
    *,
    id: str | None = None,
    source: str | None = None,
    subject: str | None = None,
    key: str | None = None,
    extensions: dict[str, Extension],
) -> CloudEvent:
    """``event`` is its type, or a CloudEvent as it is. Raises InvalidInput."""
    if isinstance(event, CloudEvent):
        if any(one is not None for one in (data, id, source, subject, key)) or extensions:
            raise InvalidInput("a CloudEvent is published as it is; change it with replace()")
        plain = event.data is None or isinstance(event.data, bytes)
        return event if plain else event.replace(data=stored(event.data))
    if not isinstance(event, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # whatever is passed
        raise InvalidInput(f"publish takes the type of an event, or a CloudEvent, not {briefly(event)}")
    if key is not None:
        if "partitionkey" in extensions:
            raise InvalidInput("key= is the extension partitionkey; give one of them")
        extensions = {"partitionkey": key, **extensions}
    return CloudEvent(
        id=id,
        source=SOURCE if source is None else source,
        type=event,
        subject=subject,
        time=datetime.now(UTC),
        data=None if data is None else stored(data),
        extensions=extensions,
    )
