"""A failed execution goes on where it failed: what has succeeded stays, what had failed or was cut off begins again.

A Parallel or Map that fails keeps the flows within it that have not succeeded (``Frame.left``), each where it stands:
whatever it has begun has either a result or is among these.
A redrive takes them up: a flow whose state had failed begins that state again, one that has unfinished flows of its own
takes up those. Attempts of retriers are counted anew, and so is the time of the whole.
"""

from __future__ import annotations

from functools import partial

from .execution import Execution
from .frame import Frame


def redrive(run: Execution, at: int) -> None:
    """It had failed, and somebody asks for it to go on."""
    run.now, run.entered, run.ending = max(run.now, at), 0, None
    run.about = run.about._replace(redrives=run.about.redrives + 1)
    run.clear()
    run.history.add("ExecutionRedriven", run.now, run.root)
    run.limit_time()
    resume(run, run.root)


def resume(run: Execution, frame: Frame) -> None:
    """The flow goes on from where it failed or was cut off."""
    frame.gone = False
    frame.frames.clear()
    if not frame.state:  # its turn had not come
        start = None if frame.parent is None else run.of(frame.parent).start
        assert start is not None
        run.soon(partial(start, run), frame)
        return
    if frame.parent is not None and frame.top is frame:
        run.history.add("ExecutionRedriven", run.now, frame)
    frame.attempts = {}
    kept = "results" in frame.doing and "reading" not in frame.doing  # a data set is read whole, or anew
    again = run.of(frame).resume if kept else None
    if again is not None:
        run.soon(run.attempt, frame, again, run, frame, frame.here)
        return
    frame.tries += 1
    frame.doing = {}
    run.soon(run.begin, frame)


def take_up(run: Execution, frame: Frame, index: int) -> None:
    """A flow that was left within the state goes on."""
    inner = frame.frames[index] = frame.left.pop(index)
    resume(run, inner)
