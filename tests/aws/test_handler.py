"""The Lambda handler: every shape of event, at rest before it returns, handed over when the time is up."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from overwinter.functions.aws import Handler, handler_for
from overwinter.functions.http.calling import CONVERSATION
from overwinter.orchestrator.engine.delivery import start_mail
from overwinter.orchestrator.engine.settings import Settings
from overwinter.orchestrator.protocol.media import Taken
from overwinter.state.errors import InvalidEvent, InvalidInput, UnknownFunction
from overwinter.state.memory import MemoryStore
from overwinter.state.opening import open_store
from overwinter.state.records import Accepted, Answer, Head, NewExecution, NewMail
from overwinter.state.store import Store
from overwinter.tests.aws.lambda_events import SWEEP, Context, cloud_event, eventbridge, http, sqs

Make = Callable[..., Handler]
DESK = Path(__file__).parents[2] / "examples" / "support_desk.py"


def asked(handler: Handler, *request: Any, seconds: float = 60.0, **options: Any) -> tuple[int, Any]:
    """Status and JSON body of a request."""
    answer = handler(http(*request, **options), Context(seconds))
    return answer["statusCode"], json.loads(answer["body"]) if answer["body"] else None


def stored(dsn: str, look: Callable[[Store], Any]) -> Any:
    """What another process sees in the store."""

    async def main() -> Any:
        store = open_store(dsn)
        await store.open()
        try:
            return await look(store)
        finally:
            await store.close()

    return asyncio.run(main())


def head(dsn: str, id: str) -> Head:
    found: Head = stored(dsn, lambda store: store.head(id))
    return found


# -- HTTP ----------------------------------------------------------------------------------------------------


def test_a_message_is_answered_and_nothing_is_held_afterwards(
    dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_DATABASE", str(tmp_path / "shop.db"))
    desk = handler_for(str(DESK), auth="iam", store=dsn)
    try:
        question = {"content": "Where is my order o-17?"}
        status, answer = asked(desk, "POST", "/sessions/support/c-17", question)
        assert (status, answer["status"]) == (200, "completed")
        assert answer["result"] == "Your lamp (o-17) is in transit; it goes to 17 Frost Lane."
        found = head(dsn, "support/c-17")
        assert (found.status, found.owner) == ("idle", None)

        started = time.monotonic()
        status, answer = asked(desk, "POST", "/sessions/support/c-2", {"content": "Please refund o-2: 100.00"})
        assert (status, answer["status"]) == (202, "running")
        assert time.monotonic() - started < CONVERSATION * 0.8, "nobody pays for a process that waits for a person"
        assert head(dsn, "support/c-2").awaits.startswith("approval")
    finally:
        desk.close()


def test_the_outcome_of_a_workflow_comes_with_its_start(night: Make) -> None:
    handler = night()
    assert asked(handler, "POST", "/workflows/parcel", query="id=p-1")[0] == 202
    answer = handler(http("POST", "/workflows/big", 3, query="id=b-1"), Context())
    assert (answer["statusCode"], json.loads(answer["body"])["result"]) == (200, "ééé")
    again = handler(http("POST", "/workflows/big", 3, query="id=b-1"), Context())
    assert (again["statusCode"], again["headers"]["idempotent-replay"]) == (200, "true")
    answer = handler(http("POST", "/workflows/big", 3, {"prefer": "respond-async"}), Context())
    assert answer["statusCode"] == 202 and answer["headers"]["location"].startswith("/results/big-")


@pytest.mark.parametrize("path", ["/changes", "/stream/b-1"])
def test_what_goes_on_without_an_end_is_refused(night: Make, path: str) -> None:
    handler = night()
    asked(handler, "POST", "/workflows/big", 3, query="id=b-1")
    status, answer = asked(handler, "GET", path)
    assert (status, "overwinter serve" in answer["detail"]) == (501, True)


def test_a_sender_may_wait_for_what_only_a_timer_brings(night: Make) -> None:
    status, answer = asked(night(), "POST", "/workflows/remind", 5, {"prefer": "wait=20"})
    assert (status, answer["result"]) == (200, "slept, then 5")


@pytest.mark.parametrize("dsn", ["sqlite"], indirect=True)
def test_an_answer_above_what_lambda_carries_is_an_error_by_name(night: Make) -> None:
    handler = night()
    status, answer = asked(handler, "POST", "/workflows/big", 1_500_000, query="id=b-1")
    assert (status, answer["type"]) == (500, "urn:overwinter:problem:answer-too-large")
    assert asked(handler, "GET", "/executions/b-1")[1]["status"] == "completed"


@pytest.mark.parametrize("dsn", ["sqlite"], indirect=True)
def test_only_callers_that_aws_names_are_let_in(night: Make, caplog: pytest.LogCaptureFixture) -> None:
    handler = night()
    status, answer = asked(handler, "GET", "/functions", signed=False)
    assert status == 403 and "OVERWINTER_AUTH=iam" in answer["detail"]
    with caplog.at_level("INFO", "overwinter.aws"):
        assert asked(handler, "GET", "/functions")[0] == 200
    assert "GET /functions by arn:aws:iam::111122223333:user/frost" in caplog.messages


@pytest.mark.parametrize("dsn", ["sqlite"], indirect=True)
def test_without_a_setting_nobody_is_let_in_over_http(night: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OVERWINTER_AUTH", raising=False)
    monkeypatch.delenv("OVERWINTER_TOKEN", raising=False)
    handler = night(auth=None)
    assert asked(handler, "GET", "/functions")[0] == 403
    assert handler(SWEEP, Context())["active"] == 0


@pytest.mark.parametrize("dsn", ["sqlite"], indirect=True)
def test_a_token_lets_in_where_aws_does_not_authenticate(night: Make) -> None:
    handler = night(auth="token", token="a-long-enough-token")
    assert asked(handler, "GET", "/functions", signed=False)[0] == 401
    right = {"authorization": "Bearer a-long-enough-token"}
    assert asked(handler, "GET", "/functions", None, right, signed=False)[0] == 200
    assert asked(handler, "POST", "/workflows/big", 2, right, signed=False)[1]["result"] == "éé"
    with pytest.raises(InvalidInput, match="too short"):
        night(auth="token", token="short")
    with pytest.raises(InvalidInput, match="iam, token"):
        night(auth="none")


# -- events --------------------------------------------------------------------------------------------------


def test_a_cloudevent_in_an_eventbridge_event_happens_once(night: Make, dsn: str) -> None:
    handler = night()
    event = cloud_event("io.overwinter.call.clerk", "Good night", subject="c-17", id="e-1")
    for _ in range(2):
        told = handler(eventbridge("message", event), Context())
        assert told["status"] == "accepted" and told["execution"] == "clerk/c-17"
    found = head(dsn, "clerk/c-17")
    assert (found.arrivals, found.status, found.owner) == (1, "idle", None)


def test_an_eventbridge_event_is_a_signal_to_the_execution_it_names(night: Make) -> None:
    handler = night()
    assert asked(handler, "POST", "/workflows/parcel", query="id=p-1")[0] == 202
    told = handler(eventbridge("parcel.arrived", {"shelf": 3}, "p-1"), Context())
    assert told == {"status": "accepted", "execution": "p-1"}
    assert asked(handler, "GET", "/results/p-1")[1]["result"] == {"shelf": 3}
    assert handler(eventbridge("EC2 Instance State-change", {}), Context()) == {"status": "unwanted"}


@pytest.mark.parametrize("dsn", ["sqlite"], indirect=True)
def test_a_rule_can_send_its_events_to_one_function(night: Make, dsn: str) -> None:
    wrapped = {"overwinter": "event", "function": "lookup_order", "event": eventbridge("sold", {"order_id": "o-1"})}
    assert night()(wrapped, Context())["result"] == {"id": "o-1", "state": "shipped"}


@pytest.mark.parametrize("dsn", ["sqlite"], indirect=True)
def test_what_is_no_event_is_refused_with_the_shapes_that_are(night: Make) -> None:
    handler = night()
    for event in ({"hello": 1}, [1], "sweep", {"overwinter": "event", "event": {}}, {"httpMethod": "GET", "path": "/"}):
        with pytest.raises(InvalidEvent) as caught:
            handler(event, Context())
        assert "overwinter" in str(caught.value)


@pytest.mark.parametrize("dsn", ["sqlite"], indirect=True)
def test_an_event_that_cannot_be_taken_is_raised_so_that_it_is_kept(night: Make) -> None:
    with pytest.raises(RuntimeError, match="the shop is down"):
        night()(cloud_event("io.overwinter.call.lookup_order", {"order_id": "down"}), Context())


def test_only_the_bad_messages_of_a_batch_go_back_to_the_queue(night: Make, dsn: str) -> None:
    good = cloud_event("io.overwinter.call.clerk", "Good night", subject="c-1")
    late = eventbridge("message", cloud_event("io.overwinter.call.clerk", "Sleep well", subject="c-2"))
    broken = cloud_event("io.overwinter.call.clerk", None, subject="c-3")
    batch = sqs(good, "{", late, {"specversion": "0.3"}, broken, good)
    assert night()(batch, Context()) == {
        "batchItemFailures": [{"itemIdentifier": "m-1"}, {"itemIdentifier": "m-3"}, {"itemIdentifier": "m-4"}]
    }
    assert (head(dsn, "clerk/c-1").arrivals, head(dsn, "clerk/c-2").arrivals) == (1, 1)
    assert head(dsn, "clerk/c-1").status == "idle"


@pytest.mark.parametrize("dsn", ["sqlite"], indirect=True)
def test_after_a_failure_the_rest_of_a_group_goes_back_too(night: Make, dsn: str) -> None:
    said = [cloud_event("io.overwinter.call.clerk", text, subject="c-1") for text in ("one", "two")]
    failed = night()(sqs(said[0], "{", said[1], group="c-1"), Context())["batchItemFailures"]
    assert [one["itemIdentifier"] for one in failed] == ["m-1", "m-2"]
    assert head(dsn, "clerk/c-1").arrivals == 1


def test_messages_that_there_is_no_time_for_go_back(night: Make, tmp_path: Path) -> None:
    slow = cloud_event("io.overwinter.call.answer_by_hand", {})
    quick = cloud_event("io.overwinter.call.lookup_order", {"order_id": "o-1"})
    handler = night()
    handler(SWEEP, Context())  # opens the store
    assert handler(sqs(slow, quick), Context(2))["batchItemFailures"] == [{"itemIdentifier": "m-0"}]
    assert (tmp_path / "begun").exists()


# -- time ----------------------------------------------------------------------------------------------------


def test_when_the_time_is_up_the_next_process_goes_on_at_once(night: Make, dsn: str, tmp_path: Path) -> None:
    handler = night()
    handler(SWEEP, Context())  # opens the store
    status, answer = asked(handler, "POST", "/workflows/long_night", query="id=n-1", seconds=4)
    assert (status, answer["status"]) == (202, "running")
    assert (tmp_path / "begun").exists()
    due = stored(dsn, lambda store: store.due(time.time_ns() // 1_000_000))
    assert list(due) == ["n-1"], "the lease must be given up, and no pause be waited for"

    (tmp_path / "go").touch()
    assert night()(SWEEP, Context())["active"] == 0
    assert head(dsn, "n-1").status == "completed"


def test_after_a_hand_over_the_same_process_serves_on(night: Make, dsn: str, tmp_path: Path) -> None:
    handler = night()
    handler(SWEEP, Context())  # opens the store
    assert asked(handler, "POST", "/workflows/long_night", query="id=n-1", seconds=4)[0] == 202
    (tmp_path / "go").touch()
    assert handler(SWEEP, Context())["active"] == 0
    assert asked(handler, "GET", "/results/n-1")[1]["result"] == "by hand"


def test_nothing_is_trusted_after_a_thaw(night: Make, dsn: str) -> None:
    """Another process moves the session on while this one is frozen beyond its lease."""
    settings = Settings(poll="1h", lease="200ms")
    frozen, other = night(settings=settings), night(settings=settings)
    for handler, text in ((frozen, "one"), (other, "two")):
        assert asked(handler, "POST", "/sessions/clerk/c-1", {"content": text})[1]["result"] == text
    time.sleep(0.5)
    assert asked(frozen, "POST", "/sessions/clerk/c-1", {"content": "three"})[1]["result"] == "three"
    entries = asked(frozen, "GET", "/history/clerk/c-1")[1]["entries"]
    assert [entry["content"] for entry in entries if entry["type"] == "message"] == ["one", "two", "three"]
    assert sum(entry["type"] == "reply" for entry in entries) == 3
    assert head(dsn, "clerk/c-1").owner is None


def test_a_store_that_does_not_answer_is_503_and_tried_again(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    handler = handler_for(
        str(Path(__file__).parent / "programs" / "night_desk.py"), auth="iam", store=f"sqlite:///{folder}/store.db"
    )
    try:
        assert asked(handler, "GET", "/functions")[0] >= 500
        folder.mkdir()
        assert asked(handler, "GET", "/functions")[0] == 200
    finally:
        handler.close()


class SlowStore(MemoryStore):
    """Grants a lease, and says so late."""

    async def accept(self, id: str, mail: NewMail | None, **options: Any) -> Accepted:
        accepted = await super().accept(id, mail, **options)
        if accepted.answer is Answer.GRANTED:
            await asyncio.sleep(0.2)
        return accepted


@pytest.mark.parametrize("dsn", ["sqlite"], indirect=True)
def test_a_lease_that_is_about_to_be_granted_is_waited_for(night: Make) -> None:
    """The first event opens the store, and with it begins a look at what is due."""
    store = SlowStore("memory://")
    mail = start_mail(time.time_ns() // 1_000_000, Taken(3))
    asyncio.run(store.accept("b-1", mail, now=mail.at, create=NewExecution("big", "workflow")))
    assert night(store=store)(SWEEP, Context())["active"] == 0
    found = asyncio.run(store.head("b-1"))
    assert found is not None and (found.status, found.owner) == ("completed", None)


# -- calls of Step Functions ---------------------------------------------------------------------------------


def test_a_call_gives_what_comes_of_a_function(tmp_path: Path) -> None:
    file = tmp_path / "shop.py"
    file.write_text(
        "from overwinter import tool, workflow\n\n\n"
        "@tool\nasync def weigh(parcel: str) -> int:\n"
        "    if not parcel:\n        raise LookupError('no parcel')\n"
        "    return len(parcel)\n\n\n"
        "@workflow\nasync def pack(ctx, grams: int) -> str:\n"
        "    if grams > 9:\n        raise OverflowError('too heavy')\n"
        "    return 'packed'\n"
    )
    handler = handler_for(str(file), auth="iam", store="memory://")

    def called(function: str, input: Any) -> Any:
        return handler({"overwinter": "call", "function": function, "input": input}, Context(30))

    assert called("weigh", {"parcel": "book"}) == 4
    assert called("pack", 4) == "packed"
    with pytest.raises(LookupError, match="no parcel"):  # Lambda names an error by its class
        called("weigh", {"parcel": ""})
    with pytest.raises(Exception, match="too heavy") as failed:
        called("pack", 10)
    assert type(failed.value).__name__ == "OverflowError"
    with pytest.raises(InvalidInput):
        called("pack", "heavy")
    with pytest.raises(UnknownFunction, match="'post' is served"):
        called("post", 1)
    with pytest.raises(InvalidEvent, match='"call"} needs a "function"'):
        handler({"overwinter": "call"}, Context(30))
    told = handler(sqs(json.dumps({"overwinter": "call", "function": "pack", "input": 1})), Context(30))
    assert len(told["batchItemFailures"]) == 1  # nobody waits for its outcome
    handler.close()
