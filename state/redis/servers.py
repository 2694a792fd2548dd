"""Which server a call goes to: the one there is, the one that Sentinel names, or the node of a cluster that has the
partition. Redis' own client knows Sentinel and clusters; here are only the links to what it found.
"""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import Any, cast

from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.connection import Connection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import RedisClusterException, RedisError

from ..sizes import Sizes
from .address import Address, connection, fixed
from .keys import Partition
from .link import Link


class Servers(ABC):
    """``trouble`` is why ``link`` has nothing to give, ``sizes`` how many calls have travelled together."""

    trouble: Exception
    sizes: Sizes

    @abstractmethod
    def link(self, partition: Partition) -> Link | None:
        """To the server that has the partition; None while nobody knows which."""

    @abstractmethod
    def links(self) -> Sequence[Link]:
        """To all servers that have partitions, as far as they are known."""

    @abstractmethod
    def suspect(self, link: Link | None) -> None:
        """Something went wrong there: look again who is who."""

    @abstractmethod
    async def close(self) -> None: ...

    @abstractmethod
    async def dial(self) -> Connection:
        """A connection for messages, to any of them."""

    def at(self, host: str, port: int) -> Link | None:
        """To the server that another one has sent us to; None where nobody should."""
        return None

    def moved(self, slot: int, host: str, port: int) -> None:
        """A server has said who has that slot now."""
        return None


def servers(address: Address, timeout: float) -> Servers:
    return _Cluster(address, timeout) if address.mode == "cluster" else _One(address, timeout)


async def _connect(address: Address, timeout: float, host: str, port: int) -> Connection:
    made = connection(address, host, port, timeout)
    await cast(Any, made).connect()  # which the client does not type
    return made


class _One(Servers):
    """One server; with Sentinel, the primary of the moment: who it is, is asked whenever a connection is made."""

    def __init__(self, address: Address, timeout: float) -> None:
        self._address = address
        self._timeout = timeout
        self.sizes = Sizes()
        self._link = Link(address.hosts[0], self.dial, timeout, self.sizes)
        self._sentinel: Sentinel | None = None
        if address.mode == "sentinel":
            secure = {key: value for key, value in address.options.items() if key.startswith("ssl_")}
            once = Retry(NoBackoff(), 0)  # whoever calls tries again
            asking = {**address.sentinel, **secure, **fixed(timeout), "ssl": address.tls, "retry": once}
            self._sentinel = cast(Any, Sentinel)(list(address.hosts), sentinel_kwargs=asking)

    async def dial(self) -> Connection:
        host, port = self._address.hosts[0]
        if self._sentinel is not None:
            host, port = await cast(Any, self._sentinel).discover_master(self._address.service)
        return await _connect(self._address, self._timeout, host, int(port))

    def link(self, partition: Partition) -> Link | None:
        return self._link

    def links(self) -> Sequence[Link]:
        return [self._link]

    def suspect(self, link: Link | None) -> None:
        if link is not None:  # the next connection asks who is the primary, Sentinel or the names of hosts
            link.drop(ConnectionError("the primary is looked for again"))

    async def close(self) -> None:
        await self._link.close()
        if self._sentinel is not None:
            await asyncio.gather(*(sentinel.aclose() for sentinel in self._sentinel.sentinels))


class _Cluster(Servers):
    """A cluster: the table of slots is the client's, renewed whenever a node is suspected."""

    def __init__(self, address: Address, timeout: float) -> None:
        self.trouble = ConnectionError("it has not been said yet who has which slot")
        self._address = address
        self._timeout = timeout
        self.sizes = Sizes()
        self._links: dict[tuple[str, int], Link] = {}
        self._table: dict[int, tuple[str, int]] = {}  # slot -> its primary, for the slots that were asked for
        self._client: RedisCluster | None = None
        self._looking: asyncio.Task[None] | None = None

    def link(self, partition: Partition) -> Link | None:
        place = self._table.get(partition.slot) or self._find(partition.slot)
        if place is None:
            self.suspect(None)
            return None
        return self._links.get(place) or self.at(*place)

    def links(self) -> Sequence[Link]:
        return [self.at(*place) for place in self._primaries()]

    def at(self, host: str, port: int) -> Link:
        if (host, port) not in self._links:
            dial = partial(_connect, self._address, self._timeout, host, port)
            self._links[host, port] = Link((host, port), dial, self._timeout, self.sizes)
        return self._links[host, port]

    def moved(self, slot: int, host: str, port: int) -> None:
        self._table[slot] = (host, port)
        self.suspect(None)

    def suspect(self, link: Link | None) -> None:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.ensure_future(self._look())

    async def dial(self) -> Connection:
        places = self._primaries() or list(self._address.hosts)
        failure: Exception = self.trouble
        for host, port in places:
            try:
                return await _connect(self._address, self._timeout, host, port)
            except (RedisError, OSError) as error:
                failure = error
        raise failure

    async def close(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])
        await asyncio.gather(*(link.close() for link in self._links.values()))
        await self._leave()

    # -- the table -----------------------------------------------------------------------------------

    def _find(self, slot: int) -> tuple[str, int] | None:
        if self._client is None:
            return None
        nodes = self._client.nodes_manager.slots_cache.get(slot)
        if not nodes:
            return None
        place = self._table[slot] = (nodes[0].host, int(nodes[0].port))
        return place

    def _primaries(self) -> list[tuple[str, int]]:
        if self._client is None:
            return []
        table = self._client.nodes_manager.slots_cache
        return sorted({(nodes[0].host, int(nodes[0].port)) for nodes in table.values() if nodes})

    async def _look(self) -> None:
        if self._client is None:
            self._client = self._make()
        try:
            await self._client.nodes_manager.initialize()
        except (RedisClusterException, RedisError, OSError, LookupError) as error:
            # LookupError: nobody has any slot. All nodes it knew may be gone, so next time those in the address are
            # asked.
            self.trouble = error.__cause__ if isinstance(error.__cause__, Exception) else error
            await self._leave()
            return
        self._table.clear()
        primaries = set(self._primaries())
        for place in [place for place in self._links if place not in primaries]:
            self._links.pop(place).drop(ConnectionError(f"{place[0]}:{place[1]} has no slots any more"))
        await asyncio.sleep(0.05)  # however many calls suspect it, the table is not asked for more often

    def _make(self) -> RedisCluster:
        nodes = [ClusterNode(host, port) for host, port in self._address.hosts]
        options = {key: value for key, value in self._address.options.items() if key != "db"}
        return RedisCluster(
            startup_nodes=nodes,
            require_full_coverage=False,  # what is lost does not stop what is there
            ssl=self._address.tls,
            **options,
            **fixed(self._timeout),
        )

    async def _leave(self) -> None:
        client = self._client
        if client is not None:
            for kept in ("nodes_cache", "startup_nodes"):
                with contextlib.suppress(RedisError, OSError):
                    await client.nodes_manager.aclose(kept)
            self._client = None  # only now: whoever is stopped before leaves the rest to ``close``
