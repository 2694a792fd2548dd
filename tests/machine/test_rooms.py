"""The rooms of definitions and their validation are pure: of the library they know ``state`` alone, and nothing that
reads a file, a clock, an environment or chance. Nor do pictures and tests."""

from __future__ import annotations

import ast
from pathlib import Path

import overwinter

MACHINE = Path(overwinter.__file__).parent / "orchestrator" / "machine"
ROOMS = ("definition", "validation")
PURE = (*ROOMS, "drawing", "trial")
PLAIN = {
    "__future__", "bisect", "collections", "dataclasses", "datetime", "difflib", "functools", "hashlib", "itertools",
    "json", "re", "types", "typing", "yaml", "jlens",
}  # fmt: skip
IMPURE = {"open", "print", "input", "now", "utcnow", "today", "getenv"}


def test_they_import_state_and_plain_libraries_only() -> None:
    wrong: list[str] = []
    for path in (path for room in ROOMS for path in (MACHINE / room).rglob("*.py")):
        depth = len(path.relative_to(MACHINE).parts)  # dots that lead to the room of machines
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level:
                beyond = node.level > depth
                allowed = not beyond or (node.module or "").split(".")[0] == "state"
                wrong += [] if allowed else [f"{path.name}:{node.lineno}"]
            elif isinstance(node, ast.ImportFrom):
                wrong += [] if (node.module or "").split(".")[0] in PLAIN else [f"{path.name}:{node.lineno}"]
            elif isinstance(node, ast.Import):
                wrong += [f"{path.name}:{node.lineno}" for name in node.names if name.name.split(".")[0] not in PLAIN]
    assert not wrong


def test_they_call_nothing_that_is_not_pure() -> None:
    wrong = [
        f"{path.name}:{node.lineno}"
        for room in PURE
        for path in (MACHINE / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and (node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")) in IMPURE
    ]
    assert not wrong
