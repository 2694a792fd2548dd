"""Webhooks at the app: their paths beside its own, which they may not shadow, and how much of the room they may take.

Whoever sends one brings no token: it is verified by its scheme, over the bytes that came. Until then it may hold a part
of the room and no more, so that nobody unknown can keep out those who are known.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from ...state.errors import InvalidInput
from ..messages.answer import Answer
from ..messages.message import RawHeaders, read_body
from ..messages.problem import Refused, settle, status_of
from ..triggers.delivery import FORM, Delivery
from ..triggers.receiving import glance, receive, verify
from ..triggers.webhook import Declared, check, declared
from .guard import is_loopback
from .room import Room, Stay

if TYPE_CHECKING:
    from ...orchestrator.runtime import Runtime
    from .service import Call, Endpoint

HANDED_ON = (b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip", b"via")
SHARE = 4  # of the room, for what is not verified yet: one part in so many


class Hooks:
    """All webhooks of one app. Raises Refused (503) for what can't be served: as words to who starts a server, as an
    answer where the app is made for a request."""

    def __init__(self, runtime: Runtime, room: Room, max_body: int, *, reachable: bool) -> None:
        try:
            self._declared = declared(runtime.functions)
            check(self._declared)
        except InvalidInput as error:
            raise Refused(503, str(error)) from error
        self._max_body = max_body
        self._room = Room(max(1, room.max_requests // SHARE), max(max_body, room.max_held // SHARE))
        for path, one in self._declared.items():
            if reachable and not one.webhook.scheme.verifies:
                raise Refused(
                    503,
                    f"the webhook {path} verifies nothing, and this server has a token because others can reach it; "
                    "say how its sender is verified, or serve on 127.0.0.1 without a token",
                )

    @property
    def verified(self) -> frozenset[str]:
        """Paths that need no token."""
        return frozenset(path for path, one in self._declared.items() if one.webhook.scheme.verifies)

    def endpoints(self, taken: Iterable[Route]) -> Iterable[tuple[str, Endpoint]]:
        """Paths and what answers there. Raises Refused when one is the API's own."""
        own = [route.path_regex for route in taken]
        for path, one in self._declared.items():
            if any(regex.match(path) for regex in own):
                raise Refused(
                    503, f"{path} is the API's own; give the webhook of {one.name} another, like /hooks{path}"
                )
            yield path, self._endpoint(one)

    def _endpoint(self, one: Declared) -> Endpoint:
        async def take(call: Call) -> Answer:
            settled = await settle(self._taken(call, one))
            if settled.value is not None:
                return settled.value
            error: Any = settled.error
            if one.webhook.scheme.final and status_of(error) in (400, 413, 415, 422):
                refused = Refused(
                    status_of(error), str(error), [*getattr(error, "headers", ()), *one.webhook.scheme.final]
                )
                raise refused from error
            raise error

        return take

    async def _taken(self, call: Call, one: Declared) -> Answer:
        if not one.webhook.scheme.verifies:
            _check_near(call.scope.get("client"), call.headers)
        now = call.runtime.clock() / 1000
        glance(one, Delivery(one.webhook.path, call.headers, b""), now)
        stay = Stay(self._room)
        stay.begin()

        def hold(size: int) -> None:
            stay.hold(size)
            call.stay.hold(size)

        try:
            body = await read_body(call.scope, call.receive, self._max_body, hold)
            delivery = Delivery(one.webhook.path, call.headers, body)
            verify(one, delivery, now)
        finally:
            stay.end()
        return await receive(call.runtime, one, delivery)


def _check_near(client: Any, headers: RawHeaders) -> None:
    """What a proxy on this machine hands on comes from elsewhere: it says so."""
    if (client and not is_loopback(str(client[0]))) or any(name in HANDED_ON for name, _ in headers):
        raise Refused(403, "this webhook verifies nothing, so it is for this machine alone")


def described(one: Declared) -> dict[str, Any]:
    """What the OpenAPI document says of a webhook: its body is its sender's, and so is the way to sign it."""
    taken = one.webhook.scheme.taken
    return {
        "summary": f"{type(one.webhook.scheme).__name__} webhook of {one.name}",
        "answers": {taken: None, (200 if taken == 200 else 204): None},
        "body": {},
        "body_needed": False,
        "types": ("application/json", FORM),
        "errors": (400, 401, 413, 415, 422, 500, 503),
    }
