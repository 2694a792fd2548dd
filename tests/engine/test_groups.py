"""A group of one error is shown by that error, wherever an error becomes a text; one of several names its members."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from overwinter import Agent, Context, Runtime, workflow
from overwinter.cli.main import cli
from overwinter.cli.view.lines import complaint, places
from overwinter.functions.messages.problem import Raised, problem, status_of
from overwinter.functions.models.failing import text_of
from overwinter.functions.models.scripted import Scripted, call
from overwinter.orchestrator.agent import observations
from overwinter.orchestrator.errors import failures, groups
from overwinter.orchestrator.usercode.calling import judged
from overwinter.orchestrator.usercode.resilience import Retry
from overwinter.state.errors import ExecutionFailed, InvalidInput, Retryable, UnknownExecution

ONE = ExceptionGroup("unhandled errors in a TaskGroup", [ExceptionGroup("of one", [ValueError("no such order")])])
TWO = ExceptionGroup("a sale", [ValueError("no such order"), ExceptionGroup("of one", [KeyError("A-1")])])
SAID_TWO = "ExceptionGroup: a sale (2 sub-exceptions): ValueError: no such order; KeyError: 'A-1'"

_errors = st.recursive(
    st.text(max_size=9).map(ValueError),
    lambda inner: st.lists(inner, min_size=1, max_size=5).map(lambda members: ExceptionGroup("g", members)),
    max_leaves=12,
)


@given(_errors)
def test_an_error_and_its_record_say_the_same(error: Exception) -> None:
    record = json.loads(json.dumps(failures.encode(error)))
    again = failures.decode(record)
    assert groups.said(error) == groups.said_in(record) == groups.said(again)
    assert str(again) == record["message"], "what is raised is the group that it was"


@pytest.mark.parametrize(("error", "said"), [(ONE, "ValueError: no such order"), (TWO, SAID_TWO)])
def test_every_text_of_an_error(error: Exception, said: str) -> None:
    record = failures.encode(error)
    fact = {"type": "tool", "error": record}
    assert groups.said(error) == groups.said_in(record) == complaint(record) == said
    assert observations.outcome(fact) == f"Error: {said}"
    assert said.partition(": ")[2] in text_of(ONE) or error is TWO
    for answer in (problem(error), problem(Raised(error))):
        assert said in json.loads(answer.body)["detail"] or said.partition(": ")[2] == json.loads(answer.body)["detail"]

    def fails() -> None:
        raise error

    with pytest.raises(InvalidInput) as refused:
        judged(fails, "it can't be judged")
    assert str(refused.value) == f"it can't be judged ({said})"


def test_a_group_of_one_is_tried_again_as_its_member_would_be() -> None:
    retry = Retry()
    assert not retry.again(ONE) and retry.again(ExceptionGroup("of one", [OSError("away")])) and retry.again(TWO)
    assert Retry(retry=(ExceptionGroup,)).again(ONE)
    assert not Retry(final=(OSError,)).again(ExceptionGroup("of one", [OSError("away")]))
    by_member = Retry(when=lambda error, _: isinstance(error, ValueError))
    assert by_member.again(ExceptionGroup("of one", [ValueError("x")]), 1) and not by_member.again(OSError("x"), 1)
    limited = ExceptionGroup("of one", [Retryable("slow down", retry_after=20)])
    assert retry.pause(1, limited, random.Random(1)) >= 20


def test_many_members_are_counted() -> None:
    many = ExceptionGroup("all", [ValueError(str(n)) for n in range(9)])
    assert groups.text(many).endswith("ValueError: 0; ValueError: 1; ValueError: 2; and 6 more")


def test_a_group_of_one_is_answered_like_its_member() -> None:
    group = ExceptionGroup("unhandled errors in a TaskGroup", [UnknownExecution("no x")])
    assert status_of(group) == 404 and json.loads(problem(group).body)["type"].endswith("unknown-execution")


async def _order() -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_missing())


async def _missing() -> None:
    raise ValueError("no such order")


@workflow
async def sells(ctx: Context) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_missing())


@workflow
async def buys(ctx: Context) -> None:
    await ctx.step(_order)


@workflow
async def deals(ctx: Context) -> None:
    await ctx.call(sells)


@pytest.mark.parametrize("flow", [sells, buys, deals])
def test_a_workflow_that_fails_of_a_group_of_one_says_of_which(flow: Any) -> None:
    async def main() -> str:
        async with Runtime([sells, buys, deals], "memory://") as runtime:
            handle = await runtime.start(flow)
            with pytest.raises(ExecutionFailed) as failed:
                await handle.result("10s")
            return str(failed.value)

    said = asyncio.run(main())
    assert "no such order" in said and "TaskGroup" not in said and "sub-exception" not in said


def test_a_model_is_told_of_the_member() -> None:
    async def order() -> None:
        await _order()

    agent = Agent("desk", Scripted([call("order"), "sorry"]), "Help.", [order])

    async def main() -> list[dict[str, Any]]:
        async with Runtime([agent], "memory://") as runtime:
            handle = await runtime.start(agent, "go")
            await handle.result("10s")
            return [entry async for entry in runtime.entries(handle.id)]

    (tool,) = [entry for entry in asyncio.run(main()) if entry["type"] == "tool"]
    assert tool["error"]["kind"] == "builtins.ExceptionGroup", "the record keeps what was raised"
    assert observations.outcome(tool) == "Error: ValueError: no such order"
    assert "in _missing" in places(tool["error"])[0]


def test_the_commands_say_the_member(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OVERWINTER_STATE", f"sqlite:///{tmp_path}/s.db")
    (tmp_path / "groups_app.py").write_text(
        "import asyncio\nfrom overwinter import Context, workflow\n"
        "async def missing() -> None:\n    raise ValueError('no such order')\n"
        "@workflow\nasync def sells(ctx: Context) -> None:\n"
        "    async with asyncio.TaskGroup() as tasks:\n        tasks.create_task(missing())\n"
    )
    told = CliRunner().invoke(cli, ["run", "groups_app.py", "sells", "--id", "s"]).output
    assert "ValueError: no such order" in told and "TaskGroup" not in told
    shown = CliRunner().invoke(cli, ["show", "s"]).output
    assert "failed: ValueError: no such order" in shown
    again = CliRunner().invoke(cli, ["run", "groups_app.py", "sells", "--id", "s", "--json"]).output
    assert json.loads(again.splitlines()[0])["error"]["message"] == "no such order"
