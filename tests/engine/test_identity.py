"""Who is who: ids at every way in, the keys by which mail is known, and one id that two ask for at once."""

from __future__ import annotations

import asyncio
import itertools
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from overwinter.functions.agents.agent import Agent
from overwinter.functions.runtime import Runtime
from overwinter.functions.tools.tool import tool
from overwinter.functions.workflow import workflow
from overwinter.orchestrator.engine.delivery import mail_of, start_mail
from overwinter.orchestrator.protocol import keys
from overwinter.orchestrator.protocol.media import Taken
from overwinter.orchestrator.protocol.starting import beginning, check_same
from overwinter.orchestrator.upkeep.archive import load
from overwinter.orchestrator.workflow.context import Context
from overwinter.state.codec import dumps
from overwinter.state.contract.case import change
from overwinter.state.errors import (
    AlreadyExists,
    AlreadyFinished,
    ExecutionFailed,
    ExecutionTerminated,
    InvalidInput,
    UnknownExecution,
)
from overwinter.state.ids import LONGEST, LONGEST_KEPT, can_exist, check_id, check_kept
from overwinter.state.memory import MemoryStore
from overwinter.state.opening import open_store
from overwinter.state.records import EVERYTHING, Answer, Filter, NewExecution

LENIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
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
    "the runtime's own marks": "overwinter.store",
}
BAD_NOW = {
    "a part that is two dots": "x/../b",
    "two dots": "..",
    "one dot": ".",
    "a part that is a dot": "a/./b",
    "dots at the end": "a/..",
    "a Hangul filler": "\u3164",
    "a Hangul initial filler": "a\u115f",
    "a halfwidth filler": "a\uffa0b",
    "a Braille blank": "\u2800",
    "a variation selector": "a\ufe0f",
    "another variation selector": "a\U000e0100",
    "a grapheme joiner": "a\u034fb",
    "a Khmer vowel that is not shown": "a\u17b4",
    "a Mongolian separator": "a\u180b",
}
"""What earlier releases took: what lies in a store by such an id is read and carried on."""
GOOD = ["a", "a b", "é", "e\u0301", "support/c-42", "日本", "😀", "a" * 200, "'; --", "%ff", "~", "0", "a//b", "..a/b."]


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


@pytest.mark.parametrize("id", (BAD | BAD_NOW).values(), ids=BAD | BAD_NOW)
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


@pytest.mark.parametrize("id", BAD_NOW.values(), ids=BAD_NOW)
def test_what_an_earlier_release_let_in_is_read_and_carried_on(id: str) -> None:
    async def work(runtime: Runtime) -> None:
        create = NewExecution("wait", "workflow")
        await runtime.engine.post(id, start_mail(runtime.clock(), Taken("x"), by=""), create=create)
        await runtime.signal(id, "go", 1)
        assert await runtime.result(id, 20) == "1"
        assert check_kept(id) == id

    with_runtime(work)


def test_no_character_that_is_not_seen_is_in_an_id() -> None:
    for code in range(0x110000):
        name = unicodedata.name(chr(code), "")
        named = any(word in name for word in ("VARIATION SELECTOR", "HANGUL FILLER", "PATTERN BLANK"))
        if named or unicodedata.category(chr(code)) == "Cf":
            with pytest.raises(InvalidInput):
                check_id(f"a{chr(code)}b")


@pytest.mark.parametrize("name", ["", "line\nbreak", "x" * 129, " a", "a/b", "..", "\u202ea", "a\ufe0f", 5])
def test_a_name_that_no_id_could_begin_with_is_refused_where_it_is_given(name: Any) -> None:
    async def flow(ctx: Context) -> None: ...

    with pytest.raises(InvalidInput, match=r"can't be the name of a workflow|is text, not int"):
        workflow(name=name)(flow)
    with pytest.raises(InvalidInput, match=r"must be 1 to 64|is text, not int"):
        tool(name=name)(lambda: None)
    with pytest.raises(InvalidInput, match=r"must be 1 to 64|is text, not int"):
        Agent(name, "scripted:echo")


def test_a_function_of_somebodys_own_has_a_name_too() -> None:
    class Own:
        name = "line\nbreak"
        kind = "own"

    with pytest.raises(InvalidInput, match="can't be the name of a own"):
        Runtime([Own()], MemoryStore())


