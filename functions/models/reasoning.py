"""What a model thought before it spoke, as plain text for people, wherever its provider puts it.

Providers that tell it at all repeat it under several names; one of them says it all. What goes back to the provider is
another matter, and kept as it came.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

from .fields import part


def thought(message: object, place: str = "") -> tuple[str, str]:
    """The reasoning in a message or in a piece of one, a mapping or an object, and the name under which it stands; of
    a ``place`` only what stands there. Both are "" when there is none."""
    for name in (place,) if place else _PLACES:
        if text := _PLACES[name](part(message, name)):
            return text, name
    return "", place


def recorded(record: Mapping[str, Any]) -> str:
    """The reasoning of an answer as the journal holds it. What goes back to the provider holds it too, mostly, and
    nothing is recorded twice."""
    return _text(record.get("reasoning")) or thought(record.get("opaque"))[0]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _parts(value: object) -> Iterator[Mapping[str, Any]]:
    for item in cast("list[object]", value) if isinstance(value, list) else ():
        if isinstance(item, Mapping):
            yield cast("Mapping[str, Any]", item)


def _details(value: object) -> str:
    """OpenRouter's: texts and summaries, beside what is encrypted."""
    return "".join(_text(item.get("text")) or _text(item.get("summary")) for item in _parts(value))


def _blocks(value: object) -> str:
    """Anthropic's, as litellm names them."""
    return "".join(_text(item.get("thinking")) for item in _parts(value))


def _content(value: object) -> str:
    """Mistral's: parts of the content, which hold parts."""
    inner = (item.get("thinking") for item in _parts(value) if item.get("type") == "thinking")
    return "".join(_text(one) or "".join(_text(item.get("text")) for item in _parts(one)) for one in inner)


_PLACES: dict[str, Callable[[object], str]] = {
    "reasoning_content": _text,
    "reasoning": _text,
    "reasoning_details": _details,
    "thinking_blocks": _blocks,
    "content": _content,
}
