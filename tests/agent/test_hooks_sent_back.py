"""A hook that is asked about a call which ends without it."""

from __future__ import annotations

from pydantic import BaseModel

from overwinter import Agent, Scripted
from overwinter.functions.hooks import Hook
from overwinter.orchestrator.protocol.decider import Invoke

from .driver import Driver, called


class Verdict(BaseModel):
    score: int


def test_an_answer_that_is_sent_back_takes_its_hook_with_it() -> None:
    """The validator speaks while the hook is still asked about the call that gave the answer."""
    desk = Agent(
        "desk",
        Scripted(["no"]),
        output=Verdict,
        output_mode="tool",
        output_validator=lambda answer: answer,
        hooks=[Hook(lambda use: None)],
    )
    driver = Driver(desk)
    driver.say("m0")
    driver.model([called("final_result", "a", score=0)])
    hook, check = driver.open["t1.m1.0.b1"], driver.open["t1.m1.check"]
    assert isinstance(hook, Invoke) and isinstance(check, Invoke)
    assert driver.turn([driver.fact(check, {"retry": "look again"})]).abandon == ["t1.m1.0.b1"]
    driver.turn([driver.fact(hook, {"refuse": "no"})])  # too late
    assert list(driver.open) == ["t1.m2"]
