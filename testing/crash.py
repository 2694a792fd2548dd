"""The crash kit: run a workflow or an agent once without a fault, then again and again, with the process dying at
every single operation on the store, before and after its effect, and assert that nothing is different.

    def test_ticket_survives():
        crash_everywhere(ticket, {"question": "…"})

Everything runs in virtual time over a store in memory, so a run takes milliseconds and is always the same.
What leaves the process for real (a database, a file) is not undone by a crash, as in life.
"""

from __future__ import annotations

import inspect
import logging
import random
from collections.abc import Awaitable, Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Literal, NamedTuple

from ..orchestrator.engine.settings import Settings
from ..orchestrator.errors.groups import said
from ..orchestrator.protocol import failure_log
from ..orchestrator.protocol.decider import Fact
from ..state.codec import dumps
from ..state.errors import ExecutionError, OperationError
from ..state.opening import open_store
from ..state.quantities import Duration, count, span
from ..state.records import FINAL
from .clock import EPOCH, Deadlock, VirtualLoop, run_virtual
from .faults import Faults, KillAt, Moment
from .ledger import Ledger
from .mirror import Mirror
from .process import Process
from .world import World

_UNHURRIED: dict[str, Any] = {"lease": "7d", "poll": "1d"}
"""In virtual time nobody looks every second: a death is seen at once."""
Scenario = Callable[[World], Awaitable[Any]]


class Outcome(NamedTuple):
    """What came of a run: a value, or an error by class and message."""

    value: Any
    error: str

    def __str__(self) -> str:
        return self.error or repr(self.value)


class Report(NamedTuple):
    """What held over all runs. ``lost`` and ``repeated`` are always 0: anything else is a CrashFailure."""

    outcome: Outcome
    points: int  # crash points: runs in which a process died
    kills: int  # processes that died, over all runs
    executions: int  # executions of one run
    lost: int  # executions that ended without the crash and not with it
    repeated: int  # recorded results that were made or recorded again
    again: int  # calls in flight when the process died, and made again by the next one


class CrashFailure(AssertionError):
    """A crash made a difference. The message names the crash point, both outcomes and the journal."""


class _Observed(NamedTuple):
    """One run, seen from outside."""

    outcome: Outcome
    cause: BaseException | None
    ends: dict[str, str]  # execution -> status
    moments: int  # of the first process
    deaths: list[Moment]
    broken: Sequence[str]
    again: int
    journals: dict[str, list[Fact]]


def crash_everywhere(
    target: object,
    input: Any = None,
    *,
    functions: Iterable[object] = (),
    kills: Literal["each"] | int = "each",
    settings: Settings = Settings(),
    same: Callable[[Any, Any], bool] = lambda one, other: bool(one == other),
    fresh: Callable[[], object] | None = None,
    seed: int = 0,
    limit: Duration = "400d",
    store: Callable[[], str] | None = None,
) -> Report:
    """Run ``target`` with a crash at every point; the outcome must be the same as without.

    ``target`` is a workflow or an agent, started with ``input``, or a scenario: an async function of the
    ``World``, which starts, signals, approves and returns what is compared. ``functions`` are served beside it.
    ``kills``: "each" point once, or a number of runs with two or three crashes at random points (``seed``).
    ``fresh`` is called before every run, to reset what the functions use. ``limit`` is in virtual time. ``store`` gives
    the address of an empty store for every run: all is then done there too, and must be answered as in memory.
    Raises CrashFailure; Deadlock when the run does not end even without a crash; what the scenario raises.
    """
    scenario, serving = _played(target, input, functions)
    settings = replace(settings, **_UNHURRIED)

    def observe(plan: Sequence[int]) -> _Observed:
        if fresh is not None:
            fresh()
        with _ledger(store) as ledger:
            return _observe(ledger, scenario, serving, settings, plan, limit, awaited)

    awaited: list[str] = []  # what ended in the calm run is waited for in the others
    with failure_log.told_elsewhere():  # the outcome tells of what fails, and right code may let steps fail
        calm = observe(())
    if calm.cause is not None and not isinstance(calm.cause, (ExecutionError, OperationError)):
        raise calm.cause
    awaited += [id for id, status in calm.ends.items() if status in FINAL]
    with _said_once(), failure_log.told_elsewhere():
        _compare(calm, observe(()), same)
    points = died = again = 0
    with _said_once(), failure_log.told_elsewhere():
        for plan in _plans(kills, calm.moments, seed):
            crashed = observe(plan)
            _compare(calm, crashed, same)
            points += bool(crashed.deaths)
            died += len(crashed.deaths)
            again += crashed.again
    return Report(calm.outcome, points, died, len(calm.ends), 0, 0, again)


@contextmanager
def _said_once() -> Generator[None]:
    """What a workflow leaves unawaited was told of in the calm run; a hundred times more would hide the rest."""
    log = logging.getLogger("overwinter")

    def keep(record: logging.LogRecord) -> bool:
        return not str(record.msg).startswith("in a workflow:")

    log.addFilter(keep)
    try:
        yield
    finally:
        log.removeFilter(keep)


def simulate(
    target: object,
    input: Any = None,
    *,
    functions: Iterable[object] = (),
    settings: Settings = Settings(),
    limit: Duration = "400d",
    store: Callable[[], str] | None = None,
) -> Any:
    """Run ``target`` once in virtual time, without a crash, and give what it returns. All is as in
    ``crash_everywhere``. Raises what the execution or the scenario raises; Deadlock when it does not end; CrashFailure
    when the store or the runtime broke a promise."""
    scenario, serving = _played(target, input, functions)
    with _ledger(store) as ledger:
        seen = _observe(ledger, scenario, serving, replace(settings, **_UNHURRIED), (), limit, ())
    if seen.broken:
        raise CrashFailure("\n".join(seen.broken)) from seen.cause
    if seen.cause is not None:
        raise seen.cause
    return seen.outcome.value


