"""Types bring code of their own, and whatever that raises is an outcome: of the call, of the operation, of the request.
Nothing gets stuck for it, and no caller meets the raw error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, BaseModel, PlainSerializer

from overwinter import Agent, Limits, tool, workflow
from overwinter.functions.models.scripted import Scripted, call
from overwinter.functions.runtime import Runtime
from overwinter.orchestrator.workflow.context import Context
from overwinter.state.errors import InvalidInput, OverwinterError, Unfit
from overwinter.tests.engine.bench import Bench, at_bench


class Strange(BaseException):
    """No Exception, and hard to ask."""

    def __str__(self) -> str:
        raise ZeroDivisionError


RAISED = [
    ZeroDivisionError("by zero"),
    KeyError("key"),
    RecursionError("deep"),
    StopIteration(3),
    StopAsyncIteration(),
    GeneratorExit(),
    SystemExit(3),
    asyncio.CancelledError(),
    Strange(),
]
raising: list[BaseException] = [ZeroDivisionError()]
BAD = 13


def _check(value: int) -> int:
    if value == BAD and raising:
        raise raising[0]
    return value


def _dump(value: int) -> int:
    return _check(value)


Odd = Annotated[int, AfterValidator(_check)]


class Picky(BaseModel):
    number: Odd


class Mute(BaseModel):
    number: Annotated[int, PlainSerializer(_dump)]


class Rival(BaseModel):
    number: int

    def __eq__(self, other: object) -> bool:
        raise raising[0]


@pytest.fixture(params=RAISED, ids=[type(error).__name__ for error in RAISED], autouse=True)
def _raised(request: pytest.FixtureRequest) -> None:
    raising[:] = [request.param]


@tool
async def take(thing: Picky) -> str:
    """Take a thing."""
    return "taken"


@tool
async def give(number: int) -> Picky:
    """Give a thing."""
    return Picky.model_construct(number=number)


def _role(number: int) -> str | None:
    raise raising[0]


@tool(approval=_role)
async def ask(number: int) -> str:
    """Ask first."""
    return "asked"


def made() -> Picky:
    return Picky.model_construct(number=BAD)


def muted() -> Mute:
    return Mute(number=BAD)


def matched() -> Rival:
    return Rival(number=1)


@workflow
async def accepts(ctx: Context, input: Picky) -> int:
    return input.number


@workflow
async def returns(ctx: Context) -> Picky:
    return made()


@workflow
async def works(ctx: Context, what: str) -> str:
    """Does one thing that can't be; says what came of it."""
    things: dict[str, Callable[[], Any]] = {
        "made": lambda: ctx.step(made),
        "muted": lambda: ctx.step(muted),
        "matched": lambda: ctx.step(matched),
        "put": lambda: ctx.state.put("key", made(), type=Picky),
        "child": lambda: ctx.child(accepts, {"number": BAD}),
        "returned": lambda: ctx.child(returns),
        "tool": lambda: ctx.step(give, BAD),
        "checkpoint": lambda: _again(ctx),
        "approve": lambda: ctx.approve("sure?", data=muted()),
        "asking": lambda: ctx.call(ask, BAD),
    }
    try:
        await things[what]()
    except Exception as error:  # noqa: BLE001  # whatever it is, it is looked at
        return f"{type(error).__name__}: {error}"
    return "nothing"


async def _again(ctx: Context) -> None:
    await ctx.checkpoint(muted())


@workflow
async def waits(ctx: Context) -> list[int]:
    first = await ctx.wait_for("thing", type=Picky)
    async with asyncio.timeout(3600):
        called = ctx.callback("called", type=Picky)
        await ctx.step(tokens.append, called.token)
        return [first.number, (await called).number]


tokens: list[str] = []


@workflow
async def rests(ctx: Context) -> int:
    thing = await ctx.step(made)
    await ctx.wait_for("go")
    return thing.number


FUNCTIONS = accepts, returns, works, waits, rests


def said(script: Any, **options: Any) -> Agent:
    return Agent("desk", Scripted(script), tools=[take, give, ask], limits=Limits(iterations=3), **options)


@pytest.mark.parametrize(
    "what", ["made", "muted", "put", "child", "returned", "tool", "checkpoint", "approve", "asking"]
)
def test_it_ends_the_operation(what: str) -> None:
    async def work(bench: Bench) -> None:
        process = await bench.process(*FUNCTIONS)
        await bench.start(process, "works", "w", what)
        ended = await bench.ended("w")
        assert ended["type"] == "completed", ended
        assert ended["value"] != "nothing"
        assert "stuck" not in bench.kinds("w")

    at_bench(work)


