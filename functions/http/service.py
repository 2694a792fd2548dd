"""What all endpoints share, and the path from a request to its answer: every error becomes a problem document.

An endpoint is ``async (Call) -> Answer``. The path parameters, the query and the body come checked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import parse_qs, unquote_to_bytes

from ...state.errors import UnknownFunction
from ..invocation.loading import kind_of
from ..messages.answer import Answer, Receive, Scope
from ..messages.message import Preference, RawHeaders, header, preference, read_body, read_json, read_model
from ..messages.problem import Refused
from .closing import Closing
from .handshake import Handshake
from .presence import while_there
from .room import Room, Stay

if TYPE_CHECKING:
    from pydantic import BaseModel

    from ..runtime import Runtime
    from .late import Late
    from .model_calls import Models

Model = TypeVar("Model", bound="BaseModel")
T = TypeVar("T")
PARAMETERS = 100  # of one query


class Service(NamedTuple):
    """One app's runtime and limits. ``counters`` counts what it has answered."""

    runtime: Runtime
    max_body: int
    max_answer: int
    longest_wait: float
    counters: Counter[str]
    room: Room
    closing: Closing
    models: Models
    late: Late | None = None
    handshake: Handshake = Handshake()


class Call(NamedTuple):
    """One request to an endpoint."""

    service: Service
    scope: Scope
    receive: Receive
    stay: Stay

    @property
    def runtime(self) -> Runtime:
        return self.service.runtime

    @property
    def headers(self) -> RawHeaders:
        headers: RawHeaders = self.scope["headers"]
        return headers

    def path(self, name: str) -> str:
        """A path parameter, never empty, and read from valid UTF-8: else several ids would be one."""
        value: str = self.scope["path_params"][name]
        if "\ufffd" in value and not _is_utf8(self.scope):
            raise Refused(400, "the path is not valid percent-encoded UTF-8")
        if not value:
            raise Refused(404, f"the path lacks the {name}; GET /openapi.json lists all paths")
        return value

    def header(self, name: str) -> str:
        return header(self.headers, name.encode())

    def by(self, claimed: str) -> str:
        """Who acts: whom the request names, and whom the platform has verified."""
        caller = str(self.scope.get("overwinter.caller", ""))
        return f"{claimed} ({caller})" if claimed and caller else claimed or caller

    async def body(self) -> bytes:
        return await read_body(self.scope, self.receive, self.service.max_body, self.stay.hold)

    async def json(self) -> Any:
        """The body as plain JSON, None when it is empty."""
        return read_json(self.headers, await self.body())

    async def model(self, model: type[Model]) -> Model:
        return read_model(model, await self.json())

    def query(self, *allowed: str) -> dict[str, list[str]]:
        """The query parameters. An unknown one is refused: a mistyped filter must not match everything."""
        try:
            text = self.scope["query_string"].decode("ascii")
            found = parse_qs(text, keep_blank_values=True, errors="strict", max_num_fields=PARAMETERS)
        except ValueError:
            raise Refused(
                400, f"the query is not valid percent-encoded UTF-8, or has more than {PARAMETERS} parameters"
            ) from None
        unknown = set(found) - {*allowed, "access_token"}
        if unknown:
            names = ", ".join(allowed) or "none"
            raise Refused(400, f"unknown query parameter {sorted(unknown)[0][:60]!r}; known are: {names}")
        return found

    @property
    def preference(self) -> Preference:
        return preference(self.headers)

    def wait(self, unsaid: float) -> float:
        """Seconds that the sender lets us take, within the limit."""
        asked = self.preference.wait
        return min(self.service.longest_wait, unsaid if asked is None else asked)

    async def patiently(self, look: Awaitable[T | None]) -> T | None:
        """What is awaited for the client: None when that goes away before, or this server does. What it is the outcome
        of is durable, and the body has served by now."""
        self.stay.release()
        try:
            return await self.service.closing.during(while_there(self.scope, self.receive, look))
        except TimeoutError:
            return None

    def function(self, name: str, kind: str) -> Any:
        """The function of that name. Raises UnknownFunction, also when it is of another kind."""
        found = self.runtime.functions.get(name)
        actual = kind_of(found)
        if actual != kind:
            what = f"{name!r} is a {actual}: use /{actual}s/{name}" if actual else "GET /functions lists all"
            raise UnknownFunction(f"no {kind} {name[:100]!r} is served here; {what}")
        return found


Endpoint = Callable[[Call], Awaitable[Answer]]


def _is_utf8(scope: Scope) -> bool:
    """Whether the path says in its own bytes what the server made of it."""
    try:
        unquote_to_bytes(scope.get("raw_path") or b"\xff").decode()
    except UnicodeDecodeError:
        return False
    return True


def single(query: dict[str, list[str]], name: str) -> str:
    """The one value of a query parameter, "" when it is not there."""
    values = query.get(name, [""])
    if len(values) > 1:
        raise Refused(400, f"the query parameter {name} occurs {len(values)} times; send it once")
    return values[0]


def number(query: dict[str, list[str]], name: str, unsaid: int, most: int, least: int = 0) -> int:
    """A whole number from the query, at least ``least`` and at most ``most``."""
    text = single(query, name)
    if not text and name not in query:
        return unsaid
    if not (text.isascii() and text.isdecimal() and len(text) < 16 and least <= int(text) <= most):
        raise Refused(400, f"{name} must be a whole number from {least} to {most}, not {text[:40]!r}")
    return int(text)
