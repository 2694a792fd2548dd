"""``@workflow``: what may be one, and how the engine sees it."""

from __future__ import annotations

import types
from typing import Any

import pytest
from pydantic import BaseModel

from overwinter.functions.workflow import workflow
from overwinter.orchestrator.protocol.decider import Function
from overwinter.orchestrator.usercode.resilience import Retry
from overwinter.orchestrator.workflow.context import Context
from overwinter.orchestrator.workflow.function import Workflow
from overwinter.state.errors import InvalidInput

from .world import World


class Ticket(BaseModel):
    id: int
    text: str


@workflow
async def ticket(ctx: Context, ticket: Ticket) -> list[str]:
    """Handle a ticket."""
    return [ticket.text]


@workflow(name="later", retry=Retry(attempts=2))
async def renamed(ctx: Context, n: int = 3) -> int:
    return n


def behind(fn: Any) -> Workflow:
    found = fn.__overwinter__
    assert isinstance(found, Workflow)
    return found


def test_it_stays_a_plain_function_with_a_workflow_behind_it() -> None:
    assert isinstance(ticket, types.FunctionType) and ticket.__name__ == "ticket"
    served: Function = behind(ticket)
    assert (served.name, served.kind) == ("ticket", "workflow")
    assert (behind(ticket).input, behind(ticket).output) == (Ticket, list[str])
    assert behind(ticket).__doc__ == "Handle a ticket."
    assert behind(renamed).name == "later" and behind(renamed).policy.retry == Retry(attempts=2)


def test_the_input_is_checked() -> None:
    assert behind(ticket).check(Ticket(id=1, text="x")) == {"id": 1, "text": "x"}
    with pytest.raises(InvalidInput, match=r"the input of ticket is not valid: id: .*; text: "):
        behind(ticket).check({"id": "x"})
    with pytest.raises(InvalidInput):
        behind(ticket).check(None)
    assert behind(renamed).check(None) is None
    assert World(behind(renamed)).value == 3 and World(behind(renamed), 4).value == 4


def test_a_workflow_without_input_takes_none() -> None:
    @workflow
    async def bare(ctx: Context) -> None: ...

    assert behind(bare).check(None) is None and behind(bare).input is None
    with pytest.raises(InvalidInput, match="takes no input"):
        behind(bare).check(1)


def test_other_forms_are_refused_where_they_are_written() -> None:
    def plain(ctx: Context) -> None: ...

    async def none() -> None: ...

    async def three(ctx: Context, a: int, b: int) -> None: ...

    async def keyword(ctx: Context, *, a: int) -> None: ...

    for fn in (plain, none, three, keyword):
        with pytest.raises(TypeError, match=r"a workflow is `async def \w+\(ctx\)` or `\(ctx, input\)`"):
            Workflow(fn)  # type: ignore[arg-type]  # this is what is tried


def test_a_decorated_workflow_is_a_child_and_no_step() -> None:
    async def flow(ctx: Context) -> Any:
        return await ctx.call(ticket, Ticket(id=1, text="x"))

    async def wrong(ctx: Context) -> Any:
        return await ctx.step(ticket, ctx, Ticket(id=1, text="x"))

    assert World(flow, children={"ticket": lambda value: [value["text"]]}).run().value == ["x"]
    assert "call it with ctx.call or ctx.child" in str(World(wrong).error)


def test_what_it_calls_is_found_where_it_is_kept() -> None:
    """In a list, a tuple, a set or a dict that the function names; ``uses`` names what it reaches in another way."""

    @workflow
    async def de(ctx: Context) -> None: ...

    @workflow
    async def fr(ctx: Context) -> None: ...

    @workflow
    async def other(ctx: Context) -> None: ...

    for kept in ({"de": de, "fr": fr}, [de, fr], (de, fr), {de, fr}, frozenset({de, fr})):

        async def pick(ctx: Context, which: str) -> Any:
            return kept  # noqa: B023  # looked at before the loop goes on

        named = workflow(uses=[other])(pick).__overwinter__.tools  # type: ignore[attr-defined]  # the workflow behind it
        assert named[0] is other and set(named[1:]) == {de, fr}, kept
