"""Where one flow stands: the machine's own, a branch of a Parallel, or what a Map does with one of its items."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from ..definition.flow import Flow
from ..definition.states.map import Map
from ..definition.states.parallel import Parallel
from ..definition.states.state import State


class Frame:
    """``id`` names it within the execution ("" is the machine's own), ``visits`` counts the states that were entered,
    ``tries`` how often the one it is in has been begun. ``doing`` holds what the state has to remember of its own, as
    plain JSON. ``variables`` are those of its own scope; those of the frames above can be read too. ``top`` is the
    frame whose history it is told in: the machine's own, or that of an item of a distributed Map, which is an execution
    of its own on AWS and sees nothing of what is around it; it has ``count`` events."""

    __slots__ = (
        "attempts", "count", "doing", "entered", "event", "flow", "frames", "gone", "id", "index", "input", "item",
        "left", "parent", "state", "top", "tries", "variables", "visits",
    )  # fmt: skip

    def __init__(self, id: str, flow: Flow, parent: Frame | None = None, index: int = 0) -> None:
        self.id = id
        self.flow = flow
        self.parent = parent
        self.index = index
        self.state = ""
        self.visits = 0
        self.tries = 0
        self.gone = False  # whatever it was to do is no longer wanted
        self.entered = 0
        self.event = 0  # the number of the event by which the history tells of that; 0 between two states
        self.count = 0
        apart = parent is None or getattr(parent.here, "distributed", False)
        self.top: Frame = self if parent is None or apart else parent.top
        self.input: Any = None
        self.item: dict[str, Any] | None = None
        self.variables: dict[str, Any] = {}
        self.attempts: dict[str, int] = {}  # of each retrier of the state
        self.doing: dict[str, Any] = {}
        self.frames: dict[int, Frame] = {}
        self.left: dict[int, Frame] = {}  # those within it that have not succeeded, when it may be redriven

    @property
    def here(self) -> State:
        return self.flow.states[self.state]

    @property
    def op(self) -> str:
        """Of what the state does now, different at each visit and each time it is tried again."""
        whole = f"{self.id}.{self.visits}" if self.id else str(self.visits)
        return whole if self.tries < 2 else f"{whole}~{self.tries}"

    def above(self) -> Iterator[Frame]:
        """This one, and those around it that it sees, inside first."""
        frame: Frame | None = self
        while frame is not None:
            yield frame
            frame = frame.around

    @property
    def within(self) -> Frame | None:
        """The item of a distributed Map that it is or runs within."""
        return self.top if self.top.parent is not None else None

    @property
    def around(self) -> Frame | None:
        """What it runs within, as far as it sees that."""
        return None if self.top is self else self.parent

    def all_variables(self) -> dict[str, Any]:
        if self.around is None:
            return self.variables
        found: dict[str, Any] = {}
        for frame in reversed(list(self.above())):
            found.update(frame.variables)
        return found

    def below(self) -> Iterator[Frame]:
        """All that run within it."""
        for frame in self.frames.values():
            yield frame
            yield from frame.below()

    def approved(self) -> dict[str, Any]:
        """What is remembered of the state when it is tried again: which call somebody has approved."""
        return {name: self.doing[name] for name in ("approved", "version", "edited") if name in self.doing}

    # -- checkpoints ---------------------------------------------------------------------------------

    def as_json(self) -> dict[str, Any]:
        told: dict[str, Any] = {
            "state": self.state,
            "visits": self.visits,
            "tries": self.tries,
            "entered": self.entered,
            "event": self.event,
            "input": self.input,
        }
        for name in ("item", "variables", "attempts", "doing", "count"):
            if found := getattr(self, name):
                told[name] = found
        if self.left:
            told["left"] = {str(index): frame.as_json() for index, frame in self.left.items()}
        if self.frames:
            told["frames"] = {str(index): frame.as_json() for index, frame in self.frames.items()}
        return told

    def restore(self, told: dict[str, Any]) -> None:
        self.state, self.visits, self.tries = told["state"], told["visits"], told["tries"]
        self.entered, self.event = told["entered"], told["event"]
        self.input, self.item = told["input"], told.get("item")
        self.variables, self.attempts = told.get("variables", {}), told.get("attempts", {})
        self.doing, self.count = told.get("doing", {}), told.get("count", 0)
        for number, inner in told.get("frames", {}).items():
            child = self.begin(int(number))
            child.restore(inner)

        for number, inner in told.get("left", {}).items():
            self.left[int(number)] = child = self._within(int(number))
            child.restore(inner)

    def keep(self) -> None:
        """What goes on within it is about to be cut off: a redrive takes it up."""
        self.left.update(self.frames)
        for inner in self.frames.values():
            inner.keep()

    def begin(self, index: int) -> Frame:
        """A flow within the state that this one is in."""
        child = self.frames[index] = self._within(index)
        return child

    def _within(self, index: int) -> Frame:
        state = self.here
        flow = state.branches[index] if isinstance(state, Parallel) else cast("Map", state).processor
        return Frame(f"{self.op}.{index}", flow, self, index)
