"""A state machine beside other functions: what a model sees of it, whose budget it spends, what timelines and lists
tell of it, and which version of it an execution goes by."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pydantic import BaseModel

from overwinter import (
    Agent,
    Context,
    ExecutionFailed,
    InvalidInput,
    Limits,
    Runtime,
    Scripted,
    StateFailed,
    StateMachine,
    asl,
    call,
    tool,
    workflow,
)
from overwinter.cli.reach import head_json
from overwinter.cli.view.timeline import Timeline
from overwinter.functions.agents.child import ChildTool
from overwinter.functions.messages.models import Execution
from overwinter.orchestrator.machine.version import definition_of
from overwinter.state.memory import MemoryStore


class Parcel(BaseModel):
    """What is sent."""

    name: str
    grams: int = 100


class Sent(BaseModel):
    """What became of it."""

    receipt: str


@tool
async def send(name: str, grams: int) -> dict[str, str]:
    """Send it."""
    return {"receipt": f"{name} {grams}"}


sending = StateMachine("sending", asl.machine(asl.Task("Send", send)), input=Parcel, output=Sent)


def played(main: Callable[[], Awaitable[Any]]) -> Any:
    return asyncio.run(main())  # type: ignore[arg-type]


# -- types -----------------------------------------------------------------------------------------------


def test_a_model_sees_the_arguments_of_a_machine() -> None:
    seen = ChildTool(sending).parameters
    assert set(seen["properties"]) == {"name", "grams"} and seen["required"] == ["name"]
    bare = StateMachine("bare", asl.machine(asl.Pass("P")))
    assert ChildTool(bare).parameters["properties"] == {"input": {}}


def test_a_model_that_gives_wrong_arguments_is_told() -> None:
    told: list[str] = []

    def model(messages: Any, tools: Any) -> Any:
        told.append(str(messages[-1].content))
        if len(told) < 3:
            return call("sending", **({"title": "book"} if len(told) == 1 else {"name": "book"}))
        return "done"

    async def main() -> Any:
        async with Runtime([Agent("desk", Scripted(model), tools=[sending])], "memory://") as runtime:
            return await (await runtime.start("desk", "hi")).result(timeout=20)

    assert played(main) == "done"
    assert "name" in told[1] and "receipt" in told[2] and "book 100" in told[2]


def test_input_and_output_have_their_types() -> None:
    @workflow
    async def sends(ctx: Context, name: str) -> str:
        sent = await ctx.call(sending, Parcel(name=name, grams=5))
        assert isinstance(sent, Sent)
        return sent.receipt

    async def main() -> Any:
        async with Runtime([sends, sending], "memory://") as runtime:
            with pytest.raises(InvalidInput, match=r"the input of sending is not valid: .*grams"):
                await runtime.start(sending, {"name": "a", "grams": "heavy"})
            return await (await runtime.start(sends, "book")).result(timeout=20)

    assert played(main) == "book 5"


# -- budgets ---------------------------------------------------------------------------------------------


@tool
async def dictionary(word: str) -> str:
    """A lot."""
    return "word " * 400


def talkative(limits: Limits | None = None) -> Agent[str]:
    """Has read a lot when it is to answer."""
    said = Scripted([call("dictionary", word="x"), call("dictionary", word="y"), "done"])
    return Agent("clerk", said, tools=[dictionary], limits=limits or Limits())


@pytest.mark.parametrize("tokens", [None, 300])
def test_what_an_agent_has_left_bounds_the_agents_in_its_machine(tokens: int | None) -> None:
    clerk = talkative()
    talk = asl.Task("Talk", clerk, input_path="$.name")
    talks = StateMachine("talks", asl.machine(talk), input=Parcel)
    desk = Agent("desk", Scripted([call("talks", name="x"), "done"]), tools=[talks], limits=Limits(tokens=tokens))

    async def main() -> Any:
        async with Runtime([desk], "memory://") as runtime:
            handle = await runtime.start(desk, "hi")
            try:
                outcome = await handle.result(timeout=20)
            except ExecutionFailed as failed:
                outcome = str(failed)
            heads = {head.function: head for head in (await runtime.store.executions()).heads}
            return outcome, heads["clerk"].status, [one async for one in runtime.entries(heads["clerk"].id)]

    _, status, entries = played(main)
    assert status == ("completed" if tokens is None else "failed")
    assert ("budget" in entries[0].get("caller", {})) is (tokens is not None)
    if tokens is not None:
        assert "LimitExceeded" in str(entries[-1]["error"])


def test_the_limits_of_an_agent_are_an_error_of_its_state() -> None:
    clerk = talkative(Limits(tokens=300))
    over = asl.catch("LimitExceeded", then=asl.Pass("Shorter", result="a word"))
    machine = StateMachine("m", asl.machine(asl.Task("Talk", clerk, catch=[over])))

    async def main() -> Any:
        async with Runtime([machine], "memory://") as runtime:
            return await (await runtime.start(machine, "hi")).result(timeout=20)

    assert played(main) == "a word"


# -- what is told of it ----------------------------------------------------------------------------------


def test_a_timeline_tells_of_its_calls_and_children() -> None:
    inner = StateMachine("inner", asl.machine(asl.Pass("P")))
    machine = StateMachine(
        "m", asl.machine(asl.Task("Send", send), asl.Task("Inner", inner), asl.Wait("W", seconds=3600))
    )

    async def main() -> Any:
        async with Runtime([machine], "memory://") as runtime:
            await runtime.start(machine, {"name": "a", "grams": 1}, id="x")
            while not (await runtime.show("x")).awaits.startswith("timer"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            timeline = Timeline()
            number = 0
            async for entry in runtime.entries("x"):
                number += 1
                timeline.add(number, entry)
            return timeline

    timeline = played(main)
    rows = [(row.kind, row.name) for turn in timeline.turns for row in turn.rows]
    assert ("step", "send") in rows and ("child", "inner") in rows
    assert not timeline.waiting  # nothing of it is open


def test_an_execution_tells_which_definition_it_goes_by() -> None:
    """Also after another one was deployed, and after a checkpoint."""
    old = StateMachine("m", asl.machine(asl.Wait("W", seconds=1), comment="old"))
    new = StateMachine("m", asl.machine(asl.Fail("F", error="E")))
    assert old.version.startswith("sha256:") and old.version != new.version

    async def main() -> Any:
        store = MemoryStore()
        async with Runtime([old], store) as runtime:
            await runtime.start(old, {}, id="x")
            while (await runtime.show("x")).status != "waiting":  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            first = await runtime.show("x")
        async with Runtime([new], store) as runtime:
            assert await runtime.result("x", timeout=20) == {}
            with pytest.raises(ExecutionFailed) as failed:
                await (await runtime.start(new, {}, id="y")).result(timeout=20)
            assert isinstance(failed.value.__cause__, StateFailed)
            return first, await runtime.show("x"), await runtime.show("y")

    first, x, y = played(main)
    assert [head_json(head)["definition"] for head in (first, x, y)] == [old.version, old.version, new.version]
    assert Execution.of(x)["definition"] == old.version


@pytest.mark.parametrize(
    "state", ["", "{}", '{"takes": {}}', '{"definition": 5}', '"definition"', '["definition"', "[]"]
)
def test_others_go_by_no_definition(state: str) -> None:
    assert definition_of(state) == ""
