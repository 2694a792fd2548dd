"""moto's server as a process of its own, on a free port: DynamoDB and S3 over HTTP, in memory.

    with Moto() as moto:
        store = DynamoStore(moto.dsn("table", bucket="bucket"))

The process differs from moto's own command in three points. It answers one request at a time: moto looks at a
condition and writes in two steps without a lock between them, which DynamoDB does in one. Before a transaction it
copies only what that may change: moto copies the whole table each time. It keeps connections open.

Credentials are dummies; ``credentials()`` gives them for the environment.
"""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

_READY = "ready "


def credentials() -> dict[str, str]:
    """Environment in which AWS's own chain finds credentials, and no account is reached by mistake."""
    return {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_SESSION_TOKEN": "testing",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@contextmanager
def signed() -> Iterator[None]:
    """Dummy credentials in this process's environment, and what was there before, afterwards."""
    before = {name: os.environ.get(name) for name in credentials()}
    os.environ.update(credentials())
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


class Moto:
    """The server's process. Everything in it is gone when the block ends."""

    port = 0

    def __enter__(self) -> Moto:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", __file__],
            stdout=subprocess.PIPE,
            stdin=subprocess.PIPE,
            env={**os.environ, **credentials()},
            text=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.startswith(_READY):
            self.__exit__(None, None, None)
            raise RuntimeError("moto's server did not start; is moto[server] installed?")
        self.port = int(line.removeprefix(_READY))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def dsn(self, table: str = "", *, bucket: str = "", port: int | None = None, **options: str) -> str:
        """A DSN on this server, or on a proxy's ``port`` before it. Without a name the table is a fresh one."""
        table = table or f"t-{uuid.uuid4().hex[:12]}"
        endpoint = self.url if port is None else f"http://127.0.0.1:{port}"
        given = {"region": "eu-central-1", "endpoint": endpoint, "bucket": bucket, **options}
        return f"dynamodb://{table}?" + "&".join(f"{name}={value}" for name, value in given.items() if value)


def _copy_cheaply() -> None:
    """Before a transaction keep each item's attributes, not a deep copy: moto replaces them, it never edits one."""
    import copy as real
    from types import SimpleNamespace
    from typing import Any

    import moto.dynamodb.models as models
    from moto.dynamodb.models.dynamo_type import Item, LimitedSizeDict
    from moto.dynamodb.models.table import Table

    def keep(item: Item) -> Item:
        other = Item.__new__(Item)
        other.__dict__.update(item.__dict__)
        other.attrs = LimitedSizeDict()
        dict.update(other.attrs, item.attrs)
        return other

    def deepcopy(thing: Any) -> Any:
        if isinstance(thing, Item):
            return keep(thing)
        if not isinstance(thing, Table):
            return real.deepcopy(thing)
        table = Table.__new__(Table)
        table.__dict__.update(thing.__dict__)
        table.items = type(thing.items)(dict)  # type: ignore[arg-type]
        for key, items in thing.items.items():
            table.items[key] = {sort: keep(item) for sort, item in items.items()}
        return table

    models.copy = SimpleNamespace(deepcopy=deepcopy)  # type: ignore[attr-defined]


def serve() -> None:
    """Answer until standard input ends, which it does when the parent is gone."""
    import logging
    from collections.abc import Iterable
    from threading import Lock, Thread
    from typing import Any

    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    _copy_cheaply()
    application, one = DomainDispatcherApplication(create_backend_app), Lock()

    def answer(environ: Any, start: Any) -> Iterable[bytes]:
        with one:
            return list(application(environ, start))

    class Handler(MotoRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

    server = make_server("127.0.0.1", 0, answer, threaded=True, request_handler=Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    print(f"{_READY}{server.server_port}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    sys.path.pop(0)  # this folder: a module of it is named like the package that is served
    serve()
