"""One rehydrated execution under a lease: facts in, one commit at a time out, effects after the commit.

Everything here runs in plain callbacks of the engine's loop, never inside a task, so a turn is atomic.
A turn offers what has come to the decider, appends the outcome as one transition, and when that is durable
performs what was decided. Facts that arrive while a commit is under way share the next one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from functools import partial
from time import perf_counter

from ...security.chain import link_of
from ...state.errors import Conflict, InvalidInput, OverwinterError, StoreError
from ...state.records import FINAL, Appended, Head, Mail
from ..errors import failures, groups
from ..errors.attributes import storable
from ..protocol.decider import Decider, Decision, Effect, Fact, Post, Verdict
from .beginning import begin, prepare
from .deadlines import Deadlines
from .effects import Effects
from .hosts import Host
from .mailbox import Letter, Mailbox
from .offering import Offering
from .transition import Commit, Told, Transition, change_of, child_post, hand_over, merge, reopening, stuck, told

log = logging.getLogger("overwinter")

READING = "mail"  # the op under which the mailbox is read on


class Activation:
    """The live state of one execution in this process. Made by the engine when a lease is granted."""

    __slots__ = (
        "awaits", "base", "broken", "committing", "deadlines", "decider", "durable", "effects", "engine", "facts",
        "function", "handed", "id", "last_at", "link", "loading", "mailbox", "note", "nudged", "offering", "over",
        "parent", "paused", "pending", "reopened", "scheduled", "settling", "stale", "standing", "state", "status",
        "suspect", "timer", "unread", "version", "withheld",
    )  # fmt: skip

    def __init__(self, engine: Host[Activation], head: Head, decider: Decider, entries: Sequence[str] | None) -> None:
        self.engine = engine
        self.id, self.function, self.parent = head.id, head.function, head.parent
        self.decider = decider
        prepare(decider, engine, head)
        self.version = head.version
        self.base = head.base
        self.status = head.status
        self.awaits, self.note, self.state = head.awaits, head.note, head.state
        self.paused = head.status == "paused"
        self.last_at, self.link = head.updated, link_of(entries[-1]) if entries else ""  # that of the last entry
        self.mailbox = Mailbox(head.id, head.arrivals)
        self.deadlines = Deadlines(engine.clock)
        self.offering = Offering(self.mailbox, self.deadlines)
        self.facts: list[Fact] = []
        self.effects = Effects(engine.loop, engine.performer)
        self.withheld: list[Effect] = []  # effects decided while paused
        self.pending = Transition(engine.store.payload_limit)  # taken and not yet handed to the store
        self.durable: list[Told] = []  # who waits for the commit of a fact
        self.settling: list[Post] | None = None  # the execution has ended; these posts are not yet confirmed
        self.unread: tuple[str, int, list[Fact]] | None = None  # state, first entry and journal to be replayed
        self.loading = True
        self.broken, self.standing = "", False  # what can't be read of it in the store, and whether it was so before
        self.committing: Commit | None = None  # the append under way
        self.scheduled = False
        self.nudged = False  # mail is known to wait in the store
        self.reopened = False  # it had failed, and is to go on
        self.suspect = head.deaths > 0  # its last owner died, and nothing was written since
        self.stale = False  # the decider can't be used for another activation
        self.handed = False  # something that it wants is left to whoever takes it next
        self.over = False  # dropped or released: nothing more happens here
        self.timer: asyncio.TimerHandle | None = None

    # -- what comes in -------------------------------------------------------------------------------

    def now(self) -> int:
        """The time of the next entry; never before that of the last one."""
        self.last_at = max(self.last_at, self.engine.clock())
        return self.last_at

    def receive(self, mail: Sequence[Mail], arrivals: int) -> None:
        """The first of the mailbox, handed over by the store."""
        self.mailbox.receive(mail, arrivals)
        self.schedule()

    def wake(self, mail: Sequence[Mail], head: Head, asked: int) -> None:
        """The lease was granted again, and what is here is still what the journal says."""
        self.over = False
        self.status = head.status
        prepare(self.decider, self.engine, head)
        self.deadlines.leased(asked, warm=True)
        if self.deadlines.due(self.now()) is None:
            self.decider.expire(self.now())  # nothing is due: it is only told the time
        self.receive(mail, head.arrivals)

    def arrive(self, mail: Mail, arrivals: int) -> None:
        """Mail that this process has put into the mailbox while it holds the lease."""
        if arrivals == self.mailbox.arrivals + 1:
            self.mailbox.arrive(mail)
            self.schedule()
        elif arrivals > self.mailbox.arrivals:
            self.nudge()

    def report(self, fact: Fact) -> None:
        self.effects.told(fact)
        self.facts.append(fact)
        self.schedule()

    async def record(self, fact: Fact) -> None:
        done: asyncio.Future[None] = self.engine.loop.create_future()
        self.durable.append((fact, done))
        self.report(fact)
        await done

    def nudge(self) -> None:
        """Mail waits in the store that only a commit brings here."""
        self.nudged = True
        self.schedule()

    def unheard(self) -> bool:
        """Whether something has come that was not considered. An execution that goes on elsewhere needs none of it."""
        return bool(self.facts or self.nudged or self.effects) and not self.stale

    def unsettled(self) -> bool:
        """Whether something that was told is still to be recorded."""
        return not self.over and bool(self.facts or self.committing is not None)

    def schedule(self) -> None:
        if not self.scheduled and not self.over:
            self.scheduled = True
            self.engine.turns.add(self)

    # -- a turn --------------------------------------------------------------------------------------

    def turn(self) -> None:
        self.scheduled = False
        if self.over or self.committing is not None or self.loading:
            return  # what ends these schedules the next turn
        self.offering.begin()
        try:
            decision = self._decide_nothing() if self.broken else self._decide()
        except OverwinterError as error:
            decision = stuck(f"{type(error).__name__}: {error}")
        except KeyboardInterrupt:
            self.lose()  # in the middle of a turn; whoever takes it up begins from what is durable
            raise
        except BaseException as error:  # the edge to deciders: a defect there must not lose the execution
            log.exception("execution %s: the decider failed", self.id)
            decision = stuck(f"the decider failed with {groups.said(error)}")
        self._settle(decision)

    def _decide(self) -> Decision:
        """Offer everything that has come, in order; the decisions of all rounds as one."""
        replayed = self.unread is not None and self._replay()
        facts, self.facts = self.facts, []
        for number, fact in enumerate(facts):
            if self.pending.full():
                self.facts = facts[number:] + self.facts  # the next commit takes them
                break
            if self._is_for_decider(fact) and self.decider.offer(fact) is Verdict.TAKEN:
                self.pending.take(fact)
        if self.reopened:
            return reopening(self.now())
        if self.status in FINAL:
            return self._after_the_end()
        merged: Decision | None = None
        clean = not facts  # nothing but durable mail led here
        if replayed:
            merged = self._ask()
        while merged is None or merged.status not in FINAL:
            before = len(self.pending.consumed)
            if self.mailbox:
                verb = self.offering.mail(self, is_stuck=merged is not None and merged.status == "stuck")
                if verb is not None:
                    return verb
            if merged is not None and (merged.status == "stuck" or len(self.pending.consumed) == before):
                if merged.status == "stuck" or self.deadlines.wake is None or not self.offering.timers(self):
                    return merged
                clean = False
            clean = clean and (merged is None or not merged.perform)
            decision = self._ask()
            decision.immediate = decision.immediate and clean
            clean = clean and not decision.entries
            merged = decision if merged is None else merge(merged, decision)
        return merged

    def _ask(self) -> Decision:
        decision = self.decider.decide()
        self.deadlines.note(decision)
        if decision.entries:
            self.pending.add(decision)
        return decision

    def _decide_nothing(self) -> Decision:
        """It can't go on here: only a verb can change anything, wherever it stands in the mailbox."""
        verb = self.offering.mail(self, is_stuck=True)
        if verb is None and self.standing and self.offering.resumed:
            self.broken, self.reopened, self.stale = "", True, True
            return reopening(self.now())
        return verb or stuck(self.broken)

    def _replay(self) -> bool:
        """Bring the decider to where the journal ends. Whether there was one."""
        assert self.unread is not None
        (state, first, entries), self.unread = self.unread, None
        self.decider.replay(state, first, entries, self.now())
        return bool(entries)

    def _is_for_decider(self, fact: Fact) -> bool:
        """Not when it only says that something has been done for the engine itself."""
        if fact["type"] == "fetched":
            return False
        if self.settling is not None:
            self.settling = [post for post in self.settling if post.op != fact["op"]]
            return False
        return True

    def _after_the_end(self) -> Decision:
        """The execution has ended: posts are confirmed, and only ``retry`` says something to a failed one."""
        if self.offering.after_the_end(self, telling=bool(self.settling or self.effects)):
            self.reopened = self.stale = True
            self.settling = None
            return reopening(self.now())
        decision = Decision()
        decision.status = self.status
        return decision

    def fetch(self, letter: Letter) -> None:
        op = f"blob {letter.mail.seq}"
        if op not in self.effects:
            fill = partial(self.engine.fill, self.id, [letter.fact])
            self.effects.run(self, op, partial(self.engine.delivery.bring, self, op, fill))

    def give_up(self, message: str, *, standing: bool = False) -> None:
        """It is stuck until somebody mends that. ``standing``: as it was before; it was not tried again now."""
        self.loading, self.broken, self.standing = False, message, standing
        self.schedule()

    # -- the commit ----------------------------------------------------------------------------------

    def _settle(self, decision: Decision) -> None:
        """Turn a decision into a commit, or go straight on when there is nothing to commit yet."""
        if decision.abandon:
            self.effects.cancel(decision.abandon)
        if decision.status == "stuck":
            self._get_stuck(decision)
        elif decision.status in FINAL:
            if self.settling is None:
                self._begin_end(decision)
        elif self.paused:
            self.withheld += decision.perform
            decision.perform, decision.status, decision.wake, decision.immediate = [], "paused", None, False
        elif self.withheld:
            decision.perform, self.withheld = self.withheld + decision.perform, []
        missing = self.offering.missing(self, self.engine.store) if self.mailbox.partial() else None
        if missing is not None and READING not in self.effects:
            self.effects.run(self, READING, partial(self.engine.delivery.bring, self, READING, missing))
        look = self.deadlines.look
        leaving = self.handed or self.engine.draining or self.engine.trials.making_way
        if handed := leaving and hand_over(decision, begun=self.stale):
            self.handed = self.stale = True
        waits = bool(self.effects or self.facts or decision.perform or self.settling or look is not None)
        if handed and not waits:
            decision.wake = self.now()  # for whoever comes next, at once
        nothing = self.pending.empty() and not self.deadlines.ripe()
        if waits and not self.nudged and (decision.immediate or nothing):
            self._watch(decision)  # an immediate effect's cause is committed together with its result
            self.effects.perform(self, decision.perform)
        else:
            if decision.perform and begin(self.engine.performer, self.decider, decision, self.pending):
                decision = merge(decision, self._ask())
            self._commit(decision, release=not waits)

    def _get_stuck(self, decision: Decision) -> None:
        self.effects.cancel_all()
        self.stale = True
        decision.error = storable(decision.error)
        if self.status not in ("stuck", "paused") or self.awaits != decision.error:
            fact: Fact = {"type": "stuck", "at": self.now(), "error": decision.error}
            self.pending.take(fact)
            self.pending.note(fact)
        decision.awaits, decision.wake, decision.perform, decision.entries = decision.error, None, [], []

    def _begin_end(self, decision: Decision) -> None:
        """Nothing runs on, and children and parent are told before the lease goes."""
        self.effects.cancel_all()
        self.paused, self.stale = False, True
        decision.wake, decision.awaits, decision.immediate = None, "", False
        self.settling = [effect for effect in decision.perform if isinstance(effect, Post)]
        if self.parent is not None:
            self.settling.append(child_post(self.id, self.parent, self.pending.ending()))
        decision.perform = list(self.settling)
        if decision.status == "terminated":
            self.effects.run(self, "children", partial(self.engine.delivery.end_children, self))

    def _commit(self, decision: Decision, *, release: bool) -> None:
        carried, self.pending = self.pending, Transition(self.engine.store.payload_limit)
        change = change_of(self, decision, carried, release=release)
        durable, self.durable = told(self.durable, self.facts) if self.durable else ((), self.durable)
        self.nudged, self.committing = False, Commit(change, decision, carried, durable)
        self._submit()

    def _submit(self) -> None:
        commit = self.committing
        if not self.over and commit is not None:
            commit.asked, commit.began = self.engine.clock(), perf_counter()
            self.engine.append(commit.change).add_done_callback(self._committed)

    def _committed(self, done: asyncio.Future[Appended]) -> None:
        commit = self.committing
        error = asyncio.CancelledError() if done.cancelled() else done.exception()
        extensions = self.engine.performer.extensions
        if extensions is not None and commit is not None:
            if (gathered := extensions.gathered) is not None and error is None:
                if not gathered:
                    extensions.gathering()
                gathered.append(commit.change)
            if extensions.listens:
                extensions.heard(self, commit.change, done.result() if error is None else error, commit.began)
        if commit is None or self.over or (done.cancelled() and self.interrupted()):
            return
        if error is None:
            self._advance(commit, done.result())
        elif isinstance(error, StoreError) and not isinstance(error, Conflict):
            pause = min(5.0, 0.05 * 2**commit.tries)
            commit.tries += 1
            said = "execution %s: the store refused a commit (%s); again in %.2f s"
            log.log(failures.level(error), said, self.id, error, pause)
            self.engine.loop.call_later(pause, self._submit)
        elif isinstance(error, InvalidInput):  # too big for this store, and it would be again
            self.committing = None
            self.give_up(f"{type(error).__name__}: {error}")
        else:
            if not (isinstance(error, Conflict) or done.cancelled()):
                log.error("execution %s: the commit failed", self.id, exc_info=error)
            self.engine.lost(self)

    def _advance(self, commit: Commit, answer: Appended) -> None:
        change, looked = commit.change, self.deadlines.look is not None
        self.deadlines.asked(commit.asked)
        self.committing, self.version = None, self.version + 1
        self.base, self.state, self.note, self.awaits = change.base, change.state, change.note, change.awaits
        self.link, self.status = commit.carried.link, change.status
        if self.suspect and change.entries:
            self.suspect = False
            self.engine.suspects.gone(self.id)
        commit.tell()
        if commit.carried.notable:
            self.engine.waiters.announce(self.id, self.function, commit.carried.notable)
        if answer.released:
            self.engine.released(self, change)
            return
        if not self.engine.current(self):
            self.stop()  # the lease was lost while the store answered
            return
        if answer.mail is not None:
            self.receive(answer.mail, answer.arrivals)
        self._watch(commit.decision)
        self.effects.perform(self, commit.decision.perform)
        if self.facts or self.nudged or looked or change.release:
            self.schedule()

    # -- effects and time -----------------------------------------------------------------------------

    async def deliver(self, effect: Effect) -> None:
        await self.engine.deliver(self, effect)

    def lose(self) -> None:
        self.engine.lost(self)

    def interrupted(self) -> bool:
        return self.engine.interrupted()

    def _watch(self, decision: Decision) -> None:
        """While the lease is held, deadlines are this process's own to watch."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        if decision.wake is not None:
            self.timer = self.engine.loop.call_later(self.deadlines.pause(decision.wake), self.expire)

    def expire(self) -> None:
        """A deadline may have come: the next turn looks at it."""
        self.timer = None
        if not self.paused and self.status not in FINAL:
            self.schedule()

    def stop(self) -> None:
        """Leave this process without another commit: effects are cancelled, the decider is dropped."""
        self.over = True
        if self.timer is not None:
            self.timer.cancel()
        self.effects.cancel_all()
        for _, waiter in self.durable:
            waiter.cancel()
        self.decider.close()
