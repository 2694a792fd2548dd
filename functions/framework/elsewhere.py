"""What a target answers to those who know its function by name, as they would ask a server of overwinter: a route may
lead to it (docs/functions.md).

``POST …/calls/NAME`` is a call that an execution of another process orders, ``GET …/functions`` says what is served,
and ``POST …/models/NAME`` asks a model function. Whatever stands before these in the path is the platform's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ...state.errors import UnknownFunction
from ..messages.answer import Answer, Scope
from .process_runtime import LAST_SECONDS

if TYPE_CHECKING:
    from ..http.service import Service
    from ..runtime import Runtime
    from .asked import Asked

CALLS, MODELS, EMBEDDINGS = "/calls/", "/models/", "/embeddings"
FUNCTIONS = "/functions"


class Meant(NamedTuple):
    """What a path of that kind says: ``place`` is CALLS, MODELS or EMBEDDINGS."""

    place: str
    name: str


def meant(path: str) -> Meant | None:
    """None for every other path, at which the function itself is called."""
    if path.endswith(EMBEDDINGS):
        _, found, name = path.removesuffix(EMBEDDINGS).rpartition(MODELS)
        return Meant(EMBEDDINGS, name) if found and name and "/" not in name else None
    for place in (CALLS, MODELS):
        _, found, name = path.rpartition(place)
        if found and name and "/" not in name:
            return Meant(place, name)
    return None


def check_name(asked: str, served: str) -> None:
    """Raises UnknownFunction: a target is one function, whatever else its module holds."""
    if asked != served:
        raise UnknownFunction(f"no function {asked[:100]!r} is served here; this target is {served!r}")


class Models:
    """The model function of one target, in one process."""

    def __init__(self, longest_wait: float, max_body: int) -> None:
        self._longest_wait = longest_wait
        self._max_body = max_body
        self._made: tuple[Runtime, Service] | None = None

    async def ask(self, runtime: Runtime, meant: Meant, asked: Asked) -> Answer:
        """What the endpoint of the HTTP API answers."""
        from ..http import modelling
        from ..http.presence import PRESENCE, Presence
        from ..http.room import Stay
        from ..http.service import Call

        service = self._service(runtime)
        headers = [one for one in asked.headers if asked.streams or one[0] != b"accept"]
        scope: Scope = {"type": "http", "method": asked.method, "path": asked.path, "query_string": asked.query}
        scope["headers"], scope["path_params"] = headers, {"name": meant.name}
        scope[PRESENCE] = Presence()  # nobody hears of a client that goes away
        given = [{"type": "http.request", "body": asked.body, "more_body": False}]

        async def receive() -> MutableMapping[str, Any]:
            return given.pop()

        stay = Stay(service.room)
        stay.begin()
        try:
            call = Call(service, scope, receive, stay)
            return await (modelling.embed(call) if meant.place == EMBEDDINGS else modelling.ask(call))
        finally:
            stay.end()

    async def finish(self) -> None:
        """The process ends. Calls that are under way are paid for, so there is some time for them."""
        if self._made is not None:
            await self._made[1].models.finish(LAST_SECONDS / 2)

    def _service(self, runtime: Runtime) -> Service:
        if self._made is None or self._made[0] is not runtime:
            from ...state.quantities import size
            from ..http.closing import Closing
            from ..http.model_calls import Models as Calls
            from ..http.room import AROUND, MAX_HELD, MAX_REQUESTS, Room
            from ..http.service import Service

            held, most = size(MAX_HELD), runtime.store.payload_limit + AROUND
            calls = Calls(runtime, runtime.engine.settings.max_active, held)
            room = Room(MAX_REQUESTS, held)
            parts = (runtime, self._max_body, most, self._longest_wait, Counter[str](), room, Closing(), calls)
            self._made = runtime, Service(*parts)
        return self._made[1]
