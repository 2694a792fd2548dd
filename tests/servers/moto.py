"""moto's server as a process of its own, on a free port: DynamoDB and S3 over HTTP, in memory.

    with Moto() as moto:
        store = DynamoStore(moto.dsn("table", bucket="bucket"))

The process differs from moto's own command in what follows. It answers one request at a time: moto looks at a
condition and writes in two steps without a lock between them, which DynamoDB does in one. It has room for long
expressions, which moto reads by recursion. And it takes short cuts that change no answer, because moto is slow
where the store is busiest: it copies the whole table before a transaction, adds up the whole item for every attribute
it sets, and sends every attribute of an item through a model of the service; and it reads every expression several
times over, and counts the clauses of the whole again at each of its parts.

Credentials are dummies; ``credentials()`` gives them for the environment.
"""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Generator
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
def signed() -> Generator[None]:
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


def hasten() -> None:
    """The short cuts."""
    import base64
    import copy as real
    import json
    from types import SimpleNamespace
    from typing import Any

    import moto.dynamodb.models as models
    import moto.dynamodb.responses as responses
    from moto.dynamodb.exceptions import ItemSizeTooLarge
    from moto.dynamodb.models import dynamo_type, table

    # moto's own annotations stop here
    DynamoType: Any = dynamo_type.DynamoType
    Item: Any = dynamo_type.Item
    LimitedSizeDict: Any = dynamo_type.LimitedSizeDict
    Table: Any = table.Table

    touched: set[Any] = set()

    def size(value: Any) -> int:
        return int(value.size()) if type(value) is DynamoType else len(str(value).encode())

    def put(self: Any, name: str, value: Any) -> None:
        """As moto counts, without counting again what is there."""
        total = getattr(self, "total", 0) + size(value)
        total += -size(self[name]) if name in self else size(name)
        if total > 405_000:
            raise ItemSizeTooLarge
        self.total = total
        dict.__setitem__(self, name, value)

    def drop(self: Any, name: str, *default: Any) -> Any:
        if name in self:
            self.total -= size(name) + size(self[name])
        return dict.pop(self, name, *default)

    def keep(item: Any) -> Any:
        """moto replaces attributes, it never edits one."""
        other = Item.__new__(Item)
        other.__dict__.update(item.__dict__)
        other.attrs = LimitedSizeDict()
        other.attrs.__dict__.update(item.attrs.__dict__)
        dict.update(other.attrs, item.attrs)
        return other

    def deepcopy(thing: Any) -> Any:
        if isinstance(thing, Item):
            return keep(thing)
        if isinstance(thing, list):
            return [deepcopy(one) for one in thing]
        if not isinstance(thing, Table):
            return real.deepcopy(thing)
        other = Table.__new__(Table)
        other.__dict__.update(thing.__dict__)
        other.items = type(thing.items)(dict)
        for key, items in thing.items.items():
            kept = other.items[key] = dict(items)
            for sort in touched & kept.keys():
                kept[sort] = keep(kept[sort])
        return other

    def transact(self: Any, transact_items: Any) -> None:
        """moto keeps the table as it was; only what the transaction names can change in it."""
        touched.clear()
        for write in transact_items:
            (given,) = write.values()
            touched.add(DynamoType((given.get("Key") or given["Item"])["sk"]))
        transacted(self, transact_items)

    def execute(self: Any, context: Any) -> Any:
        if context.operation_model.name not in ("GetItem", "BatchGetItem", "Query", "UpdateItem"):
            return modelled(self, context)
        found = {name: value for name, value in self.result.items() if value is not None}
        text = json.dumps(found, default=lambda content: base64.b64encode(content).decode())
        return 200, {"Content-Type": "application/x-amz-json-1.0"}, text

    LimitedSizeDict.__setitem__, LimitedSizeDict.pop = put, drop
    LimitedSizeDict.__delitem__ = drop
    shared: Any = SimpleNamespace(deepcopy=deepcopy)
    models.copy = responses.copy = shared  # type: ignore[attr-defined]
    backend: Any = models.DynamoDBBackend
    transacted, backend.transact_write_items = backend.transact_write_items, transact
    plain: Any = responses.DynamoResult
    modelled = plain.execute_result
    plain.execute_result = execute


def hasten_expressions() -> None:
    """The short cuts for what updates and conditions are written in."""
    import copy as real
    from collections import deque
    from functools import cache, lru_cache
    from importlib import import_module
    from typing import Any

    # moto's own annotations stop here
    nodes: Any = import_module("moto.dynamodb.parsing.ast_nodes")
    validators: Any = import_module("moto.dynamodb.parsing.validators")
    Node, counts, overlaps = nodes.Node, validators.ActionCountValidator, validators.OverlappingPathsValidator
    updates: Any = import_module("moto.dynamodb.parsing.expressions").UpdateExpressionParser
    conditions: Any = import_module("moto.dynamodb.comparisons").ConditionExpressionParser
    within: Any = cache(issubclass)
    parsed, lexer = updates.make, conditions._lex_condition_expression

    def twin(node: Any) -> Any:
        if not isinstance(node, Node):
            return real.deepcopy(node)
        other = object.__new__(type(node))
        other.__dict__.update(node.__dict__)
        if node.children is not None:
            other.children = [twin(child) for child in node.children]
            for child in other.children:
                if isinstance(child, Node):
                    child.parent = other
        return other

    def walk(self: Any, node: Any, place: int = -1) -> Any:
        """As moto walks, without asking an abstract class about every node."""
        above = node.parent
        for number, child in enumerate(node.children or ()):
            self.pre_processing_of_child(node, number)
            if within(type(child), Node):
                walk(self, child, number)
        if within(type(node), self.kinds):
            node = self.process(node)
            node.parent = above
            if above:
                above.children[place] = node
        return node

    def traverse(self: Any, node: Any) -> Any:
        self.kinds = self.nodes_to_be_processed()
        return walk(self, node)

    @lru_cache(4096)
    def lexed(text: str) -> tuple[Any, ...]:
        return tuple(lexer(conditions(text, None, None)))

    def at_the_top(check: Any) -> Any:
        """Of the whole expression holds what holds of every part of it."""
        return lambda self, node: check(self, node) if isinstance(node, nodes.UpdateExpression) else node

    validators.deepcopy = twin
    nodes.DepthFirstTraverser.traverse = traverse
    counts.traverse = at_the_top(counts.verify_action_counts)
    overlaps.traverse = at_the_top(overlaps.check_for_overlapping_paths)
    updates.make = staticmethod(lru_cache(4096)(lambda text: parsed(text)))  # who changes one takes a copy first
    conditions._lex_condition_expression = lambda self: deque(lexed(self.condition_expression))


def serve() -> None:
    """Answer until standard input ends, which it does when the parent is gone."""
    import logging
    from collections.abc import Iterable
    from threading import Lock, Thread, stack_size
    from typing import Any

    from moto.moto_server.werkzeug_app import (  # pyright: ignore[reportMissingTypeStubs]
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    hasten()
    hasten_expressions()
    sys.setrecursionlimit(20_000)
    stack_size(256 * 1024 * 1024)
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
