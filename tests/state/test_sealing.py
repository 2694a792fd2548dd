"""A sealed store: what can be read in it, what can't be moved or changed, and who waits for a key."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from overwinter import Agent, Context, Retry, Runtime, tool, workflow
from overwinter.functions.models.scripted import Said, Scripted, call
from overwinter.state.contract.case import NOW, TTL, WORKFLOW, bodies, change, found, known, lease, mail
from overwinter.state.errors import EtagMismatch, InvalidInput, SchemaMismatch, StoreCorrupt, StoreSealed
from overwinter.state.memory import MemoryStore
from overwinter.state.records import Answer, Filter, Value
from overwinter.state.sealing.box import PREFIX, Box, key_of
from overwinter.state.sealing.marker import refuse_sealed
from overwinter.state.sealing.store import SealedStore
from overwinter.state.sqlite import SqliteStore
from overwinter.state.store import Store
from overwinter.tests.state.sealing_cases import furnish, keys, make_keys, opened, raw

NEEDLES = {
    "conversation": "wool-4711",
    "answer": "silk-4712",
    "tool result": "linen-4713",
    "approval": "felt-4714",
    "value": "hemp-4715",
    "blob": "jute-4716",
    "mailed blob": "cord-4717",
    "event": "lace-4718",
    "status line": "tulle-4719",
    "error": "denim-4720",
}


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    make_keys(monkeypatch)


# -- what can be read --------------------------------------------------------------------------------


@tool
def look(item: str) -> str:
    return NEEDLES["tool result"]


@tool(approval="desk")
def pay(to: str) -> str:
    return to


@workflow
async def weave(ctx: Context, input: dict[str, str]) -> str:
    ctx.status(NEEDLES["status line"])
    await ctx.state.put("pattern", NEEDLES["value"])
    await ctx.kv("shared").put("pattern", NEEDLES["value"])
    await ctx.step(lambda: NEEDLES["blob"] * 40_000, name="big")
    with suppress(ValueError):
        await ctx.step(_torn, name="torn", retry=Retry(attempts=1))
    event: str = await ctx.wait_for("shuttle")
    return event


def _torn() -> None:
    raise ValueError(NEEDLES["error"])


def desk() -> Agent[str]:
    script: list[Said] = [call("look", item="x"), call("pay", to=NEEDLES["approval"]), NEEDLES["answer"]]
    return Agent("desk", Scripted(script), tools=[look, pay])


async def _work(path: Path, store: Store) -> tuple[bytes, bytes]:
    """The store's files in the middle of work, and after it."""
    async with Runtime([desk(), weave], store) as runtime:
        sent = await runtime.send("desk", "anna", f"dye {NEEDLES['conversation']}")
        loom = await runtime.start(weave, {"thread": NEEDLES["mailed blob"] * 40_000}, id="loom-1")
        while (await runtime.store.counts()).get("waiting") != 2:  # noqa: ASYNC110  # it is the store that is watched
            await asyncio.sleep(0.01)
        waiting = _files(path)
        await runtime.decide("desk/anna", None, True)
        await runtime.signal("loom-1", "shuttle", NEEDLES["event"])
        assert await loom.result() == NEEDLES["event"]
        assert await sent.reply() == NEEDLES["answer"]
    return waiting, _files(path)


def _files(path: Path) -> bytes:
    """All that lies on the disk: the file, and its log while the store is open."""
    return b"".join(file.read_bytes() for file in sorted(path.parent.glob("store.db*")) if file.is_file())


