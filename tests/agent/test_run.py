"""One run of an agent: think, act, observe, done. Whatever the model answers, the loop goes on."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from overwinter import Agent, Limits, tool
from overwinter.functions.models.scripted import Scripted, call
from overwinter.orchestrator.protocol.decider import Invoke
from overwinter.state.errors import InDoubt

from .driver import Driver, answered, called, run

MODEL = Scripted(["never asked"])


@tool
async def lookup(order_id: str, verbose: bool = False) -> dict[str, Any]:
    """Look an order up."""
    return {"order": order_id, "verbose": verbose}


@tool(effect="irreversible")
async def pay(amount: Decimal) -> str:
    """Pay."""
    return f"paid {amount}"


class Verdict(BaseModel):
    kind: str
    score: int


def agent(**options: Any) -> Agent:
    return Agent("desk", MODEL, "Be kind.", [lookup, pay], **options)


def test_an_answer_in_words_completes_the_run() -> None:
    driver = Driver(agent())
    decision = driver.start("hi")
    assert decision.immediate and decision.status == "running"
    assert list(driver.open) == ["t1.m1"]
    decision = driver.model("hello")
    assert decision.status == "completed"
    assert driver.entries("completed")[0]["value"] == "hello"
    assert not driver.open


def test_tools_run_in_parallel_and_the_model_reads_their_results_in_the_order_asked() -> None:
    driver = Driver(agent())
    driver.start()
    decision = driver.model([called("lookup", "a", order_id="1"), called("lookup", "b", order_id="2")])
    assert not decision.immediate
    assert [effect.op for effect in decision.perform] == ["t1.m1.0", "t1.m1.1"]
    assert driver.effect("t1.m1.0").extra == {"call": "a"}
    assert driver.tool("t1.m1.1", {"order": "2"}).perform == []
    driver.tool("t1.m1.0", "found")
    assert list(driver.open) == ["t1.m2"]
    assert [(m.role, m.content, m.tool_call_id) for m in driver.prompt()[2:]] == [
        ("tool", "found", "a"),
        ("tool", '{"order":"2"}', "b"),
    ]


def test_results_that_come_together_share_one_decision() -> None:
    driver = Driver(agent())
    driver.start()
    driver.model([called("lookup", "a", order_id="1"), called("lookup", "b", order_id="2")])
    facts = [driver.fact(driver.effect(op), 1) for op in ("t1.m1.0", "t1.m1.1")]
    assert [effect.op for effect in driver.turn(facts).perform] == ["t1.m2"]


def test_the_call_of_a_tool_checks_and_converts_its_arguments() -> None:
    driver = Driver(agent())
    driver.start()
    driver.model([called("pay", amount="1.50")])
    effect = driver.effect("t1.m1.0")
    assert effect.policy.at_most_once and effect.policy.retry.attempts == 1
    assert run(effect) == "paid 1.50"


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"id": "c", "name": "lookup", "arguments": "{bad"}, "not valid JSON"),
        ({"id": "c", "name": "lookup", "arguments": "[1]"}, "must be a JSON object"),
        ({"id": "c", "name": "look up!", "arguments": "{}"}, "no tool named 'look up!'"),
        ({"id": "c", "name": "lookup", "arguments": '{"order_id": 7}'}, "order_id: input should be a valid string"),
        ({"id": "c", "name": "lookup", "arguments": '{"order": "7"}'}, "order: there is no such parameter"),
        ({"id": "c", "name": "lookup", "arguments": ""}, "order_id: is missing"),
        ({"id": "c", "name": "lookup"}, "order_id: is missing"),
        ({"id": 5, "name": None, "arguments": None}, "no tool named ''"),
        ("what?", "no tool named ''"),
    ],
)
def test_a_malformed_call_is_an_observation(asked: Any, told: str) -> None:
    driver = Driver(agent())
    driver.start()
    driver.model([asked])
    assert told in driver.entries("observed")[0]["text"]
    assert list(driver.open) == ["t1.m2"]
    _, assistant, result = driver.prompt()
    assert told in result.content
    assert result.tool_call_id == assistant.tool_calls[0].id != ""
    assert assistant.tool_calls[0].arguments == "{}" or '"order' in assistant.tool_calls[0].arguments
    assert " " not in assistant.tool_calls[0].name  # providers would refuse the next request


def test_good_and_bad_calls_of_one_answer_get_one_result_each() -> None:
    driver = Driver(agent())
    driver.start()
    driver.model([called("nothing", "x"), called("lookup", "y", order_id="1")])
    assert list(driver.open) == ["t1.m1.1"]
    driver.tool("t1.m1.1", "ok")
    assert [m.tool_call_id for m in driver.prompt() if m.role == "tool"] == ["x", "y"]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"text": "", "finish": "stop"}, "empty"),
        ({"text": " \n", "finish": "stop"}, "empty"),
        ({}, "empty"),
        ({"text": 7, "tool_calls": "no"}, "empty"),
        ({"text": "to be cont", "finish": "length"}, "cut off"),
        ({"finish": "length", "tool_calls": [called("pay", amount="1")]}, "cut off"),
    ],
)
def test_an_answer_that_is_none_is_asked_for_again(answer: Any, told: str) -> None:
    driver = Driver(agent())
    driver.start()
    driver.model(answer)
    assert list(driver.open) == ["t1.m2"]
    assert told in driver.prompt()[-1].content
    assert driver.model("fine").status == "completed"


def test_repeated_call_ids_become_unique_and_an_exact_repetition_is_made_once() -> None:
    driver = Driver(agent())
    driver.start()
    one, two = called("pay", "same", amount="1"), called("pay", "same", amount="2")
    driver.model([one, one, two])
    assert len(driver.open) == 2
    ids = [c.id for c in driver.prompt()[-1].tool_calls]
    assert len(ids) == len(set(ids)) == 2


def test_absurdly_many_calls_are_cut_and_the_model_is_told() -> None:
    driver = Driver(agent())
    driver.start()
    driver.model([called("lookup", f"c{n}", order_id="1") for n in range(1000)])
    assert len(driver.open) == 32
    for op in list(driver.open):
        driver.tool(op, "ok")
    messages = driver.prompt()
    assert len(messages[1].tool_calls) == 32
    assert "Only the first 32 of your 1000" in messages[-1].content


def test_a_refusal_is_the_answer_of_an_untyped_agent() -> None:
    driver = Driver(agent())
    driver.start()
    assert driver.model({"refusal": "I won't.", "finish": "stop"}).status == "completed"
    (end,) = driver.entries("completed")
    assert end["value"] == "I won't." and end["refused"] is True


def test_a_content_filter_is_a_refusal() -> None:
    driver = Driver(agent())
    driver.start()
    driver.model({"finish": "content_filter"})
    assert driver.entries("completed")[0]["refused"] is True


def test_a_typed_agent_that_refuses_twice_fails() -> None:
    driver = Driver(agent(output=Verdict))
    driver.start()
    driver.model({"refusal": "I won't."})
    assert "declined" in driver.prompt()[-1].content
    assert driver.model({"refusal": "Never."}).status == "failed"
    error = driver.entries("failed")[0]["error"]
    assert error["kind"].endswith(".Refused") and error["message"] == "Never."


def test_a_typed_answer_is_checked_and_the_complaint_is_read_by_the_model() -> None:
    driver = Driver(agent(output=Verdict))
    driver.start()
    driver.model("no JSON at all")
    assert "not valid JSON" in driver.prompt()[-1].content
    driver.model('{"kind": "billing"}')
    assert "score: is missing" in driver.prompt()[-1].content
    driver.model('```json\n{"kind": "billing", "score": "3"}\n```')
    assert driver.entries("completed")[0]["value"] == {"kind": "billing", "score": 3}


def test_a_choice_may_come_without_quotes() -> None:
    driver = Driver(agent(output=Literal["billing", "technical"]))
    driver.start()
    driver.model("other")
    assert "billing" in driver.prompt()[-1].content
    driver.model("billing")
    assert driver.entries("completed")[0]["value"] == "billing"


def test_an_error_of_a_tool_is_told_to_the_model() -> None:
    driver = Driver(agent())
    driver.start()
    driver.model([called("lookup", order_id="1")])
    driver.tool("t1.m1.0", KeyError("no such order"))
    assert driver.prompt()[-1].content == "Error: KeyError: 'no such order'"


def test_a_call_in_doubt_is_told_as_unknown_and_not_repeated() -> None:
    driver = Driver(agent())
    driver.start()
    driver.model([called("pay", amount="5")])
    driver.tool("t1.m1.0", InDoubt("began"))
    assert "must not be repeated" in driver.prompt()[-1].content
    driver.model([called("pay", "again", amount="5")])
    assert "was not repeated" in driver.prompt()[-1].content
    driver.model([called("pay", "other", amount="6")])
    assert list(driver.open) == ["t1.m3.0"]


def test_two_alike_calls_of_one_answer_don_t_wait_for_each_other_s_doubt() -> None:
    """They are made together, so a process that reads the journal must not refuse the second one."""
    driver = Driver(agent())
    driver.start()
    driver.model([called("pay", "one", amount="5"), called("pay", "two", amount="5")])
    driver.tool("t1.m1.0", InDoubt("began"))
    driver.restart()
    assert list(driver.open) == ["t1.m1.1"]
    driver.tool("t1.m1.1", "paid 5")
    driver.model([called("pay", "again", amount="5")])
    assert "was not repeated" in driver.prompt()[-1].content


def test_a_begun_call_is_in_doubt_after_a_restart() -> None:
    driver = Driver(agent())
    driver.start()
    driver.model([called("pay", amount="5")])
    driver.compare = False  # the engine answers for a begun call; here it stays open
    driver.turn([{"type": "begun", "op": "t1.m1.0", "name": "pay", "n": 1}])
    driver.restart()
    assert driver.effect("t1.m1.0").begun


def test_a_durable_retry_waits_in_the_store_and_is_made_after_a_restart() -> None:
    driver = Driver(agent())
    driver.start()
    call = driver.effect("t1.m1")
    error = {"kind": "x.Busy", "message": "busy"}
    fact = {"type": "retrying", "op": call.op, "name": call.name, "n": 2, "until": 9_000, "error": error}
    decision = driver.turn([fact])
    assert (decision.status, decision.wake) == ("waiting", 9_000)
    assert decision.awaits == "retry model until 1970-01-01T00:00:09Z"
    driver.restart()
    assert driver.open == {}
    driver.expire(9_000)
    assert driver.effect("t1.m1").attempt == 2
    assert driver.model("late but here").status == "completed"


def test_a_model_that_fails_for_good_fails_the_run_and_retry_asks_it_again() -> None:
    driver = Driver(agent())
    driver.start()
    driver.model([called("lookup", order_id="1")])
    driver.tool("t1.m1.0", "found")
    assert driver.model(ConnectionError("no net")).status == "failed"
    error = driver.entries("failed")[0]["error"]
    assert error["kind"] == "builtins.ConnectionError" and error["op"] == "t1.m2"
    driver.journal.append('{"type":"retry","by":"me","at":2000}')
    driver.restart()
    assert list(driver.open) == ["t1.m2"]
    assert driver.prompt()[-1].content == "found"
    assert driver.model("done").status == "completed"


def test_cancel_ends_a_run_and_abandons_what_is_open() -> None:
    driver = Driver(agent())
    driver.start()
    driver.model([called("lookup", order_id="1")])
    decision = driver.send({"type": "cancel", "reason": "enough", "by": "me"})
    assert decision.status == "cancelled" and decision.abandon == ["t1.m1.0"]
    assert driver.entries("cancelled")[0]["reason"] == "enough"
    assert driver.send({"type": "cancel", "reason": "again", "by": "me"}).entries == []


def test_late_duplicate_and_unknown_facts_change_nothing() -> None:
    driver = Driver(agent())
    driver.start()
    model = driver.effect("t1.m1")
    driver.model([called("lookup", order_id="1")])
    tool_call = driver.effect("t1.m1.0")
    before = list(driver.journal)
    driver.turn([driver.fact(model, answered("late"))])
    driver.send({"type": "message", "id": "m", "content": ""})
    driver.send({"type": "start", "input": "again", "seed": ""}, {"type": "decided", "op": "t9", "approved": True})
    driver.send({"type": "child", "id": "nobody", "value": 1}, {"type": "retry", "by": "me"})
    assert driver.journal == before
    driver.tool("t1.m1.0", "first")
    before = list(driver.journal)
    driver.turn([driver.fact(tool_call, "second")])
    assert driver.journal == before
    driver.send({"type": "event", "id": "e", "name": "x", "data": 1})
    assert [json.loads(entry)["type"] for entry in driver.journal[len(before) :]] == ["skipped"]  # it is to be seen


def test_a_tool_that_is_gone_after_a_restart_is_an_observation() -> None:
    driver = Driver(agent())
    driver.start()
    driver.model([called("lookup", order_id="1")])
    driver.compare = False
    driver.spec = Agent("desk", MODEL, tools=[pay])
    driver.restart()
    assert "no tool named 'lookup'. The tools are: pay." in driver.entries("observed")[0]["text"]
    assert list(driver.open) == ["t1.m2"]


def test_a_huge_result_is_cut_for_the_model_only() -> None:
    driver = Driver(agent(), compare=False)
    driver.start()
    driver.model([called("lookup", order_id="1")])
    driver.tool("t1.m1.0", "x" * 100_000)
    read = driver.prompt()[-1].content
    assert "[34,464 characters were taken out" in read and "read_result(entry=3)" in read and len(read) < 66_000
    assert len(driver.entries("tool")[0]["value"]) == 100_000


def test_the_run_of_a_scripted_agent_from_start_to_end() -> None:
    spec = Agent("desk", Scripted([call("lookup", order_id="A-1"), "It is on its way."]), "Help.", [lookup])
    driver = Driver(spec)
    driver.start("Where is A-1?")
    driver.ask()
    (effect,) = driver.open.values()
    assert isinstance(effect, Invoke)
    driver.tool(effect.op, run(effect))
    driver.ask()
    assert driver.entries("completed")[0]["value"] == "It is on its way."
    assert {entry["name"] for entry in driver.entries("model")} == {"scripted/script"}


def test_limits_are_validated() -> None:
    wrong: list[dict[str, Any]] = [{"iterations": 0}, {"tokens": -1}, {"cost": "much"}, {"time": "soon"}]
    for options in wrong:
        with pytest.raises(Exception, match="limit"):
            Limits(**options)