@pytest.mark.parametrize("name", ["shop.ticket", "größe", "send v2", "x" * 128])
def test_an_id_that_is_made_from_a_name_is_one(name: str) -> None:
    async def work(runtime: Runtime) -> None:
        handle = await runtime.start(name)
        assert check_id(handle.id).startswith(f"{name}-")

    async def flow(ctx: Context) -> None: ...

    with_runtime(work, workflow(name=name)(flow))


def test_an_id_is_text() -> None:
    for id in (7, None, b"a", ("a",), True):
        with pytest.raises(InvalidInput, match="is text, not"):
            check_id(id)


@LENIENT
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
    (keys.child, 2),
    (keys.ending, 2),
    (keys.cancel_of, 2),
]


@st.composite
def named(draw: st.DrawFn) -> tuple[tuple[Any, ...], str]:
    make, parts = draw(st.sampled_from(KEYS))
    first = st.sampled_from(["cancel", "terminated"]) if make is keys.ending else TEXTS
    said = [draw(first if number == 0 else TEXTS) for number in range(parts)]
    return (make, *said), make(*said)


@LENIENT
@given(named(), named())
def test_a_key_stands_for_one_thing(one: tuple[Any, str], other: tuple[Any, str]) -> None:
    assert (one[0] == other[0]) == (one[1] == other[1])
    assert one[1] != keys.START


def test_sources_and_ids_that_read_alike_when_joined_are_two_events() -> None:
    texts = ["message", "a", "a b", "b c", "c", "child:a", "cancel:p", "event:", "", "start", 'event:["a","b"]']
    made = [keys.event(source, id) for source, id in itertools.product(texts, texts)]
    made += [keys.message(id) for id in texts] + [keys.child(id, 1) for id in texts]
    made += [keys.ending("cancel", id) for id in texts] + [keys.START]
    assert len(set(made)) == len(made)


def test_an_event_never_stands_for_a_message_or_another_event() -> None:
    async def work(runtime: Runtime) -> None:
        execution = "echo/c"
        await (await runtime.send(echo, "c", "first")).reply()
        event = {"type": "event", "at": runtime.clock(), "id": "m-1", "name": "note", "source": "message"}
        mail = mail_of(event, keys.event("message", "m-1"), lane=1)  # the door would refuse it: an agent wants none
        assert (await runtime.engine.post(execution, mail)).answer is not Answer.DUPLICATE
        sent = await runtime.send(echo, "c", "hi", id="m-1")
        assert not sent.duplicate
        assert await sent.reply() == "hi"
        await runtime.start(wait, id="w")
        assert await runtime.signal("w", "other", event_id="c", source="a b")
        assert await runtime.signal("w", "other", event_id="b c", source="a")
        assert not await runtime.signal("w", "other", event_id="b c", source="a")
        assert not await runtime.signal("w", "other", event_id="c", source="a b")

    with_runtime(work)


# -- one id, several starts --------------------------------------------------------------------------


class Interleaved(MemoryStore):
    """Between a question and its answer, whatever else is going on gets on."""

    async def history(self, id: str, after: int = 0, limit: int = 1000) -> Sequence[str]:
        found = await super().history(id, after, limit)
        for _ in range(50):
            await asyncio.sleep(0)
        return found

    async def mailbox(self, id: str, limit: int = 100) -> tuple[int, list[str]]:
        found = await super().mailbox(id, limit)
        for _ in range(50):
            await asyncio.sleep(0)
        return found


async def _outcome(runtime: Runtime, input: str, id: str) -> str:
    try:
        return str(await (await runtime.start(greet, input, id=id)).result())
    except AlreadyExists:
        return "refused"


@pytest.mark.parametrize("make", [MemoryStore, Interleaved, None], ids=["memory", "interleaved", "sqlite"])
def test_of_two_starts_at_once_with_different_inputs_one_is_refused(make: Any, tmp_path: Path) -> None:
    async def main() -> None:
        store = open_store(f"sqlite:///{tmp_path}/store.db") if make is None else make()
        async with Runtime([greet], store) as runtime:
            for number in range(60):
                both = [_outcome(runtime, name, f"x{number}") for name in ("ann", "bob", "ann")]
                ann, bob, again = await asyncio.gather(*both)
                assert ann == again
                assert {ann, bob} in ({"hello ann", "refused"}, {"refused", "hello bob"}), (number, ann, bob)

    asyncio.run(main())


