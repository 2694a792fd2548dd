"""``signal``, ``approve``, ``deny``, ``approvals`` and the verbs: what reaches the mailbox, what is refused."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result

from overwinter.orchestrator.control import Control

NOW = int(time.time() * 1000)
Command = Callable[..., Result]
START: dict[str, Any] = {"type": "start", "at": NOW - 9000, "input": None}


def approval(op: str = "1", **more: Any) -> dict[str, Any]:
    entry = {
        "type": "ordered",
        "at": NOW - 8000,
        "op": op,
        "kind": "approval",
        "name": "refund",
        "what": "refund",
        "role": "desk",
    }
    return entry | {"digest": f"sha256:{op}", "until": NOW + 86_400_000, "data": {"amount": "9.00"}} | more


def test_approvals_lists_what_waits_for_a_person(shelf: Any, overwinter: Command) -> None:
    shelf.put("t-1", [START, approval()], awaits="approval refund")
    shelf.put("t-2", [START, approval(role="boss")], awaits="approval refund")
    shelf.put("t-3", [START], awaits="event reply")
    found = json.loads(overwinter("approvals", "--json").stdout)["approvals"]
    assert sorted(item["execution"] for item in found) == ["t-1", "t-2"]
    keys = {"execution", "function", "op", "name", "what", "role", "data", "digest", "until", "at"}
    assert all(set(item) == keys for item in found)
    only = overwinter("approvals", "--role", "boss").stdout
    assert "t-2" in only and "t-1" not in only
    assert "9.00" in only


@pytest.mark.parametrize(("verb", "approved"), [("approve", True), ("deny", False)])
def test_a_decision_is_bound_to_what_was_shown(shelf: Any, overwinter: Command, verb: str, approved: bool) -> None:
    shelf.put("t", [START, approval()], awaits="approval refund")
    result = overwinter(verb, "t", "--by", "ann", "--reason", "fine", "--json")
    assert json.loads(result.stdout) | {"approved": approved, "digest": "sha256:1"} == json.loads(result.stdout)
    (mail,) = shelf.mails("t")
    expected = {"type": "decided", "op": "1", "approved": approved, "by": "ann", "reason": "fine", "digest": "sha256:1"}
    assert mail | expected == mail


def test_a_proposal_that_changed_meanwhile_is_not_decided(
    shelf: Any, overwinter: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.put("t", [START, approval()], awaits="approval refund")

    async def read(self: Control, id: str) -> list[Any]:
        shown = approval()
        monkeypatch.undo()
        monkeypatch.setenv("OVERWINTER_STATE", shelf.dsn)
        return [shown | {"digest": "sha256:of-what-was-shown"}]

    monkeypatch.setattr(Control, "approvals", read)
    result = overwinter("approve", "t", "--store", shelf.dsn)
    assert result.exit_code == 2 and "read it again" in result.stderr
    assert shelf.mails("t") == []


def test_several_decisions_must_be_named(shelf: Any, overwinter: Command) -> None:
    shelf.put("t", [START, approval("1"), approval("2")], awaits="approval refund")
    refused = overwinter("approve", "t")
    assert refused.exit_code == 2 and "1 (refund), 2 (refund)" in refused.stderr
    assert overwinter("approve", "t", "2").exit_code == 0
    assert shelf.mails("t")[0]["op"] == "2"


def test_nothing_to_decide_is_wrong_usage_of_what_is_there(shelf: Any, overwinter: Command) -> None:
    shelf.put("t", [START], awaits="event reply")
    result = overwinter("approve", "t")
    assert result.exit_code == 2 and "event reply" in result.stderr
    assert shelf.mails("t") == []


@pytest.mark.parametrize(
    ("data", "value"), [('{"a": [1, 2.5]}', {"a": [1, 2.5]}), ("plain text", "plain text"), ("7", 7), (None, None)]
)
def test_signal_sends_json_or_text(shelf: Any, overwinter: Command, data: str | None, value: Any) -> None:
    shelf.put("t", [START], awaits="event reply")
    arguments = ["signal", "t", "reply"] + ([data] if data is not None else [])
    assert overwinter(*arguments).exit_code == 0
    (mail,) = shelf.mails("t")
    assert mail | {"type": "event", "name": "reply", "data": value} == mail


def test_signal_reads_standard_input_and_arrives_once(shelf: Any, overwinter: Command) -> None:
    shelf.put("t", [START], awaits="event reply")
    for _ in range(3):
        assert overwinter("signal", "t", "reply", "-", "--event-id", "e1", input='{"a": 1}').exit_code == 0
    (mail,) = shelf.mails("t")
    assert mail["data"] == {"a": 1}


def test_signal_reaches_all_that_match_and_have_not_ended(shelf: Any, overwinter: Command) -> None:
    shelf.put("t-1", [START], awaits="event reply")
    shelf.put("t-2", [START], awaits="event reply")
    shelf.put("t-3", [START], status="completed")
    shelf.put("other", [START])
    refused = overwinter("signal", "--where", "prefix=t-", "reply", "[1]")
    assert refused.exit_code == 2 and "--yes" in refused.stderr
    result = overwinter("signal", "--where", "prefix=t-", "--yes", "--event-id", "e1", "reply", "[1]", "--json")
    assert json.loads(result.stdout) == {"count": 2, "name": "reply", "event_id": "e1"}
    for id in ("t-1", "t-2"):
        (mail,) = shelf.mails(id)
        assert mail | {"type": "event", "name": "reply", "data": [1]} == mail
    assert shelf.mails("t-3") == shelf.mails("other") == []


def test_signal_without_a_name_is_a_usage_error(shelf: Any, overwinter: Command) -> None:
    shelf.put("t", [START])
    assert overwinter("signal", "t").exit_code == 2
    assert overwinter("signal", "--where", "prefix=t", "a", "b", "c").exit_code == 2


@pytest.mark.parametrize("data", ["[" * 100_000, '{"a": 1', "[1,", '{"a": NaN}', '"open'])
def test_broken_json_is_a_usage_error(shelf: Any, overwinter: Command, data: str) -> None:
    shelf.put("t", [START])
    result = overwinter("signal", "t", "reply", data)
    assert result.exit_code == 2 and "JSON" in result.stderr
    assert shelf.mails("t") == []


@pytest.mark.parametrize(
    ("action", "fact"), [("cancel", "cancel"), ("terminate", "terminated"), ("pause", "paused"), ("resume", "resumed")]
)
def test_an_action_reaches_the_mailbox(shelf: Any, overwinter: Command, action: str, fact: str) -> None:
    shelf.put("t-1", [START])
    shelf.put("t-2", [START])
    result = overwinter(action, "t-1", "t-2", "--reason", "why", "--by", "ann", "--json")
    assert json.loads(result.stdout) == {"action": action, "count": 2, "ids": ["t-1", "t-2"]}
    for id in ("t-1", "t-2"):
        (mail,) = shelf.mails(id)
        assert mail | {"type": fact, "by": "ann", "reason": "why"} == mail


def test_one_unknown_id_stops_the_whole_action(shelf: Any, overwinter: Command) -> None:
    shelf.put("t-1", [START])
    assert overwinter("cancel", "t-1", "t-9").exit_code == 3
    assert shelf.mails("t-1") == []


def test_bulk_means_all_that_match_and_asks_first(shelf: Any, overwinter: Command) -> None:
    failed = {"type": "failed", "at": NOW, "error": {"kind": "x", "message": "y", "op": "1"}}
    for number in range(3):
        shelf.put(f"t-{number}", [START, failed], status="failed")
    shelf.put("t-9", [START])
    shelf.put("u-1", [START, failed], status="failed", function="other")
    refused = overwinter("retry", "--where", "status=failed", "--where", "function=ticket")
    assert refused.exit_code == 2 and "retry 3 executions" in refused.stderr and "--yes" in refused.stderr
    assert shelf.mails("t-0") == []
    done = overwinter("retry", "--where", "status=failed", "--where", "function=ticket", "--yes", "--json")
    assert json.loads(done.stdout) == {"action": "retry", "count": 3, "ids": None}
    assert [len(shelf.mails(id)) for id in ("t-0", "t-1", "t-2", "t-9", "u-1")] == [1, 1, 1, 0, 0]


def test_bulk_without_a_status_means_those_it_can_help(shelf: Any, overwinter: Command) -> None:
    done = {"type": "completed", "at": NOW, "value": 1}
    shelf.put("t-1", [START, done], status="completed")
    shelf.put("t-2", [START])
    result = overwinter("cancel", "--where", "prefix=t-", "--yes", "--json")
    assert json.loads(result.stdout)["count"] == 1
    assert len(shelf.mails("t-2")) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("cancel",),
        ("cancel", "t", "--where", "prefix=t"),
        ("cancel", "--where", "colour=red"),
        ("cancel", "--where", "status=purple"),
        ("cancel", "--where", "function="),
        ("ps", "--status", "purple"),
        ("nonsense",),
        ("show",),
    ],
)
def test_wrong_usage_is_2(shelf: Any, overwinter: Command, arguments: tuple[str, ...]) -> None:
    shelf.put("t", [START])
    result = overwinter(*arguments)
    assert result.exit_code == 2
    assert shelf.mails("t") == []


def test_a_finished_execution_takes_nothing(shelf: Any, overwinter: Command) -> None:
    shelf.put("t", [START, {"type": "completed", "at": NOW, "value": 1}], status="completed")
    result = overwinter("signal", "t", "reply")
    assert result.exit_code == 2 and "completed" in result.stderr
    assert overwinter("retry", "t").exit_code == 2


def test_signal_under_another_name_says_what_is_awaited(shelf: Any, overwinter: Command) -> None:
    shelf.put("t", [{"type": "start", "at": 1, "input": None}], awaits="event reply")
    told = overwinter("signal", "t", "replly", "1").stderr
    assert "t waits for 'reply'; 'replly' is kept" in told and "overwinter signal t reply" in told
    assert "kept" not in overwinter("signal", "t", "reply", "1").stderr
    assert json.loads(overwinter("signal", "t", "replly", "1", "--json").stdout)["awaited"] == "reply"
