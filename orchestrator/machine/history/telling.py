"""From what a journal tells to the states of its execution."""

from __future__ import annotations

from typing import Any

from ..running.execution import Execution
from ..running.frame import Frame
from ..running.recorder import Event
from .replaying import Replayed
from .states import Attempt, Flow, Visit, Wait

_OVER = {"ExecutionSucceeded": "completed", "ExecutionFailed": "failed"}


def states(replayed: Replayed) -> Flow:
    """What the execution did, as the flow of its states."""
    teller = _Teller()
    for event in replayed.events:
        teller.take(event)
    if replayed.run is not None and teller.root.status == "running":
        teller.wait(replayed.run)
    return teller.root


class _Teller:
    def __init__(self) -> None:
        self.root = Flow()
        self._flows: dict[str, Flow] = {"": self.root}
        self._open: dict[str, Visit] = {}  # the state that each flow is in, or was in last

    def take(self, event: Event) -> None:
        kind, flow = event["type"], event["flow"]
        if kind.endswith("StateEntered"):
            self._entered(event, kind.removesuffix("StateEntered"))
        elif "cut" in event:
            self._aborted(event["cut"], event["at"])
        elif kind in ("ExecutionSucceeded", "ExecutionFailed", "ExecutionTimedOut", "ExecutionAborted"):
            self._ended(event["run"], _OVER.get(kind, "aborted"), event["at"])
        elif kind in ("MapIterationSucceeded", "MapIterationFailed"):
            self._ended(flow, "completed" if kind.endswith("Succeeded") else "failed", event["at"])
        elif (visit := self._open.get(flow)) is not None:
            _heard(visit, event)
            if kind == "failed" and flow:  # the whole has failed when that is written
                self._flows[flow].status = "failed"
            elif kind == "ExecutionRedriven":
                self._goes_on(self._flows[flow], visit)

    def _entered(self, event: Event, kind: str) -> None:
        flow = self._flows.get(event["flow"])
        if flow is None:
            flow = self._flows[event["flow"]] = Flow(event["index"])
            outer = self._open.get(event["outer"])
            if outer is not None:
                outer.flows[flow.index] = flow
        visit = Visit(event["name"], kind, event["id"], event["at"], event["input"])
        flow.visits.append(visit)
        self._open[event["flow"]] = visit

    def _goes_on(self, flow: Flow, visit: Visit) -> None:
        """What has failed or was cut short begins again where it was: the state, or what it has not done yet."""
        flow.status, visit.status, visit.left = "running", "running", None
        visit.error = visit.cause = visit.next = None
        for inner in visit.flows.values():
            if inner.status in ("failed", "aborted") and inner.visits:
                self._goes_on(inner, inner.visits[-1])

    def _aborted(self, flow: str, at: int) -> None:
        found, visit = self._flows.get(flow), self._open.get(flow)
        if found is not None:
            found.status = "aborted"
        if visit is not None and not visit.over:
            _ended(visit, "aborted", at)

    def _ended(self, flow: str, status: str, at: int) -> None:
        """A flow is over, and so is all within it."""
        found = self._flows.get(flow)
        if found is None:
            return
        found.status = status
        for visit in found.walk():
            if not visit.over:
                _ended(visit, "aborted", at)

    # -- where it stands -----------------------------------------------------------------------------

    def wait(self, run: Execution) -> None:
        """What each flow that goes on waits for now."""
        if run.ending is not None:
            for last in self.root.walk():
                if not last.over and not any(flow.status == "running" for flow in last.flows.values()):
                    last.status, last.waits = "waiting", Wait("end")
            return
        for frame in (run.root, *run.root.below()):
            visit = self._open.get(frame.id)
            if visit is None or visit.over or frame.frames:
                continue
            visit.waits = _waits(run, frame, visit)
            if visit.waits.what != "function":
                visit.status = "waiting"


def _heard(visit: Visit, event: Event) -> None:
    """What is told of the state that a flow is in."""
    kind, at = event["type"], event["at"]
    if kind.endswith(("Scheduled", "ParallelStateStarted", "MapStateStarted")):
        visit.attempts.append(Attempt(at))
        visit.resource = event.get("resource", "")
        visit.length = event.get("length")
        visit.flows = {}
    elif kind == "read":  # AWS's history counts none of what a reader finds
        visit.length = event["length"]
    elif kind in ("again", "caught", "failed"):
        if (kind == "again" or visit.attempts) and (not visit.attempts or visit.attempts[-1].again is not None):
            visit.attempts.append(Attempt(at))  # it went wrong before anything was called
        if visit.attempts:
            last = visit.attempts[-1]
            last.ended, last.error, last.cause, last.again = at, event["error"], event["cause"], event.get("until")
        if kind != "again":
            visit.error, visit.cause, visit.next = event["error"], event["cause"], event.get("next")
        if kind == "failed":
            visit.status, visit.left = "failed", at
        _flows_ended(visit, at)
    elif kind.endswith("Succeeded"):
        visit.result = event.get("output")
        if visit.attempts:
            visit.attempts[-1].ended = at
        _flows_ended(visit, at)
    elif kind.endswith("StateExited"):
        visit.left, visit.output = at, event["output"]
        visit.status = "caught" if visit.next is not None else "completed"


def _flows_ended(visit: Visit, at: int) -> None:
    """Those that have failed are known as such; of the others those in the middle of a state were cut short, as items
    of a distributed Map that is given up, of which its own history does not tell. The rest have come to their ends."""
    for flow in visit.flows.values():
        if flow.status == "running":
            flow.status = "aborted" if flow.visits and not flow.visits[-1].over else "completed"
        for inner in flow.walk():
            if not inner.over:
                _ended(inner, "aborted", at)


def _ended(visit: Visit, status: str, at: int) -> None:
    """A state is over, and so is all within it."""
    visit.status, visit.left = status, at
    if visit.attempts and visit.attempts[-1].ended is None:
        visit.attempts[-1].ended = at
    for flow in visit.flows.values():
        if flow.status == "running":
            flow.status = status
        for inner in flow.walk():
            if not inner.over:
                _ended(inner, status, at)


def _waits(run: Execution, frame: Frame, visit: Visit) -> Wait:
    op: str = frame.op
    for what, kind in (("time", "wait"), ("retry", "retry")):
        if (timer := run.timers.get(f"{op} {kind}")) is not None:
            return Wait(what, until=timer.at)
    ends = [timer.at for key in ("timeout", "heartbeat") if (timer := run.timers.get(f"{op} {key}")) is not None]
    until: Any = min(ends, default=None)
    for asked in (one for one in run.asked.values() if one.frame is frame):
        last = asked.entry["until"]
        return Wait("approval", str(asked.entry["name"]), last if until is None else min(until, last))
    if op in run.tokens:
        return Wait("token", visit.resource, until)
    if op in run.started and op not in run.unsent:
        return Wait("execution", run.started[op], until)
    return Wait("function", visit.resource, until)
