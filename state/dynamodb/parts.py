"""What the operations of one store share, and what a process remembers of the executions it holds."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import NamedTuple

from .journal import Journal
from .mailbox import Mailbox
from .parcels import Parcels
from .picture import Picture
from .place import Place
from .table import Table
from .wire import Wire

_PICTURES = 10_000
_CROWDS = 100


class Held:
    """The last pictures of executions that an owner of this process holds. They save reading: a write that trusts
    one is conditioned on it, so an old one costs a request and never an error."""

    def __init__(self) -> None:
        self._pictures: OrderedDict[str, Picture] = OrderedDict()
        self._crowds: OrderedDict[str, Picture] = OrderedDict()
        self._turns: dict[str, tuple[asyncio.Lock, int]] = {}

    def get(self, id: str) -> Picture | None:
        return self._pictures.get(id)

    def keep(self, picture: Picture) -> None:
        """What was granted or appended here."""
        self._pictures[picture.head.id] = picture
        self._pictures.move_to_end(picture.head.id)
        if len(self._pictures) > _PICTURES:
            self._pictures.popitem(last=False)

    def renew(self, picture: Picture) -> None:
        """What was seen by the way; answers may arrive in another order than they were given."""
        known = self._pictures.get(picture.head.id)
        if known is None:
            return
        if known.owner != picture.owner:
            self.drop(picture.head.id)
        elif picture.newer_than(known):
            self._pictures[picture.head.id] = picture

    def drop(self, id: str) -> None:
        self._pictures.pop(id, None)

    def crowd(self, id: str) -> Picture | None:
        """The last picture of an execution whose mailbox had no room in the head."""
        return self._crowds.get(id)

    def crowded(self, picture: Picture | None, id: str) -> None:
        if picture is None:
            self._crowds.pop(id, None)
            return
        self._crowds[id] = picture
        self._crowds.move_to_end(id)
        if len(self._crowds) > _CROWDS:
            self._crowds.popitem(last=False)

    @asynccontextmanager
    async def turn(self, id: str) -> AsyncGenerator[None]:
        """One after another, for what can't succeed at the same time."""
        lock, users = self._turns.get(id, (None, 0))
        lock = lock or asyncio.Lock()
        self._turns[id] = lock, users + 1
        try:
            async with lock:
                yield
        finally:
            lock, users = self._turns[id]
            if users == 1:
                del self._turns[id]
            else:
                self._turns[id] = lock, users - 1


class Parts(NamedTuple):
    place: Place
    wire: Wire
    table: Table
    parcels: Parcels
    journal: Journal
    mailbox: Mailbox
    held: Held


def assemble(place: Place, patience: float) -> Parts:
    wire = Wire(place, patience)
    table = Table(wire)
    parcels = Parcels(table)
    return Parts(place, wire, table, parcels, Journal(table, parcels), Mailbox(table, parcels), Held())
