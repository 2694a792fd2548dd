"""Data that begins functions: what a source of it has to tell, and ``@trigger``, which ties one to a function.

    @trigger(Folder("/srv/inbox", every="10s"))
    @workflow
    async def read(ctx, file: dict) -> str: ...

A source is looked at now and then, by an execution of its own (``watching``) that sleeps between. Each look says what
is new since the last one, as events whose ids are the same however often they are found: so what is found is begun at
least once, and what is found twice begins once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar, cast

from ...orchestrator.usercode.served import served
from ...state.codec import dumps, mended
from ...state.errors import InvalidInput
from ...state.quantities import Duration, seconds
from ..events.event import CloudEvent
from ..events.http import to_json
from ..invocation.loading import kind_of

F = TypeVar("F")
ATTRIBUTE = "sources"
"""Where a function has the triggers that are declared of it."""
LEAST = 0.1  # seconds between two looks
ROOM = 4_000_000  # bytes of what one look finds, which is one entry of a history


class Found(NamedTuple):
    """What a look has found. ``since`` is given to the next look, plain JSON; ``more``: there is more already;
    ``receipts`` are given to ``confirm`` when all events have begun something. ``refused``: what can be no event, by
    what it is called, and why; it is told and passed over, so that it does not stand in the way of the rest."""

    events: list[CloudEvent]
    since: Any = None
    more: bool = False
    receipts: list[str] = []  # never changed
    refused: list[tuple[str, str]] = []  # never changed


class Source:
    """Where data comes from. ``name`` says which one it is, and is the same at every start."""

    name: str
    every: float

    def __init__(self, name: str, every: Duration) -> None:
        self.name = named("the name of a source", name)
        self.every = seconds(every)
        if self.every < LEAST:
            raise InvalidInput(f"{name} would be looked at without a pause; say every='10s', for one")

    async def look(self, since: Any) -> Found:
        """What is new. ``since`` is None at the first look. Whatever it raises, there will be another look."""
        raise NotImplementedError

    async def confirm(self, receipts: list[str]) -> None:
        """All of a look is durable; it need not be found again."""


def named(what: str, value: object) -> str:
    """A text that is not empty. Raises InvalidInput that says ``what`` has to be one."""
    if not isinstance(value, str) or not value.strip():
        raise InvalidInput(f"{what} is a text, not {value!r:.80}")
    return value


def fitting(events: Sequence[CloudEvent]) -> int:
    """How many of them, from the first on, are found in one look: at least one, and no more than have ROOM."""
    room = ROOM
    for number, event in enumerate(events):
        room -= len(dumps(mended(to_json(event))))
        if room < 0:
            return max(1, number)
    return len(events)


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

    given: Any = source
    if not isinstance(given, Source):
        raise InvalidInput(f"{given!r:.80} is no source; write @trigger(Folder('inbox')), for one")
    for name, rule in (("input", input), ("session", session)):
        if rule is not None and not callable(rule):
            raise InvalidInput(f"{name}= is a function of the event, not {rule!r:.80}")

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
