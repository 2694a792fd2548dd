"""Operations whose ``await`` was forgotten: statements such as ``ctx.step(refund, order)``, found in the source.

An operation begins when it is asked for, so one that nobody awaits is no error by itself. When the workflow ends it is
given up, perhaps before it has begun, and nothing else would tell of it.
"""

from __future__ import annotations

import ast
import linecache
import logging
from functools import lru_cache
from pathlib import Path
from types import CodeType

log = logging.getLogger("overwinter")

OPERATIONS = frozenset(
    {"approve", "branch", "call", "callback", "child", "delete", "get", "keys", "map", "parallel", "put", "read"}
    | {"sleep", "step", "until", "wait_for"}
)
"""Methods of a context and its state whose result says nothing until it is awaited."""


def tell(execution: str, coroutine: object) -> None:
    """A workflow has ended while operations were open: those whose ``await`` is missing are told of."""
    code: object = getattr(coroutine, "cr_code", None)
    if isinstance(code, CodeType):
        for line, text in lines(code):
            place = f"{Path(code.co_filename).name}:{line}"
            said = "execution %s: %s (%s) is not awaited, and is given up unfinished. Write await before it"
            log.warning(said, execution, text, place)


@lru_cache(maxsize=256)
def lines(code: CodeType) -> tuple[tuple[int, str], ...]:
    """Where in a workflow's function operations of its context stand without an ``await``: line and text."""
    source = linecache.getlines(code.co_filename)
    try:
        tree = ast.parse("".join(source))
    except (SyntaxError, ValueError):
        return ()  # it was changed meanwhile
    found: list[tuple[int, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.AsyncFunctionDef) and node.name == code.co_name:
            first = min([node.lineno, *(item.lineno for item in node.decorator_list)])
            arguments = [*node.args.posonlyargs, *node.args.args]
            if first == code.co_firstlineno and arguments:
                contexts = {argument.arg for argument in arguments[:2]}  # the second of a method
                found += [(line, source[line - 1].strip()) for line in _forgotten(node, contexts)]
    return tuple(sorted(found))


def _forgotten(function: ast.AsyncFunctionDef, contexts: set[str]) -> list[int]:
    return [
        node.lineno
        for node in ast.walk(function)
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Attribute)
        and node.value.func.attr in OPERATIONS
        and _root(node.value.func.value) in contexts
        and not any(keyword.arg == "detached" for keyword in node.value.keywords)
    ]


def _root(node: ast.expr) -> str:
    """The name that an attribute, or a call of one, begins with: ``ctx`` of ``ctx.kv("x")``."""
    while isinstance(node, (ast.Attribute, ast.Call)):
        node = node.value if isinstance(node, ast.Attribute) else node.func
    return node.id if isinstance(node, ast.Name) else ""
