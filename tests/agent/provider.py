"""A provider of models on loopback, which speaks what it is told to."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Asked = dict[str, Any]
Answer = tuple[int, dict[str, str], Any]


class Provider(ThreadingHTTPServer):
    """Answers each request with ``answer``, or with what ``judge`` makes of it, and keeps what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer: Answer = (200, {}, {})
        self.judge: Callable[[Asked], Answer] | None = None
        self.asked: list[Asked] = []
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.peers: list[object] = []  # who asked, a connection each

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def says(self, finish: str = "stop", **message: Any) -> None:
        choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": None, **message}}
        usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
        body = {"id": "x", "object": "chat.completion", "created": 1, "model": "gpt-4o-mini"}
        self.answer = (200, {}, {**body, "choices": [choice], "usage": usage})

    def fails(self, status: int, message: str = "no", code: str = "", **headers: str) -> None:
        self.answer = (status, headers, {"error": {"message": message, "code": code, "type": code}})


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        provider = self.server
        assert isinstance(provider, Provider)
        provider.asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        provider.paths.append(self.path)
        provider.headers.append({name.lower(): value for name, value in self.headers.items()})
        provider.peers.append(self.client_address)
        status, headers, body = provider.judge(provider.asked[-1]) if provider.judge else provider.answer
        text = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"content-type": "application/json", "content-length": str(len(text)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is printed."""


@contextmanager
def serving() -> Generator[Provider]:
    provider = Provider()
    threading.Thread(target=provider.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield provider
    finally:
        provider.shutdown()
        provider.server_close()


@contextmanager
def breaking(*sent: bytes, hold: bool = False) -> Generator[str]:
    """A server that answers each connection with those bytes and closes it, or holds it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        held: list[socket.socket] = []

        def serve() -> None:
            for data in sent:
                try:
                    connection = listening.accept()[0]
                    connection.recv(65536)
                    connection.sendall(data)
                except OSError:
                    return
                held.append(connection)
                if not hold:
                    connection.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        for connection in held:
            connection.close()


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n"
BROKEN = (b"", b"HTTP/1.1 200", HEAD, HEAD + b'\r\n{"choices": [', b"SSH-2.0-OpenSSH_9.6\r\n")
"""How far an answer gets before its connection dies."""
