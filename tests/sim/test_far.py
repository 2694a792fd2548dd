"""Calls that other processes make keep every promise in any weather; each broken way of making them is found out."""

from __future__ import annotations

import json
import logging
import os
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from overwinter.functions.events.ordered import Caller, Ordered
from overwinter.functions.http import called
from overwinter.functions.invocation import sending
from overwinter.functions.messages.answer import json_answer
from overwinter.orchestrator.engine.performing import Pending, Performer
from overwinter.orchestrator.protocol.decider import Invoke
from overwinter.state.errors import FunctionUnavailable
from overwinter.tests.sim.far import ROUTES, Far

SEED = int(os.environ.get("OVERWINTER_SIM_SEED", "1"))
RUNS = int(os.environ.get("OVERWINTER_SIM_FAR_RUNS", "12"))


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("OVERWINTER_ROUTES", json.dumps(ROUTES))
    log = logging.getLogger("overwinter")
    level = log.level
    log.setLevel(logging.CRITICAL)
    yield
    log.setLevel(level)


def test_every_promise_is_kept_in_any_weather() -> None:
    deaths = 0
    for seed in range(SEED, SEED + RUNS):
        found = Far(seed).run()
        assert not found.wrong, f"seed {seed}\n" + "\n".join(found.wrong[:20])
        deaths += len(found.near.processes) + len(found.far.processes) - 2
    assert deaths > RUNS  # the weather was real


def _sent_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is lost on the way is not sent again."""
    asked = sending._asked

    async def once(place: Any, name: str, body: dict[str, Any]) -> Any:
        try:
            return await asked(place, name, body)
        except FunctionUnavailable:
            raise Pending(1e9) from None

    monkeypatch.setattr(sending, "_asked", once)


def _nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The function begins whatever comes, also when it has come before."""
    monkeypatch.setattr(Caller, "id", property(lambda self: f"{self.execution}@{secrets.token_hex(8)}"))


def _sent_before_it_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mark of a call leaves before anything of it is durable."""

    async def unrecorded(self: Performer, call: Invoke, attempt: int, sink: Any) -> Invoke:
        return call if call.away is None else call._replace(away=call.away._replace(mark=secrets.token_hex(8)))

    monkeypatch.setattr(Performer, "_recorded", unrecorded)


def _begun_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """An irreversible tool begins over there, and nobody has written that down."""
    recorded = Performer._recorded

    async def unrecorded(self: Performer, call: Invoke, attempt: int, sink: Any) -> Invoke:
        return await recorded(self, call, attempt, sink) if call.away is not None else call

    monkeypatch.setattr(Performer, "_recorded", unrecorded)


def _answered_before_it_is_durable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The function does what it is asked, answers, and has written down nothing."""
    carried_out = called.carried_out

    async def answered(runtime: Any, name: str, ordered: Ordered, look: Any) -> Any:
        if name in runtime.tasks and ordered.cancel is None:
            return json_answer({"status": "completed", "result": await runtime.invoke(name, ordered.input)})
        return await carried_out(runtime, name, ordered, look)

    monkeypatch.setattr(called, "carried_out", answered)


@pytest.mark.parametrize(
    "broken",
    [
        _sent_once,
        _nothing_remembered,
        _sent_before_it_is_recorded,
        _begun_without_a_word,
        _answered_before_it_is_durable,
    ],
)
def test_a_broken_way_of_calling_is_found_out(broken: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch)
    for seed in range(1, 31):
        if Far(seed).run().wrong:
            return
    pytest.fail(f"{broken.__name__}: 30 simulations noticed nothing")
