"""One execution environment of Lambda: an event loop and a runtime that live from its first event to its last.

Between two events Lambda freezes the process, so an invocation returns when everything that its event has set going is
at rest, or as soon as the outcome that somebody waits for is known; only a sweep takes up what others have left. What
still runs then is handed over: it is cut off, what it has done is committed, and the leases are given up, so that
the next process goes on at once. A call that is cut off because the time of an invocation is up, and has had half of
it, counts as a failed attempt. Nothing of what was true before a freeze is trusted after it: every event begins with
the store. Only the threads of plain functions that were cut off are remembered, because they go on with the thaw.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Mapping
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar, cast
from urllib.parse import unquote

from ...orchestrator.engine.cutting import Cut
from ...orchestrator.engine.settings import Settings
from ...orchestrator.usercode.threads import Threads
from ...state.codec import stored
from ...state.daemons import let_go
from ...state.errors import ExecutionFailed, InvalidEvent, StateFailed, StoreUnavailable, UnknownFunction
from ...state.opening import open_store
from ...state.store import Store
from ..events.intake import Fate, Taken, take, take_for
from ..events.tracing import INVOKED_IN, XRAY, traceparent
from ..http.sweeping import sweep_for
from ..invocation.loading import functions_of, load
from ..messages.answer import Answer
from ..messages.message import preference
from ..messages.problem import Raised, answered, settle
from ..runtime import Runtime
from ..tracing import FLUSH
from .access import Access, access
from .batch import is_batch, take_batch
from .events import Call, Delivery, Sweep, read
from .gateway import Request, ask, is_request, read_request, write_answer

if TYPE_CHECKING:
    from ...telemetry.spans.tracing import Tracing

log = logging.getLogger("overwinter.aws")
T = TypeVar("T")

RESERVE = 15.0  # seconds of an invocation that are kept for handing over, at most a quarter of it
LAST_MOMENT = 0.3  # seconds that running calls get on SIGTERM; Lambda sends SIGKILL half a second after it
LONGEST_PAUSE = 0.02  # between two looks whether everything is at rest
LINGER = 0.25  # seconds that others get to end when an outcome is known
WORKED_ON = ("/agents/", "/sessions/", "/workflows/")  # requests whose outcome may come while they stay open

SETTINGS = Settings(poll="1h", watchdog=None)
"""The schedule sweeps. Of its own a process looks at the due index when it opens the store, and when a timer comes
that it knows of; many processes that each looked often would cost more than all the rest. And a process that is frozen
between two events is none whose event loop stands."""


class Context(Protocol):
    """What Lambda says about an invocation."""

    def get_remaining_time_in_millis(self) -> int: ...


class Hours(NamedTuple):
    """The time of one invocation, on the loop's clock: from ``start`` work until ``stop``, be gone by ``end``."""

    start: float
    stop: float
    end: float

    @property
    def share(self) -> float:
        """What began until then has had at least half of the time."""
        return self.start + (self.stop - self.start) / 2

    @property
    def grace(self) -> float:
        """Seconds that running calls get when there is no more time."""
        return (self.end - self.stop) * 2 / 3


