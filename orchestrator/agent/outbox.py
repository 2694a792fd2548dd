"""What an agent's execution has ordered of other executions, starts and words, and what it reads of the store, until
that is confirmed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..protocol.callers import handed_on
from ..protocol.decider import Access, Fact, Post, Spawn


class Outbox:
    """By op. What is in it was ordered by an entry, or follows from them; who replays these orders it again."""

    __slots__ = ("_kept", "_unsent")

    def __init__(self) -> None:
        self._kept: dict[str, Spawn | Post | Access] = {}  # not confirmed
        self._unsent: dict[str, None] = {}  # of these, what was not handed out

    def post(self, effect: Spawn | Post | Access) -> None:
        self._kept[effect.op] = effect
        self._unsent[effect.op] = None

    def begin(self, ordered: Fact, depth: int, caller: Mapping[str, Any]) -> None:
        """Post the start of the child that an entry orders."""
        caller = {**handed_on(caller), **({"budget": ordered["budget"]} if "budget" in ordered else {})}
        id, name, input = ordered["id"], ordered["name"], ordered["input"]
        self.post(Spawn(ordered["op"], id, name, input, False, depth, "", caller))

    def take(self) -> list[Spawn | Post | Access]:
        """What is to be sent now, once."""
        taken = [self._kept[op] for op in self._unsent]
        self._unsent.clear()
        return taken

    def __contains__(self, op: object) -> bool:
        """Whether it is not confirmed."""
        return op in self._kept

    def handed_out(self, op: str) -> bool:
        """Whether it is on its way, and not confirmed."""
        return op in self._kept and op not in self._unsent

    def confirm(self, op: str) -> bool:
        """Nothing has to be sent any more. False when that was known."""
        self._unsent.pop(op, None)
        return self._kept.pop(op, None) is not None
