"""Ports of 127.0.0.1 for servers of tests, lent to one process of the machine at a time.

A port that is free when it is looked at may be taken before the server that is to have it listens, by another
process of the same test run: its server then answers in place of ours. So each port is lent: who has it holds a lock
on a file of its number, which ends with the process at the latest. All of them are below those that the system gives
to connections, so none is taken by a client either.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path

HOST = "127.0.0.1"
PORTS = range(20_000, 30_000)
"""A cluster's node also uses the port 10,000 above its own."""

_chance = random.SystemRandom()  # Hypothesis gives the module's own generator the same seed in every process
_lent: dict[int, int] = {}


def free_port(*, bus: bool = False) -> int:
    """A port that is free, and nobody else's until ``return_port`` or the end of this process. With ``bus``, so is
    the one that a cluster's node uses for talking to the others."""
    for _ in range(500):
        port = _chance.choice(PORTS)
        if port not in _lent and _lend(port):
            if _free(port) and (not bus or _free(port + 10_000)):
                return port
            return_port(port)
    raise OSError("no port is free")


def return_port(port: int) -> None:
    """Nobody listens there any more."""
    descriptor = _lent.pop(port, None)
    if descriptor is not None:
        os.close(descriptor)


def _lend(port: int) -> bool:
    folder = Path(tempfile.gettempdir()) / f"overwinter-test-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    descriptor = os.open(folder / str(port), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return False
    _lent[port] = descriptor
    return True


def _free(port: int) -> bool:
    with socket.socket() as probe, contextlib.suppress(OSError):
        probe.bind((HOST, port))
        return True
    return False
