"""A Broker with its ingress and Triggers, in a thread of its own, with the delivery rules of Knative.

The rules are those of its data plane (knative/specs, specs/eventing/data-plane.md) and of its own parts:

- The ingress takes one event at ``POST /NAMESPACE/BROKER`` and answers 202 when it has it, 400 for what is no event or
  no path of a broker's, 404 at ``/``, 405 for other methods. It adds an extension of its own (``knativearrivaltime``).
- Each Trigger is delivered to by itself, in binary mode, with headers written as they are (not percent-encoded), and
  asks for a reply (``Prefer: reply``). ``filters`` must all hold; an attribute that is not there matches nothing.
- 2xx completes a delivery. 200 with an event in it is a reply, and goes to the ingress; another body than an event is a
  delivery that has failed. 404, 408, 409, 429, 5xx and no answer are tried again, ``delivery.retry`` times; every other
  answer, and the last of those, makes a dead letter (with ``knativeerrordest``, ``-code`` and ``-data``), or loses it.
- Delivery is unordered, but for a Trigger with the annotation of the Kafka Broker, which brings the events of one
  ``partitionkey`` one after another.
- A Service without a pod is waited for, as the activator of Knative Serving does.

Triggers are given as they are rendered. Nothing outlives the process; the pauses between tries are short.
"""

from __future__ import annotations

import asyncio
import base64
import socket
import threading
from collections.abc import Callable, Coroutine, Mapping
from itertools import count
from types import TracebackType
from typing import Any, NamedTuple, TypeVar

import httpx
import uvicorn

from overwinter.functions.events.event import CloudEvent
from overwinter.functions.events.http import Mode, mode_of, parse
from overwinter.functions.messages.media import is_json
from overwinter.state.codec import dumps
from overwinter.state.errors import InvalidEvent

T = TypeVar("T")
PAUSE, LONGEST = 0.005, 0.1
ORDER = "kafka.eventing.knative.dev/delivery.order"


class Lost(NamedTuple):
    """What could not be delivered."""

    trigger: str
    event: CloudEvent
    status: int  # 0: nobody answered


