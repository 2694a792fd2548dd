"""A call of which nobody knows whether it took effect: who can tell is asked, before anything is repeated.

What it comes to is one fact. ``resolved``: the tool's own reconcile function, or the rule for when nobody has said
anything in time, says what came of it. ``doubt``: nobody can tell yet, and the call rests until a person resolves it
or it is asked about again. Either is recorded before it is acted upon, so that no replay asks again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ...state.codec import dumps
from ...state.errors import InDoubt, InvalidInput, TimedOut
from ...state.quantities import Duration, seconds
from ..errors import failures
from ..errors.groups import text
from ..protocol.decider import Doubt, Fact, Invoke
from ..usercode.reconciling import Contract, Done, NotDone, Unknown, outcome
from ..usercode.threads import Threads
from .doubt import doubtful

log = logging.getLogger("overwinter")
ASKED: Duration = "60s"
"""How long a reconcile function may take, of a tool without a timeout."""
TRIES = 3
"""How often it is asked before an InDoubt is raised, where nobody is waited for."""
FIRST, FACTOR, MOST = 5_000, 4, 3_600_000
"""Milliseconds until it is asked again: at first, growing, and at most."""
SHOWN = 32 * 1024
"""Characters of arguments that are shown to who is to resolve it; of larger ones nothing is."""
HOOK, RULE = "reconcile", "rule"
"""By whom a call was resolved, when not by a person."""


def possible(call: Invoke, error: BaseException, *, again: bool) -> bool:
    """Whether a call that has failed like this may have taken effect, so that its contract is to be looked into.
    ``again``: it would be tried again."""
    contract = call.policy.contract
    if contract is None:
        return False
    if isinstance(error, InDoubt) or call.away is not None:  # what is sent elsewhere may be sent again
        return isinstance(error, InDoubt)
    if isinstance(error, TimedOut):
        return True
    return contract.reconcile is not None and (again or isinstance(error, (TimeoutError, ConnectionError)))


def anew(call: Invoke) -> Invoke:
    """The call, to be made again because it was not done. What is sent elsewhere is asked about as often as before."""
    away = call.away if call.away is None else call.away._replace(sends=0, heard=0)
    return call._replace(begun=False, doubt=None, away=away)


def overdue(call: Invoke, now: int) -> bool:
    """Whether the time is over in which somebody may resolve it."""
    contract, doubt = call.policy.contract, call.doubt
    return bool(contract and contract.waits and doubt and doubt.since + contract.waits <= now)


class Doubting:
    """For one performer. ``limit``: bytes that one value may have."""

    def __init__(self, clock: Callable[[], int], threads: Threads, limit: int) -> None:
        self._clock = clock
        self._threads = threads
        self._limit = limit

    async def began(self, execution: str, call: Invoke) -> Fact | BaseException:
        """The fact about a call that began and has no outcome, or that is in doubt already; the error with which it
        ends when nobody is waited for."""
        attempt = call.attempt + (call.doubt is None)
        why = f"attempt {attempt} of {call.name!r} began and its outcome is unknown; it may have taken effect"
        return await self.look(execution, call, InDoubt(why), attempt)

    async def look(
        self, execution: str, call: Invoke, error: BaseException, attempt: int, *, pause: float | None = 0
    ) -> Fact | BaseException:
        """The same of an ``attempt`` that has ended with ``error``. ``pause``: seconds until it is made again when it
        was not done; None: then it has failed with that error."""
        contract, doubt = call.policy.contract or Contract(), call.doubt
        since = self._clock() if doubt is None else doubt.since
        over = None if contract.waits is None else since + contract.waits
        asked = 0 if doubt is None else doubt.asked
        if overdue(call, self._clock()):
            why = f"nobody had resolved it within {contract.within}"
            return self._resolved(call, attempt, contract.then, by=RULE, reason=why)
        why = ""
        if contract.reconcile is not None:
            said = await self._asked(execution, call, contract.reconcile)
            if isinstance(said, Done):
                try:
                    value = call.write(said.result, self._limit)
                    return self._resolved(call, attempt, "done", by=HOOK) | {"value": value}
                except InvalidInput as unfit:
                    said = Unknown(f"reconcile of {call.name!r} gives a result that can't be recorded: {unfit}")
            if isinstance(said, NotDone):
                return error if pause is None else self._again(call, attempt, pause)
            why, asked = said.why, asked + 1
        told = error if isinstance(error, InDoubt) else doubtful(text(error))
        return self._doubt(execution, call, attempt, Doubt(since, asked), over, told, why) or told

    def _doubt(
        self, execution: str, call: Invoke, attempt: int, doubt: Doubt, over: int | None, error: InDoubt, why: str
    ) -> Fact | None:
        """It rests. None: nobody is waited for."""
        contract, now = call.policy.contract or Contract(), self._clock()
        if contract.waits == 0 and (contract.reconcile is None or doubt.asked >= TRIES):
            return None
        ends = [over] if over is not None and contract.waits else []
        if contract.reconcile is not None:
            ends.append(now + min(MOST, FIRST * FACTOR ** min(max(doubt.asked - 1, 0), 10)))
        fact: Fact = {"type": "doubt", "op": call.op, "name": call.name, "at": now, "n": attempt, "since": doubt.since}
        fact |= {"key": f"{execution}/{call.op}", "error": failures.encode(error)}
        fact |= {"asked": doubt.asked} if doubt.asked else {}
        fact |= {"why": why} if why else {}
        fact |= {"until": min(ends)} if ends else {}
        if over is not None and contract.waits:
            fact |= {"rule": {"at": over, "then": contract.then}}
        given = _given(call)
        if given is not None and len(dumps(given)) <= SHOWN:
            fact["arguments"] = given
        return fact | _beside(call)

    def settled(self, call: Invoke, said: Fact) -> Fact:
        """The result of a call that was resolved, or the error, as its outcome holds it."""
        by, reason = str(said.get("by", "")), str(said.get("reason", ""))
        resolved = {"resolved": {name: said[name] for name in ("by", "reason", "since") if said.get(name)}}
        if said["verdict"] == "done":
            return {"value": said.get("value")} | resolved
        who = f"{by or 'somebody'} has given it up{f': {reason}' if reason else ''}"
        why = InDoubt(f"nobody knows whether {call.name!r} took effect; {who}")
        return {"error": failures.encode(why)} | resolved

    def _again(self, call: Invoke, attempt: int, pause: float) -> Fact:
        fact = self._resolved(call, attempt, "not-done", by=HOOK)
        return fact | {"until": self._clock() + int(pause * 1000) + 1} if pause else fact

    def _resolved(self, call: Invoke, attempt: int, verdict: str, *, by: str, reason: str = "") -> Fact:
        fact: Fact = {"type": "resolved", "op": call.op, "name": call.name, "at": self._clock(), "n": attempt}
        fact |= {"verdict": verdict, "by": by} | ({"reason": reason} if reason else {})
        return fact | ({"since": call.doubt.since} if call.doubt is not None else {}) | _beside(call)

    async def _asked(
        self, execution: str, call: Invoke, reconcile: Callable[[str, dict[str, Any]], Any]
    ) -> Done | NotDone | Unknown:
        """What the tool's own function says. That it fails says nothing."""
        key, within = f"{execution}/{call.op}", call.policy.timeout or ASKED
        given, contract = _given(call), call.policy.contract
        if given is None:
            return Unknown(f"the arguments of {call.name!r} can't be told any more")
        ask: Callable[[], Any] = partial(reconcile, key, dict(given))
        run = partial(self._threads.run, f"reconcile of {call.name}", key=key, timeout=within)
        try:
            async with asyncio.timeout(seconds(within)):
                if contract is not None and contract.threaded:
                    said = await run(ask)
                else:
                    if call.threaded:
                        await run(_nothing)  # an attempt that took too long goes on in its thread: it ends first
                    said = await ask()
        except (asyncio.CancelledError, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001  # the edge to user code: whatever it raises, it has not told
            log.warning("execution %s: reconcile of %r failed: %s", execution, call.name, text(error))
            return Unknown(f"reconcile of {call.name!r} failed: {text(error)}")
        return outcome(said, call.name)


def _nothing() -> None: ...


def _given(call: Invoke) -> Mapping[str, Any] | None:
    """The arguments of a tool; None when they can't be told."""
    if call.given is None:
        return None
    try:
        return call.given()
    except (InvalidInput, TypeError, ValueError):
        return None


def _beside(call: Invoke) -> Fact:
    fact: Fact = {"args": call.args} if call.args else {}
    if call.away is not None and call.away.mark:
        fact["mark"] = call.away.mark
    return fact | ({"branch": call.extra["branch"]} if "branch" in call.extra else {})
