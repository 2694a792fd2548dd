"""An entry that holds all that an execution needs to go on, so that nothing before it is read again.

What a Task has under way is made again from what it was given; how far that is, the entry says.
"""

from __future__ import annotations

from typing import Any

from ..protocol.decider import Effect, Fact, Post, Spawn
from .language.failure import QueryError
from .running.context import About
from .running.execution import Execution, Timer
from .running.failure import Failure
from .running.frame import Frame


def write(run: Execution, definition: Any) -> Fact:
    """The entry. The execution has been driven until everything in it waits. All that may be large is one field, which
    goes to a blob as a whole."""
    state = {
        "definition": definition,
        "about": list(run.about),
        "seed": run.seed,
        "events": run.history.count,
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
    return {"type": "checkpoint", "at": run.now, "state": state}


def restore(run: Execution, entry: Fact) -> None:
    """Become what the entry says."""
    state = entry["state"]
    run.now, run.seed, run.depth, run.caller = entry["at"], state["seed"], state["depth"], state["caller"]
    run.about, run.history.count = About(*state["about"]), state["events"]
    run.root.restore(state["frames"])
    frames: dict[str, Frame] = {frame.id: frame for frame in (run.root, *run.root.below())}
    run.waiting = {op: frames[id] for op, id in state["waiting"].items()}
    run.tokens = {op: frames[id] for op, id in state["tokens"].items()}
    run.timers = {key: Timer(at, kind, frames[id]) for key, (at, kind, id) in state["timers"].items()}
    run.children = dict(state["children"])
    run.started = {op: id for id, op in run.children.items()}
    for told in state["unsent"]:
        effect: Effect = Spawn(**told["spawn"]) if "spawn" in told else Post(**told["post"])
        run.unsent[effect.op] = run.fresh[effect.op] = effect
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
    if call is None:  # what is a function here was an execution where it was ordered
        run.settle(op)
        run.soon(run.begin, frame)
    else:
        run.calls.go_on(call, told)


def _effect(effect: Effect) -> dict[str, Any]:
    if isinstance(effect, Spawn):
        return {"spawn": effect._asdict() | {"caller": dict(effect.caller)}}
    assert isinstance(effect, Post)
    return {"post": effect._asdict()}
