"""A user's file or module, and the functions in it. There is no registry: what a module holds is served.

A file is run under a module name that is the same at every start, because the journal names error classes
by it, and that shadows nothing: the file's stem, or ``overwinter_file_<stem>`` when the stem is the name of
an importable module. What can't be loaded is an InvalidInput that says what to change.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from ...orchestrator.engine.extensions import Extension
from ...orchestrator.usercode.served import by_name, served
from ...state.errors import InvalidInput
from .places import at

PREFIX = "overwinter_file_"


def load(path_or_module: str | Path) -> ModuleType:
    """The module of a file (``shop.py``, ``apps/shop.py``) or of a dotted name (``shop.desk``).

    A file is run anew each time; its folder is put at the end of ``sys.path`` so that it finds its
    neighbours. Raises InvalidInput.
    """
    text = str(path_or_module)
    if isinstance(path_or_module, Path) or text.endswith(".py") or "/" in text or Path(text).exists():
        return _load_file(Path(text))
    return _load_module(text)


class Found(dict[str, Any]):
    """Functions by name, and the ``extensions`` that are to watch the runtime that serves them."""

    extensions: tuple[Extension, ...] = ()


def functions_of(module: ModuleType) -> Found:
    """The agents, tools and workflows that a module holds, by name, and those they reach; and its extensions.

    Raises InvalidInput when there are none, or when two different ones have the same name.
    """
    found = Found(reachable(vars(module).values()))
    held = {id(thing): thing for thing in vars(module).values() if isinstance(thing, Extension)}
    found.extensions = tuple(held.values())  # each once, under however many names
    if not found:
        raise InvalidInput(
            f"{_origin(module)} holds no function; decorate one with @tool or @workflow, or make an Agent(…)"
        )
    return found


def sound(functions: Mapping[str, Any]) -> Mapping[str, Any]:
    """The functions, when all of them can be told of and called. Raises InvalidInput with the place of each that can't:
    one would do for no list of functions to be made. Nothing heavy is loaded for it; ``looking.look`` finds more."""
    wrong = [text for _, text in unsound(functions)]
    if wrong:
        raise InvalidInput("; ".join(wrong))
    return functions


def unsound(functions: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The name of each function that can't be told of or called, and why."""
    of_tools = {function.lost for function in functions.values() if kind_of(function) == "tool"}
    for name, function in functions.items():
        kind = kind_of(function)
        if kind == "tool" and function.lost:
            yield name, f"{_place(function)}: {function.lost}"
        if kind == "model" and function.lost:
            yield name, f"model function {name}: {function.lost}"
        if kind == "agent" and (why := function.lost or _absent(function.models)) and why not in of_tools:
            yield name, f"{at(function)}agent {name}: {why}"


def _absent(models: Iterable[Any]) -> str:
    """What one of an agent's models lacks on this machine. It need not know."""
    return next(filter(None, (str(model.absent()) for model in models if hasattr(model, "absent"))), "")


def _place(tool: Any) -> str:
    code: Any = getattr(inspect.unwrap(tool.function), "__code__", None)
    return f"tool {tool.name}" if code is None else f"{Path(code.co_filename).name}:{code.co_firstlineno}"


def reachable(things: Iterable[object]) -> dict[str, Any]:
    """Agents, tools and workflows among ``things``, and the tools and agents that agents name, by the names under which
    they are served."""
    return by_name(thing for thing in things if kind_of(served(thing)) is not None)


def kind_of(thing: object) -> str | None:
    """ "agent", "tool", "workflow" or "model" (one that is a function of its own); None for anything else."""
    if isinstance(thing, type):
        return None
    kind = getattr(thing, "kind", None)
    return kind if kind in ("agent", "tool", "workflow", "model") and isinstance(_name(thing), str) else None


def _name(thing: object) -> object:
    return getattr(thing, "name", None)


def _origin(module: ModuleType) -> str:
    return str(getattr(module, "__file__", None) or module.__name__)


def _load_file(path: Path) -> ModuleType:
    if not path.exists():
        raise InvalidInput(f"there is no file {path}; check the path, or give the dotted name of a module")
    if path.is_dir() or path.suffix != ".py":
        raise InvalidInput(f"{path} is not a Python file; give a file that ends with .py")
    path = path.resolve()
    name = module_name(path)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InvalidInput(f"{path} can't be loaded as a Python module; give a file that ends with .py")
    module = importlib.util.module_from_spec(spec)
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    before = sys.modules.get(name)
    sys.modules[name] = module
    with _Named(path, name, before):
        spec.loader.exec_module(module)
    return module


class _Named:
    """Turns whatever a user's module raises into an InvalidInput, and forgets the module."""

    def __init__(self, path: Path, name: str = "", before: ModuleType | None = None) -> None:
        self._path = path
        self._name = name
        self._before = before

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            return
        if self._before is not None:
            sys.modules[self._name] = self._before
        elif self._name:
            sys.modules.pop(self._name, None)
        if isinstance(error, (Exception, SystemExit)):
            raise _broken(self._path, error) from error


def module_name(path: Path) -> str:
    """The name that the file at ``path`` is run under; the same at every start."""
    stem = path.stem if path.stem.isidentifier() else "".join(c if c.isalnum() else "_" for c in path.stem)
    if stem in sys.builtin_module_names or stem in sys.stdlib_module_names or stem == "overwinter":
        return PREFIX + stem
    present = sys.modules.get(stem)
    if present is not None and _is(present, path):
        return stem
    if present is None:
        try:
            spec = importlib.util.find_spec(stem)
        except (ImportError, ValueError):
            spec = None
        if spec is None or spec.origin == str(path) or spec.origin is None:
            return stem
    return PREFIX + stem


def _is(module: ModuleType, path: Path) -> bool:
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and Path(file).resolve() == path


def _load_module(name: str) -> ModuleType:
    try:
        found = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        found = None
    if found is None:
        raise InvalidInput(
            f"there is no file or module {name}; give the path of a file, like ./{name.replace('.', '/')}.py"
        )
    with _Named(Path(found.origin or name)):
        return importlib.import_module(name)


def _broken(path: Path, error: BaseException) -> InvalidInput:
    if isinstance(error, SyntaxError) and error.filename:
        return InvalidInput(f"{error.filename}, line {error.lineno}: {error.msg}; correct it and try again")
    line = ""
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename == str(path):
            line = f", line {frame.lineno}"
    if isinstance(error, ModuleNotFoundError):
        return InvalidInput(f"{path}{line} needs the module {error.name}, which is not installed")
    return InvalidInput(f"{path}{line} fails when it is loaded: {type(error).__name__}: {error}")
