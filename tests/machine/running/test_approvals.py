"""A Task of a tool that wants an approval waits for it, whoever began the machine; and what is denied is not done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial, wraps
from typing import Any

import pytest

from overwinter import Agent, Runtime, Scripted, StateMachine, call, tool
from overwinter.state.errors import InvalidInput, UnknownExecution
from overwinter.state.memory import MemoryStore

TASK = {"Type": "Task", "Resource": "refund", "End": True}
DONE: list[str] = []


def on_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @wraps(test)
    def run(**given: Any) -> None:
        DONE.clear()
        asyncio.run(test(**given))

    return run


@tool(effect="irreversible", approval=lambda order: "desk" if order.startswith("large") else None)
async def refund(order: str) -> str:
    """Give the money back."""
    DONE.append(order)
    return f"refunded {order}"


LAMBDA = "arn:aws:lambda:eu-west-1:123456789012:function:refund"
INVOKED = {"FunctionName": "refund", "Payload": {"order.$": "$.order"}}


def refunding(resource: str = "refund", parameters: Any = None, name: str = "refunding") -> StateMachine:
    task = {
        "Type": "Task",
        "Resource": resource,
        "Parameters": parameters or {"order.$": "$.order"},
        "Catch": [{"ErrorEquals": ["Denied"], "ResultPath": "$.said", "Next": "No"}],
        "End": True,
    }
    no = {"Type": "Pass", "InputPath": "$.said.Error", "End": True}
    return StateMachine(name, {"StartAt": "R", "States": {"R": task, "No": no}}, [refund], resources={LAMBDA: refund})


async def asked(runtime: Runtime, id: str) -> dict[str, Any]:
    """The approval that an execution comes to wait for."""
    while True:
        try:
            if waiting := await runtime.approvals(id):
                return waiting[0]
        except UnknownExecution:
            pass
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("resource", "parameters"), [("refund", None), (LAMBDA, None), ("arn:aws:states:::lambda:invoke", INVOKED)]
)
@on_a_loop
async def test_it_is_called_when_it_is_approved(resource: str, parameters: Any) -> None:
    machine, store = refunding(resource, parameters), MemoryStore()
    async with Runtime([machine], store) as runtime:
        await runtime.start(machine, {"order": "large-1"}, id="r")
        approval = await asked(runtime, "r")
        assert (approval["role"], approval["data"], DONE) == ("desk", {"order": "large-1"}, [])
    async with Runtime([machine], store) as runtime:
        await runtime.approve("r", by="ana")
        assert "refunded large-1" in str(await runtime.result("r", timeout=20))
    assert DONE == ["large-1"]


@on_a_loop
async def test_what_is_denied_is_an_error_of_that_name() -> None:
    machine = refunding()
    async with Runtime([machine], "memory://") as runtime:
        await runtime.start(machine, {"order": "large-1"}, id="r")
        await asked(runtime, "r")
        await runtime.deny("r", by="ana")
        assert await runtime.result("r", timeout=20) == "Denied"
        await runtime.start(machine, {"order": "small-1"}, id="s")
        assert await runtime.result("s", timeout=20) == "refunded small-1"
    assert DONE == ["small-1"]


@on_a_loop
async def test_a_model_does_not_get_by_it() -> None:
    machine = refunding()
    desk = Agent("desk", Scripted([call("refunding", input={"order": "large-1"}), "done"]), tools=[machine])
    async with Runtime([desk], "memory://") as runtime:
        await runtime.start(desk, "refund it", id="d")
        while not (awaits := (await runtime.show("d")).awaits).startswith("child "):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await asked(runtime, awaits.removeprefix("child "))
        await runtime.cancel("d")
        with pytest.raises(Exception, match="cancelled"):
            await runtime.result("d", timeout=20)
    assert DONE == []


@on_a_loop
async def test_each_machine_asks_for_its_own_tool() -> None:
    @tool(name="refund")
    async def other(order: str) -> str:
        """Another tool of that name."""
        raise AssertionError(order)

    machine = refunding()
    also = StateMachine(
        "also", {"StartAt": "R", "States": {"R": {"Type": "Task", "Resource": "refund", "End": True}}}, [other]
    )
    async with Runtime([machine, also, other], "memory://") as runtime:
        await runtime.start(machine, {"order": "large-1"}, id="r")
        await asked(runtime, "r")
        await runtime.approve("r", by="ana")
        assert await runtime.result("r", timeout=20) == "refunded large-1"


@pytest.mark.parametrize("name", ["", "refund"])
def test_a_tool_that_arguments_are_bound_to_is_refused(name: str) -> None:
    bound = partial(refund, order="large-1")
    if name:
        bound.__name__ = name  # type: ignore[attr-defined]
    with pytest.raises(InvalidInput):
        StateMachine("m", {"StartAt": "R", "States": {"R": TASK}}, resources={"refund": bound})


@on_a_loop
async def test_its_own_retries_are_left_out() -> None:
    @tool(approval="desk")
    async def fetch(order: str) -> str:
        """Fails."""
        DONE.append(order)
        raise ConnectionError("nobody there")

    task = {
        "Type": "Task",
        "Resource": "fetch",
        "Catch": [{"ErrorEquals": ["ConnectionError"], "Next": "S"}],
        "End": True,
    }
    machine = StateMachine("fetching", {"StartAt": "R", "States": {"R": task, "S": {"Type": "Succeed"}}}, [fetch])
    async with Runtime([machine], "memory://") as runtime:
        await runtime.start(machine, {"order": "o"}, id="r")
        await asked(runtime, "r")
        await runtime.approve("r", by="ana")
        await runtime.result("r", timeout=20)
    assert DONE == ["o"]
