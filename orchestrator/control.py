"""Everything a person or another system may do to executions, over an opened store and without running any.

Mail that is queued here is taken up by whichever process serves the execution's function; ``Runtime`` adds
an engine and takes it up itself. Errors: UnknownExecution, AlreadyFinished, InvalidInput, StoreError.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from ..state.codec import mended
from ..state.errors import AlreadyFinished, InvalidInput, OverwinterError, Unfit, UnknownExecution
from ..state.ids import can_exist
from ..state.quantities import Duration, seconds
from ..state.records import FINAL, Accepted, Answer, Filter, Head, NewExecution, NewMail
from ..state.store import Store
from .deciding import Deciding
from .engine.delivery import mail_of
from .engine.door import refuse_deaf, refuse_lasting
from .errors import failures
from .errors.attributes import storable
from .governance import tokens
from .governance.doubts import begins_anew
from .governance.proving import prove
from .protocol import keys
from .protocol.decider import Fact
from .protocol.moved import refuse_moved
from .usercode.reconciling import Done, GiveUp, NotDone

if TYPE_CHECKING:
    from .machine.activities import ActivityTask
    from .schedules import Schedules

ACTIONS = ("cancel", "terminate", "pause", "resume", "retry")
_VERDICTS = {Done: "done", NotDone: "not-done", GiveUp: "give-up"}
_FACT_OF = {"cancel": "cancel", "terminate": "terminated", "pause": "paused", "resume": "resumed", "retry": "retry"}


class Control(Deciding):
    """Signals, decisions and verbs for executions in ``store``."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._prepared = False
        self._due: Callable[[], object] = str  # told that something is due; here nobody runs any

    async def prepare(self) -> None:
        """Before anything is sent: it may be taken in here, and bears the time that all processes go by."""
        if not self._prepared:
            await refuse_moved(self.store)
            await self._clock.agree(self.store)
            self._prepared = True

    async def _post(self, id: str, mail: NewMail, *, reopen: bool = False) -> Accepted:
        return await self.store.accept(id, mail, now=self.clock(), reopen=reopen)

    async def _put(self, id: str, mail: NewMail, create: NewExecution | None = None) -> Accepted:
        return await self.store.accept(id, mail, now=self.clock(), create=create)

    @property
    def schedules(self) -> Schedules:
        """What begins functions at set times: create, list, show, change, pause, resume, remove, run_now."""
        from .schedules import Schedules

        return Schedules(self, self._put)

    async def _admit(self, id: str, fact: Fact) -> None:
        """Refuse at the door what the execution is known not to be able to use. Raises Unfit. Here the store alone is
        asked."""
        head = await self.store.head(id) if fact["type"] == "event" and can_exist(id) else None
        if head is not None:
            refuse_deaf(head)

    # -- events --------------------------------------------------------------------------------------

    async def signal(
        self, id: str, name: str, data: Any = None, *, event_id: str = "", source: str = "", by: str = ""
    ) -> bool:
        """Send the event ``name`` for ``wait_for``. The same source and event id are taken once within the
        deduplication window: False when it had arrived before. Raises Unfit when the execution rests in this process
        and waits for it with another type, or is known here as an agent's, which waits for none; elsewhere such an
        event is passed over visibly (``skipped``)."""
        await self.prepare()
        fact = await self.check_signal(id, name, data, event_id=event_id, source=source, by=by)
        key = keys.event(source, event_id) if event_id else ""
        accepted = await self._send(id, mail_of(fact, key, lane=1))
        return accepted.answer is not Answer.DUPLICATE

    async def check_signal(
        self, id: str, name: str, data: Any = None, *, event_id: str = "", source: str = "", by: str = ""
    ) -> Fact:
        """The event as it would be sent now. Raises what ``signal`` raises for its name and its data."""
        if not isinstance(name, str) or not name:  # pyright: ignore[reportUnnecessaryIsInstance]  # whatever is passed
            raise InvalidInput("an event needs a name; it is the text that the workflow passes to ctx.wait_for")
        fact: Fact = {"type": "event", "at": self.clock(), "id": event_id or uuid.uuid4().hex, "name": name}
        fact |= {"data": mended(data)} | ({"source": source} if source else {}) | ({"by": by} if by else {})
        await self._admit(id, fact)
        return fact

    async def callback(self, token: str, *, value: Any = None, error: str | BaseException | None = None) -> None:
        """Complete the callback of ``token`` with a value, or fail it. A second completion changes nothing, also after
        the execution has ended. Raises InvalidInput for a token that the execution did not give."""
        id, op, secret = await self._proven(token)
        fact: Fact = {"type": "callback", "at": self.clock(), "op": op, "secret": secret}
        if error is None:
            fact["value"] = mended(value)
        elif isinstance(error, BaseException):
            fact["error"] = failures.encode(error)
        else:
            fact["error"] = {"kind": "", "message": storable(error)}
        await self._admit(id, fact)
        try:
            await self._send(id, mail_of(fact, "", lane=0))
        except AlreadyFinished:
            if not await self._completed(id, op):
                raise

    async def check_completion(self, token: str, value: Any) -> None:
        """Raises what ``callback`` raises for the value: whether the token is right is not asked."""
        id, op, secret = tokens.parse(token)
        fact: Fact = {"type": "callback", "at": self.clock(), "op": op, "secret": secret}
        await self._admit(id, fact | {"value": mended(value)})

    async def heartbeat(self, token: str, *, event_id: str = "", source: str = "") -> None:
        """Say that the outside system is still at work on the callback of ``token``. Raises as ``callback`` does. The
        same source and event id are taken once."""
        id, op, secret = await self._proven(token)
        key = keys.event(source, event_id) if event_id else ""
        await self._send(id, mail_of({"type": "beat", "at": self.clock(), "op": op, "secret": secret}, key, lane=0))

    async def activity_task(self, activity: str, wait: Duration = 0) -> ActivityTask | None:
        """The oldest task that state machines have for workers of an activity; None when none comes in that time. It is
        the caller's then: who completes its token says what came of it, and ``heartbeat`` that it is worked on. Raises
        InvalidInput for what can be no name."""
        from .machine.activities import take

        await self.prepare()
        return await take(self.store, activity, seconds(wait) if wait else 0)

    async def _proven(self, token: str) -> tokens.Token:
        read = tokens.parse(token)
        await self.prepare()
        await prove(self.store, await self.show(read.execution), read)
        return read

    async def answered(
        self, id: str, op: str, *, event_id: str, source: str, mark: str = "", outcome: Fact | None = None
    ) -> None:
        """Say that what operation ``op`` has ordered from another process is done there: it is asked for what came of
        it. Who shows its ``mark`` is believed: tells the ``outcome``, or without one, that it is at work. The same
        source and event id are taken once. Raises UnknownExecution, AlreadyFinished."""
        await self.prepare()
        fact: Fact = {"type": "answered", "at": self.clock(), "op": op}
        if mark:
            fact |= {"mark": mark} | ({} if outcome is None else {"outcome": outcome})
        await self._send(id, mail_of(fact, keys.event(source, event_id), lane=0))

    # -- calls in doubt ------------------------------------------------------------------------------

    async def resolve(
        self, id: str, op: str | None, outcome: Done | NotDone | GiveUp, *, by: str = "", reason: str = ""
    ) -> str:
        """Say what came of the call in doubt under operation ``op`` (None: the only one). Returns the op. ``Done`` is
        its result, ``NotDone`` has it made again under the same key, ``GiveUp`` ends it with InDoubt. The first word
        counts. Raises Unfit for a result of another type than the code declares, InvalidInput, AlreadyFinished."""
        await self.prepare()
        doubts = await self.doubts(id)
        names = ", ".join(f"{fact['op']} ({fact.get('name', '')})" for fact in doubts) or "none"
        if op is None and len(doubts) != 1:
            advice = "say which" if doubts else "`overwinter show` tells what it does; a failed one is retried first"
            raise InvalidInput(f"{id} has {len(doubts)} calls in doubt, {advice}: {names}")
        chosen = next((fact for fact in doubts if op in (None, fact["op"])), None)
        if chosen is None:
            raise InvalidInput(f"{id} has no call in doubt under {op!r}; in doubt are: {names}")
        fact: Fact = {"type": "resolved", "at": self.clock(), "op": chosen["op"], "since": chosen["since"], "by": by}
        fact |= {"reason": reason, "verdict": _VERDICTS[type(outcome)]}
        fact |= {"value": mended(outcome.result)} if isinstance(outcome, Done) else {}
        await self._admit(id, fact)
        key = keys.resolution(chosen["op"], chosen["since"], chosen.get("refused", 0))
        accepted = await self._send(id, mail_of(fact, key, lane=0))
        if accepted.answer is Answer.DUPLICATE:
            raise AlreadyFinished(f"the call {chosen['op']!r} of {id} has been resolved already; read what it came to")
        return str(chosen["op"])

    # -- verbs ---------------------------------------------------------------------------------------

    async def cancel(self, id: str, *, by: str = "", reason: str = "", event_id: str = "", source: str = "") -> None:
        """Ask the execution to clean up and end; its children are cancelled with it. The same source and event id are
        taken once."""
        await self.act("cancel", id, by=by, reason=reason, key=keys.event(source, event_id) if event_id else "")

    async def terminate(self, id: str, *, by: str = "", reason: str = "") -> None:
        """End the execution and its children at once, without clean-up."""
        await self.act("terminate", id, by=by, reason=reason)

    async def pause(self, id: str, *, by: str = "", reason: str = "") -> None:
        """Start nothing more until it is resumed; calls that are running end and are recorded."""
        await self.act("pause", id, by=by, reason=reason)

    async def resume(self, id: str, *, by: str = "", reason: str = "") -> None:
        """Go on after a pause, or try a stuck execution again with the code as it is now."""
        await self.act("resume", id, by=by, reason=reason)

    async def retry(self, id: str, *, by: str = "", reason: str = "", repeat: bool = False) -> None:
        """Open a failed execution again, from the operation that failed. A call that is in doubt waits until it is
        resolved. ``repeat``: also when what failed would be begun anew, and with it a call in doubt."""
        await self.act("retry", id, by=by, reason=reason, repeat=repeat)

    async def act(
        self, action: str, id: str, *, by: str = "", reason: str = "", key: str = "", repeat: bool = False
    ) -> None:
        """One of ACTIONS by name. Under one ``key`` (``keys``) it arrives once. Raises Unfit for the end of a queue."""
        if action not in ACTIONS:
            raise InvalidInput(f"{action!r} is no action; the actions are {', '.join(ACTIONS)}")
        await self.prepare()
        fact: Fact = {"type": _FACT_OF[action], "at": self.clock(), "by": by, "reason": reason}
        if action == "retry":
            head = await self.show(id)
            if head.status != "failed":
                raise InvalidInput(f"only a failed execution can be retried; {id} is {head.status}")
            error = (await self.ending(head)).get("error", {})
            if not repeat and begins_anew(error):
                raise InvalidInput(
                    f"{id} has failed because nobody knows whether a call took effect, or it could not be undone, and "
                    "a retry would make it again. If that is meant, say so: overwinter retry --repeat"
                )
            if error.get("undone"):
                raise InvalidInput(
                    f"{id} has failed, and a saga of it has undone what it did; opened again it would take that for "
                    "done. Start it anew, under another id"
                )
            op = error.get("op")
            fact |= {"op": op} if op else {}
            key = keys.retry(head.length)
        elif action in ("cancel", "terminate") and (found := await self.find(id)) is not None:
            refuse_lasting(found)
        accepted = await self._send(id, mail_of(fact, key, lane=0), reopen=action == "retry")
        if accepted.answer is Answer.DUPLICATE and action == "retry":
            raise InvalidInput(f"{id} is retried already; somebody else has just asked for it")

    async def bulk(
        self, action: str, where: Filter, *, by: str = "", reason: str = "", fits: Callable[[Head], bool] | None = None
    ) -> int:
        """The action for all executions of the filter that can take it, as far as they fit. Returns how many."""

        async def act(head: Head) -> None:
            await self.act(action, head.id, by=by, reason=reason)

        return await self._for_each(where, act, failed=action == "retry", fits=fits)

    async def fork(
        self, id: str, at: int | str, *, model: str = "", instructions: str = "", by: str = "", key: str = ""
    ) -> str:
        """Have another execution go on from before the journal's entry number ``at``, or from before that operation,
        with the code of now, and an agent with that model and those instructions where they are given. It has no
        effects. Its id; under one ``key`` it is made once. Raises UnknownExecution, InvalidInput, StoreError."""
        from .forking import Wanted, fork

        await self.prepare()
        made = await fork(self.store, await self.show(id), at, Wanted(model, instructions, by, key), self.clock())
        self._due()
        return made

    async def signal_all(
        self,
        where: Filter,
        name: str,
        data: Any = None,
        *,
        event_id: str = "",
        source: str = "",
        by: str = "",
        fits: Callable[[Head], bool] | None = None,
    ) -> int:
        """The event for all executions of the filter that have not ended and may wait for one, as far as they fit.
        Returns how many."""

        async def send(head: Head) -> None:
            refuse_deaf(head)
            await self.signal(head.id, name, data, event_id=event_id, source=source, by=by)

        return await self._for_each(where, send, failed=False, fits=fits)

    async def _for_each(
        self,
        where: Filter,
        work: Callable[[Head], Awaitable[None]],
        *,
        failed: bool,
        fits: Callable[[Head], bool] | None,
    ) -> int:
        """Do ``work`` for all of the filter that have ``failed``, or else for those that have not ended."""
        done, cursor = 0, None
        while True:
            page = await self.store.executions(where, cursor, 200)
            for head in page.heads:
                due = (head.status == "failed") if failed else (head.status not in FINAL)
                if due and (fits is None or fits(head)):
                    try:
                        await work(head)
                    except (AlreadyFinished, UnknownExecution, Unfit):
                        continue  # it has ended since the page was read, or can't use that
                    except InvalidInput:
                        if not failed:
                            raise
                        continue  # somebody else has opened it again
                    done += 1
            cursor = page.cursor
            if cursor is None:
                return done

    async def _send(self, id: str, mail: NewMail, *, reopen: bool = False) -> Accepted:
        accepted = await self._post(id, mail, reopen=reopen) if can_exist(id) else Accepted(Answer.MISSING, None)
        if accepted.answer is Answer.MISSING:
            raise UnknownExecution(f"there is no execution {id!r} in this store; `overwinter ps` lists what there is")
        if accepted.answer is Answer.FINISHED:
            status = accepted.head.status if accepted.head is not None else "over"
            raise AlreadyFinished(f"{id} is {status}; nothing more can be sent to it")
        return accepted


def error_of(fact: Fact) -> Exception:
    """The exception of an entry that carries an error."""
    failure = fact.get("error")
    return failures.decode(failure) if failure else OverwinterError(f"{fact['type']}: {fact.get('reason', '')}")
