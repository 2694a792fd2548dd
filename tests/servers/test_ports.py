"""A port is lent to one process at a time, and a server that answers is the one that was started."""

from __future__ import annotations

import subprocess
import sys

import pytest

from overwinter.tests.servers import ports
from overwinter.tests.servers.ports import free_port, return_port
from overwinter.tests.servers.redis import RedisServer

BORROW = """
import overwinter.tests.servers.ports as ports
ports.PORTS = range({0}, {0} + 1)
print(ports.free_port())
"""


def other(port: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", BORROW.format(port)], capture_output=True, text=True, check=False)


def test_a_port_is_lent_to_one_process_at_a_time() -> None:
    port = free_port()
    assert "no port is free" in other(port).stderr
    return_port(port)
    assert other(port).stdout.strip() == str(port)


def test_within_a_process_too(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setattr(ports, "PORTS", range(port, port + 1))
    with pytest.raises(OSError, match="no port is free"):
        free_port()
    return_port(port)


def test_another_server_on_its_port_is_not_taken_for_the_one_that_was_started() -> None:
    with RedisServer(aof=None) as first:
        second = RedisServer(aof=None, port=first.port)
        with pytest.raises(RuntimeError, match="ended with 1"), second:
            pass
