"""One delivery of a webhook: the headers and the bytes that came, and what they say once they are believed.

Headers count only when they occur once: of two, one could be verified and the other one used.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple, cast
from urllib.parse import parse_qsl

from ...state.codec import loads
from ..messages.media import essence, is_json
from ..messages.message import RawHeaders, read_json, read_text
from ..messages.problem import Refused

FORM = "application/x-www-form-urlencoded"
FIELDS = 1000  # of a form
LONGEST_HEADER = 4096


class Rejected(Exception):
    """It is not proven who has sent this. What is wrong is for the log of the receiver, never for the sender."""


class Described(NamedTuple):
    """What its sender's own rules make of a delivery, as attributes of an event. ``id`` "": it has none of its own."""

    type: str
    id: str = ""
    source: str = ""
    subject: str | None = None


class Delivery:
    """What came to ``path``. ``data`` is read when it is asked for, after the sender is known."""

    def __init__(self, path: str, headers: RawHeaders, body: bytes) -> None:
        self.path = path
        self.raw_headers = headers
        self.body = body

    def header(self, name: str) -> str:
        """The one header of that name; "" without one. Raises Rejected when it occurs twice, or is very long."""
        wanted = name.lower().encode("latin-1")
        found = [value for key, value in self.raw_headers if key == wanted]
        if len(found) > 1:
            raise Rejected(f"the header {name} occurs {len(found)} times")
        if found and len(found[0]) > LONGEST_HEADER:
            raise Rejected(f"the header {name} is longer than {LONGEST_HEADER} bytes")
        return found[0].decode("latin-1").strip(" \t") if found else ""

    @property
    def media_type(self) -> str:
        return essence(self.header("content-type"))

    @cached_property
    def digest(self) -> str:
        """What stands for the body: the same bytes, the same digest."""
        return hashlib.sha256(self.body).hexdigest()

    @cached_property
    def data(self) -> Any:
        """The body as plain JSON: a form is an object of its fields, text is text. Refused with 415 for another content
        type, with 400 for what is not what it says."""
        if not self.body:
            return None
        if is_json(self.media_type):
            return read_json(self.raw_headers, self.body)
        if self.media_type == FORM:
            return self._form()
        if self.media_type.startswith("text/"):
            return read_text(self.raw_headers, self.body)
        kind = self.media_type[:60] or "nothing"
        raise Refused(415, f"a webhook's body must be JSON, a form or text, not {kind}")

    def _form(self) -> dict[str, Any]:
        """An only field by the name of ``payload`` holds JSON that is the whole: so GitHub and Slack send it."""
        try:
            pairs = parse_qsl(self.body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=FIELDS)
            found: dict[str, Any] = {}
            for name, value in pairs:
                found[name] = [*_listed(found[name]), value] if name in found else value
            if list(found) == ["payload"] and isinstance(found["payload"], str):
                payload: Any = loads(found["payload"])
                return cast("dict[str, Any]", payload) if isinstance(payload, dict) else found
        except ValueError:
            raise Refused(400, "the body is no valid form") from None
        return found


def _listed(value: Any) -> list[Any]:
    return list(cast("Sequence[Any]", value)) if isinstance(value, list) else [value]
