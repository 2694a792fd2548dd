"""Calls that other processes make keep every promise in any weather; each broken way of making them is found out."""

from __future__ import annotations

import json
import logging
import os
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from overwinter.functions.bus.bus import Bus
from overwinter.functions.events import telling
from overwinter.functions.events.ordered import Caller, Ordered
from overwinter.functions.http import called
from overwinter.functions.invocation import by_event, sending
from overwinter.functions.messages.answer import json_answer
from overwinter.orchestrator.agent import marking
from overwinter.orchestrator.engine.performing import Pending, Performer
from overwinter.orchestrator.protocol import calls
from overwinter.orchestrator.protocol.calls import proven
from overwinter.orchestrator.protocol.decider import Fact, Invoke
from overwinter.state.errors import FunctionUnavailable
from overwinter.tests.sim.far import ROUTES, Far

SEED = int(os.environ.get("OVERWINTER_SIM_SEED", "1"))
RUNS = int(os.environ.get("OVERWINTER_SIM_FAR_RUNS", "12"))


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("OVERWINTER_ROUTES", json.dumps(ROUTES["http"]))
    log = logging.getLogger("overwinter")
    level = log.level
    log.setLevel(logging.CRITICAL)
    yield
    log.setLevel(level)


@pytest.mark.parametrize("kind", ["http", "broker"])
def test_every_promise_is_kept_in_any_weather(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERWINTER_ROUTES", json.dumps(ROUTES[kind]))
    deaths = 0
    for seed in range(SEED, SEED + RUNS):
        found = Far(seed, kind=kind).run()
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


def _believed_without_its_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever says that he knows what came of a call is believed."""

    def believed(fact: Fact, mark: str, sends: int) -> dict[str, Any] | None:
        return proven(fact | {"mark": mark}, mark, sends)

    monkeypatch.setattr(calls, "proven", believed)
    monkeypatch.setattr(marking, "proven", believed)


def _ordered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the broker has lost is not ordered again."""
    ask = Bus.ask

    async def once(self: Bus, function: str, body: Any, number: int) -> None:
        if number == 0:
            await ask(self, function, body, number)

    monkeypatch.setattr(Bus, "ask", once)
    monkeypatch.setattr(by_event, "ASKS", 10**9)


def _answered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that comes again is not answered again."""
    owe = telling.owe_answer

    async def once(*given: Any, at_once: bool = False, **more: Any) -> None:
        if not at_once:
            await owe(*given, **more)

    monkeypatch.setattr(telling, "owe_answer", once)
    monkeypatch.setattr(by_event, "ASKS", 10**9)


@pytest.mark.parametrize(
    "broken",
    [_believed_without_its_mark, _ordered_once, _answered_once, _nothing_remembered, _sent_before_it_is_recorded],
)
def test_a_broken_way_of_calling_by_events_is_found_out(broken: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERWINTER_ROUTES", json.dumps(ROUTES["broker"]))
    broken(monkeypatch)
    for seed in range(1, 31):
        if Far(seed, kind="broker").run().wrong:
            return
    pytest.fail(f"{broken.__name__}: 30 simulations noticed nothing")


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