def test_a_comparison_that_fails_ends_the_operation_or_is_no_matter() -> None:
    async def work(bench: Bench) -> None:
        process = await bench.process(*FUNCTIONS)
        await bench.start(process, "works", "w", "matched")
        assert (await bench.ended("w"))["type"] == "completed"

    at_bench(work)


@pytest.mark.parametrize(
    ("script", "options"),
    [
        ([call("take", thing={"number": BAD}), "done"], {}),
        ([call("give", number=BAD), "done"], {}),
        ([call("ask", number=BAD), "done"], {}),
        (['{"number": 13}', '{"number": 1}'], {"output": Picky}),
        (["13", "1"], {"output": Odd}),
    ],
    ids=["argument", "result", "approval", "answer", "bare answer"],
)
def test_the_model_is_told(script: list[Any], options: dict[str, Any]) -> None:
    async def work(bench: Bench) -> None:
        process = await bench.process(said(script, **options))
        await bench.start(process, "desk", "d", "hello")
        ended = await bench.ended("d")
        assert ended["type"] == "completed", ended
        assert len([kind for kind in bench.kinds("d") if kind == "model"]) == 2

    at_bench(work)


def test_the_door_refuses() -> None:
    async def work(bench: Bench) -> None:
        process = await bench.process(*FUNCTIONS, said(["done"], input=Picky))

        async def refused(ask: Callable[[Runtime], Any]) -> None:
            with pytest.raises(InvalidInput):
                await process.call(ask)

        await refused(lambda runtime: runtime.start("accepts", {"number": BAD}, id="a"))
        await refused(lambda runtime: runtime.start("desk", {"number": BAD}, id="b"))
        await refused(lambda runtime: runtime.send("desk", "s", {"number": BAD}))
        assert bench.ledger.heads_now() == []

    at_bench(work)


def test_an_event_and_a_completion_are_passed_over_and_the_next_counts() -> None:
    async def work(bench: Bench) -> None:
        tokens.clear()
        process = await bench.process(*FUNCTIONS)

        async def tell(ask: Callable[[Runtime], Any]) -> None:
            for wrong in (BAD, 1):
                try:
                    await process.call(lambda runtime: ask(runtime)({"number": wrong}))  # noqa: B023  # called at once
                except Unfit:
                    assert wrong == BAD

        await bench.start(process, "waits", "w")
        await bench.status("w", "waiting")
        await tell(lambda runtime: lambda data: runtime.signal("w", "thing", data))
        while not tokens:  # noqa: ASYNC110  # virtual time
            await asyncio.sleep(0.1)
        await tell(lambda runtime: lambda data: runtime.callback(tokens[0], value=data))
        assert (await bench.ended("w"))["value"] == [1, 1]
        assert "stuck" not in bench.kinds("w")

    at_bench(work)


def test_what_was_returned_is_named_in_the_error() -> None:
    async def work(bench: Bench) -> None:
        process = await bench.process(*FUNCTIONS)
        await bench.start(process, "returns", "r")
        ended = await bench.ended("r")
        assert ended["type"] == "failed"
        assert "the result of returns can't be recorded" in ended["error"]["message"]
        assert type(raising[0]).__name__ in ended["error"]["message"]

    at_bench(work)


def test_reading_a_result_is_refused_by_name() -> None:
    async def work(bench: Bench) -> None:
        error = raising.pop()
        process = await bench.process(*FUNCTIONS)
        await bench.start(process, "returns", "r")
        assert (await bench.ended("r"))["value"] == {"number": BAD}
        raising.append(error)
        with pytest.raises(OverwinterError, match="does not fit"):
            await process.call(lambda runtime: runtime.result("r"))

    at_bench(work)


def test_a_recorded_value_that_can_not_be_read_any_more_is_stuck_by_name() -> None:
    async def work(bench: Bench) -> None:
        error = raising.pop()
        process = await bench.process(*FUNCTIONS, cache=0)
        await bench.start(process, "rests", "r")
        await bench.status("r", "waiting")
        raising.append(error)
        await process.call(lambda runtime: runtime.signal("r", "go"))
        await bench.status("r", "stuck")
        head = bench.ledger.head_now("r")
        assert head is not None
        assert "the result of step 'made' (operation 0)" in head.awaits
        raising.pop()
        await process.call(lambda runtime: runtime.resume("r"))
        assert (await bench.ended("r"))["type"] == "completed"

    at_bench(work)
