"""A corpus of workflow shapes, each with what the outside does to it. Every test of replay runs over all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from overwinter.orchestrator.governance import tokens
from overwinter.orchestrator.workflow.completion import Completion
from overwinter.orchestrator.workflow.context import Context
from overwinter.state.errors import CompletionFailed, Denied, ExecutionFailed, InvalidInput, TimedOut

from .world import World

Script = Callable[[World], object]
SHAPES: dict[str, tuple[Callable[..., Any], Any, Script]] = {}


def run(world: World) -> object:
    return world.run()


def shape(input: Any = None, script: Script = run) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def note(fn: Callable[..., Any]) -> Callable[..., Any]:
        SHAPES[fn.__name__] = (fn, input, script)
        return fn

    return note


# -- what the steps do -------------------------------------------------------------------------------


async def double(n: int) -> int:
    return 2 * n


def add(a: int, b: int = 1) -> int:
    return a + b


async def boom(text: str = "boom") -> int:
    raise ValueError(text)


def even(n: int) -> int:
    if n % 2:
        raise ValueError(f"{n} is odd")
    return n


# -- one after the other -----------------------------------------------------------------------------


@shape(3)
async def nothing(ctx: Context, n: int) -> int:
    return n


@shape(1)
async def chain(ctx: Context, n: int) -> int:
    for _ in range(4):
        n = await ctx.step(double, n)
    return n


@shape()
async def naps(ctx: Context) -> str:
    await ctx.sleep("1h")
    await asyncio.sleep(0.25)
    await asyncio.sleep(0)
    await ctx.sleep(0)
    return ctx.now().isoformat()


@shape()
async def caught(ctx: Context) -> str:
    try:
        await ctx.step(boom)
    except ValueError as error:
        return f"{error} then {await ctx.step(add, 1)}"
    return "no"


@shape()
async def uncaught(ctx: Context) -> None:
    await ctx.step(add, 1)
    await ctx.step(boom, "for good")


@shape()
async def raises(ctx: Context) -> None:
    await ctx.step(add, 1)
    raise KeyError("of its own")


@shape()
async def chance(ctx: Context) -> list[str]:
    first = str(ctx.uuid())
    await ctx.step(add, 1)
    ctx.status("half way")
    return [first, str(ctx.uuid()), str(ctx.random().random()), ctx.execution, ctx.function, str(ctx.parent)]


@shape()
async def lambdas(ctx: Context) -> int:
    n: int = await ctx.step(lambda: add(1, 2))
    return n + await ctx.step(add, 3, b=4, name="sum")


@shape()
async def polls(ctx: Context) -> int:
    answers = iter([0, 0, 5])
    return await ctx.until(lambda: next(answers), every="1m", factor=2, timeout="1h")


@shape()
async def polls_in_vain(ctx: Context) -> str:
    try:
        await ctx.until(lambda: 0, every="1m", timeout="150s")
    except TimedOut:
        return "late"
    return "no"


@shape()
async def memory(ctx: Context) -> list[Any]:
    etag = await ctx.state.put("cart", {"n": 1})
    found = await ctx.state.read("cart")
    assert found is not None and found.etag == etag
    missing = await ctx.kv("shop").get("nothing")
    gone = await ctx.state.delete("cart", etag=etag)
    return [found.value, missing, gone, list(await ctx.state.keys())]


# -- at once -----------------------------------------------------------------------------------------


@shape(5)
async def gathered(ctx: Context, n: int) -> list[int]:
    async def branch(i: int) -> int:
        first = await ctx.step(double, i)
        return await ctx.step(add, first, name=f"add-{i}")

    return await asyncio.gather(*(branch(i) for i in range(n)))


@shape()
async def gathered_errors(ctx: Context) -> list[str]:
    results = await asyncio.gather(ctx.step(boom), ctx.step(double, 1), ctx.step(boom, "again"), return_exceptions=True)
    return [str(result) for result in results]


@shape()
async def grouped(ctx: Context) -> int:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(ctx.step(double, i)) for i in range(3)]
        nap = group.create_task(ctx.sleep("2s"))
    await nap
    return sum(task.result() for task in tasks)


@shape()
async def group_fails(ctx: Context) -> str:
    async def cleans(i: int) -> None:
        try:
            await ctx.sleep("1h")
        finally:
            await ctx.step(add, i, name=f"clean-{i}")

    try:
        async with asyncio.TaskGroup() as group:
            for i in range(4):
                group.create_task(cleans(i))
            group.create_task(ctx.step(boom))
            group.create_task(ctx.step(double, 3))
    except ExceptionGroup as errors:
        return str(errors.exceptions[0])
    return "no"


@shape()
async def in_time(ctx: Context) -> str:
    try:
        async with asyncio.timeout(5):
            await ctx.wait_for("never")
    except TimeoutError:
        await ctx.step(add, 1)
    with suppress(TimeoutError):
        await asyncio.wait_for(ctx.wait_for("never"), 3)
    async with asyncio.timeout(60):
        await ctx.step(add, 2)
    return "done"


@shape()
async def waits(ctx: Context) -> list[int]:
    steps = [ctx.step(double, i) for i in range(6)]
    done, pending = await asyncio.wait(steps, return_when=asyncio.FIRST_COMPLETED)
    first = [await op for op in done]
    rest, _ = await asyncio.wait([asyncio.ensure_future(op) for op in pending])
    ordered = [await ctx.step(add, op.result(), name=f"see-{op.result()}") for op in rest]
    return first + ordered


@shape()
async def as_they_come(ctx: Context) -> list[int]:
    async def branch(i: int) -> int:
        return await ctx.step(double, i, name=f"double-{i}")

    seen = [await next_ for next_ in asyncio.as_completed([branch(i) for i in range(8)])]
    seen += [await next_ for next_ in asyncio.as_completed([ctx.step(double, 100 + i) for i in range(3)])]
    return seen


@shape()
async def queued(ctx: Context) -> list[int]:
    queue: asyncio.Queue[int] = asyncio.Queue(2)
    lock, found = asyncio.Lock(), []

    async def worker(name: int) -> None:
        while True:
            n = await queue.get()
            async with lock:
                found.append(await ctx.step(double, n, name=f"{name}-{n}"))
            queue.task_done()

    workers = [asyncio.create_task(worker(i)) for i in range(3)]
    for n in range(7):
        await queue.put(n)
    await queue.join()
    for task in workers:
        task.cancel()
    await asyncio.gather(*workers, return_exceptions=True)
    return found


@shape()
async def raced(ctx: Context) -> str:
    gate, seats = asyncio.Event(), asyncio.Semaphore(2)

    async def one(i: int) -> int:
        await gate.wait()
        async with seats:
            return await ctx.step(double, i, name=f"d{i}")

    tasks = [asyncio.create_task(one(i)) for i in range(5)]
    await ctx.step(add, 1)
    gate.set()
    first = await asyncio.shield(tasks[0])
    tasks[1].cancel()
    rest = await asyncio.gather(*tasks[1:], return_exceptions=True)
    return f"{first} {[r if isinstance(r, int) else 'cancelled' for r in rest]}"


@shape()
async def background(ctx: Context) -> int:
    async def forever() -> None:
        try:
            while True:
                await ctx.sleep("10s")
                await ctx.step(add, 1, name="tick")
        finally:
            await ctx.step(add, 1, name="never")

    asyncio.create_task(forever())  # noqa: RUF006  # the end of the workflow ends it
    await ctx.sleep("25s")
    return await ctx.step(double, 1)


# -- map and parallel --------------------------------------------------------------------------------


@shape(list(range(7)))
async def mapped(ctx: Context, items: list[int]) -> list[int]:
    return await ctx.map(double, items, concurrency=3)


@shape()
async def map_fails(ctx: Context) -> str:
    try:
        await ctx.map(even, [2, 4, 5, 6, 8], concurrency=2)
    except ValueError as error:
        return f"{error}: {await ctx.step(add, 1)}"
    return "no"


@shape()
async def tolerant(ctx: Context) -> list[Any]:
    results = await ctx.map(even, range(6), completion=Completion.tolerate(count=3))
    some = await ctx.map(double, range(5), completion=Completion.at_least(2))
    try:
        await ctx.map(even, range(6), concurrency=2, completion=Completion.tolerate(share=0.2))
    except CompletionFailed as missed:
        return [results.values, len(results.errors), len(some.values), len(missed.results)]
    return []


async def visit(ctx: Context, item: int) -> int:
    n = await ctx.step(double, item)
    await ctx.sleep(item)
    async with asyncio.timeout(100):
        return await ctx.step(add, n)


@shape()
async def branched(ctx: Context) -> list[int]:
    return await ctx.map(visit, range(4), concurrency=2)


async def fast(ctx: Context) -> str:
    await ctx.sleep("1s")
    return "fast"


async def slow(ctx: Context) -> str:
    try:
        await ctx.sleep("9s")
    finally:
        await ctx.step(add, 1, name="clean up")
    return "slow"


@shape()
async def first_of(ctx: Context) -> str:
    results = await ctx.parallel(fast, slow, slow, completion=Completion.first())
    assert [outcome.status for outcome in results] == ["succeeded", "cancelled", "cancelled"]
    both = await ctx.parallel(ctx.step(double, 1), ctx.step(double, 2))
    return f"{results.values} {both}"


@shape()
async def parallel_fails(ctx: Context) -> str:
    async def fails(ctx: Context) -> str:
        await ctx.step(boom, "early")
        return ""

    try:
        await ctx.parallel(fails, slow, fast, concurrency=2)
    except ValueError as error:
        return str(error)
    return "no"


# -- the outside -------------------------------------------------------------------------------------


def talk(world: World) -> None:
    world.event("news", 1)
    world.event("other", "two")
    world.event("other", 2)
    world.event("news", 3)
    world.run()
    world.event("news", 4)
    world.event("late", {"n": "seven"})
    world.event("late", {"n": 7})
    world.run()


@shape(script=talk)
async def listening(ctx: Context) -> list[Any]:
    news = [await ctx.wait_for("news") for _ in range(3)]
    late = await ctx.wait_for("late", timeout="1d", type=dict[str, int], match=lambda data: data["n"] == 7)
    with suppress(TimedOut):
        await ctx.wait_for("silence", timeout="1m")
    return [*news, late, await ctx.wait_for("other", type=int)]


def decide(world: World) -> None:
    world.run()
    world.mail({"type": "decided", "op": "0", "approved": True, "by": "ann", "reason": "fine"})
    world.run()
    world.mail({"type": "decided", "op": "1", "approved": False, "by": "bob", "reason": "no"})
    world.run()


@shape(script=decide)
async def approved(ctx: Context) -> list[str]:
    said: list[str] = [(await ctx.approve("refund", data={"eur": 3}, role="desk")).by]
    for timeout in ("1h", "1m"):
        try:
            await ctx.approve("more", timeout=timeout)
        except Denied as denied:
            said.append(denied.reason)
    return said


tokens_seen: list[str] = []


def call_back(world: World) -> None:
    world.pass_time()
    token = tokens.parse(tokens_seen[-1])
    for _ in range(3):
        world.now += 4000
        world.mail({"type": "beat", "op": token.op, "secret": token.secret})
    world.mail({"type": "callback", "op": token.op, "secret": token.secret, "value": 5})
    world.run()


@shape(script=call_back)
async def called_back(ctx: Context) -> list[Any]:
    with suppress(TimedOut):
        await ctx.callback("lost", timeout="3s")
    call = ctx.callback("job", heartbeat="5s", timeout="1h", type=int)
    tokens_seen.append(call.token)
    return [await call, await ctx.step(add, 1)]


def family(world: World) -> None:
    world.children.update(good=lambda n: n + 1, bad=lambda n: 1 // n)
    world.run()


@shape(script=family)
async def parent(ctx: Context) -> list[Any]:
    child = ctx.child("good", 1, id="my-child")
    detached = await ctx.child("other", 2, detached=True)
    reason = ""
    try:
        await ctx.call("bad", 0)
    except ExecutionFailed as failed:
        reason = type(failed.cause).__name__
    many = await ctx.map("good", [1, 2, 3], concurrency=2)
    lost = ctx.child("silent", None)
    await ctx.sleep("1s")
    lost.cancel()
    ctx.child("left behind", None)
    await ctx.sleep("1s")
    return [await child, detached, reason, many, child.id]


def cancel(world: World) -> None:
    world.perform()
    world.mail({"type": "cancel", "reason": "enough", "by": "ann"})
    world.mail({"type": "cancel", "reason": "again", "by": "ann"})
    world.run()


@shape(script=cancel)
async def cancelled(ctx: Context) -> None:
    await ctx.step(add, 1)
    try:
        await asyncio.gather(ctx.step(double, 1), ctx.sleep("1h"), ctx.child("some", 1))
    finally:
        await ctx.step(add, 2, name="clean up")


@shape(script=cancel)
async def survives(ctx: Context) -> str:
    await ctx.step(add, 1)
    try:
        await ctx.sleep("1h")
    except asyncio.CancelledError as error:
        return f"not me: {error}"
    return "no"


def go_on(world: World) -> None:
    world.event("more", "kept")
    world.run()
    world.event("more", "last")
    world.run()


@shape(3, script=go_on)
async def generations(ctx: Context, n: int) -> str:
    ctx.status(f"{n} to go")
    await ctx.step(double, n)
    if n > 0:
        ctx.child("helper", n)
        await ctx.sleep("1h")
        await ctx.checkpoint(n - 1)
    return f"{await ctx.wait_for('more')} {await ctx.wait_for('more')} {ctx.uuid()}"


# -- publishing --------------------------------------------------------------------------------------


@shape({"id": "o-1"})
async def publishes(ctx: Context, order: Any) -> Any:
    first = await ctx.publish("order.paid", order, subject="o-1", key="o-1", region="eu")
    second = ctx.publish("order.seen")
    doubled = await ctx.step(double, 2)
    return [first, await second, doubled]


@shape()
async def publishes_and_is_gone(ctx: Context) -> None:
    ctx.publish("order.paid", {"id": 1})


@shape()
async def publishes_what_is_refused(ctx: Context) -> str:
    try:
        return await ctx.publish("order.refused", {"id": 1})
    except InvalidInput as error:
        return str(error)


@shape()
async def fails_after_publishing(ctx: Context) -> None:
    ctx.publish("order.paid")
    raise ValueError("all the same")


@shape()
async def publishes_in_branches(ctx: Context) -> Any:
    async def one(ctx: Context, n: int) -> str:
        return await ctx.publish("order.paid", n)

    return await ctx.map(one, [1, 2, 3])


# -- undoing -----------------------------------------------------------------------------------------


async def back(n: int, result: int) -> int:
    return n - result


async def stays(n: int, result: int) -> int:
    raise ValueError(f"{n} stays {result}")


@shape()
async def undone(ctx: Context) -> Any:
    async def one(ctx: Context, n: int) -> None:
        await ctx.step(double, n, undo=back)
        await ctx.step(even, n, undo=back)

    try:
        async with ctx.saga("outer") as saga:
            await ctx.step(double, 1, undo=back)
            async with ctx.saga("inner"):
                await ctx.map(one, [2, 4, 6])
            saga.undo(add, 1)
            await ctx.parallel(ctx.step(double, 3, undo=back), ctx.step(even, 3, undo=back), ctx.sleep("1h"))
    except ValueError as error:
        return str(error)


@shape()
async def not_undone(ctx: Context) -> Any:
    async with ctx.saga():
        await ctx.step(double, 1, undo=back)
        await asyncio.gather(*(ctx.step(double, n, undo=stays) for n in range(3)))
        await ctx.step(boom)


@shape(script=cancel)
async def undone_when_cancelled(ctx: Context) -> None:
    async with ctx.saga():
        await ctx.step(add, 1, undo=back_from)
        await asyncio.gather(ctx.step(double, 1, undo=back), ctx.step(double, 2, undo=back), ctx.sleep("1h"))


async def back_from(a: int, b: int, result: int) -> None: ...


@shape()
async def undone_in_time(ctx: Context) -> str:
    try:
        async with asyncio.timeout(30), ctx.saga():
            await ctx.parallel(ctx.step(double, 1, undo=back), sleeper)
    except TimeoutError:
        return "late"
    return "in time"


async def sleeper(ctx: Context) -> None:
    async with ctx.saga():
        await ctx.step(double, 2, undo=back)
        await ctx.sleep("1h")
