"""Schedules at run time: made, listed, shown, changed, paused, resumed, removed and run by hand, over an opened store.

A schedule is an execution, ``schedule/NAME``. Whoever serves its function keeps it; what is asked here is mail to it,
so that it may be asked where nobody serves anything. Errors: UnknownExecution, InvalidInput, StoreError.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple, Protocol, cast

from ..state.codec import loads
from ..state.errors import (
    AlreadyExists,
    AlreadyFinished,
    Conflict,
    InvalidInput,
    StoreCorrupt,
    UnknownExecution,
    UnknownFunction,
)
from ..state.quantities import Duration
from ..state.records import FINAL, Accepted, Filter, Head, NewExecution, NewMail
from ..state.store import Store
from .audit.store_chain import record
from .engine.delivery import mail_of, start_mail
from .protocol import keys
from .protocol.catalogue import kind_of
from .protocol.decider import Fact
from .protocol.entries import decode, resolve
from .protocol.media import Taken
from .protocol.starting import is_new
from .schedule.naming import FUNCTION, KIND, PREFIX, check_name, check_run, moment
from .schedule.spec import Spec, changed, made, read

log = logging.getLogger("overwinter")

_TELLS = frozenset({"start", "changed", "checkpoint"})
_TRIES = 20
_PAUSE = 0.05


class Schedule(NamedTuple):
    """A schedule as it stands. ``when`` says in words when it is due; ``next`` is the time of the next run (None: there
    is none, or it is paused), ``running`` the ids of runs that are going on, ``waiting`` how many wait for those,
    ``failures`` how many failed one after the other, ``last`` how the latest run ended (id, status, at).

    ``status``: active, paused, stuck (``note`` says why), leaving (it is removed, and a run is still going on)."""

    name: str
    function: str
    when: str
    status: str
    next: int | None
    running: tuple[str, ...]
    waiting: int
    runs: int
    failures: int
    last: Mapping[str, Any] | None
    spec: Spec
    note: str

    @property
    def id(self) -> str:
        """That of its execution."""
        return PREFIX + self.name

    def to_json(self) -> dict[str, Any]:
        """As HTTP and ``--json`` tell it. Without the input, which may be big."""
        told: dict[str, Any] = {"name": self.name, "id": self.id, "function": self.function, "when": self.when}
        told |= {"status": self.status, "next": None if self.next is None else moment(self.next)}
        told |= {"running": list(self.running), "waiting": self.waiting, "runs": self.runs, "failures": self.failures}
        told |= {"last": None if self.last is None else {**self.last, "at": moment(self.last["at"])}}
        spec = self.spec
        if spec.cron:
            told |= {"cron": spec.cron, "zone": spec.zone}
        else:
            told |= {"every": spec.every / 1000} if spec.every else {"at": moment(spec.at)}
        told |= {"overlap": spec.overlap, "missed": spec.missed, "most": spec.most, "jitter": spec.jitter / 1000}
        return told | ({"note": self.note} if self.note else {})


class Desk(Protocol):
    """Where it is asked: a ``Control`` or a ``Runtime``."""

    @property
    def store(self) -> Store: ...
    def clock(self) -> int: ...
    async def prepare(self) -> None: ...
    async def find(self, id: str) -> Head | None: ...
    def all(self, where: Filter) -> AsyncIterator[Head]: ...
    async def act(self, action: str, id: str, *, by: str = "", reason: str = "") -> None: ...


class Put(Protocol):
    """Puts mail into a mailbox, of an execution that is made for it when there is none."""

    async def __call__(self, id: str, mail: NewMail, create: NewExecution | None = None) -> Accepted: ...


Fit = Callable[[str, Any], tuple[str, Any]]
"""The kind of a function that is served here, and its input as it takes it; for others "", and the input as it is.
Raises InvalidInput."""


def _as_it_is(function: str, value: Any) -> tuple[str, Any]:
    return "", value


class Schedules:
    """Those in the store of ``desk``. A ``function`` is given as itself or by its name, a schedule by its name."""

    def __init__(self, desk: Desk, put: Put, fit: Fit = _as_it_is) -> None:
        self._desk = desk
        self._deliver = put
        self._fit = fit

    # -- making --------------------------------------------------------------------------------------

    async def create(
        self,
        function: object,
        cron: str | None = None,
        *,
        every: Duration | None = None,
        at: datetime | str | None = None,
        zone: str | None = None,
        name: str | None = None,
        input: Any = None,
        overlap: str | None = None,
        missed: str | None = None,
        most: int | None = None,
        jitter: Duration | None = None,
        by: str = "",
    ) -> Schedule:
        """Make a schedule; what it takes is as for ``@schedule``. It is durable when this returns. The same one again
        is no error. Raises AlreadyExists when the name is another's, UnknownFunction, InvalidInput."""
        spec = made(
            cron, every=every, at=at, zone=zone, input=input, overlap=overlap, missed=missed, most=most, jitter=jitter
        )
        function = _function_name(function)
        name = check_name(function if name is None else name)
        await self._desk.prepare()
        if spec.at and spec.at <= self._desk.clock():
            raise InvalidInput(f"at={moment(spec.at)} is past; write a time that is still to come")
        kind, value = self._fit(function, spec.input)
        kind = kind or await kind_of(self._desk.store, function)
        if not kind:
            raise UnknownFunction(f"no process has served {function!r} from this store; start one that does first")
        spec = spec._replace(function=function, kind=kind, input=value)
        if not await self._begin(name, spec, by) and (known := await self._current(name)) != spec:
            raise AlreadyExists(
                f"there is another schedule {name!r}, of {known.function}, {known.said()}; choose another name, or "
                "change that one"
            )
        return await self.show(name)

    async def declare(self, name: str, spec: Spec) -> bool:
        """It is to be as the code of its function says, whatever it was. False when that is a time that is past, and
        there is nothing to change."""
        past = 0 < spec.at <= self._desk.clock()
        if past and await self._desk.find(PREFIX + name) is None:
            return False
        by = f"the code of {spec.function}"
        if not past and await self._begin(name, spec, by):
            return True
        known = await self._current(name)
        if known.function != spec.function:
            log.warning("the schedule %s begins %s now, and no longer %s", name, spec.function, known.function)
        await self._put(name, spec, by)
        return True

    async def _begin(self, name: str, spec: Spec, by: str) -> bool:
        """Make it, unless it is there: whether it was not. One that has ended makes room. Raises AlreadyExists when the
        id is another execution's."""
        desk, id = self._desk, PREFIX + name
        told = {"spec": spec.written(), "input": spec.input}
        for _ in range(_TRIES):
            mail = start_mail(desk.clock(), Taken(told), by=by)
            accepted = await self._deliver(id, mail, NewExecution(FUNCTION, KIND))
            head = accepted.head
            assert head is not None, "it is there, or was made"
            if head.kind != KIND:
                raise AlreadyExists(f"{id!r} is the id of another execution, of {head.function}; choose another name")
            if head.status not in FINAL:
                return is_new(accepted)
            try:
                gone = {"id": id, "length": head.length, "link": ""}
                await record(desk.store, "store.delete", "store", at=desk.clock(), by=by, deleted=[gone])
                await desk.store.delete(id, now=desk.clock())
            except Conflict:
                await asyncio.sleep(_PAUSE)  # its end is still being told
        raise AlreadyExists(f"the schedule {name!r} is just ending; try again in a moment")

    # -- reading -------------------------------------------------------------------------------------

    async def list(self, function: object = "", *, prefix: str = "") -> Sequence[Schedule]:
        """All that have not ended, by name: of a function, or whose name begins with ``prefix``."""
        of = _function_name(function) if function else ""
        where = Filter(_OPEN, FUNCTION, PREFIX + prefix)
        found = [await self._seen(head) async for head in self._desk.all(where)]
        return sorted((one for one in found if not of or one.function == of), key=lambda schedule: schedule.name)

    async def show(self, name: str) -> Schedule:
        """One. Raises UnknownExecution."""
        return await self._seen(await self._head(name), changes=True)

    async def runs(self, name: str, limit: int = 20) -> Sequence[Head]:
        """Its latest runs, newest first, as far as they are kept."""
        found: list[Head] = []
        async for head in self._desk.all(Filter(prefix=f"{name}@", parent=PREFIX + name)):
            if len(found) >= limit:
                break
            found.append(head)
        return found

    # -- changing ------------------------------------------------------------------------------------

    async def change(self, name: str, /, *, by: str = "", **changes: Any) -> Schedule:
        """Give it other values for some of what ``create`` takes. What its code says is overruled, until the code says
        something else. A paused one takes it up when it is resumed. Raises UnknownExecution, InvalidInput."""
        given = {key: value for key, value in changes.items() if value is not None or key == "input"}
        if not given:
            raise InvalidInput('nothing is given to change; write what is to be otherwise, like cron="0 8 * * *"')
        if odd := given.keys() - _CHANGEABLE:
            raise InvalidInput(f"{sorted(odd)[0]!r} can't be changed; remove the schedule and make another one")
        await self._head(name)
        spec = changed(await self._current(name), given)
        if spec.at and spec.at <= self._desk.clock():
            raise InvalidInput(f"at={moment(spec.at)} is past; write a time that is still to come")
        await self._put(name, spec._replace(input=self._fit(spec.function, spec.input)[1]), by)
        return await self.show(name)

    async def _put(self, name: str, spec: Spec, by: str) -> None:
        fact: Fact = {"type": "changed", "at": self._desk.clock(), "spec": spec.written(), "input": spec.input}
        await self._tell(name, fact | ({"by": by} if by else {}))

    async def pause(self, name: str, *, by: str = "", reason: str = "") -> None:
        """No more runs, until it is resumed; the times that pass meanwhile are not missed. What is going on goes on."""
        await self._head(name)
        await self._desk.act("pause", PREFIX + name, by=by, reason=reason)

    async def resume(self, name: str, *, by: str = "", reason: str = "") -> None:
        """Go on from now."""
        await self._head(name)
        await self._desk.act("resume", PREFIX + name, by=by, reason=reason)

    async def remove(self, name: str, *, cancel: bool = False, by: str = "") -> None:
        """Take it away. A run that is going on ends by itself, unless it is to be cancelled, or the schedule is stuck.
        Raises UnknownExecution."""
        head, id, why = await self._head(name), PREFIX + name, "its schedule was removed"
        if head.status == "stuck":
            await self._desk.act("terminate", id, by=by, reason=why)
            return
        if cancel:
            await self._desk.act("cancel", id, by=by, reason=why)
        else:
            await self._tell(name, {"type": "withdrawn", "at": self._desk.clock()} | ({"by": by} if by else {}))
        if head.status == "paused":
            with suppress(AlreadyFinished):  # somebody was resuming it, and it has read it
                await self._desk.act("resume", id, by=by, reason=why)  # only now is it read

    async def run_now(self, name: str, *, id: str = "", by: str = "") -> str:
        """Begin a run at once, beside its times; where runs must not meet, after what is going on. Returns the id of
        the run, which ``id`` makes the same each time it is asked for. Raises UnknownExecution, InvalidInput."""
        head = await self._head(name)
        if head.status == "paused":
            raise InvalidInput(f"the schedule {name!r} is paused; resume it first, or start its function by itself")
        now = self._desk.clock()
        run = f"{name}@{check_run(id)}" if id else f"{name}@{moment(now)}-{secrets.token_hex(2)}"
        await self._tell(name, {"type": "run", "at": now, "id": run} | ({"by": by} if by else {}), keys.run(run))
        return run

    async def _tell(self, name: str, fact: Fact, key: str = "") -> None:
        await self._desk.prepare()
        accepted = await self._deliver(PREFIX + name, mail_of(fact, key, lane=1))
        if accepted.head is None or accepted.head.status in FINAL:
            raise _unknown(name)

    # -- what the store says -------------------------------------------------------------------------

    async def _head(self, name: str) -> Head:
        head = await self._desk.find(PREFIX + name)
        if head is None or head.kind != KIND or head.status in FINAL:
            raise _unknown(name)
        return head

    async def _seen(self, head: Head, *, changes: bool = False) -> Schedule:
        name, state = head.id.removeprefix(PREFIX), cast("dict[str, Any]", loads(head.state or "{}"))
        try:
            spec = await self._current(name) if changes or not state else read(state["spec"], None)
            taken_up = bool(state) and state["spec"] == spec.written()
            when, upcoming = spec.said(), spec.calendar().after(self._desk.clock() if state else head.created)
        except InvalidInput:  # it was made by a newer release, or for a zone that is not known here
            spec, when, upcoming, taken_up = Spec(), "at times that can't be told here", None, True
        status = "paused" if head.status == "paused" else "stuck" if head.status == "stuck" else "active"
        leaving = status == "active" and bool(state.get("leaving"))
        return Schedule(
            name=name,
            function=spec.function,
            when=when,
            status="leaving" if leaving else status,
            next=(state.get("next", upcoming) if taken_up else upcoming) if status == "active" else None,
            running=tuple(state.get("running", ())),
            waiting=state.get("waiting", 0),
            runs=state.get("runs", 0),
            failures=state.get("failures", 0),
            last=state.get("last"),
            spec=spec,
            note=head.awaits if status == "stuck" else "",
        )

    async def _current(self, name: str) -> Spec:
        """What it says now, what was sent to it and not taken up included."""
        store, id = self._desk.store, PREFIX + name
        head = await self._head(name)
        found: Fact | None = None
        async for fact in _all(lambda after: _mails(store, id, after)):
            found = fact if fact["type"] in _TELLS else found
        if found is None:
            async for fact in _all(lambda after: _entries(store, id, head.base - 1, after)):
                found = fact if fact["type"] in _TELLS else found
        if found is None:
            raise StoreCorrupt(f"the journal of {id} does not say what it is")
        await resolve(store, id, [found])
        told: Any = found["input"] if found["type"] == "start" else found
        return read(told["spec"], told.get("input"))


