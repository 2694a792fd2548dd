"""The leases of one process: renewed together while there are any, given back when they can't be used."""

from __future__ import annotations

import asyncio
import logging
from functools import partial

from ...state.errors import StoreError, StoreLost, StoreMoved, StoreUnavailable
from ...state.quantities import milliseconds
from ...state.records import Change, Head
from ..protocol.decider import Fact
from ..protocol.moved import NOTICE, refuse_moved
from ..protocol.newer import AWAITS
from .activation import Activation
from .hosts import Holder
from .sweeping import FOREIGN

log = logging.getLogger("overwinter")

_SAID = 1000  # executions of which is remembered what was said


class Leases:
    """Those of one engine. ``beaten`` is when they were last renewed."""

    def __init__(self, engine: Holder[Activation]) -> None:
        self._engine = engine
        self.beaten = 0
        self.unheard: dict[str, list[Fact]] = {}  # for the next activation of an execution that is being taken up
        self.lost = ""  # why the store is not the one that was opened
        self._looked = 0
        self._newer: dict[str, None] = {}  # executions that are left to a newer release, said already
        self._seen = 0
        self._vigilance = milliseconds(engine.store.vigilance)

    async def beat(self) -> None:
        """Renew all leases, and learn what mail other processes have accepted for the executions held here."""
        engine = self._engine
        now = engine.clock()
        mailed = await engine.store.beat(engine.owner, now, engine.lease)
        self.beaten = now
        for id, arrivals in mailed:
            activation = engine.active.get(id)
            if activation is not None and arrivals > activation.mailbox.arrivals:
                activation.nudge()

    async def look(self) -> None:
        """Look now and then whether what was opened is still there. Raises StoreLost, and says so in the log once."""
        engine, now = self._engine, self._engine.clock()
        if now - self._seen < self._vigilance:
            return
        before, self._seen = self._seen, now  # one look, however many ask at this moment
        try:
            await engine.store.look()
        except StoreError as error:
            self._seen = before
            if isinstance(error, StoreLost) and not self.lost:
                self.lost = str(error)
                log.error("%s", error)
            raise
        if self.lost:
            self.lost = ""
            log.warning("the store is the one that was opened again; work goes on")

    async def notice_move(self) -> None:
        """While there is work, look now and then whether the store is being moved: then nothing more is taken in, and
        what runs is handed over. Asked after a beat, so that the move sees this process or this process the move."""
        engine, now = self._engine, self._engine.clock()
        if engine.moved or now - self._looked < (NOTICE - 1) * 1000:
            return
        before, self._looked = self._looked, now  # one look, however many ask at this moment
        try:
            await refuse_moved(engine.store)
        except StoreUnavailable:
            self._looked = before
            raise
        except StoreMoved as error:
            log.error("%s", error)
            engine.moved, engine.draining = str(error), True

    async def keep_alive(self) -> None:
        """Renew the leases while there are any. A process that holds none writes nothing."""
        while True:
            await asyncio.sleep(self._engine.lease / 4000)
            if self._engine.active:
                try:
                    await self.look()
                    await self.beat()
                    await self.notice_move()
                except StoreLost:
                    continue  # it was said
                except StoreError as error:
                    log.warning("the leases could not be renewed: %s", error)

    def leave(self, head: Head) -> None:
        """This process can't go on with an execution that it was given, and leaves it alone for a while."""
        engine = self._engine
        engine.sweeper.leave(head.id, FOREIGN)
        engine.suspects.gone(head.id)
        engine.spawn(self.hand_back(head))

    def leave_to_newer(self, head: Head, why: str) -> None:
        """A newer release has gone on with it: a process of that one is to do so again. Said once."""
        self._engine.sweeper.leave(head.id, FOREIGN)
        if head.id not in self._newer:
            log.error("execution %s is left to a newer release: %s; upgrade this process", head.id, why)
            self._newer[head.id] = None
            if len(self._newer) > _SAID:
                del self._newer[next(iter(self._newer))]

    async def hand_back(self, head: Head) -> None:
        """Release a lease that this process can't use; the execution stays as it was."""
        engine = self._engine
        change = Change(
            id=head.id,
            owner=engine.owner,
            version=head.version,
            at=engine.clock(),
            entries=(),
            consumed=(),
            arrivals=head.arrivals,
            status="pending" if head.status == "running" else head.status,
            wake=engine.clock() + 1000,
            release=True,
            base=head.base,
            awaits=AWAITS if head.id in self._newer else head.awaits,
            note=head.note,
            state=head.state,
            token=engine.token(),
        )
        try:
            answer = await engine.delivery.patiently(partial(engine.store.append, change), head.id)
            if not answer.released:
                change = change._replace(version=head.version + 1, arrivals=answer.arrivals, token=engine.token())
                await engine.delivery.patiently(partial(engine.store.append, change), head.id)
        except StoreError as error:
            log.warning("execution %s: its lease could not be handed back (%s)", head.id, error)

    async def take_up(self, activation: Activation) -> None:
        """Something came in this process for an execution while its lease was being given back: go on with it."""
        engine, id = self._engine, activation.id
        facts, activation.facts = activation.facts, []
        newer = engine.active.get(id)
        if newer is not None:
            newer.facts += facts
            newer.schedule()
            return
        self.unheard[id] = facts
        try:
            await engine.delivery.patiently(partial(engine.post, id, None), id)
        except StoreError as error:
            log.warning("execution %s: it could not be taken up again (%s)", id, error)
        self.unheard.pop(id, None)  # else another process goes on with it, and orders again what it misses

    def look_after(self, id: str) -> None:
        """A lease may have been granted to this process unawares."""
        self._engine.spawn(self.reclaim(id))

    async def reclaim(self, id: str) -> None:
        """Give a lease back that this process holds and knows nothing of, because an answer of the store was
        lost or could not be used; the execution is begun again from the store then. One whose answer is on its way is
        known as soon as that comes, and whoever gets another answer then looks after it anew."""
        engine = self._engine
        head = await engine.delivery.patiently(partial(engine.store.head, id), id)
        unknown = id not in engine.active and id not in engine.asking
        if head is not None and head.owner == engine.owner and unknown:
            await self.hand_back(head)
