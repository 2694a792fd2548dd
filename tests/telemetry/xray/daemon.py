"""A daemon of the tests' own: takes datagrams as X-Ray's does, and holds each document against the schema."""

from __future__ import annotations

import json
import socket
import unicodedata
from pathlib import Path
from typing import Any, Self

from jsonschema import Draft4Validator

SCHEMA = Draft4Validator(json.loads((Path(__file__).parent / "segment.schema.json").read_text("utf-8")))
HEADER = '{"format":"json","version":1}'


def check(document: dict[str, Any]) -> None:
    """It is what the schema says, and its name has only characters that X-Ray takes."""
    SCHEMA.validate(document)
    wrong = [
        one for one in document["name"] if one not in "_.:/%&#=+\\-@" and unicodedata.category(one)[0] not in "LNZ"
    ]
    assert not wrong, wrong
    assert document["start_time"] <= document["end_time"]
    assert len(json.dumps(document, ensure_ascii=False).encode()) < 64_000


class Daemon:
    """Listens on a port of its own."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def documents(self) -> list[dict[str, Any]]:
        """What has come since the last time, checked."""
        found: list[dict[str, Any]] = []
        while True:
            try:
                datagram = self._socket.recv(65_536)
            except BlockingIOError:
                return found
            header, _, text = datagram.decode().partition("\n")
            assert header == HEADER
            document = json.loads(text)
            check(document)
            found.append(document)