def test_no_secret_is_in_the_file_and_ids_and_status_are(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    waiting, over = asyncio.run(_work(path, SealedStore(SqliteStore(f"sqlite:///{path}"), keys())))
    for content in (waiting, over):
        assert [name for name, needle in NEEDLES.items() if needle.encode() in content] == []
        for shown in ("desk/anna", "loom-1", "weave", "waiting", "approval pay", "pattern", "shared", "event shuttle"):
            assert shown.encode() in waiting, shown
    with sqlite3.connect(path) as file:
        assert dict(file.execute("SELECT id, status FROM execution")) == {"desk/anna": "idle", "loom-1": "completed"}
    file.close()


def test_without_keys_all_of_them_would_be(tmp_path: Path) -> None:
    """The same work on a bare store: so the test above looks where the secrets would lie."""
    path = tmp_path / "store.db"
    waiting, over = asyncio.run(_work(path, SqliteStore(f"sqlite:///{path}")))
    assert [name for name, needle in NEEDLES.items() if needle.encode() not in waiting + over] == []


def test_what_a_stuck_execution_says_is_sealed_and_shown() -> None:
    async def work(inner: MemoryStore, store: SealedStore) -> None:
        head = known(await lease(store, "x"))
        await store.append(change(head, ["e"], status="stuck", awaits="no card 4111", release=True))
        assert "4111" not in (await found(inner, "x")).awaits
        assert (await found(store, "x")).awaits == "no card 4111"
        accepted = await store.accept("x", None, now=NOW, owner="a")
        await store.append(change(known(accepted), ["f"], status="waiting", awaits="approval refund", release=True))
        page = await store.executions(Filter(awaits="approval"))
        assert [head.id for head in page.heads] == ["x"]

    on_memory(work)


def on_memory(work: Callable[[MemoryStore, SealedStore], Awaitable[None]], references: str = "env:OLD") -> None:
    async def main() -> None:
        inner = MemoryStore()
        async with opened(inner, references) as store:
            await work(inner, store)

    asyncio.run(main())


def test_a_sealed_text_is_text_of_a_known_length_and_never_the_same_twice() -> None:
    box = Box(keys(), "execution", "x")
    for text in ("", "{}", "ä 日本", "x" * 100_000):
        sealed = box.seal("mail", text)
        assert sealed.isascii() and sealed.startswith(f"{PREFIX}{keys().first.id}:")
        assert len(sealed) == 26 + -(-(len(text.encode()) + 28) // 3) * 4
        assert sealed != box.seal("mail", text)
        assert box.open("mail", sealed) == text
        assert len(box.seal_bytes("blob", text.encode())) == len(text.encode()) + 45


# -- what can't be moved or changed ------------------------------------------------------------------


def test_entries_can_not_be_moved_within_a_journal_or_to_another() -> None:
    async def work(inner: MemoryStore, store: SealedStore) -> None:
        for id in ("x", "y"):
            await furnish(store, id)
        mine, other = raw(inner, "x"), list(raw(inner, "y"))
        whole = list(mine)
        for torn in (
            [whole[1], whole[0], whole[2]],
            [whole[0], whole[0], whole[2]],
            [whole[0], other[1], whole[2]],
            [whole[0], whole[1][:-8] + ("AAAA" if whole[1][-8:-4] != "AAAA" else "BBBB") + whole[1][-4:], whole[2]],
            [whole[0], whole[1][:-4], whole[2]],
            [whole[0], whole[1] + "?", whole[2]],
            [whole[0], PREFIX, whole[2]],
        ):
            mine[:] = torn
            with pytest.raises((StoreCorrupt, StoreSealed)):
                await store.history("x")
            with pytest.raises((StoreCorrupt, StoreSealed)):
                await store.dump("x")
        mine[:] = whole
        assert list(await store.history("x", 1, 1)) == ['{"type":"second of x"}']

    on_memory(work)


def test_mail_state_values_and_blobs_can_not_be_moved_either() -> None:
    async def work(inner: MemoryStore, store: SealedStore) -> None:
        for id in ("x", "y"):
            await furnish(store, id)
        mine, other = inner._executions["x"], inner._executions["y"]
        (mail,), (foreign,) = mine.mail.values(), other.mail.values()
        mine.mail = {mail.seq: mail._replace(body=foreign.body)}
        with pytest.raises(StoreCorrupt, match="mail of 'x'"):
            await store.mailbox("x")
        mine.mail = {mail.seq: mail._replace(body=mine.journal[0])}
        with pytest.raises(StoreCorrupt):
            await store.mailbox("x")
        mine.blobs["sha256:bb"] = mine.blobs["sha256:aa"]
        with pytest.raises(StoreCorrupt):
            await store.blob("x", "sha256:bb")
        mine.blobs["sha256:aa"] = other.blobs["sha256:aa"]
        with pytest.raises(StoreCorrupt):
            await store.blob("x", "sha256:aa")
        await store.put("x", "k", "1")
        await store.put("x", "l", "2")
        await store.put("y", "k", "3")
        for scope, key in (("x", "l"), ("y", "k")):
            inner._values["x", "k"] = inner._values[scope, key]
            with pytest.raises(StoreCorrupt):
                await store.get("x", "k")

    on_memory(work)


@pytest.mark.parametrize("field", ["state", "entry", "mail"])
def test_a_tampered_execution_is_stuck_until_it_is_mended_and_its_mail_is_kept(field: str) -> None:
    async def work(inner: MemoryStore, store: SealedStore) -> None:
        for id in ("x", "y"):
            await furnish(store, id)
        mine, other = inner._executions["x"], inner._executions["y"]
        whole = mine.head.state, list(mine.journal), dict(mine.mail)
        if field == "state":
            mine.head = mine.head._replace(state=other.head.state)
        elif field == "entry":
            mine.journal[1] = other.journal[1]
        else:
            mine.mail = {seq: item._replace(body=other.mail[seq].body) for seq, item in mine.mail.items()}
        accepted = await store.accept("x", mail("l", '"more"'), now=NOW, owner="a")
        assert accepted.answer is Answer.QUEUED
        head = await found(store, "x")
        assert head == accepted.head
        assert (head.status, head.owner, head.wake) == ("stuck", None, None)
        assert "can't be opened" in head.awaits and field in head.awaits
        mine.head = mine.head._replace(state=whole[0])
        mine.journal[:] = whole[1]
        mine.mail.update(whole[2])
        accepted = await store.accept("x", None, now=NOW, owner="a")
        assert accepted.answer is Answer.GRANTED
        assert [item.body for item in accepted.mail] == ['"mail of x"', '"more"']
        assert known(accepted).state == '{"of":"x"}'

    on_memory(work)


def test_strictly_what_is_not_sealed_is_not_read() -> None:
    async def work(inner: MemoryStore, store: SealedStore) -> None:
        await furnish(store)
        raw(inner, "x")[1] = '{"type":"forged"}'
        with pytest.raises(StoreCorrupt, match="strict"):
            await store.history("x")
        assert (await store.accept("x", None, now=NOW, owner="a")).answer is Answer.QUEUED
        await inner.put("s", "k", "1")
        with pytest.raises(StoreCorrupt, match="strict"):
            await store.get("s", "k")
        inner._executions["x"].blobs["sha256:aa"] = b"forged"
        with pytest.raises(StoreCorrupt, match="strict"):
            await store.blob("x", "sha256:aa")

    on_memory(work, "strict env:OLD")


def test_what_a_newer_release_has_sealed_is_refused_by_name() -> None:
    async def work(inner: MemoryStore, store: SealedStore) -> None:
        await furnish(store)
        raw(inner, "x")[0] = raw(inner, "x")[0].replace("sealed:2:", "sealed:3:")
        with pytest.raises(SchemaMismatch, match="format 3"):
            await store.history("x")
        accepted = await store.accept("x", None, now=NOW, owner="a")
        assert (accepted.answer, known(accepted).status) == (Answer.QUEUED, "waiting")

    on_memory(work)


# -- keys that are not here --------------------------------------------------------------------------


def blind(inner: Store) -> SealedStore:
    """A process without the old key that does not look at the marker, as when keys were changed while it ran."""
    store = SealedStore(inner, keys("env:NEW"))
    store._unmarked = False
    return store


def test_an_execution_waits_for_a_missing_key_and_goes_on_with_it() -> None:
    async def work(inner: MemoryStore, store: SealedStore) -> None:
        before = await furnish(store)
        other = blind(inner)
        await other.beat("b", NOW, TTL)
        accepted = await other.accept("x", mail("l", '"more"'), now=NOW, owner="b")
        head = known(accepted)
        assert (accepted.answer, head.status, head.owner, head.wake) == (Answer.QUEUED, "waiting", None, NOW + 30_000)
        assert head.awaits == "a key of the store"
        with pytest.raises(StoreSealed, match=keys().first.id):
            await other.history("x")
        assert (await other.executions()).heads[0].status == "waiting"
        assert list(await store.due(NOW + 30_000)) == ["x"]
        accepted = await store.accept("x", None, now=NOW, owner="a")
        head = known(accepted)
        assert (head.state, head.note, head.base) == (before.state, before.note, before.base)
        with pytest.raises(StoreSealed):  # sealed by the process that has the other key alone
            await store.mailbox("x")

    on_memory(work)


def test_a_status_that_stands_stays_while_a_key_is_missing() -> None:
    async def work(inner: MemoryStore, store: SealedStore) -> None:
        head = known(await lease(store, "x"))
        await store.append(change(head, ["e"], consumed=[1], status="paused", awaits="w", state="{}", release=True))
        head = known(await blind(inner).accept("x", None, now=NOW, owner="b"))
        assert (head.status, head.awaits, head.wake) == ("paused", "w", NOW + 30_000)
        head = known(await lease(store, "y"))
        await store.append(change(head, ["e"], status="failed", wake=NOW, state="{}", release=True))
        inner._executions["y"].journal[0] += "?"
        head = known(await store.accept("y", None, now=NOW, owner="a"))
        assert (head.status, head.wake) == ("failed", NOW + 30_000)

    on_memory(work)


def test_a_lease_is_given_back_also_when_mail_comes_at_that_moment() -> None:
    async def work(inner: MemoryStore, store: SealedStore) -> None:
        await furnish(store)
        append = inner.append

        def late(change: Any) -> Any:
            inner.append = append  # type: ignore[method-assign]
            inner.accept("x", mail("", '"at that moment"'), now=NOW)
            return append(change)

        inner.append = late  # type: ignore[method-assign]
        accepted = await blind(inner).accept("x", None, now=NOW, owner="b")
        head = await found(inner, "x")
        assert head.owner is None and head.arrivals == 3
        assert known(accepted)._replace(state=head.state, note=head.note) == head

    on_memory(work)


def test_mail_that_can_not_be_opened_is_kept_and_looked_at_again() -> None:
    async def work(inner: MemoryStore, store: SealedStore) -> None:
        head = known(await lease(store, "x"))
        await store.accept("x", mail("k", '"one"'), now=NOW)
        await blind(inner).accept("x", mail("l", '"two"'), now=NOW)
        await store.accept("x", mail("m", '"three"'), now=NOW)
        answer = await store.append(change(head, ["e"], consumed=[1], release=True, status="idle", wake=None))
        assert ([item.body for item in answer.mail or ()], answer.released) == (['"one"'], False)
        head = await found(store, "x")
        answer = await store.append(change(head, ["f"], consumed=[2], release=True, status="idle", wake=None))
        assert answer.released
        head = await found(inner, "x")
        assert (head.owner, head.wake) == (None, NOW + 1 + 30_000)
        async with opened(inner, "env:OLD env:NEW") as both:
            assert await bodies(both, "x") == ['"two"', '"three"']

    on_memory(work)


def test_what_can_not_be_opened_is_not_sealed_a_second_time() -> None:
    """A process that gives a lease back writes the head as it has read it."""

    async def work(inner: MemoryStore, store: SealedStore) -> None:
        before = await furnish(store)
        await inner.accept("x", None, now=NOW, owner="b")
        other = blind(inner)
        head = await found(other, "x")
        assert key_of(head.state) == keys().first.id
        await other.append(change(head, (), release=True, status="waiting"))
        after = await found(store, "x")
        assert (after.state, after.note) == (before.state, before.note)

    on_memory(work)


def test_a_note_that_looks_sealed_harms_nobody() -> None:
    async def work(inner: MemoryStore, store: SealedStore) -> None:
        head = known(await lease(store, "x"))
        note = f"{PREFIX}{keys().first.id}:AAAA"
        await store.append(change(head, [note], note=note, consumed=[1], release=True))
        assert list(await store.history("x")) == [note]
        accepted = await store.accept("x", None, now=NOW, owner="a")
        assert (accepted.answer, known(accepted).note) == (Answer.GRANTED, note)

    on_memory(work)


# -- in order ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_calls_take_effect_in_their_order(kind: str, tmp_path: Path) -> None:
    async def main() -> None:
        inner: Store = MemoryStore() if kind == "memory" else SqliteStore(f"sqlite:///{tmp_path / 'store.db'}")
        async with opened(inner) as store:
            head = known(await lease(store, "x"))
            handed = [
                store.append(change(head, [f"{number}", f"{number}'"], version=number, arrivals=1))
                for number in range(20)
            ]
            handed.reverse()
            await asyncio.gather(*handed)
            assert list(await store.history("x")) == [text for n in range(20) for text in (f"{n}", f"{n}'")]
            arriving = [store.accept("x", mail("", str(number)), now=NOW) for number in range(20)]
            arriving.reverse()
            await asyncio.gather(*arriving)
            assert await bodies(store, "x") == ["start", *map(str, range(20))]

    asyncio.run(main())


class Slow(MemoryStore):
    """Takes a moment for every read of a value, as the marker is one."""

    async def get(self, scope: str, key: str) -> Value | None:
        for _ in range(5):
            await asyncio.sleep(0)
        return await super().get(scope, key)


def test_the_first_changes_wait_for_the_marker_and_keep_their_order() -> None:
    async def main() -> None:
        inner = Slow()
        async with opened(inner) as store:
            arriving = [store.accept("x", mail("", "0"), now=NOW, create=WORKFLOW)]
            handed = [asyncio.ensure_future(arriving[0])]
            for number in range(1, 20):
                await asyncio.sleep(0)
                handed.append(asyncio.ensure_future(store.accept("x", mail("", str(number)), now=NOW)))
            await asyncio.gather(*reversed(handed))
            assert await bodies(store, "x") == [*map(str, range(20))]

    asyncio.run(main())


def test_who_only_looks_changes_nothing() -> None:
    async def main() -> None:
        inner = MemoryStore()
        await furnish(inner)
        async with opened(inner) as store:
            await store.history("x")
            await store.executions()
            await store.get("s", "k")
            await store.put("overwinter.store", "moved", "{}")
        await refuse_sealed(inner)
        async with opened(inner, "env:NEW") as other, opened(inner) as store:
            await store.put("s", "k", "1")
            with pytest.raises(StoreSealed):  # opened before anything was sealed, and refused before it seals
                await other.put("s", "k", "2")
            with pytest.raises(StoreSealed):
                await other.accept("x", mail("l"), now=NOW)
            assert (await found(store, "x")).arrivals == 2
        with pytest.raises(StoreSealed):
            await refuse_sealed(inner)

    asyncio.run(main())


def test_an_append_without_its_accept_finds_its_place_or_is_a_conflict() -> None:
    async def work(inner: MemoryStore, store: SealedStore) -> None:
        head = known(await lease(store, "x"))
        await store.append(change(head, ["one", "two"], token="t0"))
        again = SealedStore(inner, keys())
        head = await found(again, "x")
        await again.append(change(head, ["three"], token="t1"))
        assert (await again.append(change(head, ["three"], token="t1"))).released is False
        third = SealedStore(inner, keys())
        await third.append(change(head, ["three"], token="t1"))  # handed in again by an object that knows nothing
        await third.append(change(head._replace(version=2), ["four"], token="t2"))
        assert list(await store.history("x")) == ["one", "two", "three", "four"]

    on_memory(work)


# -- the reserved entry ------------------------------------------------------------------------------


def test_the_marker_is_hidden_and_can_not_be_written() -> None:
    async def work(inner: MemoryStore, store: SealedStore) -> None:
        await store.put("s", "k", "1")
        await store.remove("s", "k")
        assert await inner.get("overwinter.store", "sealed") is not None
        assert await store.get("overwinter.store", "sealed") is None
        assert (list(await store.scopes()), list(await store.keys("overwinter.store"))) == ([], [])
        for writing in (store.put("overwinter.store", "sealed", "1"), store.remove("overwinter.store", "sealed")):
            with pytest.raises(InvalidInput):
                await writing
        etag = await store.put("overwinter.store", "moved", "{}")
        assert await inner.get("overwinter.store", "moved") == ("{}", etag)  # for processes without keys
        assert await store.get("overwinter.store", "moved") == ("{}", etag)
        assert list(await store.scopes()) == ["overwinter.store"]
        assert list(await store.keys("overwinter.store")) == ["moved"]
        with pytest.raises(EtagMismatch):
            await store.put("overwinter.store", "moved", "{}", etag="")

    on_memory(work)


def test_survey_says_which_keys() -> None:
    async def work(inner: MemoryStore, store: SealedStore) -> None:
        (remark,) = [remark for remark in await store.survey() if remark.name == "sealing"]
        assert remark.state == "ok" and keys().first.id in remark.detail and "refused" in remark.detail

    on_memory(work, "strict env:OLD env:NEW")
