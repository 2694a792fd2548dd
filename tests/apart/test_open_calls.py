"""What becomes of a call that another process makes, whatever order its facts come in."""

from __future__ import annotations

from typing import Any

from overwinter.orchestrator.protocol.calls import OpenCalls
from overwinter.orchestrator.protocol.decider import Away, Invoke
from overwinter.orchestrator.usercode.resilience import DEFAULT

BEGUN: dict[str, Any] = {"type": "begun", "op": "1", "n": 1, "mark": "m"}
SENT: dict[str, Any] = {"type": "sent", "op": "1", "n": 1, "mark": "m", "until": 900, "sends": 1}


def calls() -> OpenCalls:
    made = OpenCalls()
    made.order(Invoke("1", "far", "step", lambda: None, False, DEFAULT, away=Away("near")))
    return made


def word(op: str, **said: Any) -> dict[str, Any]:
    return {"type": "answered", "op": op, "at": 5, **said}


def test_a_word_that_it_is_done_has_it_asked_about_at_once() -> None:
    made = calls()
    assert [call.op for call in made.take()] == ["1"]
    assert made.fact(BEGUN) and made.fact(SENT) and made.wake() == 900 and not made.take()
    assert made.answered(word("1")) and [call.op for call in made.take()] == ["1"]


def test_a_word_that_comes_while_it_is_being_asked_about_is_not_lost() -> None:
    made = calls()
    made.take()
    assert made.fact(BEGUN) and made.fact(SENT) and made.answered(word("1"))
    (asking,) = made.take()
    assert asking.away is not None and asking.away.mark == "m"
    assert made.answered(word("1")) and not made.take()
    assert made.fact(SENT | {"sends": 2}) and made.wake() is None  # "not yet", and that was before the word
    assert [call.op for call in made.take()] == ["1"]
    assert made.fact(SENT | {"sends": 3}) and made.wake() == 900  # said once, asked once


def test_a_word_that_is_said_again_while_it_is_being_asked_about_is_recorded_once() -> None:
    made = calls()
    made.take()
    assert made.fact(BEGUN) and made.answered(word("1"))
    assert not any(made.answered(word("1")) for _ in range(100))
    assert made.fact(SENT) and [call.op for call in made.take()] == ["1"]
    assert made.answered(word("1")) and not made.answered(word("1"))
    assert made.fact({"type": "retrying", "op": "1", "n": 1, "mark": "m", "until": 900}) and made.wake() == 900
    assert made.answered(word("1")) and [call.op for call in made.take()] == ["1"]  # it could not be asked: it is, now


def test_a_word_about_what_was_never_sent_changes_nothing() -> None:
    made = calls()
    assert not made.answered(word("1")) and not made.answered(word("2"))
    made.take()
    made.fact(BEGUN)
    made.close("1")
    assert not made.answered(word("1"))


def test_an_answer_is_believed_of_whoever_knows_the_mark_and_taken_once() -> None:
    made = calls()
    made.take()
    assert made.fact(BEGUN) and made.fact(SENT)
    assert not made.answered(word("1", mark="n", outcome={"status": "completed"})) and not made.take()
    assert not made.answered(word("1", mark="", outcome={"status": "completed"})) and not made.take()
    assert made.answered(word("1", mark="m", outcome={"status": "completed", "result": 7}))
    (told,) = made.take()
    assert told.away is not None and told.away.answer == {"status": "completed", "result": 7}
    assert not made.answered(word("1", mark="m", outcome={"status": "failed"}))


def test_an_answer_that_comes_while_it_is_being_sent_is_taken_up_as_soon_as_it_was() -> None:
    made = calls()
    made.take()
    assert made.fact(BEGUN) and made.answered(word("1", mark="m", outcome={"status": "completed"}))
    assert made.fact(SENT) and made.wake() is None
    assert [call.away and call.away.answer for call in made.take()] == [{"status": "completed"}]
    retrying = SENT | {"type": "retrying"}
    assert made.fact(retrying) and made.wake() is None and len(made.take()) == 1


def test_who_is_at_work_is_heard_and_waited_for() -> None:
    made = calls()
    made.take()
    assert made.fact(BEGUN) and made.fact(SENT | {"sends": 3})
    assert made.answered(word("1", mark="m")) and not made.take() and made.wake() == 900
    made.expire(900)
    assert [call.away and call.away.heard for call in made.take()] == [3]
