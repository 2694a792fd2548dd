"""Where an ``http:invoke`` may go: its endpoint may come from an execution's input, and so from outside.

By https to public addresses; to this machine itself, except where that is a platform's (Lambda, Kubernetes), whose own
services listen there; and to the origins that configuration allows. A name is looked up once, and the connection goes
to the address that was looked at.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
from urllib.parse import urlsplit

from ...state.errors import StateFailed
from .configuration import VARIABLE, origin_of

SOCKET = "States.Http.Socket"
_PLATFORMS = ("AWS_LAMBDA_RUNTIME_API", "KUBERNETES_SERVICE_HOST")


async def address(url: str, allowed: frozenset[str]) -> str:
    """The address that the request goes to; "" for whatever the name means, where that is allowed. Raises StateFailed
    when nothing may go there."""
    origin, parts = origin_of(url), urlsplit(url)
    host = parts.hostname or ""
    if origin in allowed:
        return ""
    literal = _literal(host)
    if _is_here(host, literal) and not any(os.environ.get(one) for one in _PLATFORMS):
        return ""
    how = f"set allow = [{origin!r}] in [machine.http] of overwinter.toml, or in {VARIABLE}"
    if parts.scheme != "https":
        raise StateFailed(SOCKET, f"{origin} is not called: the endpoint is no https; {how}")
    found = [host] if literal is not None else await _looked_up(host, parts.port or 443)
    if not found:
        raise StateFailed(SOCKET, f"{host} has no address")
    if not all(_is_public(one) for one in found):
        raise StateFailed(SOCKET, f"{origin} is not called: its address is not public; {how}")
    return found[0]


def _is_here(host: str, literal: ipaddress.IPv4Address | ipaddress.IPv6Address | None) -> bool:
    return host == "localhost" if literal is None else literal.is_loopback


_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
"""IPv6 addresses that a network's NAT64 makes IPv4 of, which is the last four bytes."""


def _is_public(text: str) -> bool:
    found = ipaddress.ip_address(text)
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour
        if found in _TRANSLATED:
            inner = ipaddress.IPv4Address(found.packed[-4:])
        if inner is not None:
            return inner.is_global
    return found.is_global and not found.is_multicast


def _literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


async def _looked_up(host: str, port: int) -> list[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise StateFailed(SOCKET, f"{host} is not found: {error}") from None
    return [str(one[4][0]).partition("%")[0] for one in found]