Page = list[tuple[int, Fact]]
_CHANGEABLE = frozenset({"cron", "every", "at", "zone", "input", "overlap", "missed", "most", "jitter"})
_OPEN = ("pending", "running", "waiting", "in-doubt", "idle", "paused", "stuck")


async def _all(read: Callable[[int], Awaitable[Page]]) -> AsyncIterator[Fact]:
    """What a page-wise reading brings, to its end."""
    after = 0
    while page := await read(after):
        for after, fact in page:  # noqa: B007  # the number of the last one is where the next page begins
            yield fact


async def _mails(store: Store, id: str, after: int) -> Page:
    return [(mail.seq, decode(mail.body)) for mail in await store.mail(id, 1, after)]


async def _entries(store: Store, id: str, base: int, after: int) -> Page:
    place = max(base, after)
    return [(number, decode(text)) for number, text in enumerate(await store.history(id, place), place + 1)]


def _function_name(function: object) -> str:
    if isinstance(function, str):
        return function
    found = getattr(getattr(function, "__overwinter__", function), "name", None)
    if not isinstance(found, str):
        raise InvalidInput(f"{function!r:.80} is no agent, workflow or tool; give one, or its name")
    return found


def _unknown(name: str) -> UnknownExecution:
    return UnknownExecution(f"there is no schedule {name!r}; `overwinter schedule list` lists what there is")
