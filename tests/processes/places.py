"""Where the processes of a test keep their state: each kind of store, and what may happen to it while they work."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

from overwinter.state import open_store
from overwinter.tests.servers.moto import Moto, signed
from overwinter.tests.servers.proxy import Fault, Proxy
from overwinter.tests.servers.redis import RedisCluster, RedisServer


class Place(ABC):
    """A store that is up. ``dsn`` is how a process reaches it, ``direct`` how the test does, undisturbed."""

    dsn: str
    direct: str
    errands = 300
    sessions = 20
    spread = 6.0  # seconds within which all clients come
    calm = 10.0  # seconds after which nothing is disturbed any more
    disturbances: tuple[str, ...] = ()
    staying = 0.75  # of the clients wait for the answer; the others come back at the end

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    async def open(self) -> None: ...

    @abstractmethod
    async def close(self) -> None: ...

    def process(self, draw: random.Random) -> dict[str, Any]:
        """How one more process is started."""
        return {"dsn": self.dsn}

    def alone(self) -> dict[str, Any]:
        """How a process is started whose life is known to others by its lease alone, and whom nothing disturbs."""
        return {"dsn": self.direct}

    @abstractmethod
    async def fail(self, draw: random.Random) -> str:
        """The whole store fails for some seconds. What happened, for people."""

    def disturb(self, what: str, draw: random.Random) -> None:  # noqa: B027  # where there is no connection
        """One of ``disturbances`` happens to single connections."""

    def clear(self) -> None:  # noqa: B027  # where nothing lingers there is nothing to clear
        """Nothing happens any more."""


class Sqlite(Place):
    """One file. Half of the processes behave as on another machine: whether such a one lives is known only by its
    lease. Another connection that holds the lock takes the place of an outage."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._path = folder / "store.db"
        self.dsn = self.direct = f"sqlite:///{self._path}"

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    def process(self, draw: random.Random) -> dict[str, Any]:
        return {"dsn": self.dsn, "elsewhere": draw.random() < 0.5}

    def alone(self) -> dict[str, Any]:
        return {"dsn": self.dsn, "elsewhere": True}

    async def fail(self, draw: random.Random) -> str:
        await asyncio.to_thread(self._lock)
        return "the file was locked"

    def _lock(self) -> None:
        with contextlib.closing(sqlite3.connect(self._path, timeout=30, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            time.sleep(5.5)  # longer than anybody waits for it
            connection.execute("ROLLBACK")


class Remote(Place):
    """A store across a network, with a proxy before each of its servers. The clocks of the processes are up to five
    minutes apart. ``changes``: bytes that every request has that changes something."""

    changes: tuple[bytes, ...]
    disturbances = ("answer cut", "request cut", "answer dropped", "delay", "reset")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.proxies: list[Proxy] = []

    async def close(self) -> None:
        for proxy in self.proxies:
            proxy.close()

    def process(self, draw: random.Random) -> dict[str, Any]:
        return {"dsn": self.dsn, "skew": draw.choice((-300_000, 0, 300_000))}

    @abstractmethod
    async def fresh(self, name: str) -> None:
        """From now on ``dsn`` and ``direct`` mean an empty store of that name on the same servers."""

    # -- one request, whichever server it goes to ----------------------------------------------------

    def cut_after_request(self, when: bytes) -> Fault:
        return self._share(Proxy.cut_after_request, when)

    def cut_mid_request(self, when: bytes) -> Fault:
        return self._share(lambda proxy, when: proxy.cut_mid_request(40, when), when)

    def drop_replies(self, when: bytes) -> Fault:
        return self._share(Proxy.drop_replies, when)

    def _share(self, add: Callable[[Proxy, bytes], Fault], when: bytes) -> Fault:
        """One fault for all proxies: it happens at one of them."""
        fault = add(self.proxies[0], when)
        for proxy in self.proxies[1:]:
            proxy.add(fault)
        return fault

    # -- everything ----------------------------------------------------------------------------------

    def refuse(self) -> None:
        for proxy in self.proxies:
            proxy.refuse()

    def restore(self) -> None:
        for proxy in self.proxies:
            proxy.restore()

    def clear(self) -> None:
        for proxy in self.proxies:
            proxy.clear()

    def disturb(self, what: str, draw: random.Random) -> None:
        proxy, change = draw.choice(self.proxies), draw.choice(self.changes)
        if what == "answer cut":
            proxy.cut_after_request(change, times=draw.randint(1, 4))
        elif what == "request cut":
            proxy.cut_mid_request(draw.randint(1, 300), change, times=draw.randint(1, 3))
        elif what == "answer dropped":
            proxy.drop_replies(change)
        elif what == "delay":
            proxy.delay(draw.uniform(0.1, 1.0), change, times=draw.randint(1, 10))
        else:
            proxy.reset()


class Redis(Remote):
    """One server that writes every change to its file and is killed with it."""

    changes = (b"EVALSHA",)

    async def open(self) -> None:
        self._server = RedisServer().__enter__()
        self.proxies = [Proxy(self._server.port)]
        await self.fresh("ow")

    async def fresh(self, name: str) -> None:
        self.direct = self._server.dsn(prefix=name)
        self.dsn = self.direct.replace(str(self._server.port), str(self.proxies[0].port))

    async def close(self) -> None:
        await super().close()
        self._server.close()

    async def fail(self, draw: random.Random) -> str:
        return await fail(self._server, draw)


class Cluster(Remote):
    """Three nodes. Each tells everybody that it is to be found where its proxy is."""

    changes = (b"EVALSHA",)

    async def open(self) -> None:
        self._cluster = RedisCluster()
        for node in self._cluster.nodes:
            proxy = Proxy(node.port)
            self.proxies.append(proxy)
            node._settings += ["--cluster-announce-port", str(proxy.port)]
        self._cluster.__enter__()
        await self.fresh("ow")

    async def fresh(self, name: str) -> None:
        places = ",".join(f"127.0.0.1:{proxy.port}" for proxy in self.proxies)
        self.dsn = self.direct = f"redis+cluster://{places}?prefix={name}"

    async def close(self) -> None:
        await super().close()
        self._cluster.close()

    async def fail(self, draw: random.Random) -> str:
        return await fail(draw.choice(self._cluster.nodes), draw)


async def fail(server: RedisServer, draw: random.Random) -> str:
    """It is away for some seconds, in one of three ways."""
    how = draw.choice(("kill", "stop", "pause"))
    if how == "pause":
        server.pause()
        await asyncio.sleep(4)
        server.resume()
        return "the server stood still"
    await asyncio.to_thread(server.kill if how == "kill" else server.stop)
    await asyncio.sleep(2)
    await asyncio.to_thread(server.start)
    return "the server was killed" if how == "kill" else "the server was stopped"


class DynamoDB(Remote):
    """moto's server. It forgets everything at its end, so an outage is one of the network."""

    errands = 30
    sessions = 2
    staying = 0.2  # who waits asks again and again, and moto answers some dozens of requests a second
    changes = (b"UpdateItem", b"TransactWriteItems")

    async def open(self) -> None:
        self._signed = signed()
        self._signed.__enter__()
        self._moto = Moto().__enter__()
        self.proxies = [Proxy(self._moto.port)]
        await self.fresh("ow")

    def process(self, draw: random.Random) -> dict[str, Any]:
        return {**super().process(draw), "settings": {"poll": "3s"}}

    def alone(self) -> dict[str, Any]:
        return {**super().alone(), "settings": {"poll": "1s"}}

    async def fresh(self, name: str) -> None:
        self.direct = self._moto.dsn(f"table-{name}", bucket=f"bucket-{name}")
        self.dsn = self._moto.dsn(f"table-{name}", bucket=f"bucket-{name}", port=self.proxies[0].port)
        await open_store(self.direct).create()

    async def close(self) -> None:
        await super().close()
        self._moto.__exit__(None, None, None)
        self._signed.__exit__(None, None, None)

    async def fail(self, draw: random.Random) -> str:
        proxy, silent = self.proxies[0], draw.random() < 0.5
        proxy.silence() if silent else proxy.refuse()
        await asyncio.sleep(4)
        proxy.restore()
        return "the network was silent" if silent else "the network was away"


REMOTE: dict[str, type[Remote]] = {"redis": Redis, "cluster": Cluster, "dynamodb": DynamoDB}
PLACES: dict[str, type[Place]] = {"sqlite": Sqlite, **REMOTE}
