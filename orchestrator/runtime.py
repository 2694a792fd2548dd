"""The in-process face: functions, a store and an engine in one object. HTTP and the command line stand on it.

async with Runtime([ticket, support], store="sqlite:///shop.db") as runtime:
    handle = await runtime.start(ticket, {"question": "…"}, id="ticket-7")
    answer = await handle.result()
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Mapping
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack, cast, overload

from ..state.codec import stored
from ..state.errors import (
    AlreadyFinished,
    InvalidInput,
    StoreUnavailable,
    UnknownFunction,
)
from ..state.ids import check_id
from ..state.opening import open_store
from ..state.quantities import Duration, seconds
from ..state.records import Accepted, Answer, Head, NewExecution, NewMail
from ..state.store import Store
from .control import Control, error_of
from .endings import end_error, typed_output
from .engine import collecting
from .engine.cutting import Cut
from .engine.delivery import mail_of
from .engine.door import refuse_unfit
from .engine.engine import Engine
from .engine.extensions import Extension, Extensions
from .engine.paying import give_back, purse_of
from .engine.settings import Settings
from .engine.vitals import show_vitals
from .engine.waiting import Awaited, heard, outdated
from .handles import Handle, Sent
from .lifetime import Lifetime
from .ordering import For, Said, order, said_of
from .protocol import keys
from .protocol.clock import wall_clock
from .protocol.decider import Fact, Function
from .protocol.media import take
from .replies import ReplySearch
from .sessions import Sessions
from .streaming.audience import Audience
from .streaming.journal import Since
from .streaming.position import Position
from .streaming.told import StreamEvent
from .usercode.calling import alone, checked
from .usercode.served import by_name, served
from .usercode.threads import Threads

if TYPE_CHECKING:
    from .workflow.targets import Body, Served

log = logging.getLogger("overwinter")
T = TypeVar("T")
REMEMBERED = 4096


class Runtime(Control):
    """Serves ``functions`` (agents, workflows, tools: objects or a mapping of names) from ``store``
    (a DSN, a Store, or None for ``OVERWINTER_STATE``, by default ``sqlite:///overwinter.db``).
    ``extensions`` are told what begins and ends, beside those that ``functions`` brings (``loading.Found``).
    ``threads`` None: its own; a process that opens one runtime after the other hands the same on. ``unnamed`` are
    served too, but only the code that holds them can start them.
    It is opened once, by ``async with``; outside of that it raises RuntimeError."""

    def __init__(
        self,
        functions: Iterable[object] | Mapping[str, object] = (),
        store: str | Store | None = None,
        settings: Settings = Settings(),
        *,
        clock: Callable[[], int] = wall_clock,
        threads: Threads | None = None,
        extensions: Iterable[Extension] = (),
        unnamed: Iterable[object] = (),
    ) -> None:
        super().__init__(store if isinstance(store, Store) else open_store(store))
        self.functions = by_name(functions)
        durable = {name: cast("Function", f) for name, f in self.functions.items() if hasattr(f, "decider")}
        durable |= {f.name: f for f in map(_of_ours, unnamed)}
        self.engine = Engine(self.store, durable, settings, clock=clock, threads=threads)
        brought: Iterable[Extension] = getattr(functions, "extensions", ())
        self.extensions = Extensions([*extensions, *brought], self.engine.active)
        self.engine.performer.extensions = self.extensions
        self.purse = self.engine.performer.purse = purse_of(self.engine, self.extensions)
        self._audience = self.engine.performer.audience = Audience(self.store, self.clock, self.extensions)
        self._sessions = Sessions(self.store)
        self._awaited = Awaited(REMEMBERED)
        self._since: dict[tuple[str, str], tuple[int, int]] = {}  # message sent here -> its session's length, and age
        self.ready = self._closing = False
        self._due = lambda: self.engine.sweeper.tell()
        self._life = Lifetime()
        self._watchdog = show_vitals(self.engine)
        self.engine.health.add_check("runtime", self._starting_or_stopping)

    async def __aenter__(self) -> Self:
        self._life.begin()
        try:
            await self._open()
        except BaseException:
            self._life.fail()
            raise
        self.ready = True
        collecting.begin(self.engine.settings.collector)
        if self._watchdog is not None:
            self._watchdog.start()
        return self

    async def _open(self) -> None:
        await self.store.open()
        try:
            await self.engine.open()
        except BaseException:
            await self.store.close()
            raise

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self, grace: Duration | None = None, cut: Cut | None = None) -> None:
        """Hand over within the grace period and close the store, once. With ``cut`` a call cut off then has failed."""
        if self._closing or not self._life.begun:
            return
        if self.ready:
            collecting.end(self.engine.settings.collector)
        self.ready, self._closing = False, True
        self._awaited.cancel()
        try:
            await self.engine.close(grace, cut)
            await self._audience.close()
            await give_back(self.purse)
            await self._handed_over()
        finally:
            if self._watchdog is not None:
                self._watchdog.stop()
            await self.store.close()
            self._life.end()

    async def _handed_over(self) -> None:
        """Nothing is at work here any more, and the store is still open."""

    def clock(self) -> int:
        return self.engine.clock()

    @property
    def audience(self) -> Audience:
        return self._audience

    @property
    def at_work(self) -> Mapping[str, object]:
        return self.engine.active

    def _starting_or_stopping(self) -> str:
        return "" if self.ready and self.functions else "the runtime is starting or stopping"

    async def prepare(self) -> None:
        """The engine has agreed on the time when it was opened, and sees by itself when the store moves."""
        self._life.check()

    async def _admit(self, id: str, fact: Fact) -> None:
        await refuse_unfit(self.engine, id, fact, self.entries)

    async def _post(self, id: str, mail: NewMail, *, reopen: bool = False) -> Accepted:
        return await self.engine.post(id, mail, reopen=reopen)

    # -- starting ------------------------------------------------------------------------------------

    @overload
    async def start(
        self, function: Served[T], input: Any = ..., *, id: str | None = ..., **said: Unpack[For]
    ) -> Handle[T]: ...
    @overload
    async def start(
        self, function: Body[T], input: Any = ..., *, id: str | None = ..., **said: Unpack[For]
    ) -> Handle[T]: ...
    @overload
    async def start(
        self, function: object, input: Any = ..., *, id: str | None = ..., **said: Unpack[For]
    ) -> Handle[Any]: ...
    async def start(
        self, function: Any, input: Any = None, *, id: str | None = None, **said: Unpack[For]
    ) -> Handle[Any]:
        """Start an agent run or a workflow; it is durable when this returns. Starting the same id with the
        same input again is the same start. ``by`` is who does it, and for whom; ``user`` another one for whom it is
        done, ``tenant`` the tenant. ``stream``: somebody will listen to an agent's answer while it is being
        said (``Handle.events``). Raises UnknownFunction, InvalidInput, AlreadyExists."""
        served = self._durable(function)
        id = f"{served.name}-{secrets.token_hex(8)}" if id is None else check_id(id)
        return Handle(self, id, await self.order(served, input, id=id, **said_of(said)))

    async def order(self, function: Function, input: Any, *, id: str, **said: Unpack[Said]) -> bool:
        """Begin what is ordered by whoever says that of itself; whether it was not begun before. Durable when it
        returns. Raises InvalidInput, AlreadyExists, StoreError."""
        self._life.check()
        return await order(self.engine, self._awaited, function, input, id, said)

    @overload
    async def send(
        self, agent: Served[T], session: str, content: Any, *, id: str | None = ..., **said: Unpack[For]
    ) -> Sent[T]: ...
    @overload
    async def send(
        self, agent: object, session: str, content: Any, *, id: str | None = ..., **said: Unpack[For]
    ) -> Sent[Any]: ...
    async def send(
        self, agent: Any, session: str, content: Any, *, id: str | None = None, **said: Unpack[For]
    ) -> Sent[Any]:
        """Put a message into an agent session, which is created by its first message. ``id`` makes it
        arrive once; ``by``, ``user``, ``tenant`` and ``stream`` are as for ``start``. Raises UnknownFunction,
        InvalidInput, AlreadyFinished; AlreadyExists where the session's id is that of a run or a workflow."""
        self._life.check()
        served = self._durable(agent)
        if served.kind != "agent":
            raise InvalidInput(f"{served.name} is a {served.kind}; only agents have sessions")
        execution = f"{served.name}/" + check_id(session, "the key of a session")
        message = secrets.token_hex(8) if id is None else check_id(id, "the id of a message")
        taken = take(served.kind, checked(served, content), self.store.payload_limit)
        fact: Fact = {"type": "message", "at": self.clock(), "id": message, "content": taken.value}
        stream = said.get("stream", False)
        fact |= {name: value for name, value in said_of(said, turn=True).items() if value} if said else {}
        waiter = None
        if not stream:  # else it is listened to; who waits all the same looks for it
            waiter = self._awaited.remember((execution, message), self.engine.waiters.reply(execution, message))
        create = NewExecution(served.name, served.kind)
        try:
            mail = mail_of(fact, "" if id is None else keys.message(id), lane=1, taken=taken)
            accepted = await self.engine.post(execution, mail, create=create)
            await self._sessions.check(served.name, accepted)
        except BaseException:
            if waiter is not None:
                waiter.cancel()
            raise
        if accepted.answer is Answer.FINISHED:
            raise AlreadyFinished(f"the session {execution} is {cast('Head', accepted.head).status}; use another key")
        duplicate = accepted.answer is Answer.DUPLICATE
        if duplicate and waiter is not None:
            self._awaited.forget((execution, message), waiter)  # it may be answered
        head = None if duplicate or accepted.again else accepted.head  # else it may be answered in that one
        since = None if head is None else Since(head.version, head.length)
        if head is not None:
            self._since[execution, message] = head.length, head.created
            if len(self._since) > REMEMBERED:
                del self._since[next(iter(self._since))]
        return Sent(self, execution, message, duplicate, since)

    async def stream(
        self, agent: object, session: str, content: Any, *, id: str | None = None, by: str = ""
    ) -> AsyncGenerator[StreamEvent]:
        """Send a message and tell what becomes of it, the answer piece by piece, until it is answered. To go on after
        an interruption, give the message an ``id`` and ask ``events`` with that of the last event. Raises what
        ``send`` does."""
        sent = await self.send(agent, session, content, id=id, by=by, stream=True)
        known = sent.since  # where to begin: each generator between costs every piece something
        events = sent.events() if known is None else self._following(sent.execution, Position(), sent.id).events(known)
        async with aclosing(events):
            async for event in events:
                yield event

    async def invoke(self, tool: object, arguments: Any = None) -> Any:
        """Call a tool once, without an execution around it. Raises what the tool raises."""
        served = self._served(tool)
        call = getattr(served, "invoke", None)
        if call is None:
            raise InvalidInput(f"{getattr(served, 'name', served)!r} is no tool; start it instead")
        thread = None
        if getattr(served, "threaded", False):
            thread = partial(self.engine.performer.threads.run, getattr(served, "name", ""))
        write: Callable[[Any], Any] = getattr(served, "write", stored)
        return write(await alone(partial(call, arguments or {}), thread))

    # -- waiting -------------------------------------------------------------------------------------

    async def result(self, id: str, timeout: Duration | None = None, *, typed: bool = True) -> Any:
        """The output of an execution, typed by its function's annotation (InvalidInput when that has changed since), or
        as the plain JSON that was recorded. Raises ExecutionFailed, ExecutionCancelled, ExecutionTerminated,
        ExecutionStuck, or TimeoutError when it is still going on. ``timeout`` 0 looks once, however long that takes."""
        ending = await self._wait((id,), lambda: self._look_for_end(id), timeout)
        if ending["type"] == "completed":
            value = ending.get("value")
            by = self.functions.get(ending.get("agent") or ending["function"])
            return typed_output(value, by, id) if typed else value
        raise end_error(id, ending)

    async def reply(self, execution: str, message: str, timeout: Duration | None = None, *, typed: bool = True) -> Any:
        """The reply to a message, typed by the agent's output, or as the plain JSON that was recorded. Raises the
        reply's error, or TimeoutError."""
        since = self._since.pop((execution, message), (0, 0))
        search = ReplySearch(self.store, execution, message, *since)
        reply = await self._wait((execution, message), partial(self._look_for_reply, search, execution), timeout)
        if reply["type"] != "reply":
            raise end_error(execution, reply)
        if "error" in reply:
            raise error_of(reply)
        value = reply.get("value")
        by = self.functions.get(reply.get("agent") or execution.partition("/")[0])
        return typed_output(value, by, execution) if typed else value

    async def _wait(
        self, key: tuple[str, ...], look: Callable[[], Coroutine[Any, Any, Fact | None]], timeout: Duration | None
    ) -> Fact:
        """What another process may also bring about, for so long. Raises TimeoutError."""
        self._life.check()
        if timeout is None:
            return await self._listen(key, look)
        limit = seconds(timeout)
        if limit:
            async with asyncio.timeout(limit):
                return await self._listen(key, look)
        found = await look()
        if found is None:
            raise TimeoutError
        return found

    async def _listen(self, key: tuple[str, ...], look: Callable[[], Coroutine[Any, Any, Fact | None]]) -> Fact:
        """Listen here and at the store, and look into it now and then."""
        waiter = self._awaited.take(key)
        early = waiter is not None and not outdated(waiter)
        if waiter is None or not early:
            waiter = self._watch(key)
        try:
            if early and await heard(waiter, None, 1.0 if key[0] in self.engine.active else 0.05):
                return waiter.result()
            async with self.store.watch(key[0]) as told:
                pause = 0.05
                while True:
                    self._life.check()
                    at_work: object = self.engine.active.get(key[0])
                    try:
                        found = await look()
                    except StoreUnavailable as error:  # it comes back, and with it the answer
                        log.warning("waiting on: %s", error)
                        found = at_work = None
                    if found is not None:
                        return found
                    if await self._hears(key[0], at_work, waiter, told, pause):
                        return waiter.result()
                    pause = min(1.0 if told is None else 5.0, pause * 1.5)
        finally:
            waiter.cancel()

    async def _hears(
        self, id: str, at_work: object, waiter: asyncio.Future[Fact], told: asyncio.Event | None, pause: float
    ) -> bool:
        """Whether it is told of. While what was ``at_work`` here before the last look goes on, nobody else can."""
        if at_work is None:
            return await heard(waiter, told, pause)
        while self.engine.active.get(id) is at_work and not await heard(waiter, told, 1.0):
            pass
        return waiter.done()

    def _watch(self, key: tuple[str, ...]) -> asyncio.Future[Fact]:
        return self.engine.waiters.end(key[0]) if len(key) == 1 else self.engine.waiters.reply(key[0], key[1])

    async def _look_for_end(self, id: str) -> Fact | None:
        head = await self.at_rest(id)
        if head is None:
            return None
        if head.status == "stuck":
            return {"type": "stuck", "error": head.awaits}
        return await self.ending(head) | {"function": head.function}

    async def _look_for_reply(self, search: ReplySearch, execution: str) -> Fact | None:
        head = await self.show(execution)
        reply = await search.look(head.length, head.created)
        if reply is not None:
            return reply
        ending = await self._look_for_end(execution)
        if ending is None:
            await search.check()
        return ending

    # -- functions -----------------------------------------------------------------------------------

    def _served(self, function: object) -> object:
        if isinstance(function, str):
            found = self.functions.get(function)
            if found is None:
                known = ", ".join(sorted(self.functions)) or "none"
                raise UnknownFunction(f"no function {function!r} is served here; these are: {known}")
            return found
        return served(function)

    def _durable(self, function: object) -> Function:
        served = self._served(function)
        if not hasattr(served, "decider"):
            raise InvalidInput(f"{getattr(served, 'name', served)!r} is a tool; invoke it instead of starting it")
        return self.engine.function(cast("Function", served).name)


def _of_ours(thing: object) -> Function:
    return cast("Function", getattr(thing, "__overwinter__", thing))
