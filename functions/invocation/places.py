"""Where in the user's code a function was declared, "shop.py:31": for errors about it that come before anything ran."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast


def place_of(function: Any) -> str:
    """The file and line of a tool, a workflow or an agent; "" when that can't be told."""
    if getattr(function, "kind", None) == "agent":
        return next(_calls(function), "")
    plain = getattr(function, "fn", getattr(function, "function", None))  # of a workflow, of a tool
    code: Any = getattr(inspect.unwrap(plain), "__code__", None) if callable(plain) else None
    return "" if code is None else f"{Path(code.co_filename).name}:{code.co_firstlineno}"


def at(function: Any) -> str:
    """The place as the beginning of a sentence."""
    place = place_of(function)
    return f"{place}: " if place else ""


def _calls(agent: Any) -> Iterator[str]:
    """Calls of ``Agent`` that give this agent's name, in the modules that hold it. Nothing is noted when an agent is
    made: only who has an error to tell reads the files."""
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if not isinstance(file, str) or not any(thing is agent for thing in list(vars(module).values())):
            continue
        try:
            tree = ast.parse(Path(file).read_text("utf-8"))
        except (OSError, ValueError, SyntaxError):
            continue
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and _called(node.func) in ("Agent", "ForeignAgent")
                and _name(node) == agent.name
            ):
                yield f"{Path(file).name}:{node.lineno}"


def _called(function: ast.expr) -> str:
    """The last word of what is called: of ``Agent``, ``overwinter.Agent`` and ``Agent[Answer]``."""
    if isinstance(function, ast.Subscript):
        return _called(function.value)
    return str(getattr(function, "id", getattr(function, "attr", "")))


def _name(call: ast.Call) -> object:
    given = [word.value for word in call.keywords if word.arg == "name"] or call.args[:1]
    return cast("object", given[0].value) if given and isinstance(given[0], ast.Constant) else None
