"""``@schedule``: a workflow, a tool or an agent that is begun at set times.

What is declared hangs on the function; there is no registry. A process that serves the function makes its schedules at
its start, changes those whose declaration has changed since, and takes away those that are declared no longer. Which
declarations are known stands in the store (scope ``overwinter.schedules``, key ``FUNCTION/NAME/DIGEST``), so that a
process which finds nothing new reads once and writes nothing, and what people change at run time stays as they made it
until the code says something else.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar, cast

from ..orchestrator.schedule.naming import check_name
from ..orchestrator.usercode.served import served
from ..state.errors import InvalidInput, StoreError, UnknownExecution
from ..state.ids import SCHEDULES
from ..state.quantities import Duration

if TYPE_CHECKING:
    from ..orchestrator.schedule.spec import Missed, Overlap, Spec
    from ..orchestrator.schedules import Fit, Schedules
    from ..state.store import Store

log = logging.getLogger("overwinter")

F = TypeVar("F")
_HELD = "__schedules__"
_MOST = 100_000


class Desk(Protocol):
    """A runtime. What keeps schedules is loaded when they are first asked for."""

    @property
    def store(self) -> Store: ...
    @property
    def schedules(self) -> Schedules: ...


class Declared(NamedTuple):
    """A schedule as the code says it. ``name`` None: that of the function."""

    name: str | None
    spec: Spec


class Declaration(NamedTuple):
    """One of a served function."""

    name: str
    spec: Spec

    @property
    def key(self) -> str:
        return f"{self.spec.function}/{self.name}/{self.spec.digest()}"


def schedule(
    cron: str | None = None,
    *,
    every: Duration | None = None,
    at: datetime | str | None = None,
    zone: str | None = None,
    name: str | None = None,
    input: Any = None,
    overlap: Overlap = "skip",
    missed: Missed = "last",
    most: int = 100,
    jitter: Duration = 0,
) -> Callable[[F], F]:
    """Begin a workflow, a tool or an agent at set times: a decorator above or below theirs, or ``schedule(…)(agent)``.
    Several are several schedules; each needs a ``name`` then (default: the function's).

    - one of ``cron`` ("0 7 * * MON-FRI", six fields with seconds), ``every`` ("15m", counted from the full hour, day
      … of UTC), ``at`` (a time, once); ``zone``: of cron, and of an ``at`` without an offset, "Europe/Berlin" (default:
      UTC).
    - ``input``: what each run is given, plain JSON.
    - ``overlap``: when a run is due and another is still going on, the new one is left out ("skip"), waits ("queue"),
      is begun when the old one was cancelled ("cancel"), or begun at once ("allow").
    - ``missed``: of the times that passed while no process was awake, "none" is made up for, the "last" one, or "all",
      at most the latest ``most``.
    - ``jitter``: each run begins up to so much later, always as much for the same time.

    Raises InvalidInput for what can't be.
    """
    from ..orchestrator.schedule.spec import made

    spec = made(
        cron, every=every, at=at, zone=zone, input=input, overlap=overlap, missed=missed, most=most, jitter=jitter
    )
    declared = Declared(None if name is None else check_name(name), spec)

    def decorate(function: F) -> F:
        thing = served(function)
        if isinstance(thing, type) or not (callable(thing) or hasattr(thing, "name")):
            raise InvalidInput(f"{function!r:.80} can't be scheduled; it is no workflow, tool or agent")
        held: tuple[Declared, ...] = getattr(thing, _HELD, ())
        try:
            setattr(thing, _HELD, (declared, *held))
        except AttributeError:
            raise InvalidInput(
                f"{function!r:.80} can't be scheduled; schedule a plain function that calls it"
            ) from None
        return function

    return decorate


def declared_by(functions: Mapping[str, object], fit: Fit) -> list[Declaration]:
    """What the served functions declare, each function's under the first of its names. Raises InvalidInput for two
    schedules of one name, and for an input that its function does not take."""
    found: dict[str, Declaration] = {}
    seen: set[int] = set()
    for name, function in functions.items():
        if id(function) in seen:
            continue
        seen.add(id(function))
        for held in _held(function):
            kind, value = fit(name, held.spec.input)
            one = Declaration(held.name or check_name(name), held.spec._replace(function=name, kind=kind, input=value))
            other = found.setdefault(one.name, one)
            if other is not one:
                both = f"of {other.spec.function} and {name}"
                raise InvalidInput(f"two schedules are named {one.name!r}, {both}; give each a name=")
    return list(found.values())


def _held(function: object) -> Iterable[Declared]:
    """What hangs on the function, and on the plain one that it was made of."""
    written: object = next((found for held in ("fn", "function") if (found := getattr(function, held, None))), None)
    for thing in (function, written):
        yield from cast("tuple[Declared, ...]", getattr(thing, _HELD, ()))


async def bring(desk: Desk, served: Iterable[str], declared: Iterable[Declaration]) -> None:
    """Make the schedules in the store what the code declares. May be repeated, and done by several processes at once.
    Raises AlreadyExists when the name of one is another's, StoreError."""
    store = desk.store
    here, wanted = frozenset(served), {one.key: one for one in declared}
    known = await store.keys(SCHEDULES, limit=_MOST)
    ours = [key for key in known if key.partition("/")[0] in here]
    for key in wanted.keys() - set(ours):
        await _declare(desk.schedules, wanted[key])
        await store.put(SCHEDULES, key, "true")
    names = frozenset(one.name for one in wanted.values())
    for key in set(ours) - wanted.keys():
        function, name, _ = key.split("/")
        if name not in names:
            await _withdraw(desk.schedules, name, function)
        await store.remove(SCHEDULES, key)


async def tidy(desk: Desk, served: Iterable[str]) -> None:
    """The same for a process that declares nothing. What can't be done now is done at the next start."""
    try:
        await bring(desk, served, ())
    except StoreError as error:
        log.warning("whether schedules are declared no longer can't be told (%s)", error)


async def _declare(schedules: Schedules, one: Declaration) -> None:
    if not await schedules.declare(one.name, one.spec):
        log.warning("the schedule %s was due %s, which is past; it is not made", one.name, one.spec.said())


async def _withdraw(schedules: Schedules, name: str, function: str) -> None:
    """The code of the function declares it no longer."""
    try:
        if (await schedules.show(name)).function != function:
            return  # the name is another's by now
        await schedules.remove(name, by=f"the code of {function}")
    except UnknownExecution:
        return  # somebody has removed it before
    log.info("the schedule %s is removed: the code of %s declares it no longer", name, function)
