"""Many executions in one asyncio process: takes events in, holds the leases, sweeps what is due.

The engine never trusts its memory: an execution that it has not leased may be moved by any other process,
and everything that must happen later stands in the store. At most ``max_active`` executions are active; the
rest wait in the store and are taken from the one due index as places become free.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import random
import socket
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ...state.errors import StoreCorrupt, StoreError, StoreMoved, StoreUnavailable, UnknownFunction
from ...state.quantities import Duration, milliseconds, seconds
from ...state.records import FINAL, Accepted, Answer, Appended, Change, Head, NewExecution, NewMail
from ...state.sealing.marker import refuse_sealed
from ...state.store import Store
from ..protocol.catalogue import announce
from ..protocol.clock import SharedClock, wall_clock
from ..protocol.decider import Effect, Fact, Function, Invoke
from ..protocol.entries import decode_all, resolve
from ..protocol.keeping import lacks
from ..protocol.moved import refuse_moved
from ..protocol.newer import newer
from ..protocol.stuck import damaged
from ..upkeep.tidying import keep_tidy
from ..usercode.threads import Threads
from .activation import Activation
from .cache import Cache
from .causes import Causes
from .cutting import Cut
from .delivery import Delivery
from .ending import Ending, cut_off
from .health import Health
from .leases import Leases
from .patience import lasting
from .performing import Performer
from .quarantine import Suspects
from .settings import Settings as Settings
from .shelf import Shelf
from .sweeping import FOREIGN, Place, Sweeper
from .trials import Trials
from .turns import Turns
from .waiting import Waiters, settled

log = logging.getLogger("overwinter")


class Engine:
    """Runs the executions of ``functions`` that are stored in ``store`` (opened by the caller)."""

    def __init__(
        self,
        store: Store,
        functions: Mapping[str, Function],
        settings: Settings = Settings(),
        *,
        clock: Callable[[], int] = wall_clock,
        draw: random.Random | None = None,
        owner: str = "",
        threads: Threads | None = None,
    ) -> None:
        self.store = store
        self.functions = functions
        self.served = frozenset(functions)
        self.settings = settings
        self.clock = SharedClock(clock)
        self.owner = owner or f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self.lease = milliseconds(store.lease if settings.lease is None else settings.lease)
        self.poll = seconds(store.poll if settings.poll is None else settings.poll)
        threads = threads or Threads(settings.threads, settings.spare_threads)
        self.performer = Performer(self.clock, draw or random.Random(), threads, Shelf(store))
        self.delivery = Delivery(self)
        self.leases = Leases(self)
        self.health = Health()
        self.causes = Causes()
        self.active: dict[str, Activation] = {}
        self.loop: asyncio.AbstractEventLoop
        self.turns: Turns
        self.cache: Cache[Activation] = Cache(settings.cache)
        self._tokens = itertools.count()
        self._mark = uuid.uuid4().hex[:12]
        self.waiters = Waiters()
        self._tasks: set[asyncio.Task[None]] = set()
        self._cut = False  # one of them was cancelled
        self.draining = False
        self.taken = 0  # leases granted so far
        self.asking: Counter[str] = Counter()  # executions for which a lease may be on its way
        self.moved = ""  # where the store's executions have gone
        self.ending = Ending()
        wants, busy = self.causes.__contains__, lambda: self.active.keys() | self.asking.keys()
        place = Place(self._room, busy, wants, self._take, self.leases.look, self.leases.look_after)
        self.sweeper = Sweeper(store, self.clock, self.poll, place)
        self.trials = Trials(self, settings.deaths, self.delivery.patiently)
        self.suspects = Suspects(settings.deaths, self.clock, self.sweeper, self.delivery.read, self.trials)

    # -- life ----------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Register this process and begin to take what is due. Raises StoreError, also when the store has moved."""
        self.loop = asyncio.get_running_loop()
        self.turns = Turns(self.loop)
        await self.clock.agree(self.store)
        await self.leases.beat()
        try:
            await refuse_sealed(self.store)
            await refuse_moved(self.store)  # after the beat: a move that begins now sees this process
        except StoreError:
            await self.store.retire(self.owner)
            raise
        for work in (
            self.leases.keep_alive,
            self.sweeper.keep_on,
            partial(keep_tidy, self.store, self.settings.retention, self.clock),
            partial(announce, self.store, self.functions),
        ):
            self.spawn(lasting(work))

    async def close(self, grace: Duration | None = None, cut: Cut | None = None) -> None:
        """Hand over: take nothing more, let running calls end within the grace period, release the rest so
        that the next process goes on at once. With ``cut`` it counts that they are cut off then."""
        self.draining = True
        self.performer.impatient = True
        deadline = self.loop.time() + seconds(self.settings.grace if grace is None else grace)
        await self.ending.wait(self.active, deadline)
        await cut_off(self.performer, list(self.active.values()), cut)
        for activation in list(self.active.values()):
            activation.stop()
        self.active.clear()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.cache.close()
        self.performer.close()
        self.waiters.cancel()
        try:
            async with asyncio.timeout_at(max(deadline, self.loop.time() + 1)):
                await self.store.retire(self.owner)
        except (StoreError, TimeoutError) as error:
            log.warning("the leases of this process end by themselves, the store can't be told (%s)", error)

    def append(self, change: Change) -> asyncio.Future[Appended]:
        return asyncio.ensure_future(self.store.append(change))

    def token(self) -> str:
        """What names one commit among all commits of all processes."""
        return f"{self._mark}{next(self._tokens):x}"

    def spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._cut = self._cut or task.cancelled()

    # -- events in -----------------------------------------------------------------------------------

    async def post(
        self,
        id: str,
        mail: NewMail | None,
        *,
        create: NewExecution | None = None,
        reopen: bool = False,
        by: str = "",
    ) -> Accepted:
        """Make an event durable and run the execution here when it is free and there is room. ``by``: the execution
        that sends it, "" for the outside.

        Durable when it returns (except MISSING, FINISHED and OTHER, which change nothing). Raises StoreError.
        """
        if mail is not None:
            self.causes.note(id, by)
        if self.served and self._has_room(id) and self.clock() - self.leases.beaten > self.lease // 2:
            await self.leases.beat()
        await self.leases.look()
        await self.leases.notice_move()
        if self.moved:
            raise StoreMoved(self.moved)
        owner = self.owner if self.served and self._has_room(id) else None  # only now: it may have closed meanwhile
        now, known = self.clock(), self._known(id)
        ask = partial(self.store.accept, create=create, known=known, reopen=reopen, served=self.served)
        accept = asyncio.ensure_future(ask(id, mail, now=now, owner=owner))
        self.asking[id] += 1
        # The lease must not get lost when the caller is cancelled while the store answers.
        accept.add_done_callback(partial(self._accepted, id, now))
        return (await settled(accept)).result()

    def _known(self, id: str) -> int | None:
        """The version whose state is here, or will be when the store comes to look: a release may be on its way."""
        active = self.active.get(id)
        if active is not None and active.committing is not None and not active.stale and self.cache.size:
            return active.version + 1
        return self.cache.version(id)

    def _has_room(self, id: str) -> bool:
        free = len(self.active) < self.settings.max_active or id in self.active
        return free and not self.draining and not self.trials.closed(id)

    def _accepted(self, id: str, asked: int, done: asyncio.Future[Accepted]) -> None:
        self.asking[id] -= 1
        if not self.asking[id]:
            del self.asking[id]
        if done.cancelled() or done.exception() is not None:
            if not done.cancelled() and isinstance(done.exception(), (StoreUnavailable, StoreCorrupt)):
                self.sweeper.doubt(id)
            return
        head = (accepted := done.result()).head
        if accepted.answer is Answer.GRANTED and head is not None:
            self._activate(accepted, head, asked)
        elif head is not None and head.owner == self.owner:
            activation = self.active.get(id)
            if activation is None:
                if id not in self.asking:  # else this is the answer that overtook the grant
                    self.leases.look_after(id)
            elif accepted.mail:
                activation.arrive(accepted.mail[0], head.arrivals)
            elif accepted.answer is Answer.BUSY and head.arrivals > activation.mailbox.arrivals:
                activation.nudge()
        elif accepted.answer is Answer.QUEUED:
            self.sweeper.tell()

    def _activate(self, accepted: Accepted, head: Head, asked: int) -> None:
        if head.deaths and not self.suspects.may_begin(head.id, head.deaths):
            self.spawn(self.leases.hand_back(head))
            return
        cached = self.cache.take(head.id, -1 if head.deaths else head.version)
        if cached is not None:
            self._supersede(cached)
            self.taken += 1
            cached.wake(accepted.mail, head, asked)
            return
        function = self.functions.get(head.function)
        if function is None or self.draining:
            return self.leases.leave(head)
        activation = Activation(self, head, function.decider(head.id), accepted.entries)
        self._supersede(activation)
        self.taken += 1
        activation.deadlines.leased(asked, warm=False)
        activation.receive(accepted.mail, head.arrivals)
        if head.status not in FINAL and (head.deaths or head.status in ("stuck", "paused")):
            begin = partial(self._begin, activation, head, accepted.entries)
            if self.suspects.set_aside(activation, head, accepted, function, begin):
                return
        self._begin(activation, head, accepted.entries)

    def _begin(self, activation: Activation, head: Head, entries: Any) -> None:
        if entries is None or head.status in FINAL or lacks(entries):
            activation.effects.run(activation, "load", partial(self._load_slowly, activation, head, entries))
        else:
            try:
                self._load(activation, head, decode_all(entries, head.base))
            except StoreCorrupt as error:
                activation.give_up(damaged(error))

    def _supersede(self, activation: Activation) -> None:
        """Another lease was granted, so what an earlier one left here is over or waits for its last answer."""
        earlier = self.active.get(activation.id)
        self.active[activation.id] = activation
        activation.facts += self.leases.unheard.pop(activation.id, ())
        if earlier is not None and earlier.committing is None:
            earlier.stop()

    def _load(self, activation: Activation, head: Head, entries: list[Fact]) -> None:
        if why := newer(entries, head.base, getattr(activation.decider, "kinds", None)):
            self.leases.leave_to_newer(head, why)
            return self.lost(activation)
        activation.unread, activation.loading = (head.state, head.base, entries), False
        self.performer.loaded(head, entries)
        activation.schedule()

    async def _load_slowly(self, activation: Activation, head: Head, texts: Any) -> None:
        """Loading that needs the store again: blobs, an ended one's outbox, a journal that the cache had let go."""
        activation.link = activation.link if texts else await self.delivery.link(head)
        if head.status in FINAL:
            activation.loading = False
            await self.delivery.finish_outbox(activation, head)
        else:
            self._load(activation, head, await self.delivery.read(head, texts))
        activation.report({"type": "fetched", "op": "load"})

    # -- what activations tell -----------------------------------------------------------------------

    async def deliver(self, activation: Activation, effect: Effect) -> None:
        assert not isinstance(effect, Invoke)
        await self.delivery.deliver(activation, effect)

    async def fill(self, id: str, facts: list[Fact]) -> None:
        """Put the blobs of an execution's facts in place."""
        await resolve(self.store, id, facts)

    def released(self, activation: Activation, change: Change) -> None:
        """The lease is given back; the decider may be used again if nobody else moves the execution."""
        current = self.current(activation)  # else the answer about a newer lease came before this one
        if current:
            del self.active[activation.id]
            self.suspects.gone(activation.id)
        if activation.timer is not None:
            activation.timer.cancel()
            activation.timer = None
        activation.over = True
        if activation.unheard():
            self.spawn(self.leases.take_up(activation))
        if activation.stale or not current:
            activation.decider.close()
        else:
            self.cache.keep(activation)
        if change.wake is not None:
            self.sweeper.wake_at(change.wake)
        self._made_room()

    def lost(self, activation: Activation) -> None:
        """Somebody else owns the execution now, or it can't go on here."""
        if self.active.get(activation.id) is activation:
            del self.active[activation.id]
            self.suspects.gone(activation.id)
            self.leases.look_after(activation.id)
        if activation.effects.hold():
            self.performer.unheard.add(activation.id)
        activation.stop()
        self._made_room()

    def interrupted(self) -> bool:
        """Whether the loop is being ended around an open engine: then a cancelled call says nothing about itself."""
        return self._cut or any(task.cancelling() for task in self._tasks)

    def current(self, activation: Activation) -> bool:
        """Whether it is the one that holds the lease, as far as is known here."""
        return self.active.get(activation.id) is activation

    def _made_room(self) -> None:
        if not self.active:
            self.ending.empty()
        if len(self.active) == self.settings.max_active - 1:
            self.sweeper.tell()

    # -- the due index -------------------------------------------------------------------------------

    async def sweep(self) -> int:
        """Take what is due, as far as there is room. Returns how many executions were taken."""
        return await self.sweeper.sweep()

    def _room(self) -> int:
        open_ = self.served and not (self.draining or self.trials.shut)
        return self.settings.max_active - len(self.active) if open_ else 0

    async def _take(self, id: str) -> bool:
        if id not in self.cache:
            head = await self.store.head(id)
            if head is None or self.trials.closed(id):
                return False
            if head.function not in self.functions:
                self.sweeper.leave(id, FOREIGN)
                return False
            if not self.suspects.may_take(head):
                return False
        try:
            return (await self.post(id, None)).answer is Answer.GRANTED
        finally:
            if id not in self.active:
                self.suspects.gone(id)

    # -- functions -----------------------------------------------------------------------------------

    def function(self, name: str) -> Function:
        """The served function of that name. Raises UnknownFunction."""
        function = self.functions.get(name)
        if function is None:
            known = ", ".join(sorted(one for one in self.functions if "/" not in one)) or "none"
            raise UnknownFunction(f"no agent or workflow {name!r} is served here; these are: {known}")
        return function

    def idle(self) -> bool:
        """Nothing is active in this process, nor about to be."""
        return not (self.active or self.asking or self.sweeper.running.locked())

    def works_for(self, id: str) -> bool:
        """Whether the execution, or one that was started for it, is active here or about to be."""
        parents = {active.parent for active in self.active.values() if active.parent is not None}
        for _ in self.active:  # a chain is no longer than that
            if id in parents:
                return True
            parents = {up for one in parents if (active := self.active.get(one)) and (up := active.parent) is not None}
        return id in self.active or id in self.asking

    def done(self) -> bool:
        """Nothing of what ``causes`` says is this process's to work on is active, nor about to be."""
        return not self.causes.among(self.active, self.asking)
