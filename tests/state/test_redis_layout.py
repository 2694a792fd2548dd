"""How a store lies in Redis: its address, its partitions, what it finds wrong with itself and with its server."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any, cast

import pytest

from overwinter.state.contract.case import DAY, NOW, TTL, change, found, known, lease, mail, settle
from overwinter.state.errors import InvalidInput, SchemaMismatch, StoreCorrupt
from overwinter.state.records import NewExecution
from overwinter.state.redis import RedisStore
from overwinter.state.redis.address import parse
from overwinter.state.redis.wire import Reader, Refusal, pack
from overwinter.tests.servers.redis import RedisServer
from overwinter.tests.state.redis_cases import furnish, opened

CHILD = NewExecution("ticket", "workflow", "mother")


# -- addresses ---------------------------------------------------------------------------------------


def test_addresses() -> None:
    plain = parse("redis://ann:p%40ss@example.org:7000/3?partitions=8&prefix=shop")
    assert (plain.mode, plain.hosts, plain.tls) == ("", (("example.org", 7000),), False)
    assert plain.options == {"username": "ann", "password": "p@ss", "db": 3}
    assert (plain.prefix, plain.partitions) == ("shop", 8)
    assert parse("redis://").hosts == (("localhost", 6379),)
    secure = parse("rediss://:pw@h/0?ssl_ca_certs=/a/ca.pem&ssl_check_hostname=false")
    assert secure.tls
    assert secure.options == {"password": "pw", "db": 0, "ssl_ca_certs": "/a/ca.pem", "ssl_check_hostname": False}
    cluster = parse("redis+cluster://u:p@h1:7000,h2,[::1]:7002")
    assert (cluster.mode, cluster.hosts) == ("cluster", (("h1", 7000), ("h2", 6379), ("::1", 7002)))
    assert cluster.options["password"] == "p"
    sentinel = parse("rediss+sentinel://:p@h1,h2:7/my%20service/2?sentinel_password=q")
    assert (sentinel.mode, sentinel.service, sentinel.tls) == ("sentinel", "my service", True)
    assert (sentinel.hosts, sentinel.options["db"]) == ((("h1", 26379), ("h2", 7)), 2)
    assert sentinel.sentinel == {"password": "q"}


@pytest.mark.parametrize(
    "dsn",
    [
        "redis+other://h/0",
        "http://h/0",
        "redis://h/zero",
        "redis://h/0?patritions=3",
        "redis://h/0?partitions=0",
        "redis://h/0?partitions=many",
        "redis://h/0?prefix={x}",
        "redis://h/0?ssl_ca_certs=x",
        "redis://h:port/0",
        "redis+sentinel://h",
        "redis+cluster://h/1",
    ],
)
def test_addresses_that_are_none(dsn: str) -> None:
    with pytest.raises(InvalidInput):
        parse(dsn)


def test_no_password_is_shown() -> None:
    for dsn in (
        "redis://ann:s3cret@h/0",
        "redis://:s3cret@h/0",
        "redis+sentinel://u:s3cret@h/x/0?sentinel_password=s3cret&prefix=a",
        "rediss://h/0?ssl_password=s3cret",
    ):
        assert "s3cret" not in parse(dsn).name
        assert RedisStore(dsn).dsn == dsn
        with pytest.raises(InvalidInput) as caught:
            parse(dsn + ("&" if "?" in dsn else "?") + "partitions=x")
        assert "s3cret" not in str(caught.value)


# -- partitions and schema ---------------------------------------------------------------------------


def test_the_number_of_partitions_is_that_of_the_first_opening(redis_server: RedisServer) -> None:
    async def scenario() -> None:
        prefix = secrets.token_hex(4)
        async with opened(redis_server.dsn(prefix=prefix, partitions=40)) as store:
            for number in range(50):
                await store.accept(f"x{number}", None, now=NOW, create=CHILD)
        # What some of the partitions say may be lost with the last second of a server.
        for number in range(15):
            redis_server.say("DEL", f"{{{prefix}:{number}}}:meta")
        async with opened(redis_server.dsn(prefix=prefix)) as store:
            assert await store.counts() == {"pending": 50}
            assert len(await store.due(NOW)) == 50
            assert list(await store.verify()) == []
        assert redis_server.say("HGET", f"{{{prefix}:3}}:meta", "partitions") == b"40"
        with pytest.raises(InvalidInput, match="40 partitions"):
            async with opened(redis_server.dsn(prefix=prefix, partitions=16)):
                pass

    asyncio.run(scenario())


def test_a_newer_schema_is_refused_and_left_alone(redis_server: RedisServer) -> None:
    async def scenario() -> None:
        prefix = secrets.token_hex(4)
        async with opened(redis_server.dsn(prefix=prefix)):
            pass
        redis_server.say("HSET", f"{{{prefix}:0}}:meta", "schema", "2", "partitions", "4")
        with pytest.raises(SchemaMismatch, match="schema 2"):
            async with opened(redis_server.dsn(prefix=prefix)):
                pass
        assert redis_server.say("HGET", f"{{{prefix}:0}}:meta", "schema") == b"2"

    asyncio.run(scenario())


def test_prefixes_and_databases_keep_apart(redis_server: RedisServer) -> None:
    async def scenario() -> None:
        prefix = secrets.token_hex(4)
        other = redis_server.dsn(prefix=prefix).replace("/0?", "/1?")
        async with opened(redis_server.dsn(prefix=prefix)) as one, opened(other) as two:
            await settle(one, "x", "idle")
            assert await two.head("x") is None
            await settle(two, "x", "failed")
            async with two.watch("x") as told:
                head = known(await one.accept("x", None, now=NOW, owner="a"))
                await one.append(change(head, ["e"], tell=True))
                assert told is not None
                assert not told.is_set()
            assert await one.counts() == {"running": 1}
            assert list(await two.verify()) == []

    asyncio.run(scenario())


def test_keys_of_something_else_are_named(redis_server: RedisServer) -> None:
    async def scenario() -> None:
        prefix = secrets.token_hex(4)
        async with opened(redis_server.dsn(prefix=prefix, partitions=1)) as store:
            redis_server.say("SET", f"{{{prefix}:0}}:head:x", "mine")
            with pytest.raises(StoreCorrupt, match="prefix"):
                await store.accept("x", None, now=NOW, create=CHILD)

    asyncio.run(scenario())


# -- the cost of a long life -------------------------------------------------------------------------


def test_what_was_seen_is_forgotten_a_little_at_a_time(redis_server: RedisServer) -> None:
    async def scenario() -> None:
        prefix = secrets.token_hex(4)
        async with opened(redis_server.dsn(prefix=prefix, partitions=1)) as store:
            await store.accept("x", None, now=NOW, create=CHILD)
            for number in range(400):
                await store.accept("x", mail(f"old {number}" if number % 2 else ""), now=NOW)
            key = f"{{{prefix}:0}}:seen:x"
            assert redis_server.say("ZCARD", key) == 400
            for number in range(134):
                await store.accept("x", mail(f"new {number}"), now=NOW + 8 * DAY)
            assert redis_server.say("ZCARD", key) == 134

    asyncio.run(scenario())


def test_owners_that_are_gone_leave_nothing(redis_server: RedisServer) -> None:
    async def scenario() -> None:
        prefix = secrets.token_hex(4)
        async with opened(redis_server.dsn(prefix=prefix, partitions=2)) as store:
            for number in range(20):
                head = known(await lease(store, "x", f"owner {number}"))
                await store.append(change(head, ["e"], consumed=[1], status="completed", release=True))
                await store.delete("x", now=NOW)
            held = known(await lease(store, "held", "holder"))
            later = NOW + 2 * TTL
            await store.beat("last", later, TTL)
            kept = {name for number in range(2) for name in redis_server.say("HKEYS", f"{{{prefix}:{number}}}:owners")}
            assert kept == {b"holder", b"last"}
            assert await store.due(later) == ["held"]
            assert held == await store.head("held")

    asyncio.run(scenario())


def test_what_is_deleted_leaves_nothing(redis_server: RedisServer) -> None:
    async def scenario() -> None:
        prefix = secrets.token_hex(4)
        async with opened(redis_server.dsn(prefix=prefix, partitions=1)) as store:
            await furnish(store)
            head = known(await store.accept("child", mail("c", lane=0, blobs={"d": b"b"}), now=NOW, owner="b"))
            await store.append(change(head, ["e"], consumed=[2], status="completed", wake=None, release=True))
            assert await store.mailbox("child") == (1, ["{}"])
            await store.put("child", "k", "1")
            assert await store.delete("child", now=NOW) is True
            await store.delete("failed", now=NOW)
            await store.remove("s", "k")
            head = known(await store.accept("waiting", None, now=NOW, owner="b"))
            await store.append(change(head, status="idle", wake=None, release=True))
            await store.delete("waiting", now=NOW)
            await store.append(change(await found(store, "held"), ["e"], status="idle", wake=None, release=True))
            await store.delete("held", now=NOW)
            kinds = {key.split(b"}:")[1].partition(b":")[0] for key in redis_server.say("KEYS", f"{{{prefix}*")}
            assert kinds == {b"meta", b"owners", b"counts", b"receipt"}
            assert await store.counts() == {}

    asyncio.run(scenario())


def test_an_ordinary_append_touches_no_index(redis_server: RedisServer) -> None:
    async def scenario() -> None:
        async with opened(redis_server.dsn(prefix=secrets.token_hex(4), partitions=1)) as store:
            head = known(await lease(store, "x"))
            with redis_server.client() as client, client.monitor() as monitor:
                await store.append(change(head, ["e"], note="n"))
                await store.append(change(head, ["e"], version=1, consumed=[1], release=True, status="idle"))
                commands: list[str] = []
                for said in cast(Any, monitor).listen():
                    commands.append(said["command"])
                    if " -1" in commands[-1] and "counts" in commands[-1] and "running" in commands[-1]:
                        break
        first = commands[1 : next(i for i, command in enumerate(commands) if i and command.startswith("EVALSHA"))]
        assert [command.split()[0] for command in first] == ["HMGET", "RPUSH", "HSET"]

    asyncio.run(scenario())


# -- the wire ----------------------------------------------------------------------------------------


def test_replies_are_read_however_they_are_cut() -> None:
    data = (
        b"+OK\r\n:7\r\n$-1\r\n$0\r\n\r\n$7\r\na\r\nb\r\nc\r\n*0\r\n*-1\r\n"
        b"*3\r\n:1\r\n*2\r\n$1\r\nx\r\n$-1\r\n*1\r\n*0\r\n-ERR no\r\n:-3\r\n"
    )
    expected: list[object] = [b"OK", 7, None, b"", b"a\r\nb\r\nc", [], None, [1, [b"x", None], [[]]], "ERR no", -3]
    for size in (1, 2, 3, 5, 7, 11, len(data)):
        reader = Reader()
        replies: list[object] = []
        for start in range(0, len(data), size):
            replies += reader.feed(data[start : start + size])
        assert [reply.text if isinstance(reply, Refusal) else reply for reply in replies] == expected


def test_commands_are_packed() -> None:
    assert pack(b"GET", b"a\r\n") == b"*2\r\n$3\r\nGET\r\n$3\r\na\r\n\r\n"


def test_what_a_command_said_inside_a_script_is_found() -> None:
    old = "ERR Error running script (call to f_1): @user_script:1: @user_script: 1: -OOM command not allowed"
    assert Refusal(old).code == "OOM"
    assert Refusal("OOM command not allowed when used memory > 'maxmemory'. script: 1").code == "OOM"
    assert Refusal("ERR Error running script (call to f_1): @user_script:1: no command").code == "ERR"
