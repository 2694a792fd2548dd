"""Calls in doubt among the open calls of an execution: the same before and after a checkpoint."""

from __future__ import annotations

from typing import Any

import pytest

from overwinter.orchestrator.protocol.calls import OpenCalls
from overwinter.orchestrator.protocol.decider import Invoke
from overwinter.orchestrator.usercode.resilience import ONCE, Policy

CALL = Invoke("0", "pay", "step", lambda: None, False, Policy(ONCE, at_most_once=True))
DOUBT: dict[str, Any] = {"type": "doubt", "op": "0", "at": 10, "since": 10, "n": 1}
SAID: dict[str, Any] = {"type": "resolved", "op": "0", "at": 20, "since": 10, "verdict": "done", "value": 1}


def _made(*facts: dict[str, Any], begun: bool = True) -> OpenCalls:
    calls = OpenCalls()
    calls.order(CALL)
    calls.take()
    if begun:
        assert calls.fact({"type": "begun", "op": "0", "at": 1, "n": 1})
    for fact in facts:
        assert calls.fact(fact), fact
    return calls


def _restored(calls: OpenCalls) -> OpenCalls:
    other = OpenCalls()
    other.go_on(CALL, calls.standing("0"))
    return other


@pytest.mark.parametrize("again", [lambda calls: calls, _restored], ids=["live", "restored"])
def test_it_rests_until_somebody_says_something(again: Any) -> None:
    calls = again(_made(DOUBT))
    assert calls.status() == "in-doubt" and not calls.take() and calls.wake() is None and not calls.running()
    assert calls.fact(SAID)
    (call,) = calls.take()
    assert call.doubt is not None and call.doubt.resolved == SAID and not calls.doubts()


def test_it_is_looked_at_when_its_time_has_come() -> None:
    calls = _restored(_made(DOUBT | {"until": 50}))
    assert calls.wake() == 50 and calls.status() == "in-doubt"
    calls.expire(50)
    assert [call.op for call in calls.take()] == ["0"]


def test_the_first_word_counts_and_no_other_doubt_is_meant() -> None:
    calls = _made(DOUBT)
    assert not calls.fact(SAID | {"since": 9})
    assert calls.fact(SAID) and not calls.fact(SAID | {"verdict": "give-up"})
    (call,) = calls.take()
    assert call.doubt is not None and call.doubt.resolved is not None
    assert call.doubt.resolved["verdict"] == "done"


def test_a_word_while_it_is_being_asked_about_is_heard_when_that_is_over() -> None:
    calls = _made(DOUBT | {"until": 50})
    calls.expire(50)
    assert calls.take()  # somebody asks
    assert calls.fact(SAID) and not calls.take()
    assert calls.fact(DOUBT | {"asked": 1, "until": 99})  # and can't tell
    (call,) = calls.take()
    assert call.doubt is not None and call.doubt.resolved == SAID


def test_nobody_outside_may_say_it_of_a_call_that_is_in_no_doubt() -> None:
    calls = _made()
    assert not calls.fact(SAID)
    assert calls.fact(SAID | {"n": 1})  # who makes the call has found out


def test_a_new_doubt_is_not_resolved_by_an_old_word() -> None:
    calls = _made(DOUBT, SAID)
    calls.take()
    assert calls.fact(DOUBT | {"since": 30})
    assert calls.status() == "in-doubt" and not calls.take()
