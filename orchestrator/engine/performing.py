"""Effects on the world: function calls with retries, timeouts and breakers in this process, children, posts
and key-value access. Each effect ends in one fact, handed to ``report``.

A pause that the policy wants and that is longer than its ``in_process`` is not waited for here: it becomes
a ``retrying`` fact, and the store waits.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import CoroutineType
from typing import Any, NamedTuple, Protocol

from ...state.errors import CircuitOpen, FunctionUnavailable, InDoubt, InvalidInput, StepFailed, TimedOut
from ...state.ids import FORKED, fork_of
from ...state.quantities import seconds
from ...state.records import Head
from ..errors import failures
from ..governance.budgets.purse import Purse
from ..protocol import failure_log
from ..protocol.callers import TRACE
from ..protocol.decider import Away, Fact, Invoke
from ..protocol.failed import Failed
from ..protocol.media import given
from ..streaming.audience import Audience, Speech
from ..usercode.calling import outcome_of
from ..usercode.resilience import Policy, Retry
from ..usercode.threads import Threads
from . import outcomes
from .circuits import Circuit
from .cutting import Cut
from .doubt import doubtful, late_of, must_not_recur
from .doubting import Doubting, anew, overdue, possible
from .extensions import Extensions
from .forking import Forks
from .publishing import Carrier
from .shelf import Shelf
from .tracing import Tracing

log = logging.getLogger("overwinter")
Clock = Callable[[], int]


class Sink(Protocol):
    """Where facts go."""

    def report(self, fact: Fact) -> None:
        """Hand over an outcome; it is committed soon."""
        ...

    async def record(self, fact: Fact) -> None:
        """Hand over a fact and wait until it is durable."""
        ...


class CallInfo(NamedTuple):
    """Which durable call is running. ``idempotency_key`` is stable over retries and restarts: pass it on."""

    execution: str
    operation: str
    attempt: int
    idempotency_key: str
    speech: Speech | None = None
    """Of a model call: what it says while it goes on, for those who listen."""
    shelf: Shelf | None = None
    """The bytes that its messages refer to."""
    mark: str = ""
    """Of a model call, or one that another process makes: tells it from that of another execution, which was made under
    the same id later."""
    away: Away | None = None
    """Of a call that another process makes."""
    caller: Mapping[str, Any] = {}
    """What whoever ordered this from elsewhere says about itself."""
    carrier: Carrier | None = None
    """Who takes a call that another process makes there, when it has no address."""
    purse: Purse | None = None
    """What this process spends from accounts that executions share."""

    tracing: Tracing | None = None
    """Who knows in which trace it is, where that is known."""
    report: str = ""
    """What its entry is called."""

    @property
    def traceparent(self) -> str:
        """The trace that the call belongs to, in W3C's form, for the headers of what it asks others; "" when none is
        known. With traces switched on it is the call's own span, else that of whoever began all this."""
        return self.trace.get("traceparent", "")

    @property
    def trace(self) -> Mapping[str, str]:
        """``traceparent``, ``tracestate`` and ``baggage``, as headers, as far as they are known."""
        said, tracing = self.caller, self.tracing
        if tracing is not None:  # worked out when it is asked for: most calls never do
            said = tracing.caller(self.execution, self.operation, said, self.report)
        return {name: str(said[name]) for name in TRACE if said.get(name)}


class Pending(Exception):  # no error: a call that another process makes has no outcome yet
    """It was accepted there; in ``after`` seconds it is asked about again, or when somebody says that it has one."""

    def __init__(self, after: float) -> None:
        super().__init__(f"it was accepted, and is asked about again in {after:g} s")
        self.after = after


_current: contextvars.ContextVar[CallInfo] = contextvars.ContextVar("overwinter.call")


def current_call() -> CallInfo:
    """The durable call that this code runs in. Raises LookupError outside of one."""
    return _current.get()


