"""``Field(…)`` means in tools, steps and workflows what it means in a pydantic model: default, rules, description."""

from __future__ import annotations

import asyncio
import functools
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from overwinter import Agent, Context, Retry, Runtime, run, tool, workflow
from overwinter.functions.framework.target import served
from overwinter.functions.http.schemas import input_schema
from overwinter.orchestrator.workflow.targets import describe
from overwinter.state.errors import ExecutionFailed, InvalidInput

Percent = Annotated[int, Field(ge=0, le=100, description="Of a hundred.")]


class Model(BaseModel):
    """What all of it must mean."""

    need: int = Field(gt=0, description="How many.")
    share: Percent = 50
    tags: list[str] = Field(default_factory=list, max_length=2)
    rate: Annotated[float, Field(default=1.5, lt=9)]


def plain(
    need: int = Field(gt=0, description="How many."),
    share: Percent = 50,
    tags: list[str] = Field(default_factory=list, max_length=2),
    *,
    rate: Annotated[float, Field(default=1.5, lt=9)],
) -> list[Any]:
    return [need, share, tags, rate]


class Shop:
    def plain(self, need: int = Field(gt=0), share: Percent = 50) -> list[Any]:
        return [need, share]


decorated = tool(name="decorated")(plain)

GOOD: list[dict[str, Any]] = [
    {"need": 1}, {"need": 2, "share": 0}, {"need": 1, "tags": ["a"], "rate": 2.5}, {"need": "3"},
]  # fmt: skip
BAD: list[dict[str, Any]] = [
    {}, {"need": 0}, {"need": 1, "share": 101}, {"need": 1, "tags": ["a"] * 3}, {"need": 1, "rate": 9}, {"need": "x"},
]  # fmt: skip


def expected(given: dict[str, Any]) -> list[Any]:
    made = Model(**given)
    return [made.need, made.share, made.tags, made.rate]


def as_tool(given: dict[str, Any]) -> Any:
    return served(decorated).invoke(given)


def as_function(given: dict[str, Any]) -> Any:
    return decorated(**given)


@workflow
async def step(ctx: Context, given: dict[str, Any]) -> list[Any]:
    return await ctx.step(plain, **given)


@workflow
async def half(ctx: Context, given: dict[str, Any]) -> list[Any]:
    return await ctx.step(functools.partial(plain, **given))


@workflow
async def lent(ctx: Context, given: dict[str, Any]) -> list[Any]:
    return await ctx.step(decorated, **given)


def as_step(flow: Any, given: dict[str, Any]) -> Any:
    try:
        return run(flow, given, store="memory://")
    except ExecutionFailed as error:
        assert error.cause is not None
        raise error.cause from None


WAYS = (as_tool, as_function, *(functools.partial(as_step, flow) for flow in (step, half, lent)))


@pytest.mark.parametrize("way", WAYS)
def test_it_is_as_in_a_model(way: Any) -> None:
    for given in GOOD:
        found = way(given)
        assert found == expected(given) and isinstance(found[0], int)
    for given in BAD:
        with pytest.raises(ValueError, match=r"need|share|tags|rate"):
            Model(**given)
        with pytest.raises(InvalidInput, match=r"need|share|tags|rate"):
            way(given)


def test_a_default_that_is_made_is_made_anew() -> None:
    first, second = as_function({"need": 1}), as_function({"need": 1})
    assert first[2] == [] and first[2] is not second[2]


def test_the_model_reads_what_the_fields_say() -> None:
    schema = served(decorated).parameters
    properties = Model.model_json_schema()["properties"]
    for told in properties.values():
        told.pop("title")
    assert schema["properties"] == properties and schema["required"] == ["need"]


def test_a_docstring_stands_back_behind_a_field() -> None:
    @tool
    def look(one: int = Field(1, description="Of the field."), two: int = Field(2)) -> None:
        """Look.

        Args:
            one: Of the docstring.
            two: Of the docstring.
        """

    told = served(look).parameters["properties"]
    assert (told["one"]["description"], told["two"]["description"]) == ("Of the field.", "Of the docstring.")


def test_methods_and_coroutines_too() -> None:
    @workflow
    async def flow(ctx: Context) -> list[Any]:
        async def later(need: int = Field(7, gt=0)) -> int:
            return need

        return [await ctx.step(Shop().plain, 2), await ctx.step(later), await ctx.step(later, 3)]

    assert run(flow, store="memory://") == [[2, 50], 7, 3]


def test_branches_of_a_workflow_too() -> None:
    async def half(ctx: Context, count: int = Field(gt=0)) -> int:
        return count

    @workflow
    async def flow(ctx: Context, counts: list[int]) -> list[int]:
        return list(await ctx.map(half, counts))

    assert run(flow, [1, 2], store="memory://") == [1, 2]
    with pytest.raises(ExecutionFailed, match="count: Input should be greater than 0"):
        run(flow, [1, 0], store="memory://")


@workflow
async def defaulted(ctx: Context, count: int = Field(3, gt=0, description="How many.")) -> int:
    return count


@workflow
async def noted(ctx: Context, count: Annotated[int, Field(default=4, gt=0)]) -> int:
    return count


@workflow
async def needed(ctx: Context, count: int = Field(gt=0)) -> int:
    return count


def test_the_input_of_a_workflow() -> None:
    assert (run(defaulted, store="memory://"), run(noted, store="memory://")) == (3, 4)
    assert run(defaulted, 5, store="memory://") == run(noted, 5, store="memory://") == 5
    for flow, bad in ((defaulted, 0), (noted, 0), (needed, 0), (needed, None), (needed, "x")):
        with pytest.raises(InvalidInput, match="input"):
            run(flow, bad, store="memory://")
    assert run(needed, 1, store="memory://") == 1
    schema = input_schema(served(defaulted))
    assert schema["exclusiveMinimum"] == 0 and schema["description"] == "How many." and schema["default"] == 3


def test_they_hold_where_an_agent_calls_them() -> None:
    async def main() -> list[Any]:
        agent = Agent("desk", "scripted:echo", tools=[decorated])
        async with Runtime([agent], "memory://") as runtime:
            return list(await runtime.invoke("decorated", {"need": 4}))

    assert asyncio.run(main()) == [4, 50, [], 1.5]


def bounded(number: int = Field(5, ge=1)) -> int:
    return number


def test_a_function_that_an_agent_names_as_a_tool_is_called_as_what_it_is() -> None:
    """Whether the agent was made in this process or not."""
    before = bounded
    Agent("counter", "scripted:echo", tools=[bounded])
    assert bounded is before

    @workflow(retry=Retry(attempts=7))
    async def flow(ctx: Context) -> list[Any]:
        try:
            await ctx.step(bounded, 0)
        except InvalidInput as error:
            return [await ctx.step(bounded), await ctx.step(bounded, 3), str(error)]
        return []

    value = run(flow, store="memory://")
    assert value[:2] == [5, 3] and "greater than or equal to 1" in value[2]
    assert describe(bounded).policy is None, "the workflow's own policy holds"
