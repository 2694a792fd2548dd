"""What each kind of fact does to a run. A handler answers whether it takes the fact; the code runs on after it.

The same handlers serve live facts and journal entries, so that replay can't differ: what is refused live is
never journaled, and what is refused on replay is a disagreement.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Any, cast

from ...state.errors import ExecutionCancelled, ExecutionError, ExecutionFailed, ExecutionTerminated, Final
from ..errors.groups import text
from ..protocol.decider import Fact, Publish, when
from ..protocol.keeping import Kept
from . import approval, mismatch
from .callback import Callback
from .child import Child, tell_to_cancel
from .operation import error_in
from .publish import Publication
from .run import Listener, Run
from .takes import example

Handler = Callable[[Run, Fact], bool]


def advance(run: Run, fact: Fact) -> None:
    """The clock moves with what is taken, never backwards."""
    run.timers.now = max(run.timers.now, when(fact))


def step(run: Run, fact: Fact) -> bool:
    op = run.ops.get(fact["op"])
    if op is None or op.kind != "step":
        return False
    run.timers.now = max(run.timers.now, fact["at"])
    run.settle(op.op)
    if "error" in fact:
        op.fail(cast("Exception", error_in(fact)))
    else:
        op.take(fact.get("value"))
    return True


def attempt(run: Run, fact: Fact) -> bool:
    """``begun``, ``retrying``, ``doubt``, or ``sent`` of a call that another process makes."""
    op = run.ops.get(fact["op"])
    if op is None or not run.calls.fact(fact):
        return False
    advance(run, fact)
    return True


def resolved(run: Run, fact: Fact) -> bool:
    """What came of a call in doubt; the call is performed again and finds it. A result that does not fit is passed over
    visibly, and the call stays in doubt."""
    op = run.ops.get(fact["op"])
    if op is not None and not run.replaying and (error := op.unfit(fact)) is not None and fact["op"] in run.calls:
        why = mismatch.misfit("result of", op.name, fact.get("value"), error)
        run.skip(f"{op.op} {len(run.passed)}", {"op": op.op, "name": op.name, "why": why})
        return False
    if not attempt(run, fact):
        return False
    if op is not None and op.op in run.unwanted and fact.get("verdict") == "not-done":
        run.withdraw(op.op)
        run.settle(op.op)
        op.fail(Final(f"{op.name} was not done, and nobody wants it any more"))
    return True


def answered(run: Run, fact: Fact) -> bool:
    """What another process was to do is done; the call is made again and told what came of it."""
    if not (run.calls.answered(fact) or (run.replaying and fact["op"] in run.calls)):
        return False
    advance(run, fact)
    return True


def timer(run: Run, fact: Fact) -> bool:
    found = run.timers.take(fact["op"])
    if found is None:
        return False
    advance(run, fact)
    run.loop.fire(found)
    return True


def event(run: Run, fact: Fact) -> bool:
    advance(run, fact)
    name = str(fact["name"])
    listeners: list[Listener] = run.listeners.get(name, [])
    unfit: Listener | None = None
    for listener in list(listeners):
        if listener.accepts(fact):
            return True
        if unfit is None and listener.why is not None:
            unfit = listener
    run.events.setdefault(name, []).append(Kept(run.number, fact))
    if unfit is not None:
        unfit.pass_over(fact)
    return True


def decided(run: Run, fact: Fact) -> bool:
    """What a person says of what is asked. Why it counts for nothing is to be seen, as long as it is asked."""
    op = approval.about(run, fact)
    if op is None:
        return False
    why = "" if run.replaying else op.objection(fact)
    if why:
        told = {"op": op.op, "name": fact["type"], "by": fact.get("by", ""), "why": why}
        run.skip(f"{op.op} {len(run.passed)}", told)
        return False
    advance(run, fact)
    heard = op.hear(fact)
    if heard:
        run.standings.take(fact)
    return heard


def revoked(run: Run, fact: Fact) -> bool:
    """A standing approval ends."""
    if not run.standings.take(fact):
        return False
    advance(run, fact)
    return True


def _calling(run: Run, fact: Fact) -> Callback[Any] | None:
    if not isinstance(run.ops.get(fact["op"]), Callback):
        return None
    op = cast("Callback[Any]", run.ops[fact["op"]])
    return op if hmac.compare_digest(str(fact.get("secret", "")), op.secret) else None


def callback(run: Run, fact: Fact) -> bool:
    op = _calling(run, fact)
    if op is None:
        return False
    error = op.misfit(fact)
    if error is not None and (not run.replaying or op.op in run.retried):
        why = mismatch.misfit("value of callback", op.name, fact.get("value"), error)
        run.skip(f"{op.op} {len(run.passed)}", {"op": op.op, "name": op.name, "why": why})
        return run.replaying  # an older release took it and failed; live it is dropped, and the callback stays open
    advance(run, fact)
    run.settle(op.op)
    op.complete(fact)
    return True


def unusable(run: Run, fact: Fact) -> str:
    """Why nobody who waits now can use the data of an event or a completion; empty when somebody may."""
    if fact["type"] == "callback":
        op = _calling(run, fact)
        error = None if op is None else op.misfit(fact)
        if op is None or error is None:
            return ""
        return mismatch.misfit("value of callback", op.name, fact.get("value"), error, example(op.type))
    if fact["type"] in ("decided", "delegated"):
        asked = approval.about(run, fact)
        return "" if asked is None else asked.refusal(fact)
    if fact["type"] == "resolved":
        called = run.ops.get(fact["op"])
        wrong = None if called is None else called.unfit(fact)
        return (
            "" if called is None or wrong is None else mismatch.misfit("result of", called.name, fact["value"], wrong)
        )
    listeners = run.listeners.get(str(fact.get("name", ""))) if fact["type"] == "event" else None
    if not listeners:
        return ""
    errors = [listener.misfit(fact.get("data")) for listener in listeners]
    if any(error is None for error in errors):
        return ""
    why = cast("Exception", errors[0])
    return mismatch.misfit("event", str(fact["name"]), fact.get("data"), why, example(listeners[0].type))


def beat(run: Run, fact: Fact) -> bool:
    op = _calling(run, fact)
    if op is None:
        return False
    advance(run, fact)
    op.beat(fact["at"])
    return True


def sent(run: Run, fact: Fact) -> bool:
    if "until" in fact:
        return attempt(run, fact)
    effect = run.unsent.pop(fact["op"], None)
    if effect is None:
        return False
    advance(run, fact)
    run.fresh.pop(effect.op, None)
    op = run.ops.get(effect.op)
    if isinstance(op, Child):
        op.sent()
    elif isinstance(op, Publication):
        op.sent(fact)
    elif not isinstance(effect, Publish):
        run.children.pop(effect.id, None)
        if effect.op in run.leaving:
            del run.leaving[effect.op]
            tell_to_cancel(run, effect.op, effect.id)
    return True


def child(run: Run, fact: Fact) -> bool:
    """A child has ended, or could not be started."""
    key = fact.get("op", run.children.get(fact["id"]))
    op = run.ops.get(key) if key is not None else None
    if not isinstance(op, Child):
        if key is None or run.unsent.pop(key, None) is None:
            return False
        run.leaving.pop(key, None)
        run.fresh.pop(key, None)
        run.children.pop(fact["id"], None)
        run.lending.ended(key, fact)
        advance(run, fact)
        return True
    if op.id != fact["id"]:
        return False
    run.lending.ended(op.op, fact)
    advance(run, fact)
    run.settle(op.op)
    run.unsent.pop(op.op, None)
    run.fresh.pop(op.op, None)
    run.children.pop(op.id, None)
    error = child_error(fact)
    if error is None:
        op.take(fact.get("value"))
    else:
        op.fail(error)
    return True


def child_error(fact: Fact) -> ExecutionError | None:
    """How a child ended, when it did not complete; the recorded error is its cause."""
    id, status = fact["id"], fact.get("status", "failed" if "error" in fact else "completed")
    if status == "completed":
        return None
    if status == "cancelled":
        return ExecutionCancelled(f"child {id} was cancelled: {fact.get('reason', '')}".rstrip(": "), execution=id)
    if status == "terminated":
        return ExecutionTerminated(f"child {id} was terminated: {fact.get('reason', '')}".rstrip(": "), execution=id)
    cause = error_in(fact)
    if isinstance(cause, ExecutionError):
        cause.execution = cause.execution or id
        return cause
    failed = ExecutionFailed(f"child {id} failed: {'' if cause is None else text(cause)}", execution=id, cause=cause)
    failed.__cause__ = cause
    return failed


def cancel(run: Run, fact: Fact) -> bool:
    if run.cancelling:
        return False
    advance(run, fact)
    run.cancel(str(fact.get("reason", "")))
    return True


HANDLERS: dict[str, Handler] = {
    "step": step,
    "begun": attempt,
    "retrying": attempt,
    "doubt": attempt,
    "resolved": resolved,
    "answered": answered,
    "timer": timer,
    "event": event,
    "decided": decided,
    "delegated": decided,
    "revoked": revoked,
    "callback": callback,
    "beat": beat,
    "sent": sent,
    "child": child,
    "cancel": cancel,
}