class Performer:
    """Makes calls for all executions of an engine."""

    def __init__(self, clock: Clock, draw: random.Random, threads: Threads, shelf: Shelf) -> None:
        self._clock = clock
        self._draw = draw
        self._limit = shelf.limit
        self._shelf = shelf
        self._circuits: dict[tuple[str, int], Circuit] = {}
        self.threads = threads
        self.doubting = Doubting(clock, threads, shelf.limit)
        self.impatient = False  # shutting down: no pause is waited for in the process
        self.extensions: Extensions | None = None
        self.audience: Audience | None = None
        self.carrier: Carrier | None = None
        self.purse: Purse | None = None
        self.tracing: Tracing | None = None
        self.forks = Forks(shelf.store, clock)
        self.unheard: set[str] = set()  # executions that were left in the middle of a call for which something is held
        self.cut: Cut | None = None  # the time is up: calls are being cut off

    def close(self) -> None:
        self.threads.close()

    def loaded(self, head: Head, entries: Sequence[Fact]) -> None:
        """An execution is taken up in this process, with the entries that it goes on from."""
        if self.tracing is not None:
            self.tracing.loaded(head, entries)

    def circuits(self) -> dict[str, object]:
        """How many targets have a circuit, and for how many more seconds which are open."""
        now = self._clock()
        left: dict[str, float] = {}
        for (name, _), circuit in self._circuits.items():
            if circuit.open_until > now:
                left[name] = max(left.get(name, 0), round((circuit.open_until - now) / 1000, 1))
        return {"known": len(self._circuits), "open": left}

    async def invoke(self, execution: str, call: Invoke, sink: Sink) -> None:
        """Attempt the call until it has an outcome or its next attempt is far away; report that."""
        if FORKED in execution and fork_of(execution) and (told := await self.forks.outcome(execution, call)):
            sink.report(told)
            return
        if call.begun or call.doubt is not None:
            again = await self._unknown(execution, call, sink)
            if again is None:
                return
            call = again
        attempt = call.attempt
        while True:
            attempt += 1
            if call.policy.at_most_once or (call.away is not None and not call.away.mark):
                call = await self._recorded(call, attempt, sink)
            started = self._clock()
            failed: BaseException
            refused = self._refused(call) if call.policy.breaker is not None else None
            if refused is not None:
                attempt -= 1  # nothing was tried
                failed = refused
                pause = refused.retry_after if _again(call.policy.retry, refused, attempt) else None
            else:
                watched = self.extensions if self.extensions is not None and self.extensions.watching else None
                if watched is not None:
                    watched.begins(execution, call, attempt, started)
                try:
                    value = await self._attempt(execution, call, attempt)
                except Pending as pending:
                    sink.report(self._sent(call, attempt, pending))
                    return
                except BaseException as error:  # noqa: BLE001  # the edge to user code: all it raises is an outcome
                    final, failed = _outcome_of(error, self._cut_off(error, call, started))
                    if call.away is not None:
                        call = call._replace(away=call.away._replace(again=True))
                    if watched is not None:
                        watched.ends(execution, call, attempt, started, self._clock(), outcomes.told(failed))
                else:
                    if watched is not None:
                        watched.ends(execution, call, attempt, started, self._clock(), None)
                    sink.report(outcomes.outcome(call, attempt, started, self._clock(), outcomes.result(value)))
                    return
                pause = None if final else self._pause(call.policy, attempt, failed)
                if not final and possible(call, failed, again=pause is not None):
                    looked = await self.doubting.look(execution, call, failed, attempt, pause=pause)
                    self._tell(execution, call, attempt, started, looked, sink)
                    return
            failure_log.call(execution, call, attempt, failed, final=pause is None)
            if pause is None or self._far(call.policy, pause):
                sink.report(outcomes.ended(call, attempt, started, self._clock(), pause, failed))
                return
            await asyncio.sleep(pause)

    async def _unknown(self, execution: str, call: Invoke, sink: Sink) -> Invoke | None:
        """A call that began, and whose outcome is not recorded. The call when it is to be made again; None: what
        becomes of it is reported."""
        said, now = call.doubt.resolved if call.doubt is not None else None, self._clock()
        if said is not None and said["verdict"] == "not-done":
            return anew(call)
        if said is None and call.away is not None and call.doubt is not None and not overdue(call, now):
            return call._replace(begun=False, doubt=None)  # it was answered after all, or there is an answer to be had
        if said is not None:
            sink.report(
                outcomes.outcome(call, max(1, call.attempt), now, self._clock(), self.doubting.settled(call, said))
            )
        elif call.policy.contract is not None:
            looked = await self.doubting.began(execution, call)
            self._tell(execution, call, call.attempt + (call.doubt is None), now, looked, sink)
        else:
            attempt = call.attempt + 1
            doubt = InDoubt(f"attempt {attempt} of {call.name!r} began and the process died; it may have taken effect")
            pause = self._pause(call.policy, attempt, doubt)
            failure_log.call(execution, call, attempt, doubt, final=pause is None)
            sink.report(outcomes.ended(call, attempt, now, now, pause, doubt))
        return None

    def _tell(
        self, execution: str, call: Invoke, attempt: int, started: int, looked: Fact | BaseException, sink: Sink
    ) -> None:
        """Report what is known of a call that may have taken effect."""
        if isinstance(looked, BaseException):
            failure_log.call(execution, call, attempt, looked, final=True)
            looked = outcomes.outcome(call, attempt, started, self._clock(), {"error": outcomes.told(looked)})
        sink.report(looked)

    async def _recorded(self, call: Invoke, attempt: int, sink: Sink) -> Invoke:
        """Record that an attempt begins, before it does."""
        fact, call = self.begun(call, attempt)
        await sink.record(fact)
        return call

    def begun(self, call: Invoke, attempt: int) -> tuple[Fact, Invoke]:
        """The entry that says that an attempt begins. What another process is to make gets its mark."""
        begun: Fact = {"type": "begun", "op": call.op, "name": call.name, "n": attempt, "at": self._clock()}
        if call.away is not None:
            call = call._replace(away=call.away._replace(mark=f"{self._draw.getrandbits(128):032x}"))
        return begun | outcomes.beside(call), call

    def _sent(self, call: Invoke, attempt: int, pending: Pending) -> Fact:
        """The fact of a call that was accepted elsewhere: who waits for it may go to rest."""
        now, sends = self._clock(), 1 if call.away is None else call.away.sends + 1
        until = now + int(pending.after * 1000) + 1
        fact: Fact = {"type": "sent", "op": call.op, "name": call.name, "at": now, "n": attempt, "until": until}
        return fact | {"sends": sends} | outcomes.beside(call)

    def _cut_off(self, error: BaseException, call: Invoke, started: int) -> TimedOut | None:
        """The error of an attempt that was cut off and counts."""
        if self.cut is None or call.away is not None or not isinstance(error, asyncio.CancelledError):
            return None  # what another process makes goes on there, and whoever comes next asks for it
        task, failure = asyncio.current_task(), self.cut.failure(call, started, self._clock())
        if task is None or not task.cancelling() or failure is None:
            return None
        task.uncancel()
        return failure

    def died(self, call: Invoke, error: BaseException | None) -> Fact:
        """The outcome of a call whose task has ended without one."""
        if error is None:
            error = StepFailed("the call ended without an outcome; this is a defect of the runtime")
        elif isinstance(error, asyncio.CancelledError):
            error = failures.interrupted()
        log.error("the call of %r ended without an outcome, which fails it", call.name, exc_info=error)
        return outcomes.outcome(call, call.attempt + 1, self._clock(), self._clock(), {"error": outcomes.told(error)})

    def _refused(self, call: Invoke) -> CircuitOpen | None:
        """The open circuit of the call's target. What is answered already asks it for nothing."""
        if call.away is not None and call.away.answer is not None:
            return None
        circuit = self._circuits.get((call.name, call.policy.target))
        return None if circuit is None else circuit.refusal(call.name, self._clock())

    def _far(self, policy: Policy, pause: float) -> bool:
        """Whether a pause is waited for in the store rather than here."""
        return policy.at_most_once or self.impatient or pause > seconds(policy.retry.in_process)

    def _pause(self, policy: Policy, attempt: int, error: BaseException) -> float | None:
        """Seconds until the next attempt; None when this outcome is final."""
        if not _again(policy.retry, error, attempt):
            return None
        if self.cut is not None and isinstance(error, TimedOut):
            return 0.0  # nothing is wrong over there: who comes next begins at once
        try:
            return policy.retry.pause(attempt, error, self._draw)
        except KeyboardInterrupt:
            raise
        except BaseException:  # noqa: BLE001  # the edge to user code: an error that can't be asked asks for nothing
            return policy.retry.pause(attempt, ConnectionError(), self._draw)

    async def _attempt(self, execution: str, call: Invoke, attempt: int) -> Any:
        """One attempt; the value as plain JSON. Raises what the function raises, TimedOut."""
        policy = call.policy
        speech = None
        if call.heard is not None and not call.heard.held and self.audience is not None:
            speech = self.audience.speech(execution, call.op, attempt, call.heard)
        away, caller = call.away, call.caller
        mark = away.mark if away is not None else "" if call.heard is None else call.heard.mark
        key = f"{execution}/{call.op}"
        _current.set(CallInfo(
            execution, call.op, attempt, key, speech, self._shelf, mark, away, caller, self.carrier, self.purse,
            self.tracing, call.report,
        ))  # fmt: skip
        if policy.timeout is None and policy.breaker is None:
            if call.threaded:
                return self._plain(call, await self._run(call))
            value: Any = call.call()
            if type(value) is CoroutineType or isinstance(value, Awaitable):
                value = await value  # pyright: ignore[reportUnknownVariableType]  # user code gives anything
            return self._plain(call, value)
        if policy.breaker is None:
            return self._plain(call, await self._bounded(call, policy))
        circuit = self._circuits.setdefault((call.name, policy.target), Circuit())
        failed: BaseException | None = None
        try:
            return self._plain(call, await self._bounded(call, policy))
        except BaseException as error:
            failed = error
            raise
        finally:
            if not isinstance(failed, asyncio.CancelledError):
                # Of a target elsewhere: whether it is there. What comes of a call says nothing about that.
                counts = call.away is None or isinstance(failed, FunctionUnavailable)
                circuit.note(policy.breaker, failed if counts else None, self._clock())

    async def _bounded(self, call: Invoke, policy: Policy) -> Any:
        if policy.timeout is None or call.threaded:  # in a thread its time begins when it does
            return await self._run(call)
        scope = asyncio.timeout(seconds(policy.timeout))
        try:
            async with scope:
                return await self._run(call)
        except TimeoutError:
            if scope.expired():
                raise late_of(policy)(f"{call.name!r} took longer than {policy.timeout}") from None
            raise

    async def _run(self, call: Invoke) -> Any:
        if call.threaded:
            key = _current.get().idempotency_key
            timeout, late = call.policy.timeout, late_of(call.policy)
            return await self.threads.run(call.name, call.call, key=key, timeout=timeout, late=late)
        value: object = call.call()
        return await value if type(value) is CoroutineType or isinstance(value, Awaitable) else value  # pyright: ignore[reportUnknownVariableType]  # user code gives anything

    def _plain(self, call: Invoke, value: Any) -> Any:
        try:
            media = given(value, self._limit) if call.report == "tool" else None
            return call.write(value, self._limit) if media is None else media
        except InvalidInput as error:
            said = f"the result of {call.name!r} can't be recorded: {error}"
            raise doubtful(said) if must_not_recur(call) else type(error)(said) from None


def _outcome_of(error: BaseException, cut_off: TimedOut | None) -> tuple[bool, BaseException]:
    """What a call has failed with, and whether that is final whatever its policy says."""
    return (True, error.error) if isinstance(error, Failed) else (False, cut_off or outcome_of(error))


def _again(retry: Retry, error: BaseException, attempt: int) -> bool:
    try:
        return retry.again(error, attempt)
    except KeyboardInterrupt:
        raise
    except BaseException:  # the edge to user code: what can't say that it may be tried again is final
        log.exception("the function that says whether to try again (Retry.when) failed, so the error is final")
        return False