class Handler:
    """Takes Lambda's events for ``functions``; an object that Lambda calls like any handler.

    ``store`` and ``settings`` are Runtime's. Errors are answered where somebody waits (HTTP), and raised
    elsewhere, so that Lambda tries again and then keeps the event in the dead-letter queue.
    """

    def __init__(
        self,
        functions: Mapping[str, Any],
        door: Access,
        *,
        store: str | Store | None = None,
        settings: Settings = SETTINGS,
    ) -> None:
        # A runtime, and with it the name of an incarnation, is made by the first event: what is made before may be
        # in a snapshot from which Lambda starts many processes. But a wrong DSN is named here.
        threads = Threads(settings.threads, settings.spare_threads)
        self._make: Callable[[], Runtime] = lambda: Runtime(functions, store, settings, threads=threads)
        self._door = door
        if not isinstance(store, Store):
            open_store(store)
        self._runtime: Runtime | None = None
        self._opening = asyncio.Lock()
        self._app: Any = None
        self._runner = asyncio.Runner()
        self._leaving = False
        self._closed = False
        self._told = True  # whether the spans of the last invocation have gone out

    def __call__(self, event: Any, context: Context) -> Any:
        """Take one event; returns when what it caused is at rest. Raises what it could not take in."""
        return self._runner.run(self._invoked(event, context))

    def close(self) -> None:
        """Hand over what is held and let go of the store. Idempotent; not during an invocation."""
        if not self._closed:
            self._closed = True
            self._runner.run(self._hand_over(0.0, None, None))
            self._runner.close()

    def close_on_sigterm(self) -> None:
        """On SIGTERM close and exit. In the middle of an invocation, hand over at once and answer."""

        def leave(number: int, frame: FrameType | None) -> None:
            self._leaving = True
            if self._closed or not self._runner.get_loop().is_running():
                self.close()
                sys.exit(0)

        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, leave)

    # -- one invocation ------------------------------------------------------------------------------

    async def _invoked(self, event: Any, context: Context) -> Any:
        now = asyncio.get_running_loop().time()
        left = context.get_remaining_time_in_millis() / 1000
        hours = Hours(now, now + left - min(RESERVE, left / 4), now + left)
        if self._runtime is not None:
            self._runtime.engine.causes.begin()
        members = cast("dict[str, Any]", event) if type(event) is dict else {}
        if is_request(members):
            return write_answer(await answered(self._requested(members, hours)))
        settled = await settle(self._taken(event, members, hours))
        await self._rests(hours)
        await self._leave(hours)
        if settled.error is not None:
            raise settled.error
        return settled.value

    async def _taken(self, event: Any, members: dict[str, Any], hours: Hours) -> Any:
        async def take_document(document: Any) -> Any:
            meant = read(document)
            if isinstance(meant, Sweep):
                return await self._sweep(hours)
            if isinstance(meant, Call):
                if is_batch(members):
                    raise InvalidEvent("nobody waits for what a message in a queue calls; send an event")
                return await _in_time(self._called(meant), hours)
            return await _in_time(self._delivered(meant), hours)

        return await (take_batch(members["Records"], take_document) if is_batch(members) else take_document(event))

    async def _delivered(self, delivery: Delivery) -> dict[str, Any]:
        runtime = await self._opened()
        event, function = delivery
        try:
            if function:
                return _told(await take_for(runtime, function, event))
            subscribed = await runtime.distribute(event)
            taken = await take(runtime, event)
        except Raised as raised:
            raise raised.error from None
        if subscribed and taken.fate is Fate.UNWANTED:
            taken = Taken(Fate.ACCEPTED)
        return _told(taken) | ({"subscriptions": subscribed} if subscribed else {})

    async def _called(self, call: Call) -> Any:
        """What comes of a function. What it raises is raised here, so that Lambda names it by its class, as the Retry
        and Catch of a state machine do."""
        runtime = await self._opened()
        function = runtime.functions.get(call.function)
        if function is None:
            raise UnknownFunction(f"no function {call.function[:80]!r} is served here")
        if getattr(function, "kind", "") == "tool":
            return stored(await runtime.invoke(function, call.input))
        try:
            handle = await runtime.start(function, call.input)
            return await runtime.result(handle.id, typed=False)
        except ExecutionFailed as failed:
            cause = failed.__cause__ or failed
            if isinstance(cause, StateFailed) and cause.error:  # a machine within: its error has a name of its own
                raise type(cause.error, (StateFailed,), {})(cause.error, cause.cause) from None
            raise cause from None

    async def _sweep(self, hours: Hours) -> dict[str, Any]:
        """Take up what is due until nothing is; what was taken has come to rest then, if the time was enough."""
        runtime = await _in_time(self._opened(), hours)
        runtime.engine.causes.everything()
        swept = await sweep_for(runtime, max(0.0, hours.stop - asyncio.get_running_loop().time()))
        return swept._asdict()

    async def _requested(self, event: dict[str, Any], hours: Hours) -> Answer:
        caller = self._door.caller(event)
        request = _traced(read_request(event))
        if caller:
            log.info("%s %s by %s", request.method, request.path, caller)
            request = self._presented(request)
        wait, reply = preference(request.headers)
        if wait is None and not reply and request.method == "POST":
            request = request._replace(headers=[*request.headers, (b"prefer", b"respond-async")])
        settled = await settle(_in_time(self._asked(request, caller, hours), hours))
        first = settled.value
        answer = None
        if first is not None and first.status == 202 and wait != 0 and request.path.startswith(WORKED_ON):
            answer = await self._outcome(first, caller, hours)
        else:
            await self._rests(hours)
        await self._leave(hours)
        if settled.error is not None:
            raise settled.error
        return answer or cast("Answer", first)

    async def _asked(self, request: Request, caller: str, hours: Hours) -> Answer:
        runtime = await self._opened()
        if self._app is None:
            from ..http.app import create_app  # only for HTTP; it takes long to load

            left = hours.stop - asyncio.get_running_loop().time()
            self._app = create_app(runtime, token=self._door.token, longest_wait=max(0.0, left - 1.0))
        return await ask(self._app, request, caller)

    async def _outcome(self, first: Answer, caller: str, hours: Hours) -> Answer | None:
        """The outcome, when it comes while this process works for it, whatever else goes on; None when it does not."""
        looking = asyncio.ensure_future(self._look(first, caller, hours, patiently=True))
        try:
            await self._rests(hours, looking)
            return looking.result() if looking.done() else await self._look(first, caller, hours, patiently=False)
        finally:
            looking.cancel()

    async def _look(self, first: Answer, caller: str, hours: Hours, *, patiently: bool) -> Answer | None:
        """Ask for the outcome, once or until it is there."""
        known = dict(first.headers)
        path, _, query = known.get("location", "").partition("?")
        while path:
            left = hours.stop - asyncio.get_running_loop().time() if patiently else 0
            prefer = (b"prefer", b"wait=%d" % max(0, left))
            look = Request("GET", unquote(path), path.encode(), query.encode(), [prefer], b"", "", "")
            settled = await settle(self._asked(self._presented(look), caller, hours))
            found = settled.value
            if found is not None and found.status == 200:
                replayed = [(name, value) for name, value in first.headers if name == "idempotent-replay"]
                return Answer(200, found.body, (*found.headers, *replayed))
            if not patiently or found is None or found.status != 202:
                return None
            await asyncio.sleep(LONGEST_PAUSE)
        return None

    def _presented(self, request: Request) -> Request:
        """The request with the app's token in place of AWS's signature, which has done its work."""
        others = [(name, value) for name, value in request.headers if name != b"authorization"]
        return request._replace(headers=[*others, (b"authorization", f"Bearer {self._door.token}".encode())])

    # -- the runtime ---------------------------------------------------------------------------------

    async def _opened(self) -> Runtime:
        async with self._opening:  # the messages of a batch come at once
            if self._runtime is None:
                let_go(asyncio.get_running_loop())
                runtime = self._make()
                runtime.engine.causes.begin()
                self._runtime = await runtime.__aenter__()
            return self._runtime

    async def _rests(self, hours: Hours, outcome: asyncio.Future[Any] | None = None) -> None:
        """Wait until what the event has set going is at rest, or the outcome is known, or the time is up."""
        loop = asyncio.get_running_loop()
        pause = 0.001
        while self._runtime is not None and not self._runtime.engine.done():
            if self._leaving or loop.time() >= hours.stop or (outcome is not None and outcome.done()):
                return
            await asyncio.sleep(pause)
            pause = min(LONGEST_PAUSE, pause * 1.5)

    async def _leave(self, hours: Hours) -> None:
        """Hand over what is still active."""
        if self._runtime is None or self._runtime.engine.idle():
            if self._runtime is not None and self._runtime.tracing is not None:
                await self._tell(self._runtime.tracing, hours)
            return
        time, clock = asyncio.get_running_loop().time(), self._runtime.clock()
        if self._leaving:
            await self._hand_over(LAST_MOMENT, hours.end, None)
        elif time < hours.stop:
            await self._hand_over(LINGER, hours.end, None)
        else:
            since = clock - int((time - hours.share) * 1000)
            told = f"an invocation has {hours.stop - hours.start:.0f} s for its work"
            await self._hand_over(hours.grace, hours.end, Cut(since, told))

    async def _tell(self, tracing: Tracing, hours: Hours) -> None:
        """Send spans before Lambda freezes the process. Somebody waits for the answer meanwhile, so a collector that
        does not take them gets less time from then on; they go out later, when it does."""
        left = hours.end - 0.2 - asyncio.get_running_loop().time()
        self._told = await tracing.flush(max(0.0, min(left, FLUSH if self._told else LAST_MOMENT)))

    async def _hand_over(self, grace: float, end: float | None, cut: Cut | None) -> None:
        """Close the runtime; the next event opens another, as another incarnation."""
        runtime, self._runtime, self._app = self._runtime, None, None
        if runtime is not None:
            settled = await settle(_by(end, runtime.close(grace, cut)))
            if settled.error is not None:
                log.warning("the hand-over was not completed (%s); what is left is taken over later", settled.error)


