"""What was accepted can be read back. Values at the limits of JSON (depth, text, numbers, keys) go in by every way
there is; each is refused by name where it comes in, or comes back, also in another process that reads it all.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from overwinter import Agent, Context, Runtime, Settings, subscribe, workflow
from overwinter.functions.models.port import Answer, Message, ToolCall, ToolSchema
from overwinter.functions.models.scripted import Said, Scripted, call
from overwinter.state.codec import DEPTH, clean, cleaned
from overwinter.state.errors import ExecutionTerminated, InvalidInput, OverwinterError
from overwinter.state.memory import MemoryStore
from overwinter.state.opening import open_store
from overwinter.state.records import FINAL
from overwinter.state.store import Store

NOT_CACHED = Settings(cache=0)
HALF = "half a pair \ud83d"
REFUSED = "refused"

given_value: list[Any] = [None]  # what the code of a function has to do with: no way in leads there


def nested(levels: int, inside: Any = None) -> Any:
    for level in range(levels):
        inside = [inside] if level % 2 else {"a": inside}
    return inside


def hard() -> Any:
    return given_value[0]


def raises() -> None:
    raise ValueError(hard())


async def guarded(work: Awaitable[Any]) -> Any:
    """What the code makes of a refusal: the word, so that it is told from values."""
    try:
        return await work
    except InvalidInput:
        return REFUSED


# -- functions ---------------------------------------------------------------------------------------


@workflow
async def echo(ctx: Context, value: Any) -> Any:
    await ctx.sleep(0)
    return value


@workflow
async def stepping(ctx: Context) -> Any:
    return await guarded(ctx.step(hard))


@workflow
async def listening(ctx: Context) -> Any:
    return await ctx.wait_for("news")


@workflow
async def calling_back(ctx: Context) -> Any:
    parcel = ctx.callback("parcel")
    await ctx.step(tokens.append, parcel.token, name="hand over")
    return await parcel


@workflow
async def keeping(ctx: Context) -> Any:
    try:
        await ctx.state.put("k", hard())
    except InvalidInput:
        return REFUSED
    return await ctx.state.get("k")


@workflow
async def parenting(ctx: Context) -> Any:
    try:
        child = ctx.child(echo, hard())
    except InvalidInput:
        return REFUSED
    return await child


@workflow
async def publishing(ctx: Context) -> Any:
    try:
        return await ctx.publish("news", hard())
    except InvalidInput:
        return REFUSED


@subscribe(type="news")
@workflow
async def hearing(ctx: Context, value: Any) -> Any:
    return value


@workflow
async def beginning_anew(ctx: Context, value: Any) -> Any:
    if value != "first":
        return value
    try:
        await ctx.checkpoint(hard())
    except InvalidInput:
        return REFUSED


@workflow
async def asking(ctx: Context) -> Any:
    try:
        ctx.approve("it", data=hard(), timeout="1ms").cancel()
    except InvalidInput:
        return REFUSED
    return hard()


@workflow
async def raising(ctx: Context) -> Any:
    try:
        await ctx.step(raises)
    except ValueError as error:
        return ["error", str(error)]


@workflow
async def failing(ctx: Context) -> Any:
    ctx.status(str(hard()))
    raise ValueError(hard())


@workflow
async def naming(ctx: Context) -> Any:
    text = str(hard())
    ctx.status(text)
    waiting = ctx.wait_for(text, timeout="1ms")
    await ctx.step(len, "four", name=text)
    await asyncio.gather(waiting, return_exceptions=True)
    return "named"


tokens: list[str] = []


async def lookup() -> Any:
    """Look it up."""
    return hard()


async def keep(what: Any) -> str:
    """Keep it."""
    return "kept"


def say(messages: list[Message], tools: list[ToolSchema]) -> Said:
    last = messages[-1]
    if last.role == "tool":
        return "done"
    match messages[0].content:
        case "tool":
            return call("lookup")
        case "arguments":
            return ToolCall("c-1", "keep", arguments())
        case "text":
            return Answer(text=str(hard()), model=str(hard()))
        case "calls":
            return ToolCall(str(hard()), str(hard()), str(hard()))
        case "error":
            raise InvalidInput(str(hard()))
        case _:
            return "read"


def arguments() -> str:
    """The JSON text that a model writes, whatever it holds."""
    try:
        return json.dumps({"what": hard()})
    except (TypeError, ValueError):  # Python's own writer does not know it
        return '{"what": [1e400, 1' + "0" * 5000 + "]}"


def agent() -> Agent[str]:
    return Agent("desk", Scripted(say), tools=[lookup, keep], input=Any)  # type: ignore[arg-type]  # plain lists


SERVED = [
    publishing,
    hearing,
    echo,
    stepping,
    listening,
    calling_back,
    keeping,
    parenting,
    beginning_anew,
    asking,
    raising,
    failing,
    naming,
]


# -- ways in -----------------------------------------------------------------------------------------

Way = Callable[[Runtime, Any], Awaitable[Any]]


def started(flow: Any, first: Any = None) -> Way:
    async def way(runtime: Runtime, value: Any) -> Any:
        return await (await runtime.start(flow, first, id="e")).result()

    return way


async def start(runtime: Runtime, value: Any) -> Any:
    return await (await runtime.start(echo, value, id="e")).result()


async def event(runtime: Runtime, value: Any) -> Any:
    handle = await runtime.start(listening, id="e")
    try:
        await runtime.signal("e", "news", value)
    except InvalidInput:
        await runtime.terminate("e")
        with pytest.raises(ExecutionTerminated):
            await handle.result()
        return REFUSED
    return await handle.result()


async def callback(runtime: Runtime, value: Any) -> Any:
    tokens.clear()
    handle = await runtime.start(calling_back, id="e")
    while not tokens:  # noqa: ASYNC110  # the step that hands it over knows no loop
        await asyncio.sleep(0.001)
    try:
        await runtime.callback(tokens[0], value=value)
    except InvalidInput:
        await runtime.terminate("e")
        with pytest.raises(ExecutionTerminated):
            await handle.result()
        return REFUSED
    return await handle.result()


async def published(runtime: Runtime, value: Any) -> Any:
    if await (await runtime.start(publishing, id="p")).result() == REFUSED:
        return REFUSED
    return await heard(runtime)


async def publish(runtime: Runtime, value: Any) -> Any:
    await runtime.publish("news", value)
    return await heard(runtime)


async def heard(runtime: Runtime) -> Any:
    assert not await runtime.bus.letters.all()
    (head,) = await runtime.list(function="hearing")
    return await runtime.result(head.id)


async def message(runtime: Runtime, value: Any) -> Any:
    sent = await runtime.send("desk", "s", value)
    assert await sent.reply() == "read"
    return value


def asked(word: str) -> Way:
    async def way(runtime: Runtime, value: Any) -> Any:
        try:
            await (await runtime.send("desk", "s", word)).reply()
        except OverwinterError as error:
            return str(error)
        again = await runtime.send("desk", "s", "and now?")
        await again.reply()
        return "answered"

    return way


ANYTHING: dict[str, Way] = {
    "start": start,
    "event": event,
    "callback": callback,
    "message": message,
    "step": started(stepping),
    "key-value": started(keeping),
    "child": started(parenting),
    "published": published,
    "publish": publish,
    "checkpoint": started(beginning_anew, "first"),
    "approval": started(asking),
    "tool": asked("tool"),
    "arguments": asked("arguments"),
}
"""Ways for any value: it comes back, or is refused."""

TEXTS: dict[str, Way] = {
    "raised": started(raising),
    "failed": started(failing),
    "named": started(naming),
    "answer": asked("text"),
    "calls": asked("calls"),
    "model": asked("error"),
}
"""Ways for text about the work. It is never refused."""


async def brought(place: Callable[[], Store], way: Way, value: Any) -> Any:
    """What comes of the value; then another process reads all there is."""
    given_value[0] = value
    functions = [*SERVED, agent()]
    async with asyncio.timeout(60), Runtime(functions, place(), NOT_CACHED) as runtime:
        try:
            found = await way(runtime, value)
        except InvalidInput:
            found = REFUSED
        except OverwinterError as error:
            found = f"{type(error).__name__}: {error}"
    async with asyncio.timeout(60), Runtime(functions, place(), NOT_CACHED) as runtime:
        page = await runtime.store.executions()
        for head in page.heads:
            assert head.status in (*FINAL, "idle"), f"{head.id} is {head.status}: {head.awaits}"
            entries = [entry async for entry in runtime.entries(head.id)]
            assert len(entries) == head.length
            if head.status == "completed" and head.id == "e":
                assert same(await runtime.result("e"), found)
    return found


def same(one: Any, other: Any) -> bool:
    return bool(one == other) or (isinstance(one, float) and isinstance(other, float) and math.isnan(one))


# -- every way, every hard value ---------------------------------------------------------------------

FINE = [nested(DEPTH - 1), 10**4000, "größer 😀", {"": [[]]}, 5e-324]
HARD = [
    nested(DEPTH + 1),
    nested(199),
    nested(200),
    nested(201),
    nested(254),
    nested(300),
    10**5000,
    [10**5000],
    math.inf,
    {"a": [math.nan]},
    {None: 1},
    {(1, 2): 3},
    HALF,
    {HALF: [HALF]},
    object(),
]


ON_DISK = (nested(DEPTH - 1), "größer 😀", nested(DEPTH + 1), nested(201), 10**5000, {None: 1}, HALF)
"""Those of them that are tried on SQLite too: what each of them is for is the same for every store."""


def places(kind: str, folder: Path) -> Callable[[], Store]:
    if kind == "sqlite":
        return lambda: open_store(f"sqlite:///{folder / 'store.db'}")
    kept = MemoryStore()
    return lambda: kept


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@pytest.mark.parametrize("way", ANYTHING)
def test_a_value_at_the_limit_comes_back(way: str, kind: str, tmp_path: Path) -> None:
    for number, value in enumerate(FINE):
        if kind == "sqlite" and value not in ON_DISK:
            continue
        (folder := tmp_path / str(number)).mkdir()
        found = asyncio.run(brought(places(kind, folder), ANYTHING[way], value))
        assert found == (value if way not in ("tool", "arguments") else "answered")


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@pytest.mark.parametrize("way", ANYTHING)
def test_a_value_over_the_limit_is_refused_and_nothing_is_left_hanging(way: str, kind: str, tmp_path: Path) -> None:
    for number, value in enumerate(HARD):
        if kind == "sqlite" and value not in ON_DISK:
            continue
        (folder := tmp_path / str(number)).mkdir()
        found = asyncio.run(brought(places(kind, folder), ANYTHING[way], value))
        if way in ("tool", "arguments"):
            assert found == "answered", value
        elif found != REFUSED:
            assert way in ("event", "callback") and found == cleaned(value), value


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@pytest.mark.parametrize("way", TEXTS)
def test_text_about_the_work_is_always_storable(way: str, kind: str, tmp_path: Path) -> None:
    for number, text in enumerate([HALF, "\udc00", "joined \ud83d\ude00", "größer", nested(250)]):
        (folder := tmp_path / str(number)).mkdir()
        found = asyncio.run(brought(places(kind, folder), TEXTS[way], text))
        assert found != REFUSED
        assert "Stuck" not in str(found)
        if way == "raised" and isinstance(text, str):
            assert found == ["error", clean(text)], "the code reads at once what it would read after a restart"


letters = st.characters() | st.sampled_from("\ud800\udfff")  # half pairs more often than by chance
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(letters, max_size=8)
    | st.sampled_from([10**4299, -(10**4299), 1e308, math.inf])
)
odd_values = st.builds(
    nested,
    st.sampled_from([0, 0, 0, DEPTH - 3, DEPTH - 2, DEPTH - 1, DEPTH, DEPTH + 1, 197, 199, 201]),
    st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(letters, max_size=4), inner, max_size=3),
        max_leaves=8,
    ),
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(way=st.sampled_from(sorted(ANYTHING)), value=odd_values)
def test_any_value_by_any_way_comes_back_or_is_refused(way: str, value: Any) -> None:
    found = asyncio.run(brought(places("memory", Path()), ANYTHING[way], value))
    if way in ("tool", "arguments"):
        assert found == "answered"
    elif found != REFUSED:
        assert found in (value, cleaned(value)) if way in ("event", "callback") else found == value


def test_there_is_no_operation_that_is_not_tried_here() -> None:
    """Whoever adds an operation that takes values adds a way for it, and its name here."""
    about = {"caller", "execution", "function", "parent", "now", "random", "uuid", "sleep", "log"}
    alike = {"call", "map", "parallel", "branch", "until", "kv", "saga"}  # made of steps, children and entries
    tried = {"step", "child", "wait_for", "callback", "approve", "state", "checkpoint", "status", "publish"}
    assert {name for name in dir(Context) if not name.startswith("_")} == about | alike | tried
