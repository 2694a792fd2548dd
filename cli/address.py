"""The address a server listens on: bound once, before anything else, so that a port in use is known at once and a
reload never refuses a connection (the listening socket outlives the process that serves it)."""

from __future__ import annotations

import errno
import socket

from .exits import UNAVAILABLE, USAGE, Exit

BACKLOG = 2048


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises Exit when the port is taken or the address is not this machine's."""
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise Exit(f"{host} is no address of this machine: {error.strerror}", code=USAGE) from None
    server = socket.socket(family, kind, protocol)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        server.bind(place)
        server.listen(BACKLOG)
    except OSError as error:
        server.close()
        raise _refused(host, port, error) from None
    server.setblocking(False)
    return server


def adopt(number: int) -> socket.socket:
    """The listening socket that a parent process has handed over."""
    return socket.socket(fileno=number)


def url(server: socket.socket) -> str:
    """Where a listening socket is reached from this machine."""
    host, port = server.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _refused(host: str, port: int, error: OSError) -> Exit:
    if error.errno == errno.EADDRINUSE:
        other = f"Stop what listens there, or choose another port: --port {port + 1}"
        return Exit(f"port {port} of {host} is in use", code=UNAVAILABLE, advice=other)
    if error.errno == errno.EACCES:
        return Exit(f"port {port} needs more rights", code=UNAVAILABLE, advice="Choose one above 1023: --port 8080")
    return Exit(f"can't listen on {host} port {port}: {error.strerror}", code=USAGE)
