"""What comes from outside, handed to the state that waits for it. Each says whether it changed anything: what is late,
repeated or of somebody else is dropped."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from ..governance import tokens
from ..governance.approvals.proposal import ESCALATION, REMINDER
from ..protocol.decider import Fact
from .language.numbers import json_text
from .running import approvals
from .running.execution import Execution
from .running.failure import TASK_FAILED, Failure, of_exception
from .running.frame import Frame
from .running.states import task

Handler = Callable[[Execution, Fact], bool]


def step(run: Execution, fact: Fact) -> bool:
    """A call has its outcome."""
    found = of_exception(fact["error"]) if "error" in fact else fact.get("value")
    return run.came(fact["op"], found) or run.confirmed(fact["op"])


def attempt(run: Execution, fact: Fact) -> bool:
    """How a call gets on; of one that is an execution of its own here, that is nothing to go by."""
    return run.calls.fact(fact) or fact["op"] in run.waiting


def sent(run: Execution, fact: Fact) -> bool:
    if "until" in fact:
        return attempt(run, fact)
    if not task.sent(run, fact):
        return False
    if (id := run.started.get(fact["op"])) is not None:
        _submitted(run, fact["op"], {"ExecutionArn": id})
    return True


def decided(run: Execution, fact: Fact) -> bool:
    """A person has approved a call, denied it, or given it to somebody else to decide; or time has passed."""
    asked = approvals.about(run, fact)
    found = approvals.decided(run, fact)
    if asked is None or found is None:
        return False
    run.standings.take(fact)
    frame = asked.frame
    if isinstance(found, Failure):
        run.soon(run.attempt, frame, task.result, run, frame, frame.here, found)
    elif asked.proposal.outcome is not None:
        run.soon(run.attempt, frame, task.approved, run, frame, frame.here)
    return True


def revoked(run: Execution, fact: Fact) -> bool:
    """A standing approval ends."""
    return run.standings.take(fact)


def answered(run: Execution, fact: Fact) -> bool:
    return run.calls.answered(fact)


def timer(run: Execution, fact: Fact) -> bool:
    if fact.get("kind") in (REMINDER, ESCALATION):
        return run.timers.pop(fact["op"], None) is not None and decided(run, fact)
    return fact["op"] == "on" or run.happened(fact["op"])


def child(run: Execution, fact: Fact) -> bool:
    """A child has ended, or could not be started."""
    op = fact.get("op") or run.children.get(fact["id"])
    if op is None:
        return False
    run.lending.ended(op, fact)
    run.unsent.pop(op, None)
    run.fresh.pop(op, None)
    if "op" not in fact:
        _submitted(run, op, {"ExecutionArn": fact["id"]})
    status = fact.get("status", "failed" if "error" in fact else "completed")
    if status == "completed":
        return run.came(op, fact.get("value"))
    own = of_exception(fact["error"]) if fact.get("error") else Failure(None, str(fact.get("reason") or "") or None)
    frame = run.waiting.get(op)
    if "op" not in fact and frame is not None and _started(frame):
        return run.came(op, Failure(TASK_FAILED, json_text(_described(run, frame, fact["id"], status, own))))
    if status == "failed":
        return run.came(op, own)
    return run.came(op, Failure(TASK_FAILED, f"{fact['id']} was {status}: {fact.get('reason', '')}"))


def _started(frame: Frame) -> bool:
    """Whether the execution is one that states:startExecution waits for: its Task fails as States.TaskFailed, however
    the execution itself has failed."""
    state: Any = frame.here
    return bool(state.resource.kind == "integration")


def _described(run: Execution, frame: Frame, id: str, status: str, own: Failure) -> dict[str, Any]:
    """What AWS tells of the execution: its DescribeExecution, names in order."""
    given: Any = frame.doing.get("given")
    asked = cast("dict[str, Any]", given if isinstance(given, dict) else {})
    told: dict[str, Any] = {
        "Cause": own.cause,
        "Error": own.error,
        "ExecutionArn": id,
        "Input": json_text(asked.get("Input", {})),
    }
    told |= {"InputDetails": {"Included": True}, "Name": id, "RedriveCount": 0, "RedriveStatus": "REDRIVABLE"}
    told |= {"StartDate": frame.doing.get("begun", run.now), "StateMachineArn": asked.get("StateMachineArn")}
    told |= {"Status": "FAILED" if status == "failed" else "ABORTED", "StopDate": run.now}
    return {name: value for name, value in told.items() if value is not None}


def callback(run: Execution, fact: Fact) -> bool:
    """Who has a task token says what came of the task."""
    frame = run.tokens.get(fact["op"])
    if frame is None or not _proven(run, fact):
        return False
    del run.tokens[fact["op"]]
    _submitted(run, fact["op"], None)
    error = fact.get("error")
    if error is None:
        run.soon(run.attempt, frame, task.completed, run, frame, frame.here, fact.get("value"))
    else:
        kind, cause = str(error.get("kind") or "States.TaskFailed"), str(error.get("message") or "") or None
        failed = of_exception(error) if kind.endswith("StateFailed") else Failure(kind, cause)
        run.soon(run.attempt, frame, task.completed, run, frame, frame.here, failed)
    return True


def beat(run: Execution, fact: Fact) -> bool:
    frame = run.tokens.get(fact["op"])
    if frame is None or not _proven(run, fact):
        return False
    task.beat(run, frame, fact["at"])
    return True


def cancel(run: Execution, fact: Fact) -> bool:
    run.cancel(str(fact.get("reason", "")) or "cancelled")
    return True


def _submitted(run: Execution, op: str, found: Any) -> None:
    """What a Task goes on to wait for has begun, if it is still waited for."""
    frame = run.waiting.get(op)
    if frame is not None:
        state: Any = frame.here
        task.submitted(run, frame, state, found)


def _proven(run: Execution, fact: Fact) -> bool:
    return hmac.compare_digest(str(fact.get("secret", "")), tokens.secret_of(run.seed, fact["op"]))


def begun(entries: Sequence[Fact]) -> dict[str, Fact]:
    """The first entry of each operation."""
    found: dict[str, Fact] = {}
    for entry in entries:
        if entry["type"] in ("ordered", "begun", "step") or (entry["type"] == "sent" and "until" in entry):
            found.setdefault(entry["op"], entry)
    return found


HANDLERS: Mapping[str, Handler] = {
    "step": step,
    "begun": attempt,
    "retrying": attempt,
    "doubt": attempt,
    "resolved": attempt,
    "sent": sent,
    "answered": answered,
    "decided": decided,
    "delegated": decided,
    "revoked": revoked,
    "timer": timer,
    "child": child,
    "callback": callback,
    "beat": beat,
    "cancel": cancel,
}
