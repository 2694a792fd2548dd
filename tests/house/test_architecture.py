"""The house keeps its shape: arrows point down, files and functions stay small, no error is swallowed.

Everything here is read from the source by ``ast``; nothing is imported.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]

# A room may import from rooms below it and from itself. ``root`` is the package's own __init__.py.
ROOMS = {
    "cli": 7,
    "console": 6,
    "patterns": 6,
    "testing": 6,
    "root": 5,
    "functions": 4,
    "orchestrator": 3,
    "telemetry": 2,
    "state": 1,
    "security": 0,
}
# The rooms within a room, in groups: each may import from those of earlier groups, and from none beside it. Files that
# lie beside the rooms are their faces (``orchestrator/runtime.py``) or what they share (``cli/options.py``).
INNER = {
    "orchestrator": (
        "errors",
        "usercode",
        "protocol",
        "audit",
        "governance",
        "upkeep",
        "streaming",
        "workflow agent schedule machine queue engine",
        "timeline",
    ),
    "functions": (
        "messages invocation",
        "models",
        "memory",
        "events",
        "triggers bus integrations",
        "metering",
        "http",
        "aws framework",
        "tools",
        "toolsets",
        "agents stubs frameworks",
    ),
    "cli": ("templates", "view", "rendering", "commands"),
    "state": ("sqlite redis dynamodb sealing", "contract"),
}
PUBLIC_MODULES = ("functions.model",)  # beside the face itself: what a user writes a model of their own with
LOWEST = ("__version__",)  # the one name that rooms below the public face may take from it

FILE_LIMIT = 400
FUNCTION_LIMIT = 60
VAGUE = {"utils", "util", "helpers", "helper", "common", "types", "manager", "misc", "core", "base"}

# The outer edges: the only places that may catch every error, and why.
EDGES = {
    "functions/messages/problem.py": "an error that nobody foresaw becomes a 500 with a problem document",
    "orchestrator/engine/activation.py": "a defect of a decider must not lose the execution",
    "orchestrator/errors/attributes.py": "a class of an error may have any text, property and constructor",
    "functions/running.py": "what a thread of run raises is raised where it is waited for",
    "orchestrator/engine/doubting.py": "whatever a user's reconcile function raises, it has not told",
    "orchestrator/engine/outcomes.py": "an error of the user's may have any text, also one that can't be read",
    "orchestrator/engine/effects.py": "a defect of a store under an effect must not hold the execution for ever",
    "orchestrator/engine/extensions.py": "whoever watches a runtime can't harm it, whatever it raises",
    "orchestrator/engine/patience.py": "a defect must not end for good what renews leases and takes what is due",
    "orchestrator/engine/performing.py": "whatever a user's function raises is the outcome of its call",
    "orchestrator/engine/quarantine.py": "a decider's defect must not save what kills its processes from the verdict",
    "orchestrator/workflow/loop.py": "an error in a user's callback must not end the turn",
    "security/redaction.py": "an argument of a log line may have any text; logging itself says so",
    "orchestrator/usercode/threads.py": "whatever a user's function raises in its thread is the outcome of its call",
    "state/form.py": "a type may have any validator, serializer and comparison",
    "state/daemons.py": "whoever waits for the thread must get an answer",
    "state/sqlite/threads.py": "whoever waits for the thread must get an answer",
    "telemetry/spans/batch.py": "whatever an exporter raises, the next batch goes out",
    "telemetry/spans/tracing.py": "a commit that can't be told keeps no other from being told",
    "testing/clock.py": "clean-up of user code whose run is over",
    "testing/crash.py": "whatever comes of a run is an outcome to compare",
}


class Source(NamedTuple):
    path: Path  # relative to the repository
    lines: int
    tree: ast.Module

    @property
    def room(self) -> str:
        return self.path.parts[0] if len(self.path.parts) > 1 else "root"


@cache
def sources(*folders: str) -> list[Source]:
    found: list[Source] = []
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            text = path.read_text("utf-8")
            found.append(Source(path.relative_to(ROOT), text.count("\n"), ast.parse(text)))
    return found


@cache
def library() -> list[Source]:
    init = ROOT / "__init__.py"
    text = init.read_text("utf-8")
    rooms = sources(*(room for room in ROOMS if room != "root"))
    return [Source(Path("__init__.py"), text.count("\n"), ast.parse(text)), *rooms]


class Import(NamedTuple):
    line: int
    level: int  # leading dots
    module: str
    names: tuple[str, ...]


def imports(tree: ast.Module) -> Iterator[Import]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names = tuple(alias.name for alias in node.names)
            yield Import(node.lineno, node.level, node.module or "", names)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(node.lineno, 0, alias.name, ())


def targets(source: Source, found: Import) -> list[str]:
    """Dotted paths inside the package that a relative import reaches; ``""`` is the root itself."""
    package = list(source.path.parts[:-1])
    up = found.level - 1
    if up > len(package):
        return ["<outside>"]
    base = package[: len(package) - up] + (found.module.split(".") if found.module else [])
    if base:
        return [".".join(base)]
    return [name if name in ROOMS else "" for name in found.names]


def test_a_room_imports_only_from_rooms_below() -> None:
    wrong: list[str] = []
    for source in library():
        for found in imports(source.tree):
            if not found.level:
                continue
            for target in targets(source, found):
                room = target.split(".")[0] or "root"
                if room == source.room:
                    continue
                if room == "root" and set(found.names) <= set(LOWEST):
                    continue
                if ROOMS.get(room, 99) >= ROOMS[source.room]:
                    wrong.append(f"{source.path}:{found.line} {source.room} imports {target or 'the public face'}")
    assert not wrong, wrong


@cache
def graph() -> dict[str, set[str]]:
    """Which file imports which, by dotted name; type-only imports and those within functions count like all others."""
    files = {dotted(source.path): source for source in library()}
    edges: dict[str, set[str]] = {}
    for name, source in files.items():
        edges[name] = set()
        for found in imports(source.tree):
            if not found.level:
                continue
            for target in targets(source, found):
                reached = {full if (full := f"{target}.{one}".lstrip(".")) in files else target for one in found.names}
                edges[name] |= reached - {name}
    return edges


def dotted(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def circles(edges: dict[str, set[str]]) -> list[list[str]]:
    """Groups that reach each other: what is left when all that leads nowhere, and is led to from nowhere, is gone."""
    left = {node: set(reached) & edges.keys() for node, reached in edges.items()}
    while True:
        used = {node for reached in left.values() for node in reached}
        ends = {node for node, reached in left.items() if not reached or node not in used}
        if not ends:
            return [sorted(left)] if left else []
        left = {node: reached - ends for node, reached in left.items() if node not in ends}


def test_no_file_imports_in_a_circle() -> None:
    assert len(graph()) > 250
    assert not circles(graph())


def test_no_room_imports_in_a_circle() -> None:
    """A room is a folder within one of the big ones; a file beside such folders is one of its own."""
    packages = {dotted(source.path) for source in library() if source.path.name == "__init__.py"}

    def room(name: str) -> str:
        inner = ".".join(name.split(".")[:2])
        return inner if inner in packages else name

    edges: dict[str, set[str]] = {}
    for name, reached in graph().items():
        edges.setdefault(room(name), set()).update({room(one) for one in reached if one} - {room(name)})
    assert not circles(edges)


def test_circles_are_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set()}) == [["b", "c"]]
    assert not circles({"a": {"b", "c"}, "b": {"c"}, "c": set()})


def test_rooms_within_a_room_import_only_from_earlier_ones() -> None:
    wrong: list[str] = []
    for outer, groups in INNER.items():
        rank = {room: number for number, group in enumerate(groups) for room in group.split()}
        folders = {path.parent.name for path in (ROOT / outer).glob("*/__init__.py")}
        assert folders == set(rank), f"{outer}: say in INNER where {folders ^ set(rank)} stands"
        for name, reached in graph().items():
            mine = name.split(".")[1] if name.startswith(f"{outer}.") else ""
            theirs = {one.split(".")[1] for one in reached if one.startswith(f"{outer}.")} & rank.keys() - {mine}
            wrong += [f"{name} imports {room}" for room in theirs if mine in rank and rank[room] >= rank[mine]]
    assert not wrong, wrong


def test_a_room_opens_with_what_it_promises() -> None:
    silent: list[str] = []
    for outer in ("orchestrator", "functions", "cli"):
        for path in [ROOT / outer / "__init__.py", *(ROOT / outer).glob("*/__init__.py")]:
            told = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
            if "\n\n" not in told and path.parent.name not in ("templates", "aws"):
                silent.append(str(path.relative_to(ROOT)))
    assert not silent, silent


def test_command_line_and_http_ask_the_one_read_port() -> None:
    """What people and programs see of executions comes from ``orchestrator/reading.py``; the store is not asked beside
    it. (``mailbox``: how much waits, where a store is summed or told of as a whole.)"""
    asks = {"executions", "history", "head", "counts", "mail", "mailbox"}
    beside = [
        f"{source.path}:{node.lineno} {ast.unparse(node.func)}"
        for source in sources("cli", "functions")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in asks
        if ast.unparse(node.func.value).rpartition(".")[2] in ("store", "_store")
    ]
    assert not beside, beside


def test_the_library_imports_itself_relatively() -> None:
    rooms = {*ROOMS, "overwinter"}
    wrong = [
        f"{source.path}:{found.line} imports {found.module}"
        for source in library()
        for found in imports(source.tree)
        if not found.level and found.module.split(".")[0] in rooms
    ]
    assert not wrong, wrong


def test_tests_and_examples_import_as_a_user_would() -> None:
    neighbours = {path.name for path in ROOT.iterdir() if path.is_dir() and path.name.isidentifier()}
    wrong: list[str] = []
    for source in sources("tests", "examples", "benchmarks"):
        here = (ROOT / source.path).parent
        siblings = {path.stem for path in here.glob("*.py")}
        for found in imports(source.tree):
            top = found.module.split(".")[0]
            beside = found.level == 1 and top in siblings
            if (found.level and not beside) or (not found.level and top in neighbours - siblings):
                wrong.append(f"{source.path}:{found.line} imports {'.' * found.level}{found.module}")
    assert not wrong, wrong


def test_patterns_are_built_from_the_public_face_alone() -> None:
    wrong = [
        f"{source.path}:{found.line} imports {target}"
        for source in sources("patterns")
        for found in imports(source.tree)
        if found.level
        for target in targets(source, found)
        if target.split(".")[0] not in ("", "patterns") and target not in PUBLIC_MODULES
    ]
    assert not wrong, wrong


def test_files_and_functions_stay_small() -> None:
    long: list[str] = []
    for source in library():
        if source.lines > FILE_LIMIT:
            long.append(f"{source.path} has {source.lines} lines")
        for node in ast.walk(source.tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                size = (node.end_lineno or node.lineno) - node.lineno + 1
                if size > FUNCTION_LIMIT:
                    long.append(f"{source.path}:{node.lineno} {node.name} has {size} lines")
    assert not long, long


def test_every_file_opens_with_its_contract() -> None:
    silent = [
        str(source.path)
        for source in [*library(), *sources("tests", "examples", "benchmarks")]
        if source.tree.body and not ast.get_docstring(source.tree)
    ]
    assert not silent, silent


def test_modules_have_names_that_say_something() -> None:
    vague = [str(source.path) for source in library() if VAGUE & set(source.path.with_suffix("").parts)]
    assert not vague, vague


def test_the_root_holds_one_module() -> None:
    assert [path.name for path in ROOT.glob("*.py")] == ["__init__.py"]
    assert (ROOT / "__init__.py").read_text("utf-8").count("\n") <= 120


BROAD = {"Exception", "BaseException"}


def names_in(node: ast.expr | None) -> set[str]:
    return {found.id for found in ast.walk(node) if isinstance(found, ast.Name)} if node is not None else BROAD


def swallows(node: ast.AST) -> bool:
    """Whether a handler (or ``suppress``) catches every error and does not end by raising one."""
    if isinstance(node, ast.ExceptHandler):
        return bool(names_in(node.type) & BROAD) and not isinstance(node.body[-1], ast.Raise)
    if isinstance(node, ast.Call) and ast.unparse(node.func) in ("suppress", "contextlib.suppress"):
        return any(names_in(argument) & BROAD for argument in node.args)
    return False


def test_only_the_outer_edges_catch_every_error() -> None:
    wide = [
        f"{source.path}:{node.lineno}"
        for source in library()
        for node in ast.walk(source.tree)
        if isinstance(node, (ast.ExceptHandler, ast.Call))
        if swallows(node) and source.path.as_posix() not in EDGES
    ]
    assert not wide, wide


def test_every_edge_is_still_one() -> None:
    used = {source.path.as_posix() for source in library() for node in ast.walk(source.tree) if swallows(node)}
    assert set(EDGES) <= used, set(EDGES) - used
