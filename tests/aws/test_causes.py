"""An invocation works for its own event: what that has set going is waited for, the rest is not touched or handed
over, and what never fits into an invocation ends by its retry policy."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from overwinter.functions.aws import Handler
from overwinter.orchestrator.engine.causes import Causes
from overwinter.orchestrator.engine.cutting import Cut
from overwinter.orchestrator.engine.delivery import start_mail
from overwinter.orchestrator.protocol.decider import Invoke
from overwinter.orchestrator.protocol.media import Taken
from overwinter.orchestrator.usercode.resilience import Policy
from overwinter.state.records import NewExecution
from overwinter.state.store import Store
from overwinter.tests.aws.lambda_events import SWEEP, Context, cloud_event
from overwinter.tests.aws.test_handler import asked, head, stored

Make = Callable[..., Handler]
pytestmark = pytest.mark.parametrize("dsn", ["sqlite"], indirect=True)
LONG = 900.0  # seconds of an invocation that nobody waits for


def begin(dsn: str, id: str, function: str) -> None:
    """An execution that is due and was accepted elsewhere."""

    async def accept(store: Store) -> None:
        mail = start_mail(time.time_ns() // 1_000_000, Taken(None))
        await store.accept(id, mail, now=mail.at, create=NewExecution(function, "workflow"))

    stored(dsn, accept)


def due(dsn: str) -> list[str]:
    return list(stored(dsn, lambda store: store.due(time.time_ns() // 1_000_000 + 5)))


def history(handler: Handler, id: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = asked(handler, "GET", f"/history/{id}")[1]["entries"]
    return entries


@pytest.mark.parametrize("request_", ["/workflows/big", "/sessions/clerk/c-1", "/tools/lookup_order"])
def test_what_is_due_of_others_is_left_to_the_sweep(night: Make, dsn: str, tmp_path: Path, request_: str) -> None:
    begin(dsn, "n-1", "long_night")
    body: Any = {"/workflows/big": 3, "/sessions/clerk/c-1": {"content": "hi"}}.get(request_, {"order_id": "o-1"})
    handler = night()
    assert asked(handler, "POST", request_, body, seconds=LONG)[0] == 200
    assert handler(cloud_event("io.overwinter.call.clerk", "hello", subject="c-2"), Context(LONG))["status"]
    assert not (tmp_path / "begun").exists()
    assert due(dsn) == ["n-1"] and head(dsn, "n-1").owner is None
    (tmp_path / "go").touch()
    assert handler(SWEEP, Context(LONG))["active"] == 0
    assert head(dsn, "n-1").status == "completed"


def test_an_outcome_is_told_though_other_things_go_on(night: Make, dsn: str, tmp_path: Path) -> None:
    handler = night()
    status, answer = asked(handler, "POST", "/workflows/errand", seconds=LONG)
    assert (status, answer["result"]) == (200, "sent")
    assert due(dsn) == ["aside"], "what goes on is handed over at once"
    assert [entry["type"] for entry in history(handler, "aside")] in (["start"], []), "and that is no failure of it"
    (tmp_path / "go").touch()
    handler(SWEEP, Context(LONG))
    assert head(dsn, "aside").status == "completed"


def test_children_are_waited_for(night: Make, dsn: str) -> None:
    status, answer = asked(night(), "POST", "/workflows/shift", None, {"prefer": "wait=30"}, seconds=LONG)
    assert (status, answer["result"]) == (200, "slept, then 1, éé")


def test_an_event_waits_for_what_it_causes(night: Make, dsn: str, tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    told = night()(cloud_event("io.overwinter.call.long_night", None, subject="n-2"), Context(LONG))
    assert told["status"] == "accepted"
    assert head(dsn, told["execution"]).status == "completed"


def test_a_step_that_never_fits_ends_by_its_retry_policy(night: Make, dsn: str, tmp_path: Path) -> None:
    handler = night()
    assert asked(handler, "POST", "/workflows/hard_night", query="id=h-1", seconds=2)[0] == 202
    (failed,) = [entry for entry in history(handler, "h-1") if entry["type"] == "retrying"]
    assert failed["n"] == 1 and "'stand' was cut off after" in failed["error"]["message"]
    assert asked(handler, "GET", "/results/h-1", None, {"prefer": "wait=1"}, seconds=LONG)[0] == 202
    assert (tmp_path / "stood").read_text() == "once\n", "who asks for a result begins nothing"
    handler(SWEEP, Context(2))
    status, answer = asked(handler, "GET", "/results/h-1")
    assert (status, answer["status"]) == (200, "failed") and "cut off" in answer["error"]["message"], answer
    assert (tmp_path / "stood").read_text() == "once\n", "it is not begun again beside its earlier thread"
    (tmp_path / "go").touch()


def test_what_was_cut_off_is_begun_again_in_another_process_and_may_end(night: Make, dsn: str, tmp_path: Path) -> None:
    first = night()
    assert asked(first, "POST", "/workflows/hard_night", query="id=h-1", seconds=2)[0] == 202
    (tmp_path / "go").touch()
    assert night()(SWEEP, Context(LONG))["active"] == 0
    assert asked(first, "GET", "/results/h-1")[1]["result"] == "stood"
    assert (tmp_path / "stood").read_text() == "once\nonce\n"


# -- the rules -----------------------------------------------------------------------------------------------


def test_only_what_had_its_share_of_the_time_and_may_be_repeated_counts(dsn: str) -> None:
    cut = Cut(1000, "an invocation has 10 s for its work")
    call = Invoke("1", "render", "step", lambda: None, True, Policy())
    assert "'render' was cut off after 8 s: an invocation has 10 s" in str(cut.failure(call, 1000, 9000))
    assert cut.failure(call, 1001, 9000) is None
    assert cut.failure(call._replace(policy=Policy(at_most_once=True)), 0, 9000) is None


def test_causes_follow_who_sends_to_whom(dsn: str) -> None:
    causes = Causes()
    causes.note("other", "")
    assert "anything" in causes and causes.among(["a"], ["b"]) == ["a", "b"]
    causes.begin()
    assert "other" not in causes
    causes.note("asked", "")
    causes.note("child", "asked")
    causes.note("grandchild", "child")
    causes.note("stranger", "elsewhere")
    assert causes.among(["asked", "stranger"], ["grandchild", "child"]) == ["asked", "grandchild", "child"]
    causes.everything()
    assert "stranger" in causes
