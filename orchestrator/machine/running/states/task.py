"""Task: has a function called, and goes on with what it gives."""

from __future__ import annotations

from typing import Any

from .....state.ids import child_id
from ....governance import tokens
from ....protocol.decider import Away, Invoke, Spawn
from ...definition.states.task import Task
from ..execution import Behaviour, Execution
from ..failure import HEARTBEAT, TIMEOUT, Failure
from ..frame import Frame
from ..outputs import arguments, finish
from ..resources import Call

WAITS = "waitForTaskToken"


def begin(run: Execution, frame: Frame, state: Task) -> None:
    op, waits = frame.op, state.resource.pattern == WAITS
    token = tokens.make(run.id, op, tokens.secret_of(run.seed, op)) if waits else ""
    scope = run.scope(frame, frame.input, token)
    given = arguments(scope, state, state.arguments)
    timeout = scope.number(state.timeout, "TimeoutSeconds")
    heartbeat = scope.number(state.heartbeat, "HeartbeatSeconds")
    frame.doing = {"given": given} | ({"heartbeat": heartbeat} if heartbeat is not None else {})
    run.history.add(f"{_kind(state)}Scheduled", run.now, resource=state.resource.text)
    work = run.resources.target(state.resource, given)
    if isinstance(work, Call):
        run.call(frame, invoke(run, frame, frame.op, work))
    else:
        id = work.id or child_id(run.id, op)
        run.spawn(frame, Spawn(op, id, work.name, work.input, work.detached, run.depth, work.kind, run.caller))
    run.history.add(f"{_kind(state)}Started", run.now)
    if timeout is not None:
        run.time(frame, "timeout", run.now + timeout * 1000)
    if waits:
        run.tokens[op] = frame
    if heartbeat is not None:
        run.time(frame, "heartbeat", run.now + heartbeat * 1000)


def call_again(run: Execution, frame: Frame, state: Task) -> Invoke | None:
    """The call that a Task has under way, as it was ordered; None when it is no call any more."""
    work = run.resources.target(state.resource, frame.doing["given"])
    return invoke(run, frame, frame.op, work) if isinstance(work, Call) else None


def invoke(run: Execution, frame: Frame, op: str, work: Call) -> Invoke:
    """The call, as it is ordered."""
    away = Away(run.about.machine) if work.away else None
    call = Invoke(op, work.name, "step", work.invoke, work.threaded, work.policy, write=work.write, away=away)
    return call._replace(caller=run.caller, extra={"state": frame.state})


def _kind(state: Task) -> str:
    """How the history names what a Task does."""
    return {"lambda": "LambdaFunction", "activity": "Activity"}.get(state.resource.kind, "Task")


def result(run: Execution, frame: Frame, state: Task, found: Any) -> None:
    """What was called has an outcome. Who was given a task token says what came of it."""
    if state.resource.pattern == WAITS and not isinstance(found, Failure):
        run.history.add("TaskSubmitted", run.now, output=found)
        return
    run.tokens.pop(frame.op, None)
    completed(run, frame, state, found)


def completed(run: Execution, frame: Frame, state: Task, found: Any) -> None:
    if isinstance(found, Failure):
        run.history.add(f"{_kind(state)}Failed", run.now, error=found.error, cause=found.cause)
        run.fail(frame, found)
        return
    run.quit(frame)
    run.history.add(f"{_kind(state)}Succeeded", run.now, output=found)
    finish(run, frame, state, run.resources.shaped(state.resource, found))


def over(run: Execution, frame: Frame, state: Task, kind: str) -> None:
    error = TIMEOUT if kind == "timeout" else HEARTBEAT
    run.history.add(f"{_kind(state)}TimedOut", run.now, error=error)
    run.fail(frame, Failure(error, None))


def beat(run: Execution, frame: Frame, at: int) -> None:
    """Who has the token is alive."""
    seconds = frame.doing.get("heartbeat")
    if seconds is not None:
        run.time(frame, "heartbeat", at + seconds * 1000)


BEHAVIOUR = Behaviour(begin, result=result, timer=over, again=call_again)
