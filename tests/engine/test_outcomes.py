"""Every call ends in an outcome, whatever its function raises, and takes nothing else down with it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from overwinter import Agent, Context, tool, workflow
from overwinter.functions.models.port import Answer, Request
from overwinter.functions.models.scripted import Scripted, call
from overwinter.functions.runtime import Runtime
from overwinter.orchestrator.engine.performing import Performer, Sink
from overwinter.orchestrator.engine.shelf import Shelf
from overwinter.orchestrator.governance import tokens
from overwinter.orchestrator.protocol.decider import Invoke
from overwinter.orchestrator.usercode.resilience import Policy, Retry
from overwinter.state.errors import CircuitOpen, StepFailed
from overwinter.state.memory import MemoryStore
from overwinter.testing import simulate
from overwinter.tests.engine.bench import Bench, at_bench
from overwinter.tests.engine.chain import Call, Chain


class Panic(BaseException):
    """As an extension in Rust raises it."""


class Mute(BaseException):
    def __str__(self) -> str:
        raise Panic


class Asking(ConnectionError):
    @property
    def retry_after(self) -> float:
        raise Panic if self.args else RuntimeError("it can't be asked")


def stop() -> None:
    next(iter(()))


def stop_later() -> None:
    raise StopAsyncIteration


def panic() -> None:
    raise Panic("index out of bounds")


def mute() -> None:
    raise Mute


def leave() -> None:
    raise SystemExit(3)


def interrupt_itself() -> None:
    raise asyncio.CancelledError


def asking() -> None:
    raise Asking


def open_circuit() -> None:
    raise CircuitOpen("raised by the function itself", retry_after=0)


def group() -> None:
    raise BaseExceptionGroup("several", [Panic("one")])


def generator_exit() -> None:
    raise GeneratorExit


async def cancel_itself() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(1)


def later(function: Callable[[], None]) -> Callable[[], Awaitable[None]]:
    async def work() -> None:
        await asyncio.sleep(0)
        function()

    return work


class Exiting(Exception):
    """Nothing that it is asked comes back."""

    def __str__(self) -> str:
        raise SystemExit(3)

    __repr__ = __str__

    @property
    def retry_after(self) -> float:
        raise SystemExit(4)

    @property
    def response(self) -> object:
        raise GeneratorExit


def exiting() -> None:
    raise Exiting


def exiting_for_another() -> None:
    raise ValueError("because") from Exiting("inside", Exiting())


RAISING: list[tuple[Callable[[], Any], str]] = [
    (stop, "builtins.StopIteration"),
    (stop_later, "builtins.StopAsyncIteration"),
    (panic, "Panic"),
    (mute, "Mute"),
    (leave, "builtins.SystemExit"),
    (interrupt_itself, "asyncio.CancelledError"),
    (asking, "Asking"),
    (open_circuit, "CircuitOpen"),
    (group, "BaseExceptionGroup"),
    (exiting, "Exiting"),
    (exiting_for_another, "builtins.ValueError"),
    (later(exiting), "Exiting"),
    (generator_exit, "GeneratorExit"),
    (later(panic), "Panic"),
    (later(stop), "RuntimeError"),  # as Python has it: a coroutine can't raise StopIteration
    (later(leave), "builtins.SystemExit"),
    (later(interrupt_itself), "asyncio.CancelledError"),
    (later(generator_exit), "GeneratorExit"),
    (later(asking), "Asking"),
    (cancel_itself, "asyncio.CancelledError"),
]
QUICK = Retry(attempts=2, first="1ms")


@pytest.mark.parametrize(("raising", "kind"), RAISING)
@pytest.mark.parametrize("timeout", [None, "1m"])
def test_a_step_ends_whatever_it_raises(raising: Callable[[], Any], kind: str, timeout: str | None) -> None:
    async def work(bench: Bench) -> None:
        @workflow
        async def flow(ctx: Context) -> list[str]:
            try:
                await ctx.step(raising, name="raising", retry=QUICK, timeout=timeout)
            except Exception as error:  # noqa: BLE001  # whatever it is
                return [type(error).__name__, await ctx.step(lambda: "and it goes on", name="after")]
            return []

        process = await bench.process(flow)
        await bench.start(process, "flow", "e")
        ending = await bench.ended("e")
        assert ending["type"] == "completed" and ending["value"][1] == "and it goes on"
        (fact,) = (fact for fact in bench.ledger.journal_now("e") if fact["type"] == "step" and "error" in fact)
        told = fact["error"]
        assert str(told.get("data", {}).get("kind") or told["kind"]).endswith(kind)

    at_bench(work)


class Broken(Performer):
    """Its calls die in some other way than by raising what the function raises."""

    how: Callable[[], Any]

    async def invoke(self, execution: str, call: Invoke, sink: Sink) -> None:
        await asyncio.sleep(0)
        self.how()


@pytest.mark.parametrize("how", [lambda: None, panic, stop_later, generator_exit, interrupt_itself])
def test_a_call_whose_task_dies_without_a_word_ends_and_says_so(
    how: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    async def work(bench: Bench) -> None:
        process = await bench.process(Chain("chain", [Call(lambda _: 1)]))
        engine = process.engine
        broken = Broken(engine.clock, engine.performer._draw, engine.performer.threads, Shelf(engine.store))
        broken.how = how
        process.engine.performer = broken
        await bench.start(process, "chain", "e")
        assert (await bench.ended("e"))["type"] == "failed"

    at_bench(work)
    assert "ended without an outcome" in caplog.text


def test_pauses_have_an_end_however_they_grow() -> None:
    async def work(bench: Bench) -> None:
        async def busy(_: list[Any]) -> None:
            raise ConnectionError

        retry = Retry(attempts=70, first="1s", factor=1e9, most="1m", jitter=False)  # 1e9**35 is no number any more
        process = await bench.process(Chain("chain", [Call(busy, Policy(retry=retry))]))
        await bench.start(process, "chain", "e")
        assert (await bench.ended("e"))["error"]["kind"] == "builtins.ConnectionError"
        assert 68 * 60 <= bench.loop.time() <= 71 * 61

    at_bench(work, "1d")


@pytest.mark.parametrize("factor", [math.nan, math.inf, -1.0])
def test_a_factor_that_is_none_is_refused(factor: float) -> None:
    with pytest.raises(ValueError, match="how pauses grow"):
        Retry(factor=factor)


# -- agents ------------------------------------------------------------------------------------------


class Panicking:
    """A model whose client is an extension in Rust."""

    name = "scripted/panicking"

    def __init__(self) -> None:
        self.asked = 0

    async def complete(self, request: Request) -> Answer:
        self.asked += 1
        if self.asked == 1:
            raise Panic("index out of bounds")
        return Answer("well again")


def approver(error: BaseException) -> Callable[[str], str | None]:
    def role(what: str) -> str | None:
        raise error

    return role


def test_a_session_goes_on_after_a_model_that_panicked() -> None:
    async def scenario(world: Any) -> Any:
        agent = "desk"
        first = await world.send(agent, "s", "hello", id="m1")
        with pytest.raises(StepFailed, match="index out of bounds"):
            await first.reply()
        return await (await world.send(agent, "s", "and now?", id="m2")).reply()

    desk = Agent("desk", Panicking())
    assert simulate(scenario, functions=[desk]) == "well again"


@pytest.mark.parametrize("raising", [stop, panic, leave, mute])
def test_a_session_goes_on_after_a_tool_that_raised_anything(raising: Callable[[], None]) -> None:
    @tool
    def odd() -> None:
        """Raise something."""
        raising()

    async def scenario(world: Any) -> Any:
        return await (await world.send("desk", "s", "go", id="m1")).reply()

    desk = Agent("desk", Scripted([call("odd"), "I saw it"]), tools=[odd])
    assert simulate(scenario, functions=[desk]) == "I saw it"


@pytest.mark.parametrize("error", [StopIteration(), Panic(), RuntimeError(), SystemExit(), Mute(), ConnectionError()])
def test_an_approval_function_that_raises_anything_is_told_to_the_model(error: BaseException) -> None:
    @tool(effect="irreversible", approval=approver(error))
    def refund(what: str) -> str:
        """Give money back."""
        return what

    async def scenario(world: Any) -> Any:
        return await (await world.send("desk", "s", "go", id="m1")).reply()

    desk = Agent("desk", Scripted([call("refund", what="all"), "I can't"]), tools=[refund])
    assert simulate(scenario, functions=[desk]) == "I can't"


# -- calls without an execution ----------------------------------------------------------------------


@pytest.mark.parametrize(("raising", "kind"), RAISING[:-3] + RAISING[-2:])
def test_a_direct_call_ends_in_an_exception(raising: Callable[[], Any], kind: str) -> None:
    async def main() -> None:
        async with Runtime([tool(raising)], "memory://") as runtime:
            (name,) = runtime.functions
            task = asyncio.create_task(runtime.invoke(name))
            if raising is cancel_itself:  # the task is the caller's own, and it did cancel it
                with pytest.raises(asyncio.CancelledError):
                    await task
                return
            with pytest.raises(Exception) as raised:
                await task
            found = raised.value
            told = found.kind if isinstance(found, StepFailed) else type(found).__qualname__
            assert told.endswith(kind.rpartition(".")[2])

    asyncio.run(main())


# -- what keeps its meaning --------------------------------------------------------------------------


def test_an_interrupt_in_a_call_ends_the_process_and_is_no_outcome() -> None:
    store = MemoryStore()

    async def interrupted() -> None:
        raise KeyboardInterrupt

    @workflow
    async def flow(ctx: Context) -> None:
        await ctx.step(interrupted)

    async def main() -> None:
        async with Runtime([flow], store) as runtime:
            await (await runtime.start(flow, id="e")).result()

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())
    assert recorded(store, "e") == []


def test_calls_that_are_cancelled_because_the_loop_ends_are_not_recorded_as_failed() -> None:
    store = MemoryStore()
    begun = asyncio.Event()

    async def slow() -> None:
        begun.set()
        await asyncio.sleep(3600)

    @workflow
    async def flow(ctx: Context) -> None:
        await ctx.step(slow)

    async def main() -> None:
        runtime = Runtime([flow], store)
        await runtime.__aenter__()
        await runtime.start(flow, id="e")
        await begun.wait()

    asyncio.run(main())
    assert recorded(store, "e") == []


def recorded(store: MemoryStore, id: str) -> list[str]:
    """Journal entries after the start."""
    history = asyncio.run(_history(store, id))
    return [text for text in history if '"type":"start"' not in text]


async def _history(store: MemoryStore, id: str) -> list[str]:
    return list(await store.history(id))


@pytest.mark.parametrize("where", ["workflow", "step", "match", "branch", "child", "callback"])
def test_an_error_whose_text_ends_the_process_is_an_outcome_wherever_it_is_raised(where: str) -> None:
    def matching(_: Any) -> bool:
        raise Exiting

    async def branch(ctx: Context, item: int) -> None:
        raise Exiting

    @workflow
    async def part(ctx: Context) -> None:
        raise Exiting

    @workflow
    async def flow(ctx: Context) -> None:
        if where == "workflow":
            raise Exiting
        if where == "step":
            await ctx.step(exiting, retry=QUICK)
        elif where == "branch":
            await ctx.map(branch, [1])
        elif where == "child":
            await ctx.child(part)
        elif where == "callback":
            await ctx.callback("c")
        else:
            await ctx.wait_for("x", match=matching)

    async def work(bench: Bench) -> None:
        process = await bench.process(flow, part)
        await bench.start(process, "flow", "e")
        await bench.status("e", "failed") if where not in ("match", "callback") else await bench.status("e", "waiting")
        if where == "match":
            await process.call(lambda runtime: runtime.signal("e", "x"))
        elif where == "callback":
            entry = next(fact for fact in bench.ledger.journal_now("e") if fact["type"] == "ordered")
            seed = bench.ledger.journal_now("e")[0]["seed"]
            token = tokens.make("e", entry["op"], tokens.secret_of(seed, entry["op"]))
            await process.call(lambda runtime: runtime.callback(token, error=Exiting()))
        error = (await bench.ended("e"))["error"]
        assert "text can't be read" in error["message"], error

    at_bench(work)
