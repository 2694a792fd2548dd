"""Hundreds of executions under random faults keep every promise; each broken protocol is found out.

``OVERWINTER_SIM_EXECUTIONS`` asks for more, ``OVERWINTER_SIM_SEED`` begins elsewhere.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from typing import Any

import pytest

from overwinter.orchestrator.protocol import starting
from overwinter.orchestrator.schedule import decider
from overwinter.tests.sim.clockwork import BROKEN as CLOCKS
from overwinter.tests.sim.clockwork import Clockwork
from overwinter.tests.sim.mutants import worlds
from overwinter.tests.sim.poison import BROKEN, Poisoned
from overwinter.tests.sim.rivals import BROKEN as RIVALLED
from overwinter.tests.sim.rivals import Rivals
from overwinter.tests.sim.simulation import Result, Simulation

EXECUTIONS = int(os.environ.get("OVERWINTER_SIM_EXECUTIONS", "600"))
SEED = int(os.environ.get("OVERWINTER_SIM_SEED", "1"))
ENOUGH = 60  # simulations that a broken protocol may survive at the most


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Faults are warned about, and there are thousands."""
    log = logging.getLogger("overwinter")
    level = log.level
    log.setLevel(logging.CRITICAL)
    yield
    log.setLevel(level)


def simulate(seed: int) -> Result:
    result = Simulation(seed).run()
    assert not result.wrong, (
        "\n".join(result.wrong[:20])
        + f"\n\nto see it again: make test ARGS=tests/sim OVERWINTER_SIM_EXECUTIONS=1 OVERWINTER_SIM_SEED={seed}"
    )
    return result


def test_every_promise_is_kept_under_random_faults() -> None:
    results: list[Result] = []
    while sum(result.executions for result in results) < EXECUTIONS:
        results.append(simulate(SEED + len(results)))
    if EXECUTIONS >= 500:  # the faults were real
        assert sum(result.kills for result in results) > 50
        assert sum(result.conflicts for result in results) > 20
        assert sum(result.again for result in results) > 20


@pytest.mark.parametrize(("name", "broken"), worlds(), ids=[name for name, _ in worlds()])
def test_a_broken_protocol_is_found_out(name: str, broken: dict[str, Any]) -> None:
    for seed in range(1, ENOUGH + 1):
        if Simulation(seed, **broken).run().wrong:
            return
    pytest.fail(f"{name}: {ENOUGH} simulations noticed nothing")


@pytest.mark.parametrize("deaths", [2, 3])
def test_poison_is_named_and_nobody_else_condemned(deaths: int) -> None:
    for seed in range(SEED, SEED + 20):
        result = Poisoned(seed, deaths).run()
        assert not result.wrong, f"seed {seed}\n" + "\n".join(result.wrong[:20])


@pytest.mark.parametrize("name", BROKEN)
def test_broken_quarantine_is_found_out(name: str) -> None:
    for seed in range(1, ENOUGH + 1):
        if Poisoned(seed, **BROKEN[name]).run().wrong:
            return
    pytest.fail(f"{name}: {ENOUGH} simulations noticed nothing")


def test_of_two_starts_under_one_id_only_the_one_that_won_is_acknowledged() -> None:
    for seed in range(SEED, SEED + 8):
        result = Rivals(seed).run()
        assert not result.wrong, f"seed {seed}\n" + "\n".join(result.wrong[:20])


@pytest.mark.parametrize("name", RIVALLED)
def test_a_start_that_does_not_look_well_is_found_out(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "beginning", RIVALLED[name])
    for seed in range(1, ENOUGH + 1):
        if Rivals(seed).run().wrong:
            return
    pytest.fail(f"{name}: {ENOUGH} simulations noticed nothing")


def test_a_seed_gives_the_same_run_again() -> None:
    one, other = Simulation(SEED), Simulation(SEED)
    assert one.run() == other.run()
    assert one.ledger.books.keys() == other.ledger.books.keys()
    for id, book in one.ledger.books.items():
        assert book.journal == other.ledger.books[id].journal


def test_schedules_keep_their_promises_under_random_faults() -> None:
    for seed in range(SEED, SEED + 12):
        result = Clockwork(seed).run()
        assert not result.wrong, f"seed {seed}\n" + "\n".join(result.wrong[:20])


@pytest.mark.parametrize("name", CLOCKS)
def test_broken_schedules_are_found_out(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decider, "ScheduleDecider", CLOCKS[name])
    for seed in range(1, ENOUGH + 1):
        if Clockwork(seed).run().wrong:
            return
    pytest.fail(f"{name}: {ENOUGH} simulations noticed nothing")