class KnativeServer:
    """One Broker ``shop/default``, and the Services that its Triggers lead to."""

    namespace, broker = "shop", "default"

    def __init__(self) -> None:
        self.taken: list[CloudEvent] = []
        self.replies: list[CloudEvent] = []
        self.deliveries: list[tuple[str, str, int]] = []  # Trigger, id of the event, status
        self.lost: list[Lost] = []
        self.headers: list[dict[str, str]] = []  # of what the ingress was sent
        self.refuses: list[tuple[int, dict[str, str], str]] = []  # what it answers next instead
        self.port = 0
        self._triggers: dict[str, dict[str, Any]] = {}
        self._lanes: dict[tuple[str, str], asyncio.Lock] = {}
        self._pods: dict[str, list[str]] = {}
        self._turn = count()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._ready, self._over = threading.Event(), asyncio.Event()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._run()), daemon=True)

    def __enter__(self) -> KnativeServer:
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(30)
        self._loop.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/{self.namespace}/{self.broker}"

    # -- what the cluster is told --------------------------------------------------------------------

    def apply(self, trigger: dict[str, Any]) -> None:
        """As ``kubectl apply`` does."""
        self._call(self._apply(trigger))

    def pod(self, service: str, url: str) -> None:
        """A pod of the Service is there."""
        self._call(self._pod(service, url, there=True))

    def gone(self, service: str, url: str) -> None:
        """It is not there any more."""
        self._call(self._pod(service, url, there=False))

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _apply(self, trigger: dict[str, Any]) -> None:
        assert (trigger["kind"], trigger["spec"]["broker"]) == ("Trigger", self.broker)
        assert trigger["metadata"].get("namespace", self.namespace) == self.namespace
        self._triggers[trigger["metadata"]["name"]] = trigger

    async def _pod(self, service: str, url: str, *, there: bool) -> None:
        pods = self._pods.setdefault(service, [])
        if there:
            pods.append(url)
        else:
            pods.remove(url)

    # -- the ingress ---------------------------------------------------------------------------------

    async def _run(self) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(
            self._ingress, interface="asgi3", log_level="critical", lifespan="off", timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        async with httpx.AsyncClient(timeout=60) as self._client:
            self._ready.set()
            await self._over.wait()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        server.should_exit = True
        await serving
        listener.close()

    async def _ingress(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        status, headers, said = await self._received(scope, body)
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": pairs})
        await send({"type": "http.response.body", "body": said.encode()})

    async def _received(self, scope: Any, body: bytes) -> tuple[int, dict[str, str], str]:
        self.headers.append({name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]})
        if self.refuses:
            return self.refuses.pop(0)
        if scope["method"] != "POST":
            return 405, {"allow": "POST, OPTIONS"}, ""
        names = scope["path"].rstrip("/").split("/")
        if scope["path"] == "/":
            return 404, {}, ""
        if len(names) != 3:
            return 400, {}, ""
        try:
            event = parse(scope["headers"], body)
        except InvalidEvent as error:
            return 400, {}, str(error)
        if names[1:] != [self.namespace, self.broker]:
            return 404, {}, ""
        self._take(event)
        return 202, {}, ""

    def _take(self, event: CloudEvent) -> None:
        event = event.replace(extensions={**event.extensions, "knativearrivaltime": "2026-11-29T06:00:00Z"})
        self.taken.append(event)
        for name, trigger in self._triggers.items():
            if all(_holds(one, event) for one in trigger["spec"].get("filters", ())):
                lane = asyncio.Lock()
                if trigger["metadata"].get("annotations", {}).get(ORDER) == "ordered" and event.partitionkey:
                    lane = self._lanes.setdefault((name, event.partitionkey), lane)
                task = asyncio.create_task(self._delivered(name, trigger["spec"], event, lane))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    # -- one delivery --------------------------------------------------------------------------------

    async def _delivered(self, name: str, spec: dict[str, Any], event: CloudEvent, lane: asyncio.Lock) -> None:
        delivery: dict[str, Any] = spec.get("delivery", {})
        status, said = 0, b""
        async with lane:  # whoever came first goes first
            for attempt in range(delivery.get("retry", 0) + 1):
                status, said = await self._posted(spec["subscriber"], event)
                self.deliveries.append((name, event.id, status))
                if 200 <= status < 300:
                    return
                if not (status in (0, 404, 408, 409, 429) or status >= 500):
                    break
                await asyncio.sleep(min(LONGEST, PAUSE * 2**attempt))
        self.lost.append(Lost(name, event, status))
        if sink := delivery.get("deadLetterSink"):
            error = {"knativeerrordest": await self._address(spec["subscriber"]), "knativeerrorcode": str(status)}
            error["knativeerrordata"] = base64.b64encode(said).decode()
            await self._posted(sink, event.replace(extensions={**event.extensions, **error}))

    async def _posted(self, destination: dict[str, Any], event: CloudEvent) -> tuple[int, bytes]:
        """The status, 0 when nobody has answered, and what was said; 502 where a reply is none."""
        headers, body = _raw(event)
        try:
            url = await self._address(destination)
            answer = await self._client.post(url, content=body, headers=[*headers, (b"prefer", b"reply")])
        except httpx.HTTPError as error:
            return 0, str(error).encode()
        if answer.is_success and answer.content:
            pairs = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in answer.headers.raw]
            if answer.status_code == 202 or mode_of(pairs) not in (Mode.BINARY, Mode.STRUCTURED):
                return 502, answer.content
            self.replies.append(parse(pairs, answer.content))
            self._take(self.replies[-1])
        return answer.status_code, answer.content

    async def _address(self, destination: dict[str, Any]) -> str:
        service: str = destination["ref"]["name"]
        while not self._pods.get(service):  # noqa: ASYNC110  # a pod comes when a test says so
            await asyncio.sleep(PAUSE)
        pods = self._pods[service]
        return pods[next(self._turn) % len(pods)] + str(destination.get("uri", "/"))


def _raw(event: CloudEvent) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Binary mode as Knative's parts write it: values as they are, in UTF-8."""
    found: dict[str, Any] = {"specversion": "1.0", "id": event.id, "source": event.source, "type": event.type}
    found |= {name: getattr(event, name) for name in ("subject", "time", "dataschema")} | dict(event.extensions)
    headers = [
        (f"ce-{name}".encode(), (value if isinstance(value, str) else str(value).lower()).encode())
        for name, value in found.items()
        if value is not None
    ]
    if event.datacontenttype is None:
        return headers, b""
    headers.append((b"content-type", event.datacontenttype.encode()))
    data = event.data
    if data is None or isinstance(data, bytes):
        return headers, data or b""
    return headers, (dumps(data) if is_json(event.datacontenttype) else str(data)).encode()


_COMPARED: Mapping[str, Callable[[str, str], bool]] = {
    "exact": str.__eq__, "prefix": str.startswith, "suffix": str.endswith
}  # fmt: skip


def _holds(filter: Mapping[str, Any], event: CloudEvent) -> bool:
    """The dialects of a Trigger's ``filters``, read by themselves and not by what is tested."""
    ((dialect, said),) = filter.items()
    if dialect == "all":
        return all(_holds(one, event) for one in said)
    if dialect == "any":
        return any(_holds(one, event) for one in said)
    if dialect == "not":
        return not _holds(said, event)
    known = {name: value if isinstance(value, str) else str(value).lower() for name, value in event.extensions.items()}
    known |= {"id": event.id, "source": event.source, "type": event.type, "subject": event.subject or ""}
    return all(_COMPARED[dialect](known.get(name, ""), value) for name, value in said.items())
