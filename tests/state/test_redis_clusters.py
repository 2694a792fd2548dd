"""A cluster whose nodes come and go and whose slots move, and a primary that Sentinel replaces."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import pytest
from redis.crc import key_slot

from overwinter.state.contract.case import NOW, TTL, change, known, lease, mail
from overwinter.state.errors import InvalidInput, StoreUnavailable
from overwinter.state.records import Answer, Filter, Head
from overwinter.state.redis import RedisStore
from overwinter.tests.servers.proxy import HOST
from overwinter.tests.servers.redis import RedisCluster, RedisSentinel, RedisServer
from overwinter.tests.state.redis_cases import leased, opened


def tag_of(store: RedisStore, id: str) -> bytes:
    return store._open.partitions(id.encode()).tag


def test_a_node_that_is_away_stops_only_its_own_executions() -> None:
    async def scenario(cluster: RedisCluster) -> None:
        async with opened(cluster.dsn(), patience="20s") as store:
            heads = await leased(store, 30)
            lost = cluster.node_of(tag_of(store, "x0"))
            mine = [head for head in heads if cluster.node_of(tag_of(store, head.id)) is lost]
            assert 0 < len(mine) < len(heads)
            await asyncio.to_thread(lost.kill)
            waiting = [store.append(change(head, ["e"], consumed=[1])) for head in mine]
            others = [store.append(change(head, ["e"], consumed=[1])) for head in heads if head not in mine]
            await asyncio.gather(*others)
            assert not any(answer.done() for answer in waiting)
            await asyncio.to_thread(lost.start)
            await asyncio.gather(*waiting)
            await asyncio.to_thread(cluster.settled)
            assert len(await store.beat("a", NOW, TTL)) == 0
            for head in heads:
                assert list(await store.history(head.id)) == ["e"]
            assert list(await store.verify()) == []

    with RedisCluster() as cluster:
        asyncio.run(scenario(cluster))


def test_a_beat_reaches_the_living_nodes_and_tells_of_the_others() -> None:
    async def scenario(cluster: RedisCluster) -> None:
        async with opened(cluster.dsn(), patience="20s") as store:
            heads = await leased(store, 30)
            lost = cluster.nodes[1]
            living = [head.id for head in heads if cluster.node_of(tag_of(store, head.id)) is not lost]
            await asyncio.to_thread(lost.kill)
            with pytest.raises(StoreUnavailable):
                async with asyncio.timeout(10):
                    await store.beat("a", NOW + 600_000, TTL)
            await asyncio.to_thread(lost.start)
            await asyncio.to_thread(cluster.settled)
            assert sorted(await store.due(NOW + 600_000, 100)) == sorted({head.id for head in heads} - set(living))

    with RedisCluster() as cluster:
        asyncio.run(scenario(cluster))


def test_slots_move_from_node_to_node_under_load() -> None:
    async def work(store: RedisStore, head: Head, done: asyncio.Event) -> int:
        version = 0
        while not done.is_set() or version < 20:
            answer = await store.append(change(head, [str(version)], version=version, wake=NOW + version))
            assert answer.arrivals >= 1
            version += 1
            await store.accept(head.id, mail(str(version), str(version)), now=NOW)
            await asyncio.sleep(0.001)
        return version

    async def scenario(cluster: RedisCluster) -> None:
        async with opened(cluster.dsn(partitions=4), patience="30s") as store:
            heads = await leased(store, 12)
            done = asyncio.Event()
            working = [asyncio.ensure_future(work(store, head, done)) for head in heads]
            await asyncio.sleep(0.05)
            slots = sorted({key_slot(tag_of(store, head.id)) for head in heads})
            for slot in slots:
                await asyncio.to_thread(_move, cluster, slot)
            await asyncio.sleep(0.05)
            done.set()
            versions = await asyncio.gather(*working)
            for head, version in zip(heads, versions, strict=True):
                assert list(await store.history(head.id)) == [str(number) for number in range(version)]
                assert (await store.mailbox(head.id))[0] == version + 1
            assert list(await store.verify()) == []
            listed = await store.executions(limit=100)
            assert {found.id for found in listed.heads} == {head.id for head in heads}
            async with opened(cluster.dsn(partitions=4)) as other:
                assert await other.counts() == {"running": 12}

    with RedisCluster() as cluster:
        asyncio.run(scenario(cluster))


def test_what_is_just_being_moved_is_read_where_it_is() -> None:
    async def scenario(cluster: RedisCluster) -> None:
        async with opened(cluster.dsn(partitions=1), patience="300ms") as store:
            heads = await leased(store, 3)
            await store.append(change(heads[0], ["e"], consumed=[1]))
            tag = tag_of(store, "x0")
            source, target = await asyncio.to_thread(_begin_move, cluster, key_slot(tag))
            for kind in (b"head", b"journal"):
                source.say("MIGRATE", HOST, target.port, tag + kind + b":x0", 0, 5000)
            head = await store.head("x0")
            assert head is not None
            assert head.version == 1
            assert list(await store.history("x0")) == ["e"]
            assert {found.id for found in (await store.executions()).heads} == {"x0", "x1", "x2"}
            assert {found.id for found in (await store.executions(Filter(prefix="x0", function="ticket"))).heads} == {
                "x0"
            }
            assert (await store.executions(Filter(prefix="x0", function="other"))).heads == []
            with pytest.raises(StoreUnavailable, match="moving"):
                await store.append(change(head, ["f"]))
            await asyncio.to_thread(_end_move, cluster, key_slot(tag), source, target)
            await store.append(change(head, ["f"]))
            assert list(await store.history("x0")) == ["e", "f"]
            assert list(await store.verify()) == []

    with RedisCluster() as cluster:
        asyncio.run(scenario(cluster))


def test_who_has_what_is_asked_again_when_a_node_is_gone() -> None:
    async def scenario(cluster: RedisCluster) -> None:
        async with opened(cluster.dsn(partitions=1), patience="20s") as store:
            (head,) = await leased(store, 1)
            slot = key_slot(tag_of(store, "x0"))
            source, target = await asyncio.to_thread(_begin_move, cluster, slot)
            await asyncio.to_thread(_end_move, cluster, slot, source, target)
            await asyncio.to_thread(source.kill)  # so it can't say where the slot went
            await store.append(change(head, ["e"]))
            assert list(await store.history("x0")) == ["e"]

    with RedisCluster() as cluster:
        asyncio.run(scenario(cluster))


def _move(cluster: RedisCluster, slot: int) -> None:
    """Move a slot to the next node, a few keys at a time, as redis-cli --cluster reshard does."""
    _end_move(cluster, slot, *_begin_move(cluster, slot))


def _begin_move(cluster: RedisCluster, slot: int) -> tuple[RedisServer, RedisServer]:
    source = next(node for node in cluster.nodes if _has(node, slot))
    target = cluster.nodes[(cluster.nodes.index(source) + 1) % len(cluster.nodes)]
    target.say("CLUSTER", "SETSLOT", slot, "IMPORTING", cluster.id_of(source))
    source.say("CLUSTER", "SETSLOT", slot, "MIGRATING", cluster.id_of(target))
    return source, target


def _end_move(cluster: RedisCluster, slot: int, source: RedisServer, target: RedisServer) -> None:
    while keys := source.say("CLUSTER", "GETKEYSINSLOT", slot, 3):
        source.say("MIGRATE", HOST, target.port, "", 0, 5000, "KEYS", *keys)
    for node in (target, source, *cluster.nodes):
        node.say("CLUSTER", "SETSLOT", slot, "NODE", cluster.id_of(target))


def _has(node: RedisServer, slot: int) -> bool:
    with node.client() as client:
        client.response_callbacks.clear()
        table: Any = client.execute_command("CLUSTER SLOTS")
    return any(row[0] <= slot <= row[1] and row[2][1] == node.port for row in table)


def test_a_node_of_a_cluster_is_not_one_server(redis_cluster: RedisCluster) -> None:
    async def scenario() -> None:
        with pytest.raises(InvalidInput, match=r"redis\+cluster"):
            await RedisStore(f"redis://{HOST}:{redis_cluster.nodes[0].port}/0?prefix={secrets.token_hex(4)}").open()

    asyncio.run(scenario())


def test_one_server_is_no_cluster(redis_server: RedisServer) -> None:
    async def scenario() -> None:
        with pytest.raises(InvalidInput, match="no cluster"):
            await RedisStore(f"redis+cluster://{HOST}:{redis_server.port}", patience="100ms").open()

    asyncio.run(scenario())


def test_word_of_a_reply_passes_through_a_cluster(redis_cluster: RedisCluster) -> None:
    async def scenario() -> None:
        dsn = redis_cluster.dsn(prefix=secrets.token_hex(4))
        async with opened(dsn) as one, opened(dsn) as two:
            for head in await leased(one, 6):
                async with two.watch(head.id) as told:
                    assert told is not None
                    await one.append(change(head, ["e"], tell=True))
                    async with asyncio.timeout(10):
                        await told.wait()

    asyncio.run(scenario())


def test_sentinel_names_the_primary_and_the_next_one() -> None:
    async def scenario(servers: RedisSentinel) -> None:
        async with opened(servers.dsn(), patience="25s") as store:
            head = known(await lease(store, "x"))
            async with store.watch("x") as told:
                assert told is not None
                await store.append(change(head, ["before"]))
                await asyncio.to_thread(servers.primary.say, "WAIT", 1, 5000)
                await asyncio.to_thread(servers.primary.kill)
                await store.append(change(head, ["after"], version=1, tell=True))
                assert list(await store.history("x")) == ["before", "after"]
                assert (await store.accept("x", mail("start"), now=NOW)).answer is Answer.DUPLICATE
                async with asyncio.timeout(10):
                    await told.wait()  # told of the append, or that something may have been missed
            assert b"role:master" in await asyncio.to_thread(_replication, servers.replica)
            async with opened(servers.dsn()) as other:  # finds the new one at once
                assert list(await other.history("x")) == ["before", "after"]

    with RedisSentinel() as servers:
        asyncio.run(scenario(servers))


def _replication(server: RedisServer) -> bytes:
    with server.client() as client:
        client.response_callbacks.clear()
        said: Any = client.execute_command("INFO", "replication")
        return bytes(said)
