"""Who is who: ids at every way in, the keys by which mail is known, and one id that two ask for at once."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overwinter.functions.agent import Agent
from overwinter.functions.workflow import workflow
from overwinter.orchestrator import keys
from overwinter.orchestrator.archive import load
from overwinter.orchestrator.runtime import Runtime
from overwinter.orchestrator.workflow.context import Context
from overwinter.state.codec import dumps
from overwinter.state.errors import ExecutionFailed, InvalidInput, UnknownExecution
from overwinter.state.ids import LONGEST, LONGEST_KEPT, can_exist, check_id, check_kept
from overwinter.state.memory import MemoryStore
from overwinter.state.records import EVERYTHING, Filter

BAD = {
    "nothing": "",
    "too long": "x" * 201,
    "a line end": "a\nb",
    "a carriage return": "a\rb",
    "a line separator": "a\u2028b",
    "a next line": "a\u0085b",
    "NUL": "a\0b",
    "DEL": "a\x7fb",
    "an escape": "a\x1b[31mb",
    "a space before": " a",
    "a space after": "a ",
    "only a space": " ",
    "a no-break space": "a\xa0b",
    "half a surrogate pair": "a\ud800b",
    "right to left": "a\u202eb",
    "an isolate": "a\u2066b",
    "no width": "a\u200bb",
    "a byte order mark": "\ufeffa",
    "bytes that could not be read": "a\ufffdb",
    "a non-character": "a\uffff",
}
GOOD = ["a", "a b", "é", "e\u0301", "support/c-42", "日本", "😀", "a" * 200, "'; --", "%ff", "~", "0"]


@workflow
async def greet(ctx: Context, name: str = "you") -> str:
    return f"hello {name}"


@workflow
async def wait(ctx: Context, name: str = "") -> str:
    return str(await ctx.wait_for("go"))


@workflow
async def begets(ctx: Context, id: Any) -> str:
    return str(await ctx.child(greet, "child", id=id))


echo = Agent("echo", "scripted:echo")


def with_runtime(work: Callable[[Runtime], Any], *functions: object) -> None:
    async def main() -> None:
        async with Runtime([greet, wait, begets, echo, *functions], MemoryStore()) as runtime:
            await work(runtime)

    asyncio.run(main())


@pytest.mark.parametrize("id", BAD.values(), ids=BAD)
def test_an_id_that_can_not_be_one_is_refused_at_every_way_in(id: str) -> None:
    async def work(runtime: Runtime) -> None:
        refused = pytest.raises(InvalidInput, match="can't be")
        with refused:
            await runtime.start(greet, "ann", id=id)
        with refused:
            await runtime.send(echo, id, "hi")
        with refused:
            await runtime.send(echo, "c", "hi", id=id)
        parent = await runtime.start(begets, None if "\ud800" in id else id, id="parent")
        if "\ud800" not in id:
            with pytest.raises(ExecutionFailed, match="can't be the id of a child"):
                await parent.result()
        for act in (runtime.result, runtime.cancel, runtime.approvals):
            with pytest.raises(UnknownExecution):
                await act(id)
        with pytest.raises(UnknownExecution):
            await runtime.signal(id, "go")
        page = await runtime.store.executions()
        assert {head.id for head in page.heads} <= {"parent"}

    with_runtime(work)


@pytest.mark.parametrize("id", GOOD)
def test_any_other_id_is_taken_as_it_is(id: str) -> None:
    async def work(runtime: Runtime) -> None:
        assert await (await runtime.start(greet, "ann", id=id)).result() == "hello ann"
        assert (await runtime.send(echo, id, "hi", id=id)).execution == f"echo/{id}"
        if len(id) < LONGEST:
            assert await (await runtime.start(begets, f"{id}!", id="parent")).result() == "hello child"
            assert await runtime.store.head(f"{id}!") is not None

    with_runtime(work)


def test_an_id_is_text() -> None:
    for id in (7, None, b"a", ("a",), True):
        with pytest.raises(InvalidInput, match="is text, not"):
            check_id(id)


@given(st.text(max_size=LONGEST + 1))
def test_a_chosen_id_can_be_kept_printed_and_encoded(id: str) -> None:
    try:
        check_id(id)
    except InvalidInput:
        return
    assert check_kept(id) == id
    assert can_exist(id)
    assert len(f"{id}".splitlines()) == 1
    assert id.encode().decode() == id == id.strip()


@pytest.mark.parametrize("id", [id for id in BAD.values() if len(id) < LONGEST and "\ud800" not in id])
def test_an_import_brings_in_no_such_id(id: str) -> None:
    async def main() -> None:
        for fields in ({"id": id}, {"parent": id}):
            store = MemoryStore()
            head = dict.fromkeys(("function", "kind", "awaits", "note", "state"), "")
            numbers = dict.fromkeys(("version", "length", "arrivals", "created", "updated"), 0)
            there = {**head, **numbers, "id": "x", "status": "idle", "base": 1, "owner": None, "wake": None}
            lines = [{"overwinter": "store", "format": 1}, {"execution": {**there, "parent": None, **fields}}]
            with pytest.raises(InvalidInput, match=r"line 2: .* can't be"):
                await load(store, [dumps(line).encode() + b"\n" for line in lines])

    asyncio.run(main())


def test_a_kept_id_may_be_longer_but_not_without_end() -> None:
    assert check_kept("x" * LONGEST_KEPT)
    with pytest.raises(InvalidInput):
        check_kept("é" * LONGEST_KEPT)


def test_an_end_reaches_only_its_own_children() -> None:
    """An execution whose id is nobody's: an older release let such children in."""

    async def main() -> None:
        async with Runtime([greet, wait], MemoryStore()) as runtime:
            await runtime.start(wait, id="bystander")
            assert await runtime.engine.delivery.open_children("") == []
            assert len((await runtime.store.executions(Filter(parent=""))).heads) == 0
            assert len((await runtime.store.executions(EVERYTHING)).heads) == 1

    asyncio.run(main())


