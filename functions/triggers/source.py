"""Data that begins functions: what a source of it has to tell, and ``@trigger``, which ties one to a function.

    @trigger(Folder("/srv/inbox", every="10s"))
    @workflow
    async def read(ctx, file: dict) -> str: ...

A source is looked at now and then, by an execution of its own (``watching``) that sleeps between. Each look says what
is new since the last one, as events whose ids are the same however often they are found: so what is found is begun at
least once, and what is found twice begins once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

from ...orchestrator.usercode.served import served
from ...state.errors import InvalidInput
from ...state.quantities import Duration, seconds
from ..events.event import CloudEvent
from ..invocation.loading import kind_of

F = TypeVar("F")
ATTRIBUTE = "sources"
"""Where a function has the triggers that are declared of it."""
LEAST = 0.1  # seconds between two looks


class Found(NamedTuple):
    """What a look has found. ``since`` is given to the next look, plain JSON; ``more``: there is more already;
    ``receipts`` are given to ``confirm`` when all events have begun something."""

    events: list[CloudEvent]
    since: Any = None
    more: bool = False
    receipts: list[str] = []  # never changed


class Source:
    """Where data comes from. ``name`` says which one it is, and is the same at every start."""

    name: str
    every: float

    def __init__(self, name: str, every: Duration) -> None:
        self.name = name
        self.every = seconds(every)
        if self.every < LEAST:
            raise InvalidInput(f"{name} would be looked at without a pause; say every='10s', for one")

    async def look(self, since: Any) -> Found:
        """What is new. ``since`` is None at the first look. Whatever it raises, there will be another look."""
        raise NotImplementedError

    async def confirm(self, receipts: list[str]) -> None:
        """All of a look is durable; it need not be found again."""


class Trigger(NamedTuple):
    """A source, and how its events begin the function: ``input`` makes what it gets, ``session`` the key of the
    session; None: as it comes."""

    source: Source
    input: Callable[[CloudEvent], Any] | None
    session: Callable[[CloudEvent], str] | None


def trigger(
    source: Source,
    *,
    input: Callable[[CloudEvent], Any] | None = None,
    session: Callable[[CloudEvent], str] | None = None,
) -> Callable[[F], F]:
    """Let what ``source`` finds begin the function below: a workflow, a tool, or an agent (a run, or a message of the
    ``session``). It gets the event's data, the whole event where its input is annotated as CloudEvent, or what
    ``input`` makes of the event. Raises InvalidInput for what can't be.
    """

    def declare(thing: F) -> F:
        function: Any = served(thing)
        kind = kind_of(function)
        if kind not in ("workflow", "agent", "tool") or getattr(function, "unbound", None):
            raise InvalidInput(f"{thing!r:.80} is no workflow, agent or tool; write @trigger above @workflow or @tool")
        if session is not None and kind != "agent":
            raise InvalidInput(f"{function.name} is a {kind}; only agents have sessions")
        known = triggers_of(function)
        if any(one.source.name == source.name for one in known):
            raise InvalidInput(f"{function.name} is begun by {source.name} already")
        setattr(function, ATTRIBUTE, (*known, Trigger(source, input, session)))
        return thing

    return declare


def triggers_of(function: object) -> tuple[Trigger, ...]:
    """What begins a function by itself."""
    return cast("tuple[Trigger, ...]", getattr(function, ATTRIBUTE, ()))
