"""Every history of the corpus and of definitions that are made up has AWS's shapes and a sound order, and tells the
same while the execution goes on, after a checkpoint, and without its functions."""

from __future__ import annotations

import json
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from overwinter.functions.integrations.retold import Retold
from overwinter.orchestrator.machine import decider as deciding
from overwinter.orchestrator.machine.definition.machine import build
from overwinter.orchestrator.machine.history.events import aws_events
from overwinter.orchestrator.machine.history.replaying import replay
from overwinter.orchestrator.machine.history.states import Flow
from overwinter.orchestrator.machine.history.telling import states
from overwinter.orchestrator.machine.running.compiled import Compiled
from overwinter.tests.machine.running.cases import alone
from overwinter.tests.machine.running.definitions import ERRORS, definitions, values
from overwinter.tests.machine.running.test_properties import Made, Play

from .playing import journal
from .shapes import check_order, check_shape
from .test_order import CASES

CORPUS = {name: (case["definition"], case.get("input", {}), case.get("resources")) for name, case in alone()}
WHOLE: dict[str, Any] = {**CORPUS, **{f"order/{name}": (*case[:2], None) for name, case in CASES.items()}}


@pytest.mark.parametrize("name", WHOLE)
def test_it_has_the_shapes_of_aws(name: str) -> None:
    session = pytest.importorskip("botocore.session").get_session()
    shape = session.get_service_model("stepfunctions").shape_for("HistoryEvent")
    definition, input, resources = WHOLE[name]
    found = replay("x", "m", journal(definition, input, resources=resources))
    assert not found.problem
    events = aws_events(found)
    check_order(events, over=True)
    for event in events:
        check_shape(shape, event, event["type"])
        known = {f"{event['type'][0].lower()}{event['type'][1:]}EventDetails", "stateEnteredEventDetails"}
        for key in event:
            assert not key.endswith("EventDetails") or key in {*known, "stateExitedEventDetails"}
    for event in aws_events(found, data=False):
        check_shape(shape, {**event, **_without_required(event)}, event["type"])
        assert '"input"' not in json.dumps(event) and '"output"' not in json.dumps(event)


def _without_required(event: dict[str, Any]) -> dict[str, Any]:
    """What is left out with the data although it is required."""
    if event["type"] != "TaskScheduled":
        return {}
    return {"taskScheduledEventDetails": {**event["taskScheduledEventDetails"], "parameters": ""}}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(definition=definitions(), input=values, data=st.data())
def test_whatever_happens_its_history_is_sound(definition: Any, input: Any, data: Any) -> None:
    play = Play(Made(definition, Compiled(build(definition))))
    before: list[dict[str, Any]] = []
    with mock.patch.object(deciding, "FRESH", 4):
        play.offer({"type": "start", "at": play.now, "input": {"list": [1, 2, input], "a": input}, "seed": "s"})
        decision = play.decide()
        for _ in range(100):
            over = decision.status in ("completed", "failed")
            before = _sound(play, before, over=over)
            if over:
                break
            times = ["time"] if decision.wake is not None else []
            op = data.draw(st.sampled_from([*sorted(play.open), *play.tokens(), *times]))
            if op == "time":
                play.now = max(play.now, decision.wake or 0)
                for due in play.decider.expire(play.now):
                    play.offer(due)
            else:
                play.now += data.draw(st.integers(0, 2000))
                error = data.draw(st.sampled_from(ERRORS)) if data.draw(st.booleans()) else None
                play.offer(play.outcome(op, data.draw(values), error))
            decision = play.decide()


def _sound(play: Play, before: list[dict[str, Any]], *, over: bool) -> list[dict[str, Any]]:
    """Its history, which begins as it was before."""
    entries = [json.loads(text) for text in play.journal]
    if not any(entry["type"] == "machine" for entry in entries):
        return before
    found = replay("x", "m", entries, Retold())
    assert not found.problem
    events = aws_events(found)
    assert events[: len(before)] == before
    check_order(events, over=over)
    flow = states(found)
    assert over == (flow.status != "running")
    for visit in flow.walk():
        assert visit.over == (visit.status not in ("running", "waiting"))
        assert not over or visit.over
        assert (visit.waits is not None) == (not visit.over and not _goes_on(visit.flows))
    json.dumps(flow.as_json(), allow_nan=False)
    return events


def _goes_on(flows: dict[int, Flow]) -> bool:
    return any(flow.status == "running" for flow in flows.values())
