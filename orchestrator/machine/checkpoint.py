"""An entry that holds all that an execution needs to go on, so that nothing before it is read again.

What a Task has under way is made again from what it was given; how far that is, the entry says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..governance.approvals.standing import Standings
from ..governance.budgets.lending import Lending
from ..protocol.decider import Access, Effect, Fact, Post, Publish, Spawn
from .language.failure import QueryError
from .running.context import About
from .running.execution import Execution, Timer
from .running.failure import Failure
from .running.frame import Frame
from .running.moved import in_doubt

_KINDS: Mapping[str, Callable[..., Effect]] = {"spawn": Spawn, "post": Post, "publish": Publish, "access": Access}


def write(run: Execution, definition: Any) -> Fact:
    """The entry. The execution has been driven until everything in it waits. All that may be large is one field, which
    goes to a blob as a whole."""
    state = {
        "definition": definition,
        "about": list(run.about),
        "seed": run.seed,
        "events": run.root.count,
        "depth": run.depth,
        "caller": dict(run.caller),
        "frames": run.root.as_json(),
        "calls": {op: run.calls.standing(op) for op in run.waiting if op in run.calls},
        "waiting": {op: frame.id for op, frame in run.waiting.items()},
        "tokens": {op: frame.id for op, frame in run.tokens.items()},
        "timers": {key: [timer.at, timer.kind, timer.frame.id] for key, timer in run.timers.items()},
        "children": dict(run.children),
        "unsent": [_effect(effect) for effect in run.unsent.values()],
    }
    if lending := run.lending.record():
        state["lending"] = lending
    if standing := run.standings.record():
        state["standing"] = standing
    if run.limits.name:
        state["limits"] = run.limits.name
    return {"type": "checkpoint", "at": run.now, "state": state}


def restore(run: Execution, entry: Fact) -> None:
    """Become what the entry says."""
    state = entry["state"]
    run.now, run.seed, run.depth, run.caller = entry["at"], state["seed"], state["depth"], state["caller"]
    run.about = About(*state["about"])
    run.root.restore(state["frames"])
    run.root.count = state["events"]
    frames: dict[str, Frame] = {frame.id: frame for frame in (run.root, *run.root.below())}
    run.waiting = {op: frames[id] for op, id in state["waiting"].items()}
    run.tokens = {op: frames[id] for op, id in state["tokens"].items()}
    run.timers = {key: Timer(at, kind, frames[id]) for key, (at, kind, id) in state["timers"].items()}
    run.children = dict(state["children"])
    run.lending = Lending(run.caller.get("budget", {}))
    run.lending.restore(state.get("lending", {}))
    run.standings = Standings(state.get("standing", ()))
    run.started = {op: id for id, op in run.children.items()}
    for told in state["unsent"]:
        ((kind, fields),) = told.items()
        effect: Effect = _KINDS[kind](**fields)
        run.unsent[effect.op] = run.fresh[effect.op] = effect
        run.ordered.add(effect.op)
    for op, told in state["calls"].items():
        _call(run, op, told)


def _call(run: Execution, op: str, told: Fact) -> None:
    frame = run.waiting[op]
    again = run.of(frame).again
    assert again is not None
    try:
        call = again(run, frame, frame.here)
    except QueryError as error:
        run.settle(op)
        run.soon(run.fail, frame, Failure(error.error, error.cause))
        return
    if call is None and told.get("begun"):
        call = in_doubt(op, frame.state)
    if call is None:  # what was a function where it was ordered is an execution here
        run.settle(op)
        run.soon(run.begin, frame)
    else:
        run.calls.go_on(call, told)


def _effect(effect: Effect) -> dict[str, Any]:
    if isinstance(effect, Spawn):
        return {"spawn": effect._asdict() | {"caller": dict(effect.caller)}}
    if isinstance(effect, Access):
        told = effect._asdict()
        del told["check"], told["read"]
        return {"access": told}
    assert isinstance(effect, (Post, Publish))
    return {"post" if isinstance(effect, Post) else "publish": effect._asdict()}