def _played(target: object, input: Any, functions: Iterable[object]) -> tuple[Scenario, list[object]]:
    """The scenario that a target is, or makes, and what is served."""
    durable = hasattr(getattr(target, "__overwinter__", target), "decider")
    scenario = _start_and_wait(target, input) if durable else _as_scenario(target)
    return scenario, [*([target] if durable else []), *functions]


def _plans(kills: Literal["each"] | int, moments: int, seed: int) -> Iterable[tuple[int, ...]]:
    """For each run, the moment at which each process in turn dies."""
    if kills != "each":
        count(kills, 1, 'kills ("each" point once, or a number of runs)')
    if kills == "each":
        return ((number,) for number in range(1, moments + 1))
    draw = random.Random(seed)
    return (tuple(draw.randint(1, max(1, moments)) for _ in range(draw.choice((2, 3)))) for _ in range(kills))


def _start_and_wait(target: object, input: Any) -> Scenario:
    async def scenario(world: World) -> Any:
        return await (await world.start(target, input)).result()

    return scenario


def _as_scenario(target: Any) -> Scenario:
    if not inspect.iscoroutinefunction(target):
        raise TypeError(f"{target!r} is no workflow, no agent and no scenario (an async function of the world)")
    scenario: Scenario = target
    return scenario


@contextmanager
def _ledger(store: Callable[[], str] | None) -> Generator[Ledger]:
    """What one run is written to: in memory, and with ``store`` in an empty store beside it."""
    if store is None:
        yield Ledger()
        return
    mirror = Mirror(partial(open_store, store()))
    try:
        yield mirror
    finally:
        mirror.end()


def _observe(
    ledger: Ledger,
    scenario: Scenario,
    functions: list[object],
    settings: Settings,
    plan: Sequence[int],
    limit: Duration,
    awaited: Sequence[str],
) -> _Observed:
    worlds: list[World] = []
    deaths: list[Moment] = []

    def faults(number: int, world: World) -> Faults:
        async def kill(moment: Moment) -> None:
            deaths.append(moment)
            await _process(world, number).die()

        return KillAt(plan[number], kill) if number < len(plan) else Faults()

    async def main(loop: VirtualLoop) -> Any:
        world = World(loop, functions, settings, faults, ledger=ledger)
        worlds.append(world)
        try:
            value = await scenario(world)
            for id in awaited:
                await world.reached(id, "stuck", *FINAL)
            return value
        finally:
            world.end()

    value: Any = None
    cause: BaseException | None = None
    try:
        value = run_virtual(main, limit)
    except Exception as error:  # noqa: BLE001  # whatever comes of a run is an outcome to compare
        cause = error
    world = worlds[0]
    message = "" if cause is None else _told(cause)
    if isinstance(cause, Deadlock):
        cause = Deadlock(message := f"{message}\n{_heads(world)}")
    return _Observed(
        outcome=Outcome(value, message),
        cause=cause,
        ends={head.id: head.status for head in ledger.heads_now()},
        moments=world.processes[0].store.moments if world.processes else 0,
        deaths=deaths,
        broken=ledger.audit(),
        again=ledger.again,
        journals={head.id: ledger.journal_now(head.id) for head in ledger.heads_now()},
    )


def _process(world: World, number: int) -> Process:
    return world.processes[number]


def _compare(calm: _Observed, crashed: _Observed, same: Callable[[Any, Any], bool]) -> None:
    wrong: list[str] = list(crashed.broken)
    if crashed.outcome.error != calm.outcome.error or (
        not calm.outcome.error and not same(calm.outcome.value, crashed.outcome.value)
    ):
        wrong.append("the outcome is another one")
    for id, status in calm.ends.items():
        now = crashed.ends.get(id)
        if now is None:
            wrong.append(f"{id} was lost")
        elif now != status and (status in FINAL or now == "stuck"):
            wrong.append(f"{id} is {now}, without the crash it is {status}")
    if wrong:
        raise CrashFailure(_message(calm, crashed, wrong)) from crashed.cause


def _message(calm: _Observed, crashed: _Observed, wrong: Sequence[str]) -> str:
    where = "; then ".join(str(moment) for moment in crashed.deaths)
    lines = [f"the process died {where}" if where else "a second run without any crash differs from the first"]
    lines += [f"  {what}" for what in wrong]
    lines += [f"without the crash: {calm.outcome}", f"with it:           {crashed.outcome}"]
    for id, journal in crashed.journals.items():
        lines.append(f"journal of {id} ({crashed.ends[id]}):")
        lines += [f"  {number:>3} {_line(fact)}" for number, fact in enumerate(journal, 1)][-40:]
    return "\n".join(lines)


def _line(fact: Fact) -> str:
    rest = {key: value for key, value in fact.items() if key not in ("type", "at", "seed", "ms")}
    text = dumps(rest)
    return f"{span(fact.get('at', EPOCH) - EPOCH):>8} {fact['type']} {text if len(text) < 160 else text[:157] + '…'}"


def _told(error: BaseException) -> str:
    return said(error)


def _heads(world: World) -> str:
    heads = world.ledger.heads_now()
    lines = [f"  {head.id}: {head.status}{' for ' + head.awaits if head.awaits else ''}" for head in heads]
    return "executions:\n" + ("\n".join(lines) or "  none")
