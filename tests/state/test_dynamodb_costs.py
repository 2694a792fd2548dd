"""What DynamoDB and S3 are asked for: requests by operation, what lies where, and the limits of an item."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from overwinter.state.contract.case import (
    DAY,
    NOW,
    TTL,
    WORKFLOW,
    bodies,
    change,
    found,
    known,
    lease,
    mail,
    settle,
)
from overwinter.state.dynamodb import DynamoStore
from overwinter.state.dynamodb.layout import HEAD_KEYS, HEAD_MAIL_BYTES, SHARDS, execution, head_key
from overwinter.state.errors import Conflict, PayloadTooLarge, StoreError
from overwinter.state.records import MAIL_BATCH, Answer, NewExecution
from overwinter.tests.servers.moto import Moto

BUCKET = "costs"
BIG = 5 * 1024 * 1024


@asynccontextmanager
async def opened(dsn: str, **options: Any) -> AsyncGenerator[DynamoStore]:
    store = DynamoStore(dsn, **options)
    await store.create()
    await store.open()
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def asked(store: DynamoStore, **expected: int) -> AsyncGenerator[None]:
    """Inside, exactly these requests are made."""
    before = Counter(store.requests)
    yield
    assert store.requests - before == Counter(expected)


async def items(store: DynamoStore, id: str) -> dict[str, dict[str, Any]]:
    """Everything of an execution by sort key; the mark of its life is left out of the keys."""
    whole: dict[str, dict[str, Any]] = {}
    for item in await store._table.query(execution(id)):
        kind, _, rest = item["sk"]["S"].partition("#")
        whole["#".join([kind, *rest.split("#")[1:]])] = item
    return whole


def names(item: dict[str, Any], prefix: str) -> list[str]:
    return [name for name in item if name.startswith(prefix)]


# -- requests ------------------------------------------------------------------------------------------


def test_a_transition_under_a_held_lease_is_one_request(moto: Moto) -> None:
    async def scenario() -> None:
        async with opened(moto.dsn()) as store:
            head = known(await lease(store, "x"))
            async with asked(store, transact_write_items=1):
                await store.append(change(head, ["one"], consumed=[1], blobs={"sha256:aa": b"small"}))
            async with asked(store, update_item=1):
                await store.append(change(head, version=1, note="no entry"))
            async with asked(store, transact_write_items=1):
                await store.append(change(head, ["two"], version=2, status="waiting", wake=NOW, release=True))

    asyncio.run(scenario())


def test_mail_of_this_process_for_what_it_holds_costs_one_request_and_no_second_look(moto: Moto) -> None:
    async def scenario() -> None:
        async with opened(moto.dsn()) as store:
            head = known(await lease(store, "x"))
            async with asked(store, update_item=1):
                accepted = await store.accept("x", mail("k", "news"), now=NOW)
            assert accepted.answer is Answer.BUSY
            async with asked(store, transact_write_items=1):
                answer = await store.append(change(head, ["one"]))
            assert [m.body for m in answer.mail or ()] == ["start", "news"]

    asyncio.run(scenario())


def test_mail_of_another_process_costs_the_commit_a_second_request(moto: Moto) -> None:
    async def scenario() -> None:
        dsn = moto.dsn()
        async with opened(dsn) as store, opened(dsn) as other:
            head = known(await lease(store, "x"))
            async with asked(other, update_item=2, get_item=1):  # a try, is the owner alive, and so
                assert (await other.accept("x", mail("k", "news"), now=NOW)).answer is Answer.BUSY
            async with asked(store, transact_write_items=2):
                answer = await store.append(change(head, ["one"], consumed=[1], release=True))
            assert ([m.body for m in answer.mail or ()], answer.released) == (["news"], False)

    asyncio.run(scenario())


def test_a_wake_is_two_requests_and_one_when_nothing_is_to_be_read(moto: Moto) -> None:
    async def scenario() -> None:
        dsn = moto.dsn()
        async with opened(dsn) as store, opened(dsn) as other:
            head = await settle(store, "x", "idle")
            await other.beat("b", NOW, TTL)
            async with asked(other, update_item=1, query=1):
                accepted = await other.accept("x", mail("k"), now=NOW, owner="b", create=WORKFLOW)
            assert (accepted.answer, list(accepted.entries or ())) == (Answer.GRANTED, ["entry"])
            await other.append(change(known(accepted), consumed=[2], release=True, status="idle"))
            async with asked(other, update_item=1):
                accepted = await other.accept("x", mail("l"), now=NOW, owner="b", known=head.version + 1)
            assert (accepted.answer, accepted.entries) == (Answer.GRANTED, None)

    asyncio.run(scenario())


def test_a_start_is_one_request(moto: Moto) -> None:
    async def scenario() -> None:
        async with opened(moto.dsn()) as store:
            await store.beat("a", NOW, TTL)
            for number, create in enumerate((WORKFLOW, NewExecution("child", "workflow", "mother"))):
                async with asked(store, update_item=1):
                    await store.accept(f"{number}", mail("start"), now=NOW, owner="a", create=create)
            async with asked(store, update_item=3):
                for _ in range(3):
                    await store.accept("queued", mail(""), now=NOW, create=WORKFLOW)
            async with asked(store, update_item=1):
                assert (await store.accept("nobody", mail("k"), now=NOW)).answer is Answer.MISSING

    asyncio.run(scenario())


def test_a_look_at_the_due_index_costs_its_partitions_and_the_owners(moto: Moto) -> None:
    async def scenario() -> None:
        async with opened(moto.dsn()) as store:
            await lease(store, "x")
            async with asked(store, query=SHARDS + 1):
                assert list(await store.due(NOW)) == []
            async with asked(store, query=1, update_item=1):
                await store.beat("a", NOW, TTL)

    asyncio.run(scenario())


# -- mail ----------------------------------------------------------------------------------------------


def test_a_flood_of_mail_spills_into_items_of_its_own_and_the_head_stays_small(moto: Moto) -> None:
    async def scenario() -> None:
        async with opened(moto.dsn()) as store:
            await store.accept("x", mail("start", "start"), now=NOW, create=WORKFLOW)
            for number in range(40):
                await store.accept("x", mail(f"k{number}", f"{number} " + "x" * 1000), now=NOW)
            await store.accept("x", mail("", "cancel " + "x" * 1000, 0), now=NOW)
            whole = await items(store, "x")
            inside, outside = names(whole["h"], "m:"), [sort for sort in whole if sort.startswith("m#")]
            assert len(inside) + len(outside) == 42
            assert len(inside) < 20 < len(outside)
            assert sum(len(str(value)) for value in whole["h"].values()) < 2 * HEAD_MAIL_BYTES
            count, texts = await store.mailbox("x", 100)
            assert (count, [text.split()[0] for text in texts]) == (42, ["cancel", "start", *map(str, range(40))])
            for key in ("k0", "k39"):  # whose key is in the head, and whose has an item
                assert (await store.accept("x", mail(key), now=NOW)).answer is Answer.DUPLICATE
            await store.beat("a", NOW, TTL)
            accepted = await store.accept("x", None, now=NOW, owner="a")
            assert [m.seq for m in accepted.mail] == [42, *range(1, 42)]
            answer = await store.append(change(known(accepted), ["e"], consumed=[42, *range(1, 41)], release=True))
            assert answer.released
            assert [text.split()[0] for text in await bodies(store, "x")] == ["39"]
            assert not [sort for sort in await items(store, "x") if sort.startswith("m#") and "42#" in sort]
            assert list(await store.verify()) == []

    asyncio.run(scenario())


def test_spilled_mail_that_a_dead_process_did_not_remove_is_gone_all_the_same(moto: Moto) -> None:
    async def scenario() -> None:
        async with opened(moto.dsn()) as store:
            await store.accept("x", None, now=NOW, create=WORKFLOW)
            for number in range(MAIL_BATCH + 20):
                await store.accept("x", mail("", str(number)), now=NOW)
            await store.beat("a", NOW, TTL)
            accepted = await store.accept("x", None, now=NOW, owner="a")
            head = known(accepted)
            first = await store.append(change(head, ["e"], consumed=[m.seq for m in accepted.mail]))

            async def dies(keys: Any) -> None:
                raise StoreError("the process died here")

            mailbox = store._appending._mailbox
            clear, mailbox.clear = mailbox.clear, dies  # type: ignore[method-assign]
            taken = [m.seq for m in first.mail or ()][:5]
            await store.append(change(head, ["f"], version=1, consumed=taken))
            mailbox.clear = clear  # type: ignore[method-assign]
            left = [str(number) for number in range(MAIL_BATCH + 5, MAIL_BATCH + 20)]
            assert await bodies(store, "x") == left
            assert len([sort for sort in await items(store, "x") if sort.startswith("m#")]) == 20
            await store.retire("a")
            await store.beat("b", NOW, TTL)
            accepted = await store.accept("x", None, now=NOW, owner="b")
            assert [m.body for m in accepted.mail] == left
            await store.append(change(known(accepted), ["g"]))
            assert len([sort for sort in await items(store, "x") if sort.startswith("m#")]) == 15
            assert list(await store.verify()) == []

    asyncio.run(scenario())


def test_mail_from_many_processes_to_a_crowded_mailbox_is_all_there(moto: Moto) -> None:
    async def scenario() -> None:
        dsn = moto.dsn()
        async with opened(dsn) as store, opened(dsn) as other:
            await store.accept("x", mail("", "x" * HEAD_MAIL_BYTES), now=NOW, create=WORKFLOW)
            sending = [
                connection.accept("x", mail(f"k{number}" if keyed else "", str(number)), now=NOW)
                for number in range(12)
                for keyed in (True, False)
                for connection in (store, other)
            ]
            answers = [accepted.answer for accepted in await asyncio.gather(*sending)]
            assert (answers.count(Answer.QUEUED), answers.count(Answer.DUPLICATE)) == (36, 12)
            there = sorted((await bodies(store, "x"))[1:], key=int)
            assert there == [str(number) for number in range(12) for _ in range(3)]
            assert list(await store.verify()) == []

    asyncio.run(scenario())


# -- deduplication keys ----------------------------------------------------------------------------------


def test_older_keys_move_to_items_that_expire_and_are_known_still(moto: Moto) -> None:
    async def scenario() -> None:
        async with opened(moto.dsn()) as store:
            head = await settle(store, "x", "idle")
            for number in range(HEAD_KEYS + 3):
                accepted = await store.accept("x", mail(f"k{number}"), now=NOW + number, owner="a")
                head = known(accepted)
                consumed = [m.seq for m in accepted.mail]
                async with asked(store, transact_write_items=1):
                    await store.append(
                        change(head, ["e"], at=NOW + number, consumed=consumed, release=True, status="idle")
                    )
            whole = await items(store, "x")
            moved = [item for sort, item in whole.items() if sort.startswith("s#")]
            assert len(names(whole["h"], "s:")) <= HEAD_KEYS
            assert len(moved) + len(names(whole["h"], "s:")) == HEAD_KEYS + 4
            window_ends = (NOW + 7 * DAY) // 1000
            assert all(window_ends <= int(item["expires"]["N"]) <= window_ends + 3 * 86_400 for item in moved)
            for key in ("start", "k0", f"k{HEAD_KEYS + 2}"):
                assert (await store.accept("x", mail(key), now=NOW + 6 * DAY)).answer is Answer.DUPLICATE
            assert (await store.accept("x", mail("start"), now=NOW + 8 * DAY)).answer is Answer.QUEUED

    asyncio.run(scenario())


def test_keys_that_are_over_leave_the_head_with_the_next_commit(moto: Moto) -> None:
    async def scenario() -> None:
        async with opened(moto.dsn()) as store:
            await settle(store, "x", "idle")
            await store.accept("x", mail(""), now=NOW)
            accepted = await store.accept("x", mail("late"), now=NOW + 9 * DAY, owner="a")
            await store.append(change(known(accepted), ["e"], at=NOW + 9 * DAY, consumed=[2, 3]))
            assert len(names((await items(store, "x"))["h"], "s:")) == 1

    asyncio.run(scenario())


# -- sizes -----------------------------------------------------------------------------------------------


def test_big_values_go_to_the_bucket_and_come_back(moto: Moto) -> None:
    async def scenario() -> None:
        async with opened(moto.dsn(bucket=f"{BUCKET}/deep/folder")) as store:
            head = known(await lease(store, "x"))
            big, text = bytes(range(256)) * (BIG // 256), "ä" * (BIG // 2)
            await store.append(change(head, ["e"], consumed=[1], blobs={"sha256:aa": big, "sha256:bb": b"small"}))
            assert await store.blob("x", "sha256:aa") == big
            await store.append(change(head, ["before", text, "after"], version=1))
            assert list(await store.history("x")) == ["e", "before", text, "after"]
            assert await store.history("x", after=2, limit=1) == [text]
            await store.accept("x", mail("k", text), now=NOW)
            assert await bodies(store, "x") == [text]
            accepted = await store.accept("x", mail("l", "small", blobs={"sha256:cc": big}), now=NOW)
            assert [m.seq for m in accepted.mail] == [3]
            assert await store.blob("x", "sha256:cc") == big
            etag = await store.put("x", "k", text)
            assert await store.get("x", "k") == (text, etag)
            await store.put("x", "k", text + "!")
            whole = await items(store, "x")
            assert max(len(str(item)) for item in whole.values()) < 20_000
            dump = await store.dump("x")
            assert dump is not None
            await store.restore(dump._replace(head=dump.head._replace(id="y")))
            assert await store.dump("y") == dump._replace(head=dump.head._replace(id="y"))
            keys = await objects(store)
            assert all(key.startswith("deep/folder/") for key in keys)
            await store.retire("a")
            await store.append(
                change(head, ["end"], version=2, consumed=[2, 3], status="idle", release=True, arrivals=3)
            )
            assert await store.delete("x", now=NOW)
            left = await objects(store)
            assert len(left) == len(keys) // 2  # those of the copy; the key-value entry went with its execution
            assert await store.blob("y", "sha256:cc") == big

    asyncio.run(scenario())


async def objects(store: DynamoStore) -> list[str]:
    listing = await store._wire.s3("list_objects_v2", Bucket=store.place.bucket)
    return [found["Key"] for found in listing.get("Contents", ())]


def test_without_a_bucket_what_does_not_fit_is_refused_by_name_and_changes_nothing(moto: Moto) -> None:
    async def scenario() -> None:
        async with opened(moto.dsn()) as store:
            head = known(await lease(store, "x"))
            big = "x" * 500_000
            for refused in (
                store.append(change(head, [big])),
                store.append(change(head, ["e"], blobs={"sha256:aa": big.encode()})),
                store.append(change(head, ["x" * 300_000] * 10)),
                store.accept("x", mail("k", big), now=NOW),
                store.accept("x", mail("k", blobs={"sha256:aa": big.encode()}), now=NOW),
                store.put("s", "k", big),
            ):
                with pytest.raises(PayloadTooLarge, match=r"bucket=NAME"):
                    await refused
            with pytest.raises(PayloadTooLarge, match="state"):
                await store.append(change(head, ["e"], state=big))
            assert await store.head("x") == head
            assert await bodies(store, "x") == ["start"]
            await store.append(change(head, ["x" * 300_000] * 5, blobs={"sha256:aa": b"x" * 300_000}))
            assert len(await store.history("x")) == 5

    asyncio.run(scenario())


def test_a_mail_as_big_as_the_engine_sends_any_fits_beside_a_full_head(moto: Moto) -> None:
    async def scenario() -> None:
        async with opened(moto.dsn()) as store:
            head = known(await lease(store, "x"))
            await store.append(change(head, ["e"], consumed=[1], state="s" * 90_000, status="idle", release=True))
            body = "ä" * (128 * 1024)
            await store.accept("x", mail("k", body), now=NOW)
            await store.accept("x", mail("l", body), now=NOW)
            assert await bodies(store, "x") == [body, body]
            accepted = await store.accept("x", None, now=NOW, owner="a")
            await store.append(change(known(accepted), ["x" * 300_000] * 3, state="t" * 90_000))
            assert await bodies(store, "x") == [body, body]

    asyncio.run(scenario())


# -- to the end of a life --------------------------------------------------------------------------------


def test_nothing_is_left_of_what_was_deleted(moto: Moto) -> None:
    async def scenario() -> None:
        async with opened(moto.dsn(bucket=BUCKET)) as store:
            head = known(await lease(store, "x"))
            for number in range(30):
                await store.append(change(head, [f"{number}"], version=number, blobs={f"sha256:{number}": b"x" * 9000}))
            for number in range(30):
                await store.accept("x", mail(f"k{number}", "x" * 2000), now=NOW)
            await store.put("x", "k", "1")
            await store.append(change(head, ["end"], version=30, status="failed", arrivals=31, release=True))
            assert await store.delete("x", now=NOW)
            assert await items(store, "x") == {}
            assert await store._table.query("v#x") == []
            assert not [key for key in await objects(store) if "values" not in key and key.startswith("x")]
            assert list(await store.verify()) == []

    asyncio.run(scenario())


def test_a_deletion_that_died_is_finished_by_a_later_one_and_does_not_touch_a_new_life(
    moto: Moto, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with opened(moto.dsn()) as store:
            for id in ("x", "y", "z"):
                await settle(store, id, "completed")
                await store.put(id, "k", "1")

            async def dies(*_: Any, **__: Any) -> None:
                raise StoreError("the process died here")

            with monkeypatch.context() as patch:
                patch.setattr(store._moving, "_clean", dies)
                for id in ("x", "y"):
                    with pytest.raises(StoreError):
                        await store.delete(id, now=NOW)
            assert await store.head("x") is None
            assert len(await store.verify()) == 2
            await settle(store, "y", "idle")  # a new life under the old id
            monkeypatch.setattr("overwinter.state.dynamodb.moving._OLD_MS", -1000)
            assert await store.delete("z", now=NOW)
            assert await items(store, "x") == {}
            assert await store._table.query("v#x") == []
            assert await store.get("y", "k") is not None
            assert list(await store.history("y")) == ["entry"]
            assert list(await store.verify()) == []

    asyncio.run(scenario())


def test_what_is_finished_is_kept_as_long_as_retention_says(moto: Moto) -> None:
    async def scenario() -> None:
        async with opened(moto.dsn(retention="1d")) as store:
            for id, status in {"done": "completed", "failed": "failed", "again": "failed", "idle": "idle"}.items():
                await settle(store, id, status)
            accepted = await store.accept("again", mail("retry"), now=NOW + 5, reopen=True)
            assert accepted.answer is Answer.QUEUED
            store._expired = -100.0
            await store.due(NOW + DAY - 1000)
            assert len((await store.executions()).heads) == 4
            store._expired = -100.0
            assert list(await store.due(NOW + DAY + 1000)) == ["again"]
            assert {head.id for head in (await store.executions()).heads} == {"again", "idle"}
            assert await items(store, "done") == {}

    asyncio.run(scenario())


def test_owners_are_forgotten_only_when_long_dead_and_without_executions(moto: Moto) -> None:
    async def scenario() -> None:
        async with opened(moto.dsn()) as store:
            await lease(store, "x", "holder")
            await store.beat("empty", NOW, TTL)
            await store.retire("holder")
            hour = 3600_000
            assert list(await store.due(NOW + 60_000)) == ["x"]
            assert len(await store._table.query("o")) == 2
            assert list(await store.due(NOW + hour)) == ["x"]
            assert [item["owner"]["S"] for item in await store._table.query("o")] == ["holder"]
            assert list(await store.due(NOW + 100 * DAY)) == ["x"]
            assert not any("expires" in item for item in await store._table.query("o"))

    asyncio.run(scenario())


def test_an_owner_that_takes_after_a_long_silence_is_known_again(moto: Moto) -> None:
    async def scenario() -> None:
        async with opened(moto.dsn()) as store:
            await store.beat("a", NOW, TTL)
            later = NOW + 3600_000
            await store.due(later)
            assert await store._table.query("o") == []
            await store.accept("x", mail("k"), now=later, owner="a", create=WORKFLOW)
            assert list(await store.due(later)) == ["x"]

    asyncio.run(scenario())


def test_verify_finds_what_is_wrong(moto: Moto) -> None:
    async def scenario() -> None:
        async with opened(moto.dsn()) as store:
            for id in ("journal", "mail", "due", "sound"):
                await settle(store, id, "waiting", wake=NOW + 5)
            journal = next(item for sort, item in (await items(store, "journal")).items() if sort.startswith("j#"))
            await store._table.delete_many([journal])
            for id, name, value in (("mail", "waiting", "7"), ("due", "w", "1")):
                await store._wire.dynamodb(
                    "update_item",
                    TableName=store.place.table,
                    Key=head_key(id),
                    UpdateExpression="SET #n = :v",
                    ExpressionAttributeNames={"#n": name},
                    ExpressionAttributeValues={":v": {"N": value}},
                )
            wrong = await store.verify()
            assert sorted(text.split(":")[0] for text in wrong) == ["due", "journal", "mail"]

    asyncio.run(scenario())


def test_a_changing_execution_is_not_dumped(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with opened(moto.dsn()) as store:
            await settle(store, "x", "idle")
            query = store._table.query

            async def busy(*arguments: Any, **options: Any) -> Any:
                await store.accept("x", mail(""), now=NOW)
                return await query(*arguments, **options)

            monkeypatch.setattr(store._table, "query", busy)
            with pytest.raises(Conflict):
                await store.dump("x")

    asyncio.run(scenario())


def test_heads_of_the_listing_are_those_of_the_table(moto: Moto) -> None:
    async def scenario() -> None:
        async with opened(moto.dsn()) as store:
            await settle(store, "x", "waiting")
            await lease(store, "y")
            page = await store.executions()
            assert [head for head in page.heads] == [await found(store, head.id) for head in page.heads]

    asyncio.run(scenario())
