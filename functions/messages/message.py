"""Reading a request: its body within a limit, its JSON, its ``Prefer`` header. Refusals carry their status.

The limit is counted while the body arrives; a Content-Length is believed only when it already exceeds it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from pydantic_core import ValidationError

from ...state.codec import loads
from ...state.errors import InvalidInput
from .answer import Receive, Scope
from .media import charset, essence, is_json
from .problem import Refused

if TYPE_CHECKING:
    from pydantic import BaseModel

Model = TypeVar("Model", bound="BaseModel")
RawHeaders = list[tuple[bytes, bytes]]


async def read_body(scope: Scope, receive: Receive, limit: int, hold: Callable[[int], None] | None = None) -> bytes:
    """The whole body. Refused with 413 above ``limit`` bytes, with 415 when it is compressed, with 400 when the client
    went away. ``hold`` is told of each part before it is kept, and may refuse it."""
    refuse_compressed(scope["headers"])
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and (len(value) > 18 or int(value) > limit):
            raise _too_large(limit)
    chunks: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(400, "the connection was closed before the whole body had arrived; send it again")
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        if hold is not None:
            hold(len(chunk))
        chunks.append(chunk)
        more = message.get("more_body", False)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _too_large(limit: int) -> Refused:
    what = f"the body is larger than {limit} bytes, which --max-body of the server says"
    return Refused(413, f"{what}; store the data elsewhere and send a reference")


def refuse_compressed(headers: RawHeaders) -> None:
    """Raise Refused (415) for a body that would have to be unpacked, to whatever size."""
    if header(headers, b"content-encoding").strip().lower() not in ("", "identity"):
        raise Refused(415, "the body must not be compressed; send it as it is", [("accept-encoding", "identity")])


def header(headers: RawHeaders, name: bytes) -> str:
    """The first header of that (lower-case) name; "" without one."""
    for key, value in headers:
        if key == name:
            return value.decode("latin-1")
    return ""


def idempotency_key(headers: RawHeaders) -> str | None:
    """The Idempotency-Key; None without one. 400 when it can't be a key."""
    if not any(key == b"idempotency-key" for key, _ in headers):
        return None
    found = header(headers, b"idempotency-key").strip()
    if not (0 < len(found) <= 200 and found.isascii() and found.isprintable() and " " not in found):
        raise Refused(400, "Idempotency-Key must be 1 to 200 visible ASCII characters")
    return found


def read_json(headers: RawHeaders, body: bytes) -> Any:
    """The body as plain JSON; None when it is empty. 415 for another content type, 400 for no JSON."""
    if not body:
        return None
    kind = header(headers, b"content-type")
    if not is_json(kind):
        named = f"not {essence(kind)[:60]}" if kind else "and none was named"
        raise Refused(415, f"the body must be JSON, {named}; send Content-Type: application/json")
    _refuse_other_charset(kind)
    try:
        return loads(body)
    except ValueError as error:
        raise Refused(400, f"the body is not valid JSON: {error}") from None


def _refuse_other_charset(kind: str) -> None:
    if charset(kind) not in ("utf-8", "ascii"):
        raise Refused(415, f"the body must be UTF-8, not {charset(kind)}; leave charset out of Content-Type")


def read_text(headers: RawHeaders, body: bytes) -> str:
    """A plain text body. 415 for another charset, 400 when it is not UTF-8, 422 when there is none."""
    _refuse_other_charset(header(headers, b"content-type"))
    if not body:
        raise InvalidInput("the message is empty; send some text")
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise Refused(400, "the text is not valid UTF-8") from None


def read_model(model: type[Model], value: Any) -> Model:
    """Plain JSON as a model. InvalidInput names every field that is wrong."""
    try:
        return model.model_validate({} if value is None else value)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))[:200] or 'body'}: {e['msg']}" for e in error.errors()[:10])
        raise InvalidInput(f"{wrong}; see /openapi.json for the form") from None


class Preference(NamedTuple):
    """What the sender asks for by ``Prefer`` (RFC 7240): seconds to wait, None when not said; an event back."""

    wait: float | None
    reply: bool


def preference(headers: RawHeaders) -> Preference:
    """Unknown and malformed preferences are ignored, as the RFC demands."""
    wait: float | None = None
    reply = False
    for key, value in headers:
        if key != b"prefer":
            continue
        for item in value.decode("latin-1").split(","):
            name, _, argument = item.partition(";")[0].strip().lower().partition("=")
            if name == "reply":
                reply = True
            elif name == "respond-async" and wait is None:
                wait = 0.0
            elif name == "wait" and (seconds := argument.strip('" ')).isdecimal() and len(seconds) < 10:
                wait = float(seconds)
    return Preference(wait, reply)
