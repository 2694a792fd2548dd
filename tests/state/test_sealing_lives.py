"""What is left of an execution that was deleted is worth nothing in another that is made under the same id."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from overwinter import Agent, Context, Runtime, tool, workflow
from overwinter.functions.models.scripted import Said, Scripted, call
from overwinter.orchestrator.protocol.entries import decode
from overwinter.state.codec import dumps
from overwinter.state.contract.case import NOW, WORKFLOW, change, found, known, lease, mail
from overwinter.state.errors import Conflict, StoreCorrupt
from overwinter.state.memory import MemoryStore
from overwinter.state.records import NewMail
from overwinter.state.sealing.box import BOUND, PREFIX, Box, key_of
from overwinter.state.sealing.store import SealedStore
from overwinter.state.store import Store
from overwinter.tests.state.sealing_cases import furnish, keys, make_keys, opened, raw


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    make_keys(monkeypatch)


def on_memory(work: Callable[[MemoryStore, SealedStore], Awaitable[None]]) -> None:
    async def main() -> None:
        inner = MemoryStore()
        async with opened(inner) as store:
            await work(inner, store)

    asyncio.run(main())


async def remake(inner: MemoryStore, store: Store) -> None:
    """The execution x is over, deleted, and made anew a second later."""
    head = known(await store.accept("x", None, now=NOW, owner="a"))
    await store.append(change(head, status="completed", wake=None, release=True, consumed=[2]))
    assert await store.delete("x", now=NOW)
    head = known(await lease(store, "x", now=NOW + 1000))
    entries = [f'{{"type":"{n} again"}}' for n in ("first", "second", "third")]
    await store.append(change(head, entries, consumed=[1], status="waiting", release=True, state='{"new":1}', note="n"))


def test_an_entry_of_an_earlier_life_does_not_open() -> None:
    async def work(inner: MemoryStore, store: SealedStore) -> None:
        await furnish(store)
        old = list(raw(inner, "x"))
        await remake(inner, store)
        new = list(raw(inner, "x"))
        for torn in ([old[0], *new[1:]], [new[0], old[1], new[2]], [*new[:2], old[2]], old):
            raw(inner, "x")[:] = torn
            for read in (store.history("x"), store.dump("x"), SealedStore(inner, keys()).history("x")):
                with pytest.raises(StoreCorrupt, match="brought here from another place"):
                    await read
            accepted = await store.accept("x", None, now=NOW + 2000, owner="a")
            assert accepted.entries is None
            assert "can't be opened" in (await found(store, "x")).awaits
        raw(inner, "x")[:] = new
        assert len(await store.history("x")) == 3

    on_memory(work)


def test_a_state_and_a_status_line_of_an_earlier_life_do_not_open() -> None:
    async def work(inner: MemoryStore, store: SealedStore) -> None:
        await furnish(store)
        old = inner._executions["x"].head
        await remake(inner, store)
        held = inner._executions["x"]
        held.head = held.head._replace(note=old.note)
        assert (await found(store, "x")).note == old.note
        held.head = held.head._replace(state=old.state)
        with pytest.raises(StoreCorrupt):
            await store.dump("x")
        await store.accept("x", None, now=NOW + 2000, owner="a")
        assert (await found(store, "x")).status == "stuck"

    on_memory(work)


def test_a_reader_that_knew_the_earlier_life_reads_the_new_one() -> None:
    async def work(inner: MemoryStore, store: SealedStore) -> None:
        await furnish(store)
        async with opened(inner) as reader:
            assert len(await reader.history("x")) == 3
            await remake(inner, store)
            assert list(await reader.history("x", 1, 1)) == ['{"type":"second again"}']
            assert list(await reader.history("nobody")) == []

    on_memory(work)


async def older(inner: MemoryStore, id: str = "x") -> Box:
    """An execution as an older release has sealed it: its journal bound to its place alone."""
    box = Box(keys(), "execution", id)
    head = known(await lease(inner, id, body=box.seal("mail", '"start"')))
    entries = [box.seal(f"entry {number}", f'{{"type":"{number}"}}') for number in (1, 2)]
    fields: dict[str, Any] = {"state": box.seal("state", '{"of":1}'), "note": box.seal("note", "was")}
    await inner.append(change(head, entries, consumed=[1], status="waiting", wake=NOW + 9, release=True, **fields))
    return box


def test_what_an_older_release_has_sealed_is_read_and_goes_on() -> None:
    async def work(inner: MemoryStore, store: SealedStore) -> None:
        await older(inner)
        assert list(await store.history("x")) == ['{"type":"1"}', '{"type":"2"}']
        assert (await found(store, "x")).note == "was"
        accepted = await store.accept("x", mail("k", '"more"'), now=NOW, owner="a")
        assert accepted.entries == ['{"type":"1"}', '{"type":"2"}']
        assert known(accepted).state == '{"of":1}'
        await store.append(change(known(accepted), ['{"type":"3"}'], consumed=[2], release=True, status="waiting"))
        assert [text[: len(PREFIX)] for text in raw(inner, "x")] == [PREFIX, PREFIX, BOUND]
        assert {key_of(text) for text in raw(inner, "x")} == {keys().first.id}
        for reader in (store, SealedStore(inner, keys())):
            assert list(await reader.history("x")) == ['{"type":"1"}', '{"type":"2"}', '{"type":"3"}']
            assert list(await reader.history("x", 2)) == ['{"type":"3"}']
            assert (await reader.dump("x")) is not None
        assert len((await store.accept("x", None, now=NOW + 9, owner="b")).entries or ()) == 3

    on_memory(work)


def test_after_what_is_bound_to_a_life_nothing_older_is_taken() -> None:
    """An entry that an older release has sealed for this very place, in an earlier life."""

    async def work(inner: MemoryStore, store: SealedStore) -> None:
        box = Box(keys(), "execution", "x")
        await furnish(store)
        for number in (2, 3):
            entries = list(raw(inner, "x"))
            entries[number - 1] = box.seal(f"entry {number}", '{"type":"decided"}')
            raw(inner, "x")[:], whole = entries, list(raw(inner, "x"))
            with pytest.raises(StoreCorrupt, match=f"entry {number}"):
                await store.history("x")
            with pytest.raises((StoreCorrupt, Conflict)):
                await store.dump("x")
            raw(inner, "x")[:] = whole
        held = inner._executions["x"]
        held.journal.append(box.seal("entry 4", '{"type":"decided"}'))
        held.head = held.head._replace(length=4)
        accepted = await store.accept("x", None, now=NOW + 9, owner="a")
        assert accepted.entries is None
        assert (await found(store, "x")).status == "stuck"

    on_memory(work)


# -- decisions ---------------------------------------------------------------------------------------


@workflow
async def refunds(ctx: Context, amount: int) -> str:
    approval = await ctx.approve("refund", data=amount)
    return f"refunded, {approval.by} said"


@tool(approval="desk")
def pay(to: str) -> str:
    return f"paid {to}"


def desk() -> Agent[str]:
    script: list[Said] = [call("pay", to="ann"), "done"]
    return Agent("desk", Scripted(script * 4), tools=[pay])


async def waits(runtime: Runtime, id: str) -> dict[str, Any]:
    while not (open_ones := await runtime.approvals(id)):  # noqa: ASYNC110  # it is the store that is watched
        await asyncio.sleep(0.001)
    return dict(open_ones[0])


@pytest.mark.parametrize("sealed", [False, True], ids=["clear", "sealed"])
@pytest.mark.parametrize("kind", ["workflow", "run", "session"])
def test_a_decision_is_good_for_the_life_that_asked(kind: str, sealed: bool) -> None:
    """The mail that decided once, word for word, for another execution of the same id that asks for the same."""

    async def main() -> None:
        inner = MemoryStore()
        store: Store = SealedStore(inner, keys()) if sealed else inner
        async with Runtime([refunds, desk()], store) as runtime:

            async def begin() -> tuple[str, Any]:
                if kind == "session":
                    sent = await runtime.send("desk", "c", "hi", id="m-1")
                    return "desk/c", sent.reply
                handle = await runtime.start("desk" if kind == "run" else refunds, "hi" if kind == "run" else 5, id="x")
                return handle.id, handle.result

            decisions: list[Any] = []
            accept = inner.accept

            def overheard(id: str, mail: NewMail | None, **more: Any) -> Any:
                decisions.append(mail)
                return accept(id, mail, **more)

            inner.accept = overheard  # type: ignore[method-assign]  # an ear at the store
            id, outcome = await begin()
            first = await waits(runtime, id)
            decisions.clear()
            await runtime.decide(id, None, True, by="ann")
            [decided] = [mail for mail in decisions if mail is not None and mail.lane == 0]
            await outcome()
            while (await found(store, id)).owner is not None:  # noqa: ASYNC110  # it is the store that is watched
                await asyncio.sleep(0.001)
            assert await store.delete(id, now=runtime.clock())
            await asyncio.sleep(0.002)
            id, outcome = await begin()
            second = await waits(runtime, id)
            assert (first["op"], first.get("data")) == (second["op"], second.get("data"))
            assert first["digest"] != second["digest"]
            await accept(id, decided, now=runtime.clock())
            for unfit in ({}, {"digest": ""}, {"digest": first["digest"]}):
                fact = {"type": "decided", "at": runtime.clock(), "op": second["op"], "approved": True, "by": "eve"}
                await store.accept(id, NewMail("", 0, runtime.clock(), dumps(fact | unfit)), now=runtime.clock())
            await runtime.engine.sweep()
            while (await store.mailbox(id))[0]:  # noqa: ASYNC110  # it is the store that is watched
                await asyncio.sleep(0.001)
            assert [one["digest"] for one in await runtime.approvals(id)] == [second["digest"]]
            kinds = [decode(text)["type"] for text in await store.history(id)]
            assert "decided" not in kinds
            await runtime.decide(id, None, True, by="bob")
            assert "ann" not in str(await outcome()) if kind == "workflow" else await outcome() == "done"

    asyncio.run(main())


def test_the_life_is_given_by_the_first_event_whoever_asks() -> None:
    """Created twice within one store, with different times: whatever the race, what is stored opens."""

    async def work(inner: MemoryStore, store: SealedStore) -> None:
        other = SealedStore(inner, keys())
        await asyncio.gather(
            store.accept("y", mail("a", '"a"'), now=NOW, create=WORKFLOW),
            other.accept("y", mail("b", '"b"'), now=NOW + 5, create=WORKFLOW),
        )
        assert (await store.mailbox("y"))[0] == 2
        assert len((await other.mailbox("y"))[1]) == 2

    on_memory(work)
