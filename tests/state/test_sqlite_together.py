"""Appends of one transaction are made together: each has the answer that it would have alone."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from overwinter.state.errors import Conflict, StoreError
from overwinter.state.records import Appended, Change, NewExecution, NewMail
from overwinter.state.sqlite import SqliteStore

OWNER = "one"


def change(id: str, version: int, *entries: str, **fields: Any) -> Change:
    given: dict[str, Any] = {"consumed": [], "arrivals": 1, "status": "running", "wake": None, "release": False}
    given |= {
        "base": 1,
        "awaits": "",
        "note": "",
        "state": "",
        "blobs": {},
        "token": f"{id} {version}",
    }
    return Change(id, OWNER, version, 1000, list(entries), **(given | fields), paging=True)


async def leased(store: SqliteStore, count: int) -> list[str]:
    ids = [f"e{number}" for number in range(count)]
    mail = NewMail("", 1, 1000, '{"type":"start"}')
    await asyncio.gather(
        *(store.accept(id, mail, now=1000, owner=OWNER, create=NewExecution("f", "workflow")) for id in ids)
    )
    return ids


def at(path: Path, work: Any) -> None:
    async def main() -> None:
        store = SqliteStore(f"sqlite:///{path}/together.db")
        await store.open()
        try:
            await work(store)
        finally:
            await store.close()

    asyncio.run(main())


def test_one_that_is_refused_harms_no_other(tmp_path: Path) -> None:
    async def work(store: SqliteStore) -> None:
        ids = await leased(store, 6)
        changes = [change(id, 0, f'{{"n":"{id}"}}', '{"half":"\\"é"}') for id in ids]
        changes[2] = change("nobody", 0, "{}")
        changes[4] = change(ids[4], 7, "{}")
        answers = await asyncio.gather(*map(store.append, changes), return_exceptions=True)
        assert [type(answer) for answer in answers] == [Appended, Appended, Conflict, Appended, Conflict, Appended]
        for id in (ids[0], ids[1], ids[3], ids[5]):
            assert await store.history(id) == [f'{{"n":"{id}"}}', '{"half":"\\"é"}']
            head = await store.head(id)
            assert head is not None and (head.version, head.length, head.owner) == (1, 2, OWNER)
        assert await store.history(ids[2]) == await store.history(ids[4]) == []

    at(tmp_path, work)


def test_mail_blobs_releases_and_repetitions_among_them(tmp_path: Path) -> None:
    async def work(store: SqliteStore) -> None:
        ids = await leased(store, 5)
        await store.accept(ids[1], NewMail("k", 1, 1000, '{"type":"event"}'), now=1000)
        changes = [
            change(ids[0], 0, "{}", consumed=[1], blobs={"sha256:aa": b"blob"}),
            change(ids[1], 0, "{}", consumed=[1], status="waiting", release=True),  # mail has come
            change(ids[2], 0, "{}", consumed=[1], status="waiting", wake=5000, release=True),
            change(ids[3], 0, "{}"),
            change(ids[3], 1, "{}"),  # the same execution again: after the one before
        ]
        first = await asyncio.gather(*map(store.append, changes))
        assert [answer.released for answer in first] == [False, False, True, False, False]
        assert [mail.seq for mail in first[1].mail or ()] == [2]
        assert await store.blob(ids[0], "sha256:aa") == b"blob"
        head = await store.head(ids[2])
        assert head is not None and (head.owner, head.wake, head.status) == (None, 5000, "waiting")
        again = await asyncio.gather(*map(store.append, [*changes[:3], changes[4]]))
        assert [answer.released for answer in again] == [False, False, True, False]

    at(tmp_path, work)


def test_a_row_that_can_not_be_written_fails_alone(tmp_path: Path) -> None:
    async def work(store: SqliteStore) -> None:
        ids = await leased(store, 4)
        changes = [change(id, 0, "{}") for id in ids]
        changes[1] = change(ids[1], 0, "{}", awaits=None)  # NOT NULL
        answers = await asyncio.gather(*map(store.append, changes), return_exceptions=True)
        assert [isinstance(answer, StoreError) for answer in answers] == [False, True, False, False]
        assert [len(await store.history(id)) for id in ids] == [1, 0, 1, 1]

    at(tmp_path, work)


@pytest.mark.parametrize("count", [1, 2, 700])
def test_any_number(tmp_path: Path, count: int) -> None:
    async def work(store: SqliteStore) -> None:
        ids = await leased(store, count)
        await asyncio.gather(*(store.append(change(id, 0, "{}")) for id in ids))
        assert {len(await store.history(id)) for id in ids} == {1}

    at(tmp_path, work)
