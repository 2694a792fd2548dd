"""The proxy does to a connection what it says, and to no other. The server behind it keeps what it was told."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from overwinter.tests.servers.proxy import Proxy


class Server(socketserver.ThreadingTCPServer):
    """Answers every line with ``ok`` and the line, and keeps all lines it got whole."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.lines: list[str] = []
        self.broken: list[bytes] = []  # what stood after the last whole line when a connection ended
        self.port: int = self.server_address[1]


class _Session(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, Server)
        while line := self.rfile.readline():
            if not line.endswith(b"\n"):
                self.server.broken.append(line)
                return
            self.server.lines.append(line.decode().strip())
            self.wfile.write(b"ok " + line)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    with Proxy(server.port) as proxy:
        yield proxy


class Client:
    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def say(self, line: str) -> None:
        self.socket.sendall(line.encode() + b"\n")

    def heard(self) -> str:
        """The next piece of data; empty when the connection has ended."""
        try:
            return self.socket.recv(1000).decode().strip()
        except ConnectionError:
            return ""


def wait_for(true: object) -> None:
    assert callable(true)
    until = time.monotonic() + 10
    while not true():
        assert time.monotonic() < until
        time.sleep(0.005)


def test_passes_everything_on(server: Server, proxy: Proxy) -> None:
    with Client(proxy.port) as client:
        for word in ("one", "two"):
            client.say(word)
            assert client.heard() == f"ok {word}"
        client.say("x" * 500)
        assert client.heard() == "ok " + "x" * 500
    assert (proxy.connections, proxy.requests, proxy.cuts) == (1, 3, 0)


def test_cuts_after_the_request(server: Server, proxy: Proxy) -> None:
    fault = proxy.cut_after_request(b"two")
    with Client(proxy.port) as client, Client(proxy.port) as other:
        client.say("one")
        assert client.heard() == "ok one" and not fault.done
        client.say("two")
        assert client.heard() == "" and fault.done
        other.say("two")
        assert other.heard() == "ok two"  # it was to happen once, and to the connection that asked
    assert server.lines == ["one", "two", "two"]
    assert proxy.cuts == 1


def test_cuts_in_the_middle_of_a_request(server: Server, proxy: Proxy) -> None:
    fault = proxy.cut_mid_request(3)
    with Client(proxy.port) as client:
        client.say("nevermore")
        assert client.heard() == "" and fault.done
    wait_for(lambda: server.broken)
    assert (server.lines, server.broken) == ([], [b"nev"])


def test_drops_answers(server: Server, proxy: Proxy) -> None:
    fault = proxy.drop_replies(b"one")
    with Client(proxy.port) as client:
        client.say("one")
        assert fault.first.wait(10)
        client.socket.settimeout(0.05)
        with pytest.raises(TimeoutError):
            client.socket.recv(10)
    assert server.lines == ["one"]


def test_delays(server: Server, proxy: Proxy) -> None:
    proxy.delay(0.2)
    with Client(proxy.port) as client:
        began = time.monotonic()
        client.say("one")
        assert client.heard() == "ok one"
        assert time.monotonic() - began >= 0.2


def test_resets_and_serves_again(server: Server, proxy: Proxy) -> None:
    with Client(proxy.port) as client:
        client.say("one")
        assert client.heard() == "ok one"
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            client.socket.recv(10)
    with Client(proxy.port) as client:
        client.say("two")
        assert client.heard() == "ok two"


def test_refuses_on_the_same_port(server: Server, proxy: Proxy) -> None:
    with Client(proxy.port) as client:
        proxy.refuse()
        assert client.heard() == ""
    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            Client(proxy.port)
    proxy.restore()
    with Client(proxy.port) as client:
        client.say("one")
        assert client.heard() == "ok one"


def test_is_silent(server: Server, proxy: Proxy) -> None:
    with Client(proxy.port) as client:
        proxy.silence()
        client.say("one")
        client.socket.settimeout(0.05)
        with pytest.raises(TimeoutError):
            client.socket.recv(10)
        proxy.restore()
        client.socket.settimeout(10)
        assert client.heard() == ""
    assert server.lines == []
    with Client(proxy.port) as client:
        client.say("two")
        assert client.heard() == "ok two"


def test_a_server_that_is_down_refuses(server: Server) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with Proxy(free.getsockname()[1]) as proxy, suppress(ConnectionResetError), Client(proxy.port) as client:
            assert client.heard() == ""


def test_closing_ends_what_is_open(server: Server) -> None:
    proxy = Proxy(server.port)
    with Client(proxy.port) as client:
        client.say("one")
        assert client.heard() == "ok one"
        proxy.close()
        proxy.close()
        assert client.heard() == ""
    with pytest.raises(ConnectionRefusedError):
        Client(proxy.port)
