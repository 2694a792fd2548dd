"""What the servers are and how they are set up, with a warning for whatever may lose data."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Literal

from ..errors import OverwinterError
from ..records import Remark
from .exchange import Exchange
from .keys import Partitions
from .layout import SCHEMA
from .link import Link
from .queries import Queries
from .wire import pack

_OLDEST = (6, 2)
_SKEW_MS = 1000
_NEARLY_FULL = 0.9
_SETTINGS = (b"appendonly", b"appendfsync", b"maxmemory", b"maxmemory-policy", b"min-replicas-to-write")

State = Literal["ok", "warn", "fail"]


class Survey:
    """``survey``."""

    def __init__(self, exchange: Exchange, partitions: Partitions, queries: Queries, prefix: str) -> None:
        self._exchange = exchange
        self._partitions = partitions
        self._queries = queries
        self._prefix = prefix

    async def survey(self) -> list[Remark]:
        count = len(self._partitions.all)
        remarks = [Remark("redis schema", "ok", f"schema {SCHEMA}, {count} partitions, prefix {self._prefix}")]
        remarks.append(await self._clock())
        for link in self._exchange.servers.links():
            place = f"{link.place[0]}:{link.place[1]}"
            try:
                info, settings = await self._info(link), await self._settings(link)
            except OverwinterError as error:
                remarks.append(Remark("redis server", "fail", f"{place}: {error}"))
                continue
            for remark in (_server, _log, _eviction, _memory, _replicas):
                remarks.append(remark(place, info, settings))
        return remarks

    async def _clock(self) -> Remark:
        before = time.time_ns() // 1_000_000
        there = await self._queries.time()
        after = time.time_ns() // 1_000_000
        apart = max(before - there, there - after, 0)
        if apart > _SKEW_MS:
            advice = "Synchronise the clocks of all machines (chrony, ntpd)"
            return Remark("redis clock", "warn", f"this machine's clock is {apart / 1000:.1f} s off Redis'", advice)
        return Remark("redis clock", "ok", "this machine's clock and Redis' agree")

    async def _info(self, link: Link) -> dict[str, str]:
        text = await self._exchange.run(self._partitions.all[0], pack(b"INFO"), bytes.decode, link=link)
        return dict(line.split(":", 1) for line in text.splitlines() if ":" in line and line[0] != "#")

    async def _settings(self, link: Link) -> dict[str, str]:
        """Those that can be read: a managed server may keep them to itself."""
        settings: dict[str, str] = {}
        for name in _SETTINGS:
            try:
                found = await self._exchange.run(
                    self._partitions.all[0], pack(b"CONFIG", b"GET", name), _texts, link=link
                )
            except OverwinterError:
                break
            settings.update(zip(found[::2], found[1::2], strict=True))
        return settings


def _server(place: str, info: Mapping[str, str], settings: Mapping[str, str]) -> Remark:
    kind = "Valkey" if "valkey_version" in info else "Redis"
    version = info.get("valkey_version") or info.get("redis_version", "?")
    detail = f"{place}: {kind} {version}, {info.get('redis_mode', '?')}, {info.get('connected_clients', '?')} clients"
    if kind == "Redis" and _version(version) < _OLDEST:
        return Remark("redis server", "fail", detail, "Upgrade to Redis 6.2 or later")
    return Remark("redis server", "ok", detail)


def _log(place: str, info: Mapping[str, str], settings: Mapping[str, str]) -> Remark:
    name, sync = "redis append-only file", settings.get("appendfsync")
    if info.get("aof_enabled") != "1":
        detail = f"{place}: off. What was written since the last snapshot is lost when the server ends"
        return Remark(name, "warn", detail, "Set appendonly yes and appendfsync everysec in redis.conf")
    if info.get("aof_last_write_status", "ok") != "ok":
        return Remark(name, "fail", f"{place}: the last write failed", "See the server's log, and free disk space")
    if sync == "no":
        detail = f"{place}: on, and the operating system decides when it reaches the disk (appendfsync no)"
        return Remark(name, "warn", detail, "Set appendfsync everysec, or always")
    lost = {"always": "nothing acknowledged is lost", "everysec": "a second may be lost when the machine dies"}
    return Remark(
        name, "ok", f"{place}: on, appendfsync {sync or 'unknown'}; {lost.get(sync or '', 'see its provider')}"
    )


def _eviction(place: str, info: Mapping[str, str], settings: Mapping[str, str]) -> Remark:
    policy = settings.get("maxmemory-policy") or info.get("maxmemory_policy", "unknown")
    if policy.startswith("allkeys"):
        detail = f"{place}: maxmemory-policy {policy} throws executions away when memory gets short"
        return Remark("redis eviction", "warn", detail, "Set maxmemory-policy noeviction: then writes wait instead")
    return Remark("redis eviction", "ok", f"{place}: maxmemory-policy {policy}, which evicts no execution")


def _memory(place: str, info: Mapping[str, str], settings: Mapping[str, str]) -> Remark:
    used = int(info.get("used_memory", 0))
    most = int(settings.get("maxmemory") or info.get("maxmemory") or 0)
    bound, source = (most, "maxmemory") if most else (int(info.get("total_system_memory", 0)), "the machine's memory")
    detail = f"{place}: {_size(used)} used of {_size(bound)} ({source})"
    if bound and used >= bound * _NEARLY_FULL:
        state: State = "fail" if most and used >= most else "warn"
        return Remark("redis memory", state, detail, "Raise maxmemory, or prune finished executions")
    return Remark("redis memory", "ok", detail)


def _replicas(place: str, info: Mapping[str, str], settings: Mapping[str, str]) -> Remark:
    name, number = "redis replicas", info.get("connected_slaves", "0")
    if info.get("role") == "slave":
        return Remark(name, "fail", f"{place} is a replica and takes no writes", "Connect to the primary")
    if number == "0":
        return Remark(name, "ok", f"{place}: none; this server's disk is the only copy")
    if settings.get("min-replicas-to-write", "0") == "0":
        detail = f"{place}: {number}; what it has not got yet is lost when it takes over"
        return Remark(
            name, "warn", detail, "Set min-replicas-to-write 1: then no more than min-replicas-max-lag is lost"
        )
    return Remark(name, "ok", f"{place}: {number}, of which {settings['min-replicas-to-write']} must follow")


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2] if part.isdecimal())


def _size(number: int) -> str:
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{number / 1e6:.1f} MB"


def _texts(reply: Any) -> list[str]:
    return [text.decode() for text in reply]
