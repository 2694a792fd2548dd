"""What kills its processes is set aside, and what was merely there at the time is not.

The store counts how many processes in a row have died while they held an execution, without an entry of it between
(``Head.deaths``). One with a death is *suspect*. Suspects are begun in small groups, the smaller the more deaths they
have: whoever was there by chance is in another group the next time, writes an entry and is cleared. Between two
attempts there is a pause. One death before the limit it is begun on trial only (``trials.py``), alone in its process if
that can be had. With ``Settings.deaths`` deaths, the last one alone, it is *quarantined*: stuck, with the operations
named that were open, until somebody resumes it. A death beside another execution leads to another trial and never to a
verdict. A process that leaves in order is no death.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Protocol

from ...state.errors import OverwinterError
from ...state.records import Accepted, Head, Mail
from ..protocol.decider import Decider, Effect, Fact, Function, Invoke, Verdict
from ..protocol.entries import decode
from ..protocol.stuck import QUARANTINED
from .effects import Effects, Host
from .trials import Evidence, Trials

log = logging.getLogger("overwinter")
_FIRST_PAUSE, _LONGEST_PAUSE = 500, 60_000
_LOADED: Fact = {"type": "fetched", "op": "load"}
Begin = Callable[[], None]
_GROUP = 10
"""By how much a group is smaller with each death."""
_VERBS = frozenset({"paused", "resumed", "retry", "terminated"})


def pause(deaths: int) -> int:
    """Milliseconds from the last sign of life to the next attempt. After the first death there is none: mostly it
    was the machine, or somebody who meant it."""
    return 0 if deaths < 2 else min(_LONGEST_PAUSE, _FIRST_PAUSE << min(deaths - 2, 16))


class Turns(Protocol):
    """What sees to it that executions have their turn: a sweeper."""

    def leave(self, id: str, ms: int) -> None:
        """Leave it alone for so long."""
        ...

    def again(self, ids: Iterable[str]) -> None:
        """These need not be left alone any longer."""
        ...


class Defendant(Host, Protocol):
    """An execution that was granted: an activation."""

    effects: Effects

    def give_up(self, message: str, *, standing: bool = False) -> None:
        """It is stuck with that. ``standing``: as it was before."""
        ...


class Suspects:
    """The suspects of one process. ``limit`` deaths are a verdict (0: never), ``sweeper`` is told which executions are
    to be left alone for so many ms, and which need not be any longer, ``read`` brings a journal, ``trials`` are those
    of this process."""

    def __init__(
        self,
        limit: int,
        clock: Callable[[], int],
        sweeper: Turns,
        read: Callable[[Head, Sequence[str] | None], Awaitable[Sequence[Fact]]],
        trials: Trials,
    ) -> None:
        self.held: dict[str, int] = {}  # suspects that run here, or are about to: how many deaths each has
        self._limit = limit
        self._clock = clock
        self._sweeper = sweeper
        self._read = read
        self._trials = trials
        trials.freed = self._turn
        self._waiting: list[str] = []  # for their turn

    # -- whose turn it is ----------------------------------------------------------------------------

    def may_take(self, head: Head) -> bool:
        """Whether an execution that is due may be taken now; if so, it has its place among the suspects."""
        deaths = head.deaths + (head.owner is not None)  # who holds it though it is due is dead
        since = self._clock() - head.updated
        if self._limit and since < pause(deaths):
            self._sweeper.leave(head.id, pause(deaths) - since)
            return False
        return self.may_begin(head.id, deaths)

    def may_begin(self, id: str, deaths: int) -> bool:
        """Whether it may be begun beside the suspects that are held; if so, it has its place among them."""
        if not deaths or not self._limit:
            return True
        others = [other for held, other in self.held.items() if held != id]
        crowded = len(others) >= min(self._beside(other) for other in (deaths, *others))
        if crowded or (self._trials.needed(deaths) and not self._trials.may_begin(id, deaths)):
            self._waiting.append(id)
            self._sweeper.leave(id, _LONGEST_PAUSE)
            return False
        self.held[id] = deaths
        return True

    def _beside(self, deaths: int) -> int:
        """How many suspects may be held at once with one that has so many deaths, itself included."""
        return int(_GROUP ** max(0, self._limit - 1 - deaths))

    def gone(self, id: str) -> None:
        """It is cleared, or no longer held here: the next ones have their turn."""
        held = self.held.pop(id, None) is not None
        self._trials.gone(id)
        if held and self._waiting:
            self._turn()

    def _turn(self) -> None:
        """Who waits may ask again."""
        waiting, self._waiting = self._waiting, []
        self._sweeper.again(waiting)

    # -- the verdict ---------------------------------------------------------------------------------

    def set_aside(self, who: Defendant, head: Head, accepted: Accepted, function: Function, begin: Begin) -> bool:
        """Whether a granted execution is quarantined, or on trial: then it is begun with ``begin``, or not at all."""
        if _quarantined(head) and not any(_type(each) == "resumed" for each in accepted.mail):
            who.give_up(head.awaits, standing=True)
        elif self._trials.needed(head.deaths):
            who.effects.run(who, "load", partial(self._try, who, head, accepted, function, begin))
        else:
            return False
        return True

    async def _try(self, who: Defendant, head: Head, accepted: Accepted, function: Function, begin: Begin) -> None:
        evidence = await self._trials.evidence(head) if head.deaths >= self._limit else Evidence.NONE
        if evidence is Evidence.NONE:
            await self._trials.begin(head)
            who.effects.told(_LOADED)
            begin()
            return
        if evidence is Evidence.ALONE:
            await self._trials.look_at(head)
            entries = await self._read(head, accepted.entries)
            sentence = self._name(head, function.decider(head.id), entries, accepted.mail)
        else:
            sentence = self._sentence(head, "in its own code", ", the last one when it looked for what was open")
        who.effects.told(_LOADED)
        who.give_up(sentence)

    def _name(self, head: Head, decider: Decider, entries: Sequence[Fact], mail: Sequence[Mail]) -> str:
        """The verdict, with what was open when it was last left. The decider is used up."""
        names = [f"{effect.report} {effect.name} ({effect.op})" for effect in self._open(head, decider, entries, mail)]
        named = f"in {', '.join(names)}" if names else f"in its own code after entry {head.length}"
        return self._sentence(head, named)

    def _open(self, head: Head, decider: Decider, entries: Sequence[Fact], mail: Sequence[Mail]) -> list[Invoke]:
        """The calls that it would begin with now. Nothing of it is performed."""
        effects: list[Effect] = []
        try:
            decider.replay(head.state, head.base, entries, self._clock())
            effects += decider.decide().perform
            for each in mail:
                fact = decode(each.body)
                if "blob" in fact or fact["type"] in _VERBS or decider.offer(fact) is Verdict.LATER:
                    continue
                effects += decider.decide().perform
        except Exception as error:  # noqa: BLE001 - the edge to deciders: it is condemned whatever is the matter with it
            log.warning("execution %s: what is open in it can't be told (%s: %s)", head.id, type(error).__name__, error)
        finally:
            decider.close()
        return [effect for effect in effects if isinstance(effect, Invoke) and not effect.begun]

    def _sentence(self, head: Head, where: str, more: str = "") -> str:
        died = "the process that ran it died" if head.deaths == 1 else f"{head.deaths} processes in a row died with it"
        return f"{QUARANTINED} {where}: {died}{more}. Find out why, then try again: overwinter resume {head.id}"


def _quarantined(head: Head) -> bool:
    return head.status in ("stuck", "paused") and head.awaits.startswith(QUARANTINED)


def _type(mail: Mail) -> str:
    try:
        return str(decode(mail.body)["type"])
    except OverwinterError:
        return ""
