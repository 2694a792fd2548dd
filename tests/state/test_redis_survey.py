"""What a Redis store finds wrong with itself and with its server, and what it says of them."""

from __future__ import annotations

import asyncio
import os
import secrets
from typing import Any

import pytest

from overwinter.state.contract.case import NOW, change, found, known, mail
from overwinter.state.errors import Conflict
from overwinter.state.records import Answer, Head, Remark
from overwinter.tests.servers.redis import RedisServer
from overwinter.tests.state.redis_cases import NEW, furnish, opened

WRONGS = [
    (("ZREM", "due", "waiting"), 'waiting is missing from the index "due"'),
    (("ZADD", "due", "7", "waiting"), "waiting is due at 7"),
    (("ZADD", "due", "7", "held"), 'held is in the index "due" and should not be'),
    (("ZADD", "due", "7", "ghost"), 'ghost is in the index "due" and should not be'),
    (("DEL", "leased"), 'held is missing from the index "leased"'),
    (("DEL", "rare"), 'failed is missing from the index "rare"'),
    (("DEL", "children"), 'child is missing from the index "children"'),
    (("DEL", "created"), 'held is missing from the index "created"'),
    (("HDEL", "owners", "b"), "held is leased by b, whom nobody knows"),
    (("HSET", "counts", "failed", "3"), "partition 0: 1 executions are failed, and 3 are counted"),
    (("HDEL", "counts", "failed"), "partition 0: 1 executions are failed, and 0 are counted"),
    (("RPUSH", "journal:failed", "more"), "failed has 2 entries and says 1"),
    (("DEL", "journal:failed"), "failed has 0 entries and says 1"),
    (("RPUSH", "journal:ghost", "more"), "ghost is not there and has journal"),
    (("HSET", "blobs:ghost", "d", "b"), "ghost is not there and has blobs"),
    (("HSET", "head:failed", "status", "stuck"), 'failed is missing from the index "rare"'),
    (("HSET", "head:failed", "base", "9"), "failed needs entries from 9 on and has 1"),
    (("DEL", "head:waiting"), "waiting is not there and has journal"),
    (("DEL", "scopes"), "scope s has 1 values and 1 keys, and is not listed"),
    (("DEL", "keys:s"), "scope s has 1 values and 0 keys"),
]


@pytest.mark.parametrize(("command", "sentence"), WRONGS, ids=[" ".join(command) for command, _ in WRONGS])
def test_contradictions_are_found(redis_server: RedisServer, command: tuple[str, ...], sentence: str) -> None:
    async def scenario() -> None:
        prefix = secrets.token_hex(4)
        async with opened(redis_server.dsn(prefix=prefix, partitions=1)) as store:
            await furnish(store)
            assert list(await store.verify()) == []
            redis_server.say(command[0], f"{{{prefix}:0}}:{command[1]}", *command[2:])
            wrong = await store.verify()
            assert any(said.startswith(sentence) for said in wrong), wrong

    asyncio.run(scenario())


def test_a_log_that_lost_its_end_leaves_a_sound_store() -> None:
    async def scenario(server: RedisServer) -> None:
        async with opened(server.dsn(partitions=2), patience="20s") as store:
            heads: list[Head] = []
            await store.beat("a", NOW, 10**9)
            for turn in range(12):
                id = f"x{turn % 4}"
                accepted = await store.accept(id, mail(f"{turn}"), now=NOW, owner="a", create=NEW, reopen=True)
                head = known(accepted)
                blobs = {f"sha256:{turn}": b"blob" * 10}
                heads.append(head)
                await store.append(
                    change(
                        head,
                        ["entry"],
                        consumed=[m.seq for m in accepted.mail],
                        status=("waiting", "idle", "failed")[turn % 3] if turn < 4 else "stuck",
                        wake=NOW + turn,
                        release=True,
                        blobs=blobs,
                    )
                )
            await store.put("s", "k", "1")
            before = [await found(store, f"x{number}") for number in range(4)]
            for cut in (1, 7, 40, 150, 300, 600, 1100, 2000):
                await asyncio.to_thread(server.kill)
                log = next(path for path in sorted(server.folder.rglob("*aof")) if path.suffix == ".aof")
                os.truncate(log, log.stat().st_size - cut)
                await asyncio.to_thread(server.start)
                assert list(await store.verify()) == [], cut
            # The world has moved on, and what it says now is about things that never were.
            after = [await store.head(f"x{number}") for number in range(4)]
            assert after != before
            stale = change(before[3], ["late"], owner="a", version=before[3].version + 5)
            with pytest.raises(Conflict):
                await store.append(stale)
            accepted = await store.accept("x3", mail("again"), now=NOW, owner="a", create=NEW, reopen=True)
            assert accepted.answer in (Answer.GRANTED, Answer.BUSY)
            assert list(await store.verify()) == []

    with RedisServer() as server:
        asyncio.run(scenario(server))


# -- what doctor says --------------------------------------------------------------------------------


def survey(server: RedisServer) -> dict[str, Remark]:
    async def scenario() -> dict[str, Remark]:
        async with opened(server.dsn(prefix="surveyed")) as store:
            return {remark.name: remark for remark in await store.survey()}

    return asyncio.run(scenario())


def test_a_good_server_is_called_good(redis_server: RedisServer) -> None:
    remarks = survey(redis_server)
    assert {remark.state for remark in remarks.values()} == {"ok"}, remarks
    assert "everysec" in remarks["redis append-only file"].detail
    assert str(redis_server.port) in remarks["redis server"].detail
    assert "16 partitions" in remarks["redis schema"].detail


def test_settings_that_may_lose_data_are_warned_of() -> None:
    with RedisServer(aof=None) as server:
        assert survey(server)["redis append-only file"].state == "warn"
        server.say("CONFIG", "SET", "appendonly", "yes")
        server.say("CONFIG", "SET", "appendfsync", "no")
        remarks = survey(server)
        assert remarks["redis append-only file"].state == "warn"
        assert "appendfsync" in remarks["redis append-only file"].advice
        assert remarks["redis eviction"].state == "ok"
        server.say("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        assert "noeviction" in survey(server)["redis eviction"].advice
        server.say("CONFIG", "SET", "maxmemory-policy", "noeviction")
        server.say("SETRANGE", "something", 60_000_000, "x")
        server.say("CONFIG", "SET", "maxmemory", str(int(_memory(server)) + 4_000_000))
        assert survey(server)["redis memory"].state == "warn"
        server.say("CONFIG", "SET", "maxmemory", "1")
        assert survey(server)["redis memory"].state == "fail"
        server.say("CONFIG", "SET", "maxmemory", "0")
        with RedisServer("--replicaof", "127.0.0.1", str(server.port), aof=None):
            server.say("WAIT", 1, 5000)
            assert survey(server)["redis replicas"].state == "warn"
            server.say("CONFIG", "SET", "min-replicas-to-write", "1")
            assert survey(server)["redis replicas"].state == "ok"


def test_a_server_that_keeps_its_settings_to_itself() -> None:
    with RedisServer("--rename-command", "CONFIG", "") as server:
        remarks = survey(server)
        assert remarks["redis append-only file"].state == "ok"
        assert "unknown" in remarks["redis append-only file"].detail


def _memory(server: RedisServer) -> bytes:
    with server.client() as client:
        client.response_callbacks.clear()
        said: Any = client.execute_command("INFO", "memory")
    return next(line.partition(b":")[2] for line in bytes(said).splitlines() if line.startswith(b"used_memory:"))
