"""Whatever one row of a store is changed, taken out or put elsewhere is found; what is deleted in order is not."""

from __future__ import annotations

import asyncio
import io
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overwinter.orchestrator.audit.acts import Wanted
from overwinter.orchestrator.audit.exporting import anchors, export
from overwinter.orchestrator.audit.proving import Anchor, prove
from overwinter.orchestrator.audit.store_chain import record
from overwinter.orchestrator.governance.budgets.accounts import freeze
from overwinter.orchestrator.upkeep import archive
from overwinter.orchestrator.upkeep.moving import move
from overwinter.orchestrator.upkeep.retention import prune
from overwinter.state.errors import InvalidInput
from overwinter.state.memory import MemoryStore
from overwinter.state.opening import open_store
from overwinter.state.records import FINAL

from .desk import NOW, anchored, asked, findings, one_order, opened, order, short, working

BIG = "ü" * 200_000


async def fill(dsn: str) -> None:
    store = open_store(dsn)
    async with working(store) as runtime:
        await one_order(runtime)
        await (await runtime.start(short, BIG, id="s-1", by="ana")).result("20s")
        for account in ("user:a", "user:b", "user:c"):
            await freeze(store, account, NOW, by="dora")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("filled") / "store.db"
    asyncio.run(fill(f"sqlite:///{path}"))
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return path


def found(path: Path) -> list[str]:
    async def main() -> list[str]:
        async with opened(f"sqlite:///{path}") as store:
            return [f"{one.chain}#{one.n}" for one in await findings(store)]

    return asyncio.run(main())


def changed(filled: Path, *statements: tuple[str, tuple[object, ...]]) -> list[str]:
    """What is found in a copy of the store in which that was done."""
    path = filled.parent / "copy.db"
    shutil.copy(filled, path)
    with sqlite3.connect(path) as db:
        for statement, values in statements:
            assert db.execute(statement, values).rowcount > 0
    db.close()
    return found(path)


