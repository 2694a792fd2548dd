"""Media types as CloudEvents read them: which are JSON, which are text, and in which encoding."""

from __future__ import annotations

import codecs
from functools import lru_cache

from ...state.errors import InvalidEvent

STRUCTURED = "application/cloudevents+json"
BATCHED = "application/cloudevents-batch+json"


@lru_cache(maxsize=256)
def essence(media_type: str) -> str:
    """Type and subtype in lower case, without parameters."""
    return media_type.partition(";")[0].strip().lower()


@lru_cache(maxsize=256)
def is_json(media_type: str) -> bool:
    """application/json, text/json or a type that ends with +json."""
    kind = essence(media_type)
    return kind.endswith(("/json", "+json"))


@lru_cache(maxsize=256)
def is_text(media_type: str) -> bool:
    """Any text type, and XML."""
    kind = essence(media_type)
    return kind.startswith("text/") or kind.endswith(("/xml", "+xml"))


@lru_cache(maxsize=256)
def charset(media_type: str) -> str:
    """Python's name of the charset parameter, "utf-8" without one. Raises InvalidEvent (415)."""
    for parameter in media_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            wanted = value.strip().strip('"')
            try:
                " ".encode(wanted)  # refuses codecs that are no text encoding, such as hex
            except (LookupError, ValueError):
                raise InvalidEvent(
                    f"the charset {wanted[:40]!r} is unknown; use utf-8",
                    attribute="datacontenttype",
                    status=415,
                ) from None
            return codecs.lookup(wanted).name
    return "utf-8"