def _traced(request: Request) -> Request:
    """The request with the trace that Lambda runs it in, which is nearer than the one that its sender has said in
    X-Ray's own header."""
    found = os.environ.get(INVOKED_IN, "")
    if not traceparent(found):
        return request
    others = [(name, value) for name, value in request.headers if name != XRAY]
    return request._replace(headers=[*others, (XRAY, found.encode())])


async def _in_time(work: Awaitable[T], hours: Hours) -> T:
    """Await ``work`` until the time to hand over. Raises StoreUnavailable then: trying again may help."""
    limit = asyncio.timeout_at(hours.stop)
    try:
        async with limit:
            return await work
    except TimeoutError:
        if not limit.expired():
            raise
        raise StoreUnavailable("the time of this invocation is up; what it began goes on elsewhere") from None


async def _by(end: float | None, work: Awaitable[None]) -> None:
    async with asyncio.timeout_at(end):
        await work


def _told(taken: Taken) -> dict[str, Any]:
    """What became of an event, for who invoked the function directly."""
    named = {"function": taken.function, "execution": taken.execution, "message": taken.message}
    told: dict[str, Any] = {"status": taken.fate.value} | {name: value for name, value in named.items() if value}
    return told | ({"result": taken.value} if taken.value is not None else {})


def handler_for(
    app: str,
    *,
    auth: str | None = None,
    token: str | None = None,
    store: str | Store | None = None,
    settings: Settings = SETTINGS,
) -> Handler:
    """The handler for the functions of a file or module (``support_desk.py``).

    ``auth`` and ``token`` are OVERWINTER_AUTH and OVERWINTER_TOKEN unless given. Raises InvalidInput that says what
    to change.
    """
    return Handler(functions_of(load(app)), access(auth, token), store=store, settings=settings)
