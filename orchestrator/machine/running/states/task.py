"""Task: has a function called, events published or a worker's task put down, and goes on with what comes of it."""

from __future__ import annotations

from functools import partial
from typing import Any

from .....state.errors import InvalidInput, PayloadTooLarge
from .....state.ids import child_id
from ....errors import failures
from ....governance import tokens
from ....governance.approvals.changed import unless
from ....protocol.callers import handed_on
from ....protocol.decider import NONE, Access, Away, Fact, Invoke, Publish, Spawn
from ...definition.states.task import Task
from ...language.failure import QueryError
from .. import approvals, moved
from ..activity import key_of, taken_place, waiting_place
from ..execution import Behaviour, Execution
from ..failure import HEARTBEAT, RUNTIME, TIMEOUT, Failure, of_exception
from ..frame import Frame
from ..outputs import arguments, finish
from ..resources import Activity, Asking, Call, Child, Work

WAITS = "waitForTaskToken"
_EVENT = ".e"
"""Between the operation of a Task and the number of an event that it publishes."""


def begin(run: Execution, frame: Frame, state: Task) -> None:
    op = frame.op
    given_token = state.resource.pattern == WAITS or state.resource.kind == "activity"
    token = tokens.make(run.id, op, tokens.secret_of(run.seed, op)) if given_token else ""
    scope = run.scope(frame, frame.input, token)
    given = arguments(scope, state, state.arguments)
    if (large := run.limits.too_large(frame.state, given)) is not None:
        raise QueryError(large.error or "", large.cause or "")
    timeout = scope.number(state.timeout, "TimeoutSeconds")
    heartbeat = scope.number(state.heartbeat, "HeartbeatSeconds")
    beats = {"heartbeat": heartbeat} if heartbeat is not None else {}
    frame.doing = frame.approved() | {"given": given, "begun": run.now} | beats
    try:
        work = run.resources.target(state.resource, given, _asking(run, frame))
    except QueryError as error:
        if error.error == RUNTIME:
            raise
        _scheduled(run, frame, state, timeout)
        completed(run, frame, state, Failure(error.error, error.cause))
        return
    work = moved.as_begun(run, op, work)
    _scheduled(run, frame, state, timeout)
    if timeout is not None:
        run.time(frame, "timeout", run.now + timeout * 1000)
    _approve(run, frame, state, work, token)


def _approve(run: Execution, frame: Frame, state: Task, work: Work, token: str = "", again: int = 0) -> None:
    """Have it called, when nobody has to be asked before."""
    try:
        if approvals.ask(run, frame, work, again):
            return
    except (InvalidInput, PayloadTooLarge) as error:
        completed(run, frame, state, of_exception(failures.encode(error)))
        return
    _go(run, frame, state, work, token)


def approved(run: Execution, frame: Frame, state: Task) -> None:
    """What had to wait for a person begins, or somebody is asked once more."""
    work = _work(run, frame, state)
    if "approved" in frame.doing:
        _go(run, frame, state, work, "")
    else:
        _approve(run, frame, state, work, again=frame.doing["again"])


def _work(run: Execution, frame: Frame, state: Task) -> Work:
    """What it does, from what it was given."""
    work = run.resources.target(state.resource, frame.doing["given"], _asking(run, frame))
    return moved.as_begun(run, frame.op, work)


def _go(run: Execution, frame: Frame, state: Task, work: Work, token: str) -> None:
    _order(run, frame, approvals.edited(frame, work), token)
    if _waits(frame, state):
        run.tokens[frame.op] = frame
    beat(run, frame, run.now)


def _scheduled(run: Execution, frame: Frame, state: Task, timeout: int | None) -> None:
    kind, text, doing = _kind(state), state.resource.text, frame.doing
    limits = {"timeout": timeout, "heartbeat": doing.get("heartbeat")}
    run.history.add(f"{kind}Scheduled", run.now, frame, resource=text, input=doing["given"], **limits)
    run.history.add(f"{kind}Started", run.now, frame, resource=text)


def submitted(run: Execution, frame: Frame, state: Task, found: Any) -> None:
    """What the Task goes on to wait for was begun. It is told once, and of Tasks that go on to wait alone."""
    if state.resource.pattern and "submitted" not in frame.doing:
        frame.doing["submitted"] = True
        run.history.add("TaskSubmitted", run.now, frame, resource=state.resource.text, output=found)


def _waits(frame: Frame, state: Task) -> bool:
    """Whether its outcome comes by a task token. (An activity may be a function here.)"""
    return state.resource.pattern == WAITS or "put" in frame.doing


def _asking(run: Execution, frame: Frame) -> Asking:
    return Asking(run.id, run.about.machine, frame.op, frame.doing.get("begun", 0), run.seed)


def _order(run: Execution, frame: Frame, work: Work, token: str) -> None:
    op, given = frame.op, frame.doing["given"]
    if isinstance(work, Call):
        run.call(frame, invoke(run, frame, op, work))
    elif isinstance(work, Child):
        id = work.id or child_id(run.id, op)
        given_on = handed_on(run.caller)
        run.spawn(frame, Spawn(op, id, work.name, work.input, work.detached, run.depth, work.kind, given_on))
    elif isinstance(work, Activity):
        told = {"token": token, "input": given}
        put = Access(f"{op}.put", work.name, "put", waiting_place(work.name), key_of(run.id, op, run.now), told)
        frame.doing["put"] = [put.name, put.key]
        run.waiting[put.op] = frame
        run.send(put)
    elif work.events:
        frame.doing |= {"left": len(work.events), "refused": {}}
        run.waiting[op] = frame
        for number, event in enumerate(work.events):
            run.send(Publish(f"{op}{_EVENT}{number}", event))
    else:
        _publish(run, frame, frame.here, {})


