"""A counting proxy before a DynamoDB endpoint: which requests were made, for which item, at what price.

It stands on the wire, so it counts what is really sent, retries included, whatever the client believes. What a write
costs is worked out from the items before and after it by DynamoDB's rules: a unit for each KB begun of the larger of
both, twice that within a transaction, and once more for every index whose entry comes, goes or changes. (moto does
not work it out.)
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

Item = dict[str, Any]
WRITES = ("PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem")


class Request(NamedTuple):
    """``units``: write units, 0 for a read."""

    operation: str
    body: str
    units: int

    def names(self, id: str) -> bool:
        """Whether an item of that execution is meant. Heartbeats and looks at the due index name none."""
        return id in self.body


class Meter:
    """Inside the context ``url`` leads to ``endpoint``, and ``requests`` holds what went through, in order."""

    def __init__(self, endpoint: str) -> None:
        self._target = urlsplit(endpoint).netloc
        self.requests: list[Request] = []
        self._indexes: dict[str, list[Item]] = {}
        self._one = Lock()  # so that no other write falls between the looks before and after

    def __enter__(self) -> Self:
        meter = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                status, answer, headers = meter.forward(dict(self.headers), body)
                self.send_response_only(status)
                for name, value in headers:
                    if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def port(self) -> int:
        return self._server.server_port

    def forward(self, headers: dict[str, str], body: bytes) -> tuple[int, bytes, list[tuple[str, str]]]:
        operation = headers.get("X-Amz-Target", "").rpartition(".")[2]
        if operation not in WRITES:
            self.requests.append(Request(operation, body.decode(), 0))
            return self._ask(headers, body)
        with self._one:
            written = list(_written(operation, json.loads(body)))
            before = [self._item(headers, table, key) for table, key in written]
            answer = self._ask(headers, body)
            after = [self._item(headers, table, key) for table, key in written]
            factor = 2 if operation == "TransactWriteItems" else 1
            units = 0
            for (table, _), old, new in zip(written, before, after, strict=True):
                units += factor * max(_units(old), _units(new), 1)
                units += sum(_index_units(index, old, new) for index in self._indexes_of(headers, table))
            self.requests.append(Request(operation, body.decode(), units))
        return answer

    def _ask(self, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes, list[tuple[str, str]]]:
        connection = HTTPConnection(self._target, timeout=30)
        try:
            connection.request("POST", "/", body, {**headers, "Content-Length": str(len(body))})
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.getheaders()
        finally:
            connection.close()

    def _read(self, headers: Mapping[str, str], operation: str, request: Item) -> Item:
        target = {**headers, "X-Amz-Target": f"DynamoDB_20120810.{operation}"}
        found: Item = json.loads(self._ask(target, json.dumps(request).encode())[1])
        return found

    def _item(self, headers: Mapping[str, str], table: str, key: Item) -> Item | None:
        return self._read(headers, "GetItem", {"TableName": table, "Key": key}).get("Item")

    def _indexes_of(self, headers: Mapping[str, str], table: str) -> list[Item]:
        if table not in self._indexes:
            described = self._read(headers, "DescribeTable", {"TableName": table})["Table"]
            self._indexes[table] = described.get("GlobalSecondaryIndexes", [])
        return self._indexes[table]


def _written(operation: str, request: Item) -> Iterator[tuple[str, Item]]:
    """Table and key of every item that a request writes. The key is ``pk`` and ``sk``."""
    parts: list[tuple[str, Item]] = []
    if operation == "TransactWriteItems":
        parts = [(part["TableName"], part) for action in request["TransactItems"] for part in action.values()]
    elif operation == "BatchWriteItem":
        for table, actions in request["RequestItems"].items():
            parts += [(table, part) for action in actions for part in action.values()]
    else:
        parts = [(request["TableName"], request)]
    for table, part in parts:
        item = part.get("Key") or part["Item"]
        yield table, {name: item[name] for name in ("pk", "sk") if name in item}


def _units(item: Item | None) -> int:
    return math.ceil(size(item) / 1024) if item else 0


def _index_units(index: Item, old: Item | None, new: Item | None) -> int:
    keys = [part["AttributeName"] for part in index["KeySchema"]]
    before, after = _projected(index, keys, old), _projected(index, keys, new)
    if before == after:
        return 0
    if before and after and all(before[key] == after[key] for key in keys):
        return max(_units(before), _units(after))
    return _units(before) + _units(after)


def _projected(index: Item, keys: list[str], item: Item | None) -> Item | None:
    """The entry of an item in an index; none when it lacks one of the index' keys."""
    if item is None or not all(key in item for key in keys):
        return None
    projection = index["Projection"]
    if projection["ProjectionType"] == "ALL":
        return item
    kept = {"pk", "sk", *keys, *projection.get("NonKeyAttributes", ())}
    return {name: value for name, value in item.items() if name in kept}


def size(item: Item) -> int:
    """Bytes of an item as DynamoDB counts them: names and values."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: Item) -> int:
    kind: str
    content: Any
    ((kind, content),) = value.items()
    if kind == "S":
        return len(content.encode())
    if kind == "N":
        digits = str(content).replace(".", "")
        return math.ceil(len(digits.removeprefix("-")) / 2) + 1 + digits.startswith("-")
    if kind == "B":
        return len(content) * 3 // 4  # base64
    if kind == "M":
        return 3 + sum(1 + len(name.encode()) + _value_size(part) for name, part in content.items())
    if kind == "L":
        return 3 + sum(1 + _value_size(part) for part in content)
    return sum(len(part.encode()) for part in content) if kind in ("SS", "NS", "BS") else 1
