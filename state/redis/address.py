"""What a DSN says: which servers, how to connect to them, and how the store lies in them.

redis://user:password@host:6379/0?partitions=16&prefix=ow&compress=1KB
rediss://host:6380/0?ssl_ca_certs=ca.pem&ssl_certfile=client.pem&ssl_keyfile=client.key
redis+cluster://h1:7000,h2:7001       rediss+cluster://…
redis+sentinel://h1:26379,h2:26379/service/0       rediss+sentinel://…
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from redis.asyncio.connection import Connection, SSLConnection, parse_url

from ...security.address import shown
from ...security.redaction import redacted
from ..compression import ABOVE, OPTION, asked
from ..errors import InvalidInput

PARTITIONS = 16
"""How many partitions a new store has. It never changes afterwards."""

_PORTS = {"": 6379, "cluster": 6379, "sentinel": 26379}
_SERVER_OPTIONS = (  # those of Redis' own client that make sense here, by its names
    "client_name",
    "db",
    "ssl_ca_certs",
    "ssl_ca_path",
    "ssl_cert_reqs",
    "ssl_certfile",
    "ssl_check_hostname",
    "ssl_ciphers",
    "ssl_keyfile",
    "ssl_password",
)
_OPTIONS = ("partitions", "prefix", OPTION, "sentinel_username", "sentinel_password", *_SERVER_OPTIONS)
_ADVICE = (
    "write redis://host:6379/0, rediss://…, redis+cluster://h1,h2 or redis+sentinel://h1,h2/service/0. In a password "
    "the characters : / ? # @ and % are written %3A %2F %3F %23 %40 %25"
)
_PREFIX = re.compile(r"[A-Za-z0-9_.:/-]{1,64}")


class Address(NamedTuple):
    """``name`` is the DSN without its password, for people. ``options`` go to Redis' own client."""

    name: str
    mode: str  # "" (one server), "cluster" or "sentinel"
    hosts: tuple[tuple[str, int], ...]
    tls: bool
    service: str  # what Sentinel calls the primary
    options: dict[str, Any]
    sentinel: dict[str, Any]  # user and password for the sentinels themselves
    prefix: str
    partitions: int | None  # None: not said
    above: int  # bytes from which on texts are compressed; 0: none are


def parse(dsn: str) -> Address:
    """Raises InvalidInput; its message shows no password."""
    name = shown(dsn)
    try:
        parts = urlsplit(dsn)
    except ValueError:  # its message may hold the password
        raise InvalidInput(f"{name!r} is no address of a Redis store; {_ADVICE}") from None
    scheme, _, mode = parts.scheme.partition("+")
    if scheme not in ("redis", "rediss") or mode not in _PORTS:
        raise InvalidInput(f"{name!r} is no address of a Redis store; {_ADVICE}")
    said = dict(parse_qsl(parts.query, keep_blank_values=True))
    if set(said) - set(_OPTIONS):
        raise InvalidInput(f"{name}: there is an option that is none; there are {', '.join(_OPTIONS)}")
    user, _, places = parts.netloc.rpartition("@")
    hosts = tuple(_host(place, _PORTS[mode], name) for place in places.split(",") if place)
    service, path = "", parts.path
    if mode == "sentinel":
        service, _, path = parts.path.strip("/").partition("/")
        service = unquote(service)
        if not service:
            raise InvalidInput(f"{name} does not say what Sentinel calls the primary: redis+sentinel://h1,h2/SERVICE/0")
    if mode == "cluster" and path.strip("/") not in ("", "0"):
        raise InvalidInput(f"{name}: a cluster has only database 0")
    return Address(
        name=name,
        mode=mode,
        hosts=hosts or (("localhost", _PORTS[mode]),),
        tls=scheme == "rediss",
        service=service,
        options=_options(name, scheme, user, path, said),
        sentinel={key: said[f"sentinel_{key}"] for key in ("username", "password") if f"sentinel_{key}" in said},
        prefix=_prefix(name, said.get("prefix", "ow")),
        partitions=_partitions(name, said.get("partitions")),
        above=asked(said.get(OPTION), ABOVE),
    )


def connection(address: Address, host: str, port: int, timeout: float) -> Connection:
    """One of Redis' own client, not connected, to that server."""
    kind = SSLConnection if address.tls else Connection
    return kind(host=host, port=port, **address.options, **fixed(timeout))


def fixed(timeout: float) -> dict[str, Any]:
    """What every connection has: times, and the older protocol, which all servers speak."""
    return {"protocol": 2, "socket_timeout": timeout, "socket_connect_timeout": timeout}


def _options(name: str, scheme: str, user: str, path: str, said: dict[str, str]) -> dict[str, Any]:
    number = path.strip("/") or said.get("db", "0")
    if not number.isdecimal():
        raise InvalidInput(f"{name}: what stands after the host is not the number of a database; {_ADVICE}")
    kept = {key: value for key, value in said.items() if key in _SERVER_OPTIONS and key != "db"}
    plain = (
        f"{scheme}://{user}@host/{number}?{urlencode(kept)}" if user else f"{scheme}://host/{number}?{urlencode(kept)}"
    )
    try:
        options: dict[str, Any] = dict(parse_url(plain))
    except ValueError as error:
        raise InvalidInput(f"{name}: {redacted(str(error))}") from None
    if scheme == "redis" and (tls := sorted(key for key in options if key.startswith("ssl_"))):
        raise InvalidInput(f"{name}: {', '.join(tls)} needs rediss://")
    for key in ("host", "port", "connection_class"):
        options.pop(key, None)
    return options


def _host(place: str, port: int, name: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{place}")
        return unquote(parts.hostname or "localhost"), parts.port or port
    except ValueError:
        raise InvalidInput(f"{name}: there is a host and port that are none; {_ADVICE}") from None


def _prefix(name: str, prefix: str) -> str:
    if not _PREFIX.fullmatch(prefix):
        raise InvalidInput(f"{name}: the prefix must be 1 to 64 letters, digits or any of _ . : / -")
    return prefix


def _partitions(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdecimal() or not 1 <= int(text) <= 1024:
        raise InvalidInput(f"{name}: partitions must be a number from 1 to 1024")
    return int(text)
