"""Servers that are away, full, read-only, still loading, replaced or moved: the store waits, and says what is wrong."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import os
import secrets
import ssl
import threading
from collections.abc import Generator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from redis.exceptions import BusyLoadingError

from overwinter.state.contract.case import NOW, TTL, change, known, lease, mail, settle
from overwinter.state.errors import StoreCorrupt, StoreError, StoreFull, StoreReadOnly, StoreUnavailable
from overwinter.state.records import Answer, Head
from overwinter.state.redis import RedisStore
from overwinter.state.store import Store
from overwinter.tests.servers.ports import free_port
from overwinter.tests.servers.proxy import HOST
from overwinter.tests.servers.redis import RedisServer, patiently
from overwinter.tests.state.redis_cases import NEW, opened


def refused(dsn: str, kind: type[StoreError], **settings: Any) -> str:
    async def scenario() -> None:
        async with opened(dsn, **settings):
            pass

    with pytest.raises(kind) as caught:
        asyncio.run(scenario())
    return str(caught.value)


async def works(store: Store, head: Head, version: int = 0) -> None:
    """An append that waits for the server, and an accept."""
    answer = await store.append(change(head, [f"entry {version}"], version=version))
    assert answer.arrivals == 1
    assert (await store.accept(f"y{version}", mail("k"), now=NOW, create=NEW)).answer is Answer.QUEUED


# -- one server --------------------------------------------------------------------------------------


def test_a_server_that_was_killed_and_comes_back_is_waited_for() -> None:
    async def scenario(server: RedisServer) -> None:
        async with opened(server.dsn(), patience="20s") as store:
            head = known(await lease(store, "x"))
            for version in range(3):
                await asyncio.to_thread(server.kill)
                waiting = asyncio.ensure_future(works(store, head, version))
                await asyncio.sleep(0.1)
                assert not waiting.done()
                await asyncio.to_thread(server.start)
                await waiting
            assert list(await store.history("x")) == ["entry 0", "entry 1", "entry 2"]
            assert list(await store.verify()) == []

    with RedisServer() as server:
        asyncio.run(scenario(server))


def test_a_server_that_is_away_for_too_long_is_unavailable_and_the_same_call_is_safe_later() -> None:
    async def scenario(server: RedisServer) -> None:
        async with opened(server.dsn(), patience="200ms") as store:
            head = known(await lease(store, "x"))
            await asyncio.to_thread(server.kill)
            with pytest.raises(StoreUnavailable, match="can't be reached"):
                await store.append(change(head, ["e"], token="t"))
            with pytest.raises(StoreUnavailable):
                await store.beat("a", NOW, TTL)
            await asyncio.to_thread(server.start)
            await store.append(change(head, ["e"], token="t"))
            assert list(await store.history("x")) == ["e"]

    with RedisServer() as server:
        asyncio.run(scenario(server))


def test_a_server_that_stands_still_is_given_up_and_waited_for() -> None:
    async def scenario(server: RedisServer) -> None:
        async with opened(server.dsn(), patience="20s", timeout="150ms") as store:
            head = known(await lease(store, "x"))
            server.pause()
            waiting = asyncio.ensure_future(works(store, head))
            await asyncio.sleep(0.5)
            assert not waiting.done()
            server.resume()
            await waiting
            assert list(await store.history("x")) == ["entry 0"]

    with RedisServer() as server:
        asyncio.run(scenario(server))


def test_a_server_that_is_loading_is_waited_for() -> None:
    def loading(server: RedisServer) -> bool:
        try:
            server.say("PING")
        except BusyLoadingError:
            return True
        return False

    def rewritten(server: RedisServer) -> bool:
        return b"aof_rewrite_in_progress:0" in _info(server) and b"aof_last_bgrewrite_status:ok" in _info(server)

    async def scenario(server: RedisServer) -> None:
        async with opened(server.dsn(), patience="20s") as store:
            head = known(await lease(store, "x"))
            for number in range(20):
                blobs = {"sha256:aa": os.urandom(500_000)}
                await store.accept(f"z{number}", mail("k", blobs=blobs), now=NOW, create=NEW)
            server.say("BGREWRITEAOF")  # only what a snapshot holds is loaded as slowly as the server is told
            await asyncio.sleep(0.1)
            await asyncio.to_thread(patiently, lambda: rewritten(server), "the log is not rewritten")
            server.stop()
            server.start(wait=False)
            await asyncio.to_thread(patiently, lambda: loading(server), "the server is loaded at once")
            await works(store, head)
            assert (await store.counts())["pending"] == 21

    with RedisServer("--key-load-delay", "10000") as server:
        asyncio.run(scenario(server))


def test_a_server_without_memory_takes_nothing_more_and_loses_nothing() -> None:
    async def scenario(server: RedisServer) -> None:
        async with opened(server.dsn()) as store:
            head = known(await lease(store, "x"))
            await settle(store, "old", "completed")
            await store.accept("waiting", mail("k"), now=NOW, create=NEW)
            before = await store.head("x")
            server.say("CONFIG", "SET", "maxmemory", "1")
            calls: list[Any] = [
                store.append(change(head, ["e"], consumed=[1], release=True, status="failed", wake=NOW)),
                store.append(change(head, (), consumed=[1])),
                store.accept("waiting", mail("k2"), now=NOW),
                store.accept("waiting", None, now=NOW, owner="a"),
                store.accept("new", None, now=NOW, create=NEW),
                store.put("s", "k", "1"),
            ]
            for answer in await asyncio.gather(*calls, return_exceptions=True):
                assert isinstance(answer, StoreFull), answer
                assert "maxmemory" in str(answer)
            assert await store.head("x") == before
            assert await store.mailbox("waiting") == (1, ["{}"])
            assert list(await store.verify()) == []
            assert await store.delete("old", now=NOW) is True  # which gives memory back
            server.say("CONFIG", "SET", "maxmemory", "0")
            await works(store, head)
            assert list(await store.verify()) == []

    with RedisServer() as server:
        asyncio.run(scenario(server))


def test_a_disk_that_is_full_says_so() -> None:
    async def scenario(server: RedisServer) -> None:
        async with opened(server.dsn()) as store:
            head = known(await lease(store, "x"))
            (server.folder / "dump.rdb" / "in the way").mkdir(parents=True)
            server.say("CONFIG", "SET", "save", "1 1")
            await asyncio.to_thread(patiently, lambda: _misconfigured(server), "the snapshot does not fail")
            with pytest.raises(StoreFull, match="disk"):
                await store.append(change(head, ["e"]))
            server.say("CONFIG", "SET", "stop-writes-on-bgsave-error", "no")
            await works(store, head)

    with RedisServer(aof=None) as server:
        asyncio.run(scenario(server))


def _misconfigured(server: RedisServer) -> bool:
    server.say("SET", "something", secrets.token_hex(4)) if server.say("DBSIZE") == 0 else None
    return b"rdb_last_bgsave_status:err" in _info(server)


def _info(server: RedisServer) -> bytes:
    with server.client() as client:
        client.response_callbacks.clear()
        said: Any = client.execute_command("INFO", "persistence")
        return bytes(said)


def test_a_replica_is_waited_for_and_then_named() -> None:
    async def scenario(server: RedisServer) -> None:
        async with opened(server.dsn(), patience="300ms") as store:
            head = known(await lease(store, "x"))
            server.say("REPLICAOF", HOST, free_port())
            with pytest.raises(StoreReadOnly, match="replica"):
                await store.append(change(head, ["e"]))
            assert await store.head("x") == head
        async with opened(server.dsn(), patience="20s") as store:
            waiting = asyncio.ensure_future(works(store, head))
            await asyncio.sleep(0.1)
            server.say("REPLICAOF", "NO", "ONE")
            await waiting

    with RedisServer() as server:
        asyncio.run(scenario(server))


def test_passwords_are_asked_for_and_never_shown() -> None:
    async def scenario(server: RedisServer) -> None:
        async with opened(server.dsn()) as store:
            await works(store, known(await lease(store, "x")))
            server.say(
                "ACL", "SETUSER", "ow", "on", ">word with/signs", "~{ow:*", "resetchannels", "&ow:*", "+@all", "-@admin"
            )
        async with opened(f"redis://ow:word%20with%2Fsigns@{HOST}:{server.port}/0") as store:
            assert (await store.counts())["running"] == 1
            async with store.watch("x") as told:
                assert told is not None

    with RedisServer(password="s3cret") as server:
        asyncio.run(scenario(server))
        for user in ("", ":wr0ng@", "nobody:wr0ng@"):
            message = refused(f"redis://{user}{HOST}:{server.port}/0", StoreUnavailable)
            assert "wr0ng" not in message
            assert f"{HOST}:{server.port}" in message
            assert "password" in message


def test_nobody_there() -> None:
    port = free_port()
    message = refused(f"redis://user:s3cret@{HOST}:{port}/0", StoreUnavailable, patience="100ms")
    assert str(port) in message
    assert "s3cret" not in message
    assert str(port) in refused(f"redis+cluster://{HOST}:{port}", StoreUnavailable, patience="100ms")
    assert str(port) in refused(f"redis+sentinel://{HOST}:{port}/x/0", StoreUnavailable, patience="100ms")


def test_somebody_else_there() -> None:
    async def scenario() -> None:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(100)
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await writer.drain()
            writer.close()

        web = await asyncio.start_server(talk, HOST, 0)
        async with web:
            port = web.sockets[0].getsockname()[1]
            with pytest.raises(StoreCorrupt, match="protocol"):
                await RedisStore(f"redis://{HOST}:{port}/0").open()

    asyncio.run(scenario())


# -- TLS ---------------------------------------------------------------------------------------------


def test_certificates_of_both_sides(redis_server: RedisServer, tmp_path: Path) -> None:
    async def scenario(dsn: str) -> None:
        async with opened(dsn) as store:
            await works(store, known(await lease(store, "x")))
            async with store.watch("x") as told:
                assert told is not None

    authority = _Authority(tmp_path, "authority")
    stranger = _Authority(tmp_path, "stranger")
    authority.issue("server")
    authority.issue("client")
    stranger.issue("unknown")
    with _tls_front(redis_server.port, tmp_path, authority) as port:
        place = f"rediss://{HOST}:{port}/0?prefix={secrets.token_hex(4)}&ssl_ca_certs={tmp_path}"
        client = f"ssl_certfile={tmp_path}/client.pem&ssl_keyfile={tmp_path}/client.key"
        asyncio.run(scenario(f"{place}/authority.pem&{client}"))
        assert "certificate" in refused(f"{place}/stranger.pem&{client}", StoreUnavailable)
        unknown = f"ssl_certfile={tmp_path}/unknown.pem&ssl_keyfile={tmp_path}/unknown.key"
        assert str(port) in refused(f"{place}/authority.pem&{unknown}", StoreUnavailable, patience="200ms")
        assert str(port) in refused(f"{place}/authority.pem", StoreUnavailable, patience="200ms")


class _Authority:
    """Issues certificates into a folder, its own among them."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._write(name, self._key, self._certificate(name, self._key, authority=True))

    def issue(self, name: str) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        self._write(name, key, self._certificate(name, key, authority=False))

    def _certificate(self, name: str, key: ec.EllipticCurvePrivateKey, *, authority: bool) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        usage = x509.KeyUsage(True, False, False, False, False, authority, authority, False, False)
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self._name)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )

    def _write(self, name: str, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        pem = serialization.Encoding.PEM
        plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        (self._folder / f"{name}.pem").write_bytes(certificate.public_bytes(pem))
        (self._folder / f"{name}.key").write_bytes(key.private_bytes(pem, *plain))


@contextlib.contextmanager
def _tls_front(target: int, folder: Path, authority: _Authority) -> Generator[int]:
    """TLS before a server that was built without it; whoever comes must show a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    context.load_verify_locations(folder / "authority.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    loop = asyncio.new_event_loop()
    ended = asyncio.Event()
    ports: list[int] = []
    ready = threading.Event()

    open_writers: set[asyncio.StreamWriter] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_writers.add(writer)
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        open_writers.discard(writer)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, requests = await asyncio.open_connection(HOST, target)
        await asyncio.gather(pump(reader, requests), pump(answers, writer))

    async def run() -> None:
        loop.set_exception_handler(lambda *_: None)  # handshakes that fail are what is tested
        server = await asyncio.start_server(serve, HOST, 0, ssl=context)
        ports.append(server.sockets[0].getsockname()[1])
        ready.set()
        await ended.wait()
        server.close()
        while open_writers:
            for writer in open_writers:
                writer.transport.abort()
            await asyncio.sleep(0.01)

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),), daemon=True)
    thread.start()
    ready.wait(10)
    try:
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()
