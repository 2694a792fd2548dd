"""Handoff: a conversation goes on with another agent, recorded, wherever a process dies."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from overwinter import Agent, InvalidInput, Limits, Runtime, Scripted, call, tool, workflow
from overwinter.functions.hooks import Ask, Hook, Refuse
from overwinter.functions.team import Handoff
from overwinter.functions.tools.selection import Selection
from overwinter.functions.window import Leaving
from overwinter.orchestrator.protocol.decider import Invoke, Verdict
from overwinter.testing import World, crash_everywhere
from overwinter.tests.agent.driver import Driver, called, run
from overwinter.tests.agent.test_pinning import Shelf, answer_listing

NEVER = Scripted(["never asked"])


@tool
async def lookup(order_id: str) -> str:
    """Look an order up."""
    return order_id


@tool(approval="desk")
async def refund(amount: int) -> str:
    """Refund."""
    return str(amount)


@tool
async def search(query: str) -> str:
    """Search."""
    return query


class Reason(BaseModel):
    reason: str


class Formless:
    """Has no JSON form."""


class Bill(BaseModel):
    total: int


def agents(**more: Any) -> tuple[Agent[Any], Agent[Any], Agent[Any]]:
    """One for the door, and two that know something; the first of these may hand back."""
    billing = Agent("billing", NEVER, "You know bills.", tools=[refund], description="Knows bills.")
    tech = Agent("tech", NEVER, "You know machines.", history=2)
    front = Agent("front", NEVER, "You open the door.", tools=[lookup], handoffs=[billing, tech], **more)
    billing.handoffs = [front]
    return front, billing, tech


def asked(driver: Driver) -> Any:
    """What the open model call is asked with."""
    (open_call,) = [one for one in driver.open.values() if isinstance(one, Invoke) and one.report == "model"]
    return open_call.call._request()  # type: ignore[attr-defined]  # pyright: ignore[reportFunctionMemberAccess]


def handed(front: Agent[Any], *calls: dict[str, str]) -> Driver:
    driver = Driver(front, "front/1")
    driver.say("m1", "My bill is wrong.")
    driver.model(list(calls) or [called("transfer_to_billing")])
    return driver


def kinds(driver: Driver) -> list[str]:
    return [entry["type"] for entry in driver.entries()]


# -- who has it ------------------------------------------------------------------------------------------


def test_the_conversation_goes_on_with_the_other_agent_its_instructions_and_its_tools() -> None:
    front, _, _ = agents()
    driver = Driver(front, "front/1")
    driver.say("m1", "My bill is wrong.")
    first = asked(driver)
    assert first.messages[0].content == "You open the door."
    assert [one.name for one in first.tools] == ["lookup", "transfer_to_billing", "transfer_to_tech"]
    assert first.tools[1].description == "Hand the conversation over to billing: Knows bills."
    driver.model([called("transfer_to_billing")])
    driver.restart()
    then = asked(driver)
    assert then.messages[0].content == "You know bills."
    assert [one.name for one in then.tools] == ["refund", "transfer_to_front"]
    assert [one.content for one in then.messages[1:]] == [
        "My bill is wrong.",
        "",
        "front has handed this conversation over to you, billing. Go on with it.",
    ]
    (entry,) = driver.entries("handoff")
    assert (entry["op"], entry["name"], entry["from"], entry["call"]) == ("t1.m1.0", "billing", "front", "c1")
    assert driver.decision.note == "with billing"


def test_the_next_message_goes_to_who_has_it_until_that_one_hands_it_back() -> None:
    front, _, _ = agents()
    driver = handed(front)
    driver.model("I see.")
    assert driver.entries("reply")[0]["agent"] == "billing"
    driver.restart()
    driver.say("m2", "And my door?")
    assert asked(driver).messages[0].content == "You know bills."
    driver.model([called("transfer_to_front", "c2")])
    driver.restart()
    assert asked(driver).messages[0].content == "You open the door."
    driver.model("It is open.")
    assert "agent" not in driver.entries("reply")[1] and driver.decision.note == "with front"


def test_who_has_it_is_known_when_the_handoff_has_long_left_the_window() -> None:
    front, _, tech = agents()
    driver = handed(front, called("transfer_to_tech"))
    driver.model("Ah.")
    for number in range(2, 9):
        driver.say(f"m{number}", "And?")
        assert asked(driver).messages[0].content == "You know machines."
        driver.model("Well.")
        driver.restart()
    assert driver.base > 10, "what came before is not read any more"
    assert len(asked_after(driver)) <= 2 + 2, "the window is that of who has it"
    assert tech.window.messages == 2


def asked_after(driver: Driver) -> Any:
    driver.say("last", "Still there?")
    return asked(driver).messages


def test_what_was_chosen_for_the_model_of_the_one_is_not_the_other_s() -> None:
    dear, cheap = Scripted(["x"], "dear"), Scripted(["x"], "cheap")
    billing = Agent("billing", [dear, cheap], tools=[refund], selection=Selection(most=1))
    driver = handed(Agent("front", cheap, tools=[lookup, search], selection=Selection(most=1), handoffs=[billing]))
    assert driver.entries("offered"), "of the first, some were selected"
    request = asked(driver)
    assert request.model == "scripted/dear"
    assert [one.name for one in request.tools] == ["refund"]


def test_an_agent_that_is_not_there_any_more_leaves_it_stuck_and_nothing_is_lost() -> None:
    front, _, _ = agents()
    driver = handed(front)
    driver.model("I see.")
    driver.compare = False
    whole, driver.spec = driver.spec, Agent("front", NEVER)
    driver.restart()
    assert driver.decision.status == "stuck" and "agent 'billing' has the conversation" in driver.decision.error
    before = list(driver.journal)
    late = {"type": "message", "at": 2_000, "id": "m9", "content": "Anybody?"}
    assert driver.loop.offer(late) is Verdict.LATER, "it stays in the mailbox until somebody is there"
    driver.spec, driver.state = (
        whole,
        '{"mode":"session","before":{"turn":0,"iterations":0,"input":0,"output":0,"cost":"0"}}',
    )
    driver.restart()
    assert driver.journal == before and driver.decision.status == "idle"
    driver.say("m2")
    assert asked(driver).messages[0].content == "You know bills."


# -- calls beside it -------------------------------------------------------------------------------------


def test_other_calls_of_the_answer_are_done_first_and_the_first_handoff_counts() -> None:
    front, _, _ = agents()
    calls = [called("transfer_to_tech", "a", so=1), called("transfer_to_billing", "b")]
    driver = handed(front, *calls, called("lookup", "c", order_id="7"), called("transfer_to_tech", "d"))
    told = {entry["call"]: entry["text"] for entry in driver.entries("observed")}
    assert "takes no arguments" in told["a"] and "another one in the same answer" in told["d"]
    assert driver.entries("handoff") == [] and list(driver.open) == ["t1.m1.2"]
    driver.restart()
    driver.tool("t1.m1.2", "found")
    assert [entry["name"] for entry in driver.entries("handoff")] == ["billing"]
    assert [one.content for one in driver.prompt()[2:]] == [
        told["a"],
        "front has handed this conversation over to you, billing. Go on with it.",
        "found",
        told["d"],
    ]


def test_with_calls_one_after_the_other_the_handoff_is_the_last() -> None:
    front, _, _ = agents(parallel_calls=False)
    driver = handed(front, called("transfer_to_billing", "a"), called("lookup", "b", order_id="7"))
    assert driver.entries("handoff") == [] and list(driver.open) == ["t1.m1.1"]
    driver.restart()
    driver.tool("t1.m1.1", "found")
    assert [entry["name"] for entry in driver.entries("handoff")] == ["billing"]


def test_an_approval_that_is_open_is_decided_before() -> None:
    billing = Agent("billing", NEVER)
    driver = handed(
        Agent("front", NEVER, tools=[refund], handoffs=[billing]),
        called("transfer_to_billing", "a"),
        called("refund", "b", amount=3),
    )
    assert driver.decision.awaits == "approval refund"
    driver.restart()
    driver.send({"type": "decided", "op": "t1.m1.1", "approved": False, "by": "ana", "reason": ""})
    assert kinds(driver)[-2:] == ["decided", "handoff"]


def test_hooks_of_who_acts_look_at_it() -> None:
    billing = Agent("billing", NEVER, tools=[lookup], hooks=Hook(lambda use: pytest.fail("not its call"), name="other"))
    hooks = [Hook(lambda use: Refuse("not today.") if use.id == "c1" else Ask("boss"), name="look")]
    driver = handed(Agent("front", NEVER, handoffs=[billing], hooks=hooks))
    hook = driver.open["t1.m1.0.b1"]
    assert isinstance(hook, Invoke)
    driver.turn([driver.fact(hook, run(hook))])
    assert driver.prompt()[-1].content == "Error: Denied: not today. The call was not carried out."
    driver.model([called("transfer_to_billing", "c2")])
    hook = driver.open["t1.m2.0.b1"]
    assert isinstance(hook, Invoke)
    driver.turn([driver.fact(hook, run(hook))])
    assert driver.decision.awaits == "approval transfer_to_billing"
    driver.restart()
    driver.send({"type": "decided", "op": "t1.m2.0", "approved": True, "by": "boss", "reason": ""})
    assert kinds(driver)[-1] == "handoff"


# -- what the other one reads ----------------------------------------------------------------------------


def second_turn(keep: Any, **more: Any) -> Driver:
    billing = Agent("billing", NEVER)
    driver = Driver(Agent("front", NEVER, tools=[lookup], handoffs=[Handoff(billing, keep=keep, **more)]), "front/1")
    driver.say("m1", "Hello.")
    driver.model("Hello!")
    driver.say("m2", "My bill is wrong.")
    driver.model([called("lookup", "c0", order_id="7")])
    driver.tool("t2.m1.0", "found")
    driver.model([called("transfer_to_billing", **({"reason": "a bill"} if more else {}))])
    driver.restart()
    return driver


def test_it_may_read_the_last_message_alone() -> None:
    driver = second_turn("last", input=Reason)
    first, second = driver.prompt()
    assert first.content == "My bill is wrong."
    assert second.content.endswith(
        'front has handed this conversation over to you, billing. Go on with it. {"reason":"a bill"}'
    )
    driver.model("I see.")
    driver.restart()
    driver.say("m3", "Thanks.")
    assert driver.prompt()[0].content == "My bill is wrong."
    assert driver.base > 1


def test_a_function_may_say_what_it_reads() -> None:
    seen: list[Leaving] = []

    def brief(leaving: Leaving) -> str:
        seen.append(leaving)
        return f"{len(leaving.messages)} messages"

    driver = second_turn(brief)
    assert [one.content.splitlines()[-1] for one in driver.prompt()] == ["My bill is wrong.", "5 messages"]
    assert len(seen) == 1, "what it said is in the journal, and it is not asked again"
    assert [one.content for one in seen[0].messages] == ["Hello.", "Hello!", "", "found", ""]


def test_a_function_that_fails_is_told_to_the_model_and_nothing_is_handed_over() -> None:
    driver = second_turn(lambda leaving: 1 / 0)
    assert "was not handed over" in driver.prompt()[-1].content and driver.entries("handoff") == []


# -- limits ----------------------------------------------------------------------------------------------


def test_a_chain_that_goes_round_is_bounded() -> None:
    front, _, _ = agents(limits=Limits(handoffs=3))
    driver = handed(front)
    for name in ("front", "billing", "front"):
        driver.model([called(f"transfer_to_{name}")])
    (reply,) = driver.entries("reply")
    assert reply["error"]["data"] == {"limit": "handoffs", "used": 3, "allowed": 3}
    driver.say("m2", "Once more.")
    assert asked(driver).messages[0].content == "You know bills.", "it stays with who has it, with a fresh allowance"


def test_a_retry_has_a_fresh_allowance_of_handoffs() -> None:
    front, _, _ = agents(limits=Limits(handoffs=1))
    driver = Driver(front)
    driver.start()
    driver.model([called("transfer_to_billing")])
    driver.model([called("transfer_to_front", "c2")])
    assert driver.decision.status == "failed"
    driver.send({"type": "retry", "by": "ana"})
    assert [entry["name"] for entry in driver.entries("handoff")] == ["billing", "front"]


def test_the_limits_of_the_first_hold_over_all_and_those_of_the_other_for_what_it_does() -> None:
    for first, other, used in ((2, 20, 2), (20, 1, 1)):
        billing = Agent("billing", NEVER, tools=[lookup], limits=Limits(iterations=other))
        driver = handed(Agent("front", NEVER, limits=Limits(iterations=first), handoffs=[billing]))
        driver.model([called("lookup", order_id="7")])
        (reply,) = driver.entries("reply")
        assert reply["error"]["data"] == {"limit": "iterations", "used": used, "allowed": min(first, other)}


# -- declared wrongly ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (lambda: Agent("a", NEVER, handoffs=[lookup]), "is no agent"),
        (lambda: Agent("a", NEVER, handoffs=cast("Any", Agent("b", NEVER))), r"write handoffs=\[…\]"),
        (lambda: Agent("a", NEVER, handoffs=[Agent("a", NEVER)]), "can't hand a conversation to itself"),
        (lambda: Agent("a", NEVER, tools=[lookup], handoffs=[Handoff(Agent("b", NEVER), name="lookup")]), "two tools"),
        (lambda: Handoff(Agent("b", NEVER), keep="some"), "keep='some' is unknown"),  # type: ignore[arg-type]
        (lambda: Handoff(Agent("b", NEVER), input=int), "a type with fields"),
        (lambda: Agent("a", NEVER, handoffs=[Agent("b", NEVER, input=int)]).check("hello"), "which takes int"),
        (lambda: Agent("a", NEVER, handoffs=[Agent("b", NEVER, output=Formless)]).check("hello"), "Formless"),
        (
            lambda: Agent("a", NEVER, handoffs=[Agent("b", NEVER, handoffs=[Agent("a", NEVER)])]).check("hello"),
            "two agents named 'a'",
        ),
    ],
)
def test_what_can_t_work_is_refused(made: Any, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        made()


# -- whole -----------------------------------------------------------------------------------------------


def desk() -> tuple[Agent[str], Agent[Bill]]:
    billing = Agent(
        "billing",
        Scripted(
            {"handed": call("lookup", order_id="o-7"), "o-7": '{"total": 3}', "thanks": '{"total": 4}'}, "billing"
        ),
        tools=[lookup],
        output=Bill,
        output_mode="prompt",
    )
    return Agent("front", Scripted({"wrong": call("transfer_to_billing"), "hi": "Hello."}), handoffs=[billing]), billing


def test_a_session_survives_a_death_at_every_transition() -> None:
    front, _ = desk()

    async def talk(world: World) -> list[Any]:
        said = []
        for number, text in enumerate(("hi", "it is wrong", "thanks")):
            sent = await world.send(front, "c-1", text, id=f"m-{number}")
            said.append(await sent.reply())
        head = world.head("front/c-1")
        return [*said, head and head.note]

    report = crash_everywhere(talk, functions=[front])
    assert report.outcome.value == ["Hello.", Bill(total=3), Bill(total=4), "with billing"]
    assert report.points > 20


def test_one_run_gives_what_the_last_agent_answers_as_its_type() -> None:
    front, _ = desk()

    @workflow
    async def ask(ctx: Any) -> list[Any]:
        return [await ctx.call(front, "it is wrong"), await ctx.call(front, "hi")]

    @workflow
    async def total(ctx: Any) -> int:
        bill = await ctx.call(front, "it is wrong")
        return int(bill.total)

    assert crash_everywhere(front, "it is wrong").outcome.value == Bill(total=3)
    assert crash_everywhere(total, functions=[front]).outcome.value == 3


def test_two_processes_that_serve_it_at_once_know_who_has_it(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'desk.db'}"

    async def main() -> list[Any]:
        said = []
        async with Runtime([desk()[0]], store) as one, Runtime([desk()[0]], store) as other:
            for number, text in enumerate(("hi", "it is wrong", "thanks", "thanks")):
                sent = await (one, other)[number % 2].send("front", "c-1", text)
                said.append(await (other, one)[number % 2].reply("front/c-1", sent.id, "20s"))
        return said

    assert asyncio.run(main()) == ["Hello.", Bill(total=3), Bill(total=4), Bill(total=4)]


def test_who_follows_a_stream_is_told_of_it_in_its_place() -> None:
    async def main() -> list[Any]:
        async with Runtime([desk()[0]], "memory://") as runtime:
            return [event async for event in runtime.stream("front", "c-1", "it is wrong")]

    told = asyncio.run(main())
    kinds = [event.type for event in told if event.type not in ("text", "message")]
    assert kinds[:4] == ["tool_call", "answer", "observation", "handoff"]
    assert told[[event.type for event in told].index("handoff")].data == {
        "op": "t1.m1.0", "from": "front", "agent": "billing"
    }  # fmt: skip
    assert len({event.id for event in told}) == len(told), "each has a place of its own to go on after"


def test_an_input_that_is_no_text_is_read_as_text_by_one_that_takes_that() -> None:
    seen: list[Any] = []

    def told(content: str) -> str:
        seen.append(content)
        return "You know bills."

    billing = Agent("billing", NEVER, told)
    driver = Driver(Agent("front", NEVER, input=Reason, handoffs=[billing]))
    driver.start({"reason": "a bill"})
    driver.model([called("transfer_to_billing")])
    assert asked(driver).messages[0].content == "You know bills." and seen == ['{"reason":"a bill"}']


def test_the_other_agent_and_its_tools_are_served() -> None:
    front, billing = desk()
    served = Runtime([front], "memory://").functions
    assert set(served) == {"front", "billing", "lookup"} and served["billing"] is billing


# -- whatever happens ------------------------------------------------------------------------------------

answers = st.one_of(
    st.sampled_from(["Well.", ""]),
    st.lists(
        st.builds(
            lambda id, name: called(name, id, **({"order_id": "7"} if name == "lookup" else {})),
            st.sampled_from("abcd"),
            st.sampled_from(["lookup", "transfer_to_front", "transfer_to_billing", "transfer_to_tech", "nobody"]),
        ),
        min_size=1,
        max_size=4,
    ),
)


@settings(max_examples=150, deadline=None)
@given(
    script=st.lists(st.tuples(answers, st.booleans()), min_size=1, max_size=25),
    windows=st.tuples(*[st.sampled_from([1, 3, 200])] * 3),
    keep=st.sampled_from(["all", "last"]),
)
def test_whoever_has_it_each_message_gets_one_reply_and_a_replay_knows_the_same(
    script: list[tuple[Any, bool]], windows: tuple[int, int, int], keep: Any
) -> None:
    names = ("front", "billing", "tech")
    several = [Agent(name, NEVER, tools=[lookup], history=size) for name, size in zip(names, windows, strict=True)]
    for one in several:
        one.handoffs = [Handoff(other, keep=keep) for other in several if other is not one]
    driver = Driver(several[0], "front/1")  # compares each decision with one that was replayed
    sent = 0
    for answer, dies in script:
        if not driver.open:
            sent += 1
            driver.say(f"m{sent}", f"message {sent}")
        if dies:
            driver.restart()
        if tools := [op for op, one in driver.open.items() if isinstance(one, Invoke) and one.report == "tool"]:
            driver.tool(tools[0], "found")
        else:
            driver.model(answer)
        paired(driver)
    replies = [entry["to"] for entry in driver.entries("reply")]
    assert len(replies) in (sent, sent - 1) and replies == [f"m{number + 1}" for number in range(len(replies))]


def paired(driver: Driver) -> None:
    """What the model reads: each result has its call before it."""
    known: set[str] = set()
    for message in driver.prompt():
        known |= {one.id for one in message.tool_calls}
        assert message.role != "tool" or message.tool_call_id in known


# -- servers of tools ------------------------------------------------------------------------------------


def test_what_servers_list_is_pinned_for_each_agent_apart() -> None:
    shelves = [Shelf("one", "hammer"), Shelf("two", "saw")]
    front, billing = (Agent(name, NEVER, tools=[shelf]) for name, shelf in zip("ab", shelves, strict=True))
    front.handoffs, billing.handoffs = [billing], [front]
    driver = Driver(front, "a/1")
    driver.say("m1", "Hello.")
    for number, (other, tools) in enumerate((("b", ["hammer"]), ("a", ["saw"]), ("b", ["hammer"]))):
        answer_listing(driver)
        driver.restart()
        assert [one.name for one in asked(driver).tools] == [*tools, f"transfer_to_{other}"]
        driver.model([called(f"transfer_to_{other}", f"c{number}")])
    answer_listing(driver)
    entries = driver.entries("listed")
    assert [("same" in entry["value"], "changed" in entry["value"]) for entry in entries] == [
        (False, False),
        (False, False),
        (True, False),
        (True, False),
    ], "each is said in whole once, and none is taken for a change of the other"
    assert len({entry["op"] for entry in entries}) == 4