def call_again(run: Execution, frame: Frame, state: Task) -> Invoke | None:
    """The call that a Task has under way, as it was ordered; None when it is no call any more."""
    work = run.resources.target(state.resource, frame.doing["given"], _asking(run, frame))
    work = approvals.edited(frame, work)
    return invoke(run, frame, frame.op, work) if isinstance(work, Call) else None


def invoke(run: Execution, frame: Frame, op: str, work: Call) -> Invoke:
    """The call, as it is ordered."""
    away = Away(run.about.machine, approved="approved" in frame.doing) if work.away else None
    if work.detached:
        frame.doing["detached"] = True
    call = Invoke(op, work.name, "step", work.invoke, work.threaded, work.policy, write=work.write, away=away)
    call = call._replace(pure=work.pure, like=NONE)  # its entry does not say with what it was called
    call = call._replace(caller=run.caller, extra={"state": frame.state}, given=partial(dict[str, Any], work.input))
    approved: str = frame.doing.get("version", "")
    return call if work.wants is None else unless(call, approved, work.wants.version)


def _kind(state: Task) -> str:
    """How the history names what a Task does."""
    return {"lambda": "LambdaFunction", "activity": "Activity"}.get(state.resource.kind, "Task")


def sent(run: Execution, fact: Fact) -> bool:
    """What was ordered has arrived, or was refused for good. False when it was not open."""
    op, sign, number = fact["op"].partition(_EVENT)
    if not run.confirmed(fact["op"]):
        return False
    frame = run.waiting.get(op)
    if sign and frame is not None:
        doing = frame.doing
        doing["left"] -= 1
        if "error" in fact:
            doing["refused"][number] = str(fact["error"].get("message", ""))
        if not doing["left"]:
            _publish(run, frame, frame.here, {int(number): why for number, why in doing["refused"].items()})
    return True


def _publish(run: Execution, frame: Frame, state: Any, refused: dict[int, str]) -> None:
    """All that was to be published has been told of."""
    found = run.resources.published(state.resource, frame.doing["given"], _asking(run, frame), refused)
    run.settle(frame.op)
    run.soon(run.attempt, frame, result, run, frame, state, found)


def result(run: Execution, frame: Frame, state: Task, found: Any) -> None:
    """What was called has an outcome. Who was given a task token says what came of it. What was read before somebody is
    asked is no outcome yet."""
    if approvals.looked(frame, found):
        _approve(run, frame, state, _work(run, frame, state))
        return
    if frame.doing.get("detached"):
        found = None
    if _waits(frame, state) and not isinstance(found, Failure):
        if state.resource.pattern == WAITS:
            submitted(run, frame, state, found)
        return
    run.tokens.pop(frame.op, None)
    if not isinstance(found, Failure):
        submitted(run, frame, state, None)
    completed(run, frame, state, found)


def completed(run: Execution, frame: Frame, state: Task, found: Any) -> None:
    if not isinstance(found, Failure):
        resource = state.resource
        who = resource.name.partition(":")[0] if resource.kind == "integration" else resource.text
        found = run.limits.too_large(who, found) or found
    if isinstance(found, Failure):
        told = {"resource": state.resource.text, "error": found.error, "cause": found.cause}
        run.history.add(f"{_kind(state)}Failed", run.now, frame, **told)
        run.fail(frame, found)
        return
    given = frame.doing["given"]
    run.quit(frame)
    found = run.resources.shaped(state.resource, given, found)
    run.history.add(f"{_kind(state)}Succeeded", run.now, frame, resource=state.resource.text, output=found)
    finish(run, frame, state, found)


def quit(run: Execution, frame: Frame) -> None:
    """A worker's task is none any more, whether one has taken it or not."""
    approvals.forget(run, frame)
    if "put" in frame.doing:
        name, key = frame.doing.pop("put")
        if run.waiting.pop(f"{frame.op}.put", None) is not None:
            run.confirmed(f"{frame.op}.put")
            run.abandoned.append(f"{frame.op}.put")
        run.send(Access(f"{frame.op}.drop", name, "remove", waiting_place(name), key))
        run.send(Access(f"{frame.op}.forget", name, "remove", taken_place(name), key))


def over(run: Execution, frame: Frame, state: Task, kind: str) -> None:
    if kind == approvals.KIND:
        result(run, frame, state, approvals.over(run, frame))
        return
    run.history.add(f"{_kind(state)}TimedOut", run.now, frame, resource=state.resource.text, error=TIMEOUT)
    run.fail(frame, Failure(TIMEOUT, None, "" if kind == "timeout" else HEARTBEAT))


def beat(run: Execution, frame: Frame, at: int) -> None:
    """Who has the token is alive."""
    seconds = frame.doing.get("heartbeat")
    if seconds is not None:
        run.time(frame, "heartbeat", at + seconds * 1000)


BEHAVIOUR = Behaviour(begin, result=result, timer=over, quit=quit, again=call_again)
