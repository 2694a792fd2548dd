"""Jaeger itself, where the machine has it: what its API gives back is one trace with every span once, under its parent,
and without a word of warning; also of a process that was killed in the middle, whatever it had told by then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from overwinter.telemetry.spans.otlp import Otlp
from overwinter.telemetry.spans.span import Span
from overwinter.tests.servers.observers import Jaeger
from overwinter.tests.telemetry.test_crashes import ticket
from overwinter.tests.telemetry.witness import runs_of

from .serving import Serving

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
BEFORE = Span(TRACE, CALLER, "", "POST /checkout", "client", 1_790_000_000_000, 1_990_000_000_000)
"""The span of whoever asks; it lasts for longer than all that comes of it."""
ORDER = [
    ("POST /checkout", ""),
    ("invoke_workflow order", "POST /checkout"),
    ("charge", "invoke_workflow order"),
    ("child parcel", "invoke_workflow order"),
    ("invoke_workflow parcel", "child parcel"),
    ("pack", "invoke_workflow parcel"),
    ("send parcel.packed", "invoke_workflow parcel"),
    ("child clerk", "invoke_workflow order"),
    ("invoke_agent clerk", "child clerk"),
    ("chat script", "invoke_agent clerk"),
    ("execute_tool lookup", "invoke_agent clerk"),
    ("chat script", "invoke_agent clerk"),
    ("wait_for_file", "invoke_workflow order"),
    ("pack", "invoke_workflow order"),
]
"""Each span of an order and the one that it hangs under."""
LOST = [("invoke_workflow lost", ""), ("pack", "invoke_workflow lost"), ("refuse", "invoke_workflow lost")]


@pytest.fixture(scope="module")
def jaeger() -> Iterator[Jaeger]:
    with Jaeger() as server:
        yield server


def hung(spans: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Each span's name and its parent's, sorted. One of whose parent there is nothing is a fault, as Jaeger sees it."""
    names = {span["spanID"]: span["operationName"] for span in spans}
    assert len(names) == len(spans), [name for name, count in Counter(s["spanID"] for s in spans).items() if count > 1]
    above: dict[str, str] = {}
    for span in spans:  # a parent to which there is a link too is told as the link alone
        kinds = {one["refType"]: names[one["spanID"]] for one in span["references"] if one["spanID"] in names}
        above[span["spanID"]] = kinds.get("CHILD_OF", kinds.get("FOLLOWS_FROM", ""))
        assert kinds or not any(one["refType"] == "CHILD_OF" for one in span["references"]), span
    return sorted((name, above[id]) for id, name in names.items())


def tags(span: dict[str, Any]) -> dict[str, Any]:
    return {one["key"]: one["value"] for one in span["tags"]}


def linked(span: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["traceID"], one["spanID"]) for one in span["references"] if one["refType"] == "FOLLOWS_FROM"]


def named(spans: list[dict[str, Any]], name: str) -> dict[str, Any]:
    (found,) = [span for span in spans if span["operationName"] == name]
    return found


def searched(jaeger: Jaeger, service: str, name: str) -> list[dict[str, Any]]:
    """The spans of the only trace that has such a span."""
    asked = {"service": service, "operation": name}
    found = httpx.get(f"{jaeger.query}/api/traces", params=asked, timeout=60).json()["data"]
    (trace,) = found
    return jaeger.trace(trace["traceID"])


@pytest.mark.parametrize("told", ["nothing", "all"])
def test_an_order_whose_process_is_killed_is_one_whole_trace(jaeger: Jaeger, told: str, tmp_path: Path) -> None:
    """``told``: what of it had gone out when the process died. The next one tells it once more."""
    trace = TRACE[:-4] + ("aaaa" if told == "all" else "bbbb")
    assert Otlp(endpoint=f"{jaeger.otlp}/v1/traces").export([BEFORE._replace(trace_id=trace)])
    environment = {"OVERWINTER_TRACES": jaeger.otlp, "OTEL_SERVICE_NAME": f"shop-{told}"}
    environment["OTEL_BSP_SCHEDULE_DELAY"] = "50" if told == "all" else "600000"
    with Serving(tmp_path, **environment) as first:
        first.ask("/workflows/order?id=o-1", "A-1", traceparent=f"00-{trace}-{CALLER}-01")
        first.awaits("o-1", "approval")
        first.ask("/decide/o-1", {"approved": True, "by": "ana"})
        first.reached()
        if told == "all":
            jaeger.until(lambda: len(jaeger.trace(trace)) == len(ORDER) - 3, "what has ended was told")
        assert told == "all" or len(jaeger.trace(trace)) == 1
        first.kill()
    with Serving(tmp_path, **environment) as second:
        second.reached()
        second.gate.touch()
        assert second.result("o-1").json()["status"] == "completed"
        second.stop()
    spans = jaeger.trace(trace)
    assert hung(spans) == sorted(ORDER)
    assert [span["warnings"] for span in spans if span["warnings"]] == []
    assert all(span["process"]["serviceName"] == f"shop-{told}" for span in spans if span["spanID"] != CALLER)
    within(spans)
    speaks(spans)
    begun = searched(jaeger, f"shop-{told}", "invoke_workflow tell")
    sent = named(spans, "send parcel.packed")
    assert hung(begun) == [("invoke_workflow tell", "")] and linked(begun[0]) == [(trace, sent["spanID"])]
    assert begun[0]["traceID"] != trace and tags(begun[0])["span.kind"] == "consumer"