def test_a_start_is_found_wherever_it_is_looked_for() -> None:
    """The worst moments: it is taken between the look at the journal and the look at the mailbox; it waits behind
    other mail; it is not the first entry; it lies in a blob."""

    async def main() -> None:
        store = Interleaved()
        async with Runtime([], store) as door:
            big = "x" * 300_000
            for number, input in enumerate(["ann", big]):
                id = f"x{number}"
                create = NewExecution("greet", "workflow")
                accepted = await store.accept(id, start_mail(1, Taken(input)), now=1, create=create)
                for act in (door.pause, door.cancel, door.resume):
                    await act(id)
                await check_same(store, accepted, input)
                with pytest.raises(AlreadyExists, match="another input"):
                    await check_same(store, accepted, "bob")

                async def take(id: str = id) -> None:
                    for _ in range(10):
                        await asyncio.sleep(0)
                    _, mail = await MemoryStore.mailbox(store, id, 10)
                    assert len(mail) == 4
                    await store.beat("a", 1, 10**6)
                    head = (await store.accept(id, None, now=1, owner="a")).head
                    assert head is not None
                    entries = [next(text for text in mail if '"paused"' in text)]
                    entries.append(next(text for text in mail if '"start"' in text))
                    await store.append(change(head, entries, consumed=[1, 2, 3, 4], release=True))

                taking = asyncio.ensure_future(take())
                begun = await beginning(store, id)
                await taking
                assert begun is not None
                assert begun["input"] == input
                with pytest.raises(AlreadyExists, match="another input"):
                    await check_same(store, accepted, "bob")

    asyncio.run(main())


def test_numbers_and_truth_values_are_not_the_same_input() -> None:
    @workflow
    async def repeat(ctx: Context, value: Any) -> Any:
        return value

    async def work(runtime: Runtime) -> None:
        for number, (one, other) in enumerate([(1, True), (0, False), ([1], [True]), ({"a": 1}, {"a": True})]):
            id = f"x{number}"
            await (await runtime.start(repeat, one, id=id)).result()
            with pytest.raises(AlreadyExists):
                await runtime.start(repeat, other, id=id)
        await runtime.start(repeat, {"a": 1, "b": 2}, id="order")
        assert not (await runtime.start(repeat, {"b": 2, "a": 1}, id="order")).created

    with_runtime(work, repeat)


def test_a_session_is_no_run_that_could_be_started_again() -> None:
    async def work(runtime: Runtime) -> None:
        await (await runtime.send(echo, "c", "hi")).reply()
        with pytest.raises(AlreadyExists, match="is a session"):
            await runtime.start(echo, "hi", id="echo/c")

    with_runtime(work)


def test_a_child_id_that_is_used_again_means_the_same_child_or_is_refused() -> None:
    @workflow
    async def twice(ctx: Context, names: list[str]) -> list[str]:
        found: list[str] = []
        for name in names:
            try:
                found.append(str(await ctx.child(greet, name, id="the child")))
            except ExecutionFailed as error:
                found.append(type(error.cause).__name__)
        return found

    @workflow
    async def apart(ctx: Context, name: str) -> str:
        return str(await ctx.child(greet, name, id="detached", detached=True))

    async def work(runtime: Runtime) -> None:
        handle = await runtime.start(twice, ["ann", "bob", "ann"])
        assert await handle.result() == ["hello ann", "AlreadyExists", "hello ann"]
        assert await (await runtime.start(apart, "ann")).result() == "detached"
        assert await (await runtime.start(apart, "ann")).result() == "detached"
        with pytest.raises(ExecutionFailed, match="another input"):
            await (await runtime.start(apart, "bob")).result()

    with_runtime(work, twice, apart)


def test_what_had_arrived_is_answered_alike_before_and_after_the_end() -> None:
    async def work(runtime: Runtime) -> None:
        handle = await runtime.start(wait, id="w")
        assert await runtime.signal("w", "go", 1, event_id="e-1", source="s")
        assert await handle.result() == "1"
        assert not await runtime.signal("w", "go", 1, event_id="e-1", source="s")
        for event_id in ("e-2", ""):
            with pytest.raises(AlreadyFinished):
                await runtime.signal("w", "go", 1, event_id=event_id, source="s")
        sent = await runtime.send(echo, "c", "hi", id="m-1")
        assert await sent.reply() == "hi"
        await runtime.terminate("echo/c")
        with pytest.raises(ExecutionTerminated):
            await runtime.result("echo/c")
        again = await runtime.send(echo, "c", "hi", id="m-1")
        assert (again.duplicate, await again.reply()) == (True, "hi")
        with pytest.raises(AlreadyFinished):
            await runtime.send(echo, "c", "hi", id="m-2")

    with_runtime(work)