# -- keys --------------------------------------------------------------------------------------------

TEXTS = st.text(alphabet=st.sampled_from('ab :/[]",~meschildant\\'), max_size=12)
KEYS: list[tuple[Callable[..., str], int]] = [
    (keys.message, 1),
    (keys.event, 2),
    (keys.child, 1),
    (keys.ending, 2),
    (keys.cancel_of, 2),
]


@st.composite
def named(draw: st.DrawFn) -> tuple[tuple[Any, ...], str]:
    make, parts = draw(st.sampled_from(KEYS))
    first = st.sampled_from(["cancel", "terminated"]) if make is keys.ending else TEXTS
    said = [draw(first if number == 0 else TEXTS) for number in range(parts)]
    return (make, *said), make(*said)


@given(named(), named())
def test_a_key_stands_for_one_thing(one: tuple[Any, str], other: tuple[Any, str]) -> None:
    assert (one[0] == other[0]) == (one[1] == other[1])
    assert one[1] != keys.START


def test_sources_and_ids_that_read_alike_when_joined_are_two_events() -> None:
    texts = ["message", "a", "a b", "b c", "c", "child:a", "cancel:p", "event:", "", "start", 'event:["a","b"]']
    made = [keys.event(source, id) for source, id in itertools.product(texts, texts)]
    made += [keys.message(id) for id in texts] + [keys.child(id) for id in texts]
    made += [keys.ending("cancel", id) for id in texts] + [keys.START]
    assert len(set(made)) == len(made)


def test_an_event_never_stands_for_a_message_or_another_event() -> None:
    async def work(runtime: Runtime) -> None:
        execution = "echo/c"
        await (await runtime.send(echo, "c", "first")).reply()
        assert await runtime.signal(execution, "note", event_id="m-1", source="message")
        sent = await runtime.send(echo, "c", "hi", id="m-1")
        assert not sent.duplicate
        assert await sent.reply() == "hi"
        await runtime.start(wait, id="w")
        assert await runtime.signal("w", "other", event_id="c", source="a b")
        assert await runtime.signal("w", "other", event_id="b c", source="a")
        assert not await runtime.signal("w", "other", event_id="b c", source="a")
        assert not await runtime.signal("w", "other", event_id="c", source="a b")

    with_runtime(work)