def within(spans: list[dict[str, Any]]) -> None:
    """None begins before its parent or ends after it, and each lasts."""
    by_id = {span["spanID"]: span for span in spans}
    for span in spans:
        assert span["duration"] > 0
        for one in span["references"]:
            above = by_id[one["spanID"]]
            assert above["startTime"] <= span["startTime"]
            assert span["startTime"] + span["duration"] <= above["startTime"] + above["duration"]


def speaks(spans: list[dict[str, Any]]) -> None:
    """What the spans of an order say of it."""
    order, chat = named(spans, "invoke_workflow order"), next(s for s in spans if s["operationName"] == "chat script")
    assert tags(order).items() >= {
        "span.kind": "server", "faas.trigger": "http", "overwinter.execution": "o-1", "overwinter.status": "completed",
    }.items()  # fmt: skip
    told = [{one["key"]: one["value"] for one in entry["fields"]} for entry in order["logs"]]
    assert [one["event"] for one in told] == ["approval.requested", "approval.decided"]
    assert told[1]["overwinter.by"] == "ana"
    assert tags(chat)["gen_ai.usage.output_tokens"] > 0 and tags(chat)["span.kind"] == "client"
    assert tags(named(spans, "charge"))["overwinter.attempts"] == 2
    assert tags(named(spans, "send parcel.packed"))["span.kind"] == "producer"
    assert not [span for span in spans if tags(span).get("error")]


def test_what_fails_is_told_as_an_error_and_turns_of_a_session_share_a_trace(jaeger: Jaeger, tmp_path: Path) -> None:
    with Serving(tmp_path, OVERWINTER_TRACES=jaeger.otlp, OTEL_SERVICE_NAME="desk") as served:
        for message in ("m1", "m2"):
            served.ask("/sessions/clerk/k", {"content": "Where is it?", "id": message}, prefer="wait=30")
        served.ask("/workflows/lost?id=l-1", "A-1")
        assert served.result("l-1").json()["status"] == "failed"
        served.stop()
    lost, talk = searched(jaeger, "desk", "invoke_workflow lost"), searched(jaeger, "desk", "invoke_agent clerk")
    assert hung(lost) == LOST
    failed = {span["operationName"]: tags(span) for span in lost if tags(span).get("error")}
    assert failed.keys() == {"invoke_workflow lost", "refuse"}
    for said in failed.values():
        assert said["otel.status_code"] == "ERROR" and said["otel.status_description"] == "nobody delivers A-1"
        assert said["error.type"] == "builtins.ValueError"
    turn = [("chat script", "invoke_agent clerk")] * 2 + [("execute_tool lookup", "invoke_agent clerk")]
    assert hung(talk) == sorted([("invoke_agent clerk", "")] * 2 + turn * 2)
    assert {tags(span)["overwinter.message"] for span in talk if "overwinter.message" in tags(span)} == {"m1", "m2"}
    assert [span["warnings"] for span in (*lost, *talk) if span["warnings"]] == []


def test_of_what_is_not_sampled_only_what_fails_is_told_and_that_whole(jaeger: Jaeger, tmp_path: Path) -> None:
    environment = {"OVERWINTER_TRACES": jaeger.otlp, "OTEL_SERVICE_NAME": "rare", "OTEL_TRACES_SAMPLER": "always_off"}
    with Serving(tmp_path, **environment) as served:
        served.ask("/sessions/clerk/k", {"content": "Where is it?", "id": "m1"}, prefer="wait=30")
        served.ask("/workflows/lost?id=l-1", "A-1")
        assert served.result("l-1").json()["status"] == "failed"
        served.stop()
    found = httpx.get(f"{jaeger.query}/api/traces", params={"service": "rare"}, timeout=60).json()["data"]
    assert [hung(jaeger.trace(trace["traceID"])) for trace in found] == [LOST]
    assert [span["warnings"] for span in jaeger.trace(found[0]["traceID"]) if span["warnings"]] == []


def test_long_waits_and_every_crash_give_the_same_trace(jaeger: Jaeger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a workflow that waits for days, in virtual time: each run is told to Jaeger in a trace of its own."""
    seen: list[Any] = []
    for number, run in enumerate(runs_of(monkeypatch, ticket, "o")):
        spans = told(jaeger, f"{number + 1:032x}", [*run.arrived, *run.processes[-1].waiting])
        ids = {span["spanID"] for span in spans}
        assert all(id in ids for span in spans for _, id in linked(span))
        seen.append((hung(spans), sorted(id for span in spans for _, id in linked(span))))
        said = {warning.partition(";")[0] for span in spans for warning in span["warnings"] or ()}
        assert said <= {"clock skew adjustment disabled"}  # of what goes on after a wait, so after its parent
    assert len(seen) > 15 and all(one == seen[0] for one in seen)
    assert ("invoke_workflow ticket", "invoke_workflow ticket") in seen[0][0]


def told(jaeger: Jaeger, trace: str, spans: list[Span]) -> list[dict[str, Any]]:
    """What Jaeger has of them, as a trace of that id."""
    mine = [
        span._replace(trace_id=trace, links=[link._replace(trace_id=trace) for link in span.links]) for span in spans
    ]
    assert Otlp(endpoint=f"{jaeger.otlp}/v1/traces").export(mine)
    found: list[dict[str, Any]] = jaeger.until(lambda: jaeger.trace(trace), "they are there")
    return found