def rows(filled: Path, select: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(filled) as db:
        told = db.execute(select).fetchall()
    db.close()
    return told


def test_what_nobody_touched_holds(filled: Path) -> None:
    assert found(filled) == []


def single(filled: Path) -> Iterator[tuple[str, tuple[object, ...]]]:
    """Every single thing that can be done to what the chains are of, but for changes within a text."""
    for (id,) in rows(filled, "SELECT id FROM journal"):
        yield "DELETE FROM journal WHERE id = ?", (id,)
        yield "INSERT INTO journal (id, body) SELECT id + 100, body FROM journal WHERE id = ?", (id,)
    for (no,) in rows(filled, "SELECT no FROM execution"):
        yield "UPDATE execution SET length = length - 1 WHERE no = ?", (no,)
        yield "UPDATE execution SET length = length + 1 WHERE no = ?", (no,)
        yield "UPDATE execution SET id = id || 'x' WHERE no = ?", (no,)
        yield "UPDATE blob SET bytes = CAST(bytes || x'20' AS BLOB) WHERE no = ?", (no,)
        yield "DELETE FROM blob WHERE no = ?", (no,)
    for (key,) in rows(filled, "SELECT key FROM value WHERE scope = 'overwinter.audit'"):
        yield "DELETE FROM value WHERE scope = 'overwinter.audit' AND key = ?", (key,)
        yield "UPDATE value SET key = key || '0' WHERE scope = 'overwinter.audit' AND key = ?", (key,)


def test_every_single_row_that_is_taken_out_added_or_renamed_is_found(filled: Path) -> None:
    blobs = {no for (no,) in rows(filled, "SELECT no FROM blob")}
    tried = 0
    for statement, values in single(filled):
        if "blob" in statement and values[0] not in blobs:
            continue
        tried += 1
        assert changed(filled, (statement, values)), (statement, values)
    assert tried > 30


def test_two_entries_that_change_places_are_named(filled: Path) -> None:
    ids = [id for (id,) in rows(filled, "SELECT id FROM journal ORDER BY id")]
    first, second = ids[0], ids[1]
    swap = [
        ("UPDATE journal SET id = -1 WHERE id = ?", (first,)),
        ("UPDATE journal SET id = ? WHERE id = ?", (first, second)),
        ("UPDATE journal SET id = ? WHERE id = -1", (second,)),
    ]
    assert changed(filled, *swap)[:2] == ["o-1#1", "o-1#2"]


@given(st.data())
def test_whichever_character_of_a_stored_text_is_changed_it_is_found(filled: Path, data: st.DataObject) -> None:
    journal = [("journal", "body", "id", id) for (id,) in rows(filled, "SELECT id FROM journal")]
    keys = rows(filled, "SELECT key FROM value WHERE scope = 'overwinter.audit'")
    table, column, by, which = data.draw(
        st.sampled_from([*journal, *(("value", "value", "key", key) for (key,) in keys)])
    )
    ((text,),) = rows(filled, f"SELECT {column} FROM {table} WHERE {by} = {which!r}")
    if isinstance(text, bytes):
        at = data.draw(st.integers(0, len(text) - 1))
        other: str | bytes = text[:at] + bytes([text[at] ^ data.draw(st.integers(1, 255))]) + text[at + 1 :]
    else:
        assert isinstance(text, str)
        at = data.draw(st.integers(0, len(text) - 1))
        letter = data.draw(st.characters(min_codepoint=32, max_codepoint=126).filter(lambda one: one != text[at]))
        other = text[:at] + letter + text[at + 1 :]
    assert changed(filled, (f"UPDATE {table} SET {column} = ? WHERE {by} = ?", (other, which)))


def test_a_changed_entry_is_named_and_no_other(filled: Path) -> None:
    (id, text) = rows(filled, "SELECT id, body FROM journal WHERE body LIKE '%it is paid%'")[0]
    assert isinstance(text, str) and isinstance(id, int)
    lie = ("UPDATE journal SET body = ? WHERE id = ?", (text.replace("it is paid", "it is free"), id))
    assert changed(filled, lie) == [f"o-1#{id % (1 << 28)}"]


def test_who_makes_all_of_a_chain_anew_is_seen_by_what_was_kept_elsewhere() -> None:
    async def main() -> None:
        store = MemoryStore()
        async with working(store) as runtime:
            await one_order(runtime)
            kept = await anchored(store)
            await store.delete("o-1", now=runtime.clock())  # as nobody who is to be seen would do it
            (finding,) = await findings(store, kept)
            assert (finding.chain, finding.what) == ("o-1", "is gone, and no record says that it was deleted")
            await one_order(runtime)
            assert await findings(store) == []  # it holds in itself
            assert {finding.chain for finding in await findings(store, kept)} == {"o-1"}
            longer = [Anchor("o-1", 100, kept[0].link)]
            assert [finding.n for finding in await findings(store, longer)] == [100]

    asyncio.run(main())


def test_what_is_pruned_is_written_down_before_and_the_rest_holds(dsn: str) -> None:
    async def main() -> None:
        store = open_store(dsn)
        async with working(store) as runtime:
            for number in range(3):
                await (await runtime.start(short, "x", id=f"s-{number}", by="ana")).result("20s")
            kept = await anchored(store)
            assert len(kept) == 3
            gone = await prune(store, 1, FINAL, runtime.clock() + 10_000)
            assert gone == 3 and await store.head("s-0") is None
            assert await findings(store, kept) == []
            (chain,) = [one async for one in prove(store)]
            assert chain.entries == 1 and chain.begins == 1

    asyncio.run(main())


def test_a_chain_goes_along_when_a_store_moves_or_is_exported_and_goes_on(tmp_path: Path) -> None:
    async def main() -> None:
        here, there = f"sqlite:///{tmp_path}/a.db", f"sqlite:///{tmp_path}/b.db"
        await fill(here)
        async with opened(here) as source, opened(there) as target:
            kept = await anchored(source)
            text = io.BytesIO()
            await archive.export(source, text.write, at=NOW, release="x")
            await move(source, target)
            assert await findings(target, kept) == []
            await freeze(target, "user:d", NOW, by="dora")
            proven = [one async for one in prove(target, anchors=kept)]
            assert [one.entries for one in proven if one.chain.startswith("store:")] == [4]
        async with opened(f"sqlite:///{tmp_path}/c.db") as other:
            await record(other, "store.import", "store", at=NOW, by="emil")
            for _ in range(2):  # again changes nothing
                text.seek(0)
                await archive.load(other, archive.lines_of(text))
            assert await findings(other, kept) == []
            await freeze(other, "user:e", NOW, by="dora")
            proven = [one async for one in prove(other, anchors=kept)]
            assert sorted(one.entries for one in proven if one.chain.startswith("store:")) == [2, 3]
            assert not any(one.findings for one in proven)

    asyncio.run(main())


def test_an_export_is_held_against_the_store_and_can_be_signed() -> None:
    async def main() -> None:
        store, text = MemoryStore(), io.BytesIO()
        async with working(store) as runtime:
            await one_order(runtime)
            await freeze(store, "user:a", NOW, by="dora")
            written = await export(store, text.write, Wanted(), prove(store), at=NOW, release="x", secret=b"s")
            assert written == (4, 2)
            lines = text.getvalue().splitlines(keepends=True)
            assert await findings(store, anchors(lines, b"s").anchors) == [] and len(anchors(lines).anchors) == 2
            unsigned = io.BytesIO()
            await export(store, unsigned.write, Wanted(), prove(store), at=NOW, release="x")
            assert anchors(lines).signed and not anchors(unsigned.getvalue().splitlines(keepends=True)).signed
            for wrong, secret, why in (
                (lines, b"other", "another secret"),
                (unsigned.getvalue().splitlines(keepends=True), b"s", "without a secret"),
                ([lines[0], lines[2], lines[1], *lines[3:]], b"s", "was changed"),
                ([*lines[:1], *lines[2:]], b"s", "was changed"),
                (lines[:-1], b"", "was cut off"),
                ([*lines[:-2], lines[-1]], b"", "2 chains were exported, 1 are here"),
                ([*lines[:-1], lines[-1][:-9]], b"", "cut off"),
                ([*lines[:1], *lines[2:]], b"", "4 acts were exported, 3 are here"),
                *(
                    ([lines[0], b'{"chain":"o-1","n":%b,"link":"x"}\n' % n], b"", "no number of an entry")
                    for n in (b"1e999", b"0", b"-1", b"1.5", b"true")
                ),
                ([b"{}\n"], b"", "is no export of an audit"),
                ([b"SQLite format 3\x00\xff\n"], b"", "is no export of an audit"),
                ([b'{"overwinter":"store","format":1}\n'], b"", "the export of a store"),
                ([b'{"class_uid":6003}\n'], b"", "OCSF"),
                ([b'{"overwinter":"audit","format":2}\n'], b"", "format 2"),
                ([], b"", "is empty"),
                ([*lines, b'{"act":{}}\n'], b"", "more after the last line"),
            ):
                with pytest.raises(InvalidInput, match=why):
                    anchors(wrong, secret)

    asyncio.run(main())


def test_a_journal_of_an_older_release_goes_on_with_links_from_there(tmp_path: Path) -> None:
    path = tmp_path / "old.db"

    async def begin() -> int:
        async with working(open_store(f"sqlite:///{path}")) as runtime:
            await runtime.start(order, "tea", id="o-1", by="ana")
            await asked(runtime, "o-1")
            return (await runtime.show("o-1")).length

    async def go_on(length: int) -> None:
        store = open_store(f"sqlite:///{path}")
        async with working(store) as runtime:
            (before,) = [one async for one in prove(store)]
            assert (before.entries, before.begins, before.findings) == (length, 0, ())
            await runtime.approve("o-1", by="ben")
            await runtime.signal("o-1", "note", "soon")
            assert await runtime.result("o-1", "20s") == "tea ben soon"
            (after,) = [one async for one in prove(store)]
            assert (after.begins, after.findings) == (length + 1, ())

    length = asyncio.run(begin())
    with sqlite3.connect(path) as db:
        db.execute("UPDATE journal SET body = substr(body, 1, length(body) - 43) || '}'")
    db.close()
    asyncio.run(go_on(length))
