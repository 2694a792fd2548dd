"""Jinja2 templates of instructions: looked through when an agent is made, and written for each call of its model.

Everything is in a sandbox: no private attributes, no changes, no clock, nothing random, and no file outside of the
template's folder. What is wrong is InvalidInput with the file, the line, and what there is instead.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Mapping, Set
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from types import BuiltinMethodType
from typing import Any, cast

from jinja2 import FunctionLoader, StrictUndefined, TemplateError, TemplateSyntaxError, nodes
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ...orchestrator.usercode.calling import judged
from ...state.errors import InvalidInput
from .shapes import UNKNOWN, attribute_of, fields, item_of, label, values_of

_RANDOM = ("lipsum",)
_CLOCKS = frozenset({"now", "utcnow", "today"})
_INPUT = "input"
_PLAIN = (str, int, float, bytes, list, tuple, dict, date, datetime, time, timedelta, Decimal)
"""Types whose own methods reach nothing but the value; ``_CLOCKS`` are left out."""


_SCALARS = frozenset({str, int, float, bool, type(None)})


class _Sandbox(ImmutableSandboxedEnvironment):
    """Where a template is pure."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            loader=FunctionLoader(partial(_load, folder)),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            autoescape=False,  # for a model, not for a browser
        )
        for name in _RANDOM:
            del self.globals[name]
        del self.filters["random"]

    def is_safe_callable(self, obj: Any) -> bool:
        """Methods of plain values, and what Jinja2 itself brings: whatever else an input has may do anything."""
        if getattr(obj, "__name__", "") in _CLOCKS or not super().is_safe_callable(obj):
            return False
        owner, defined = getattr(obj, "__self__", None), getattr(obj, "__globals__", {})
        if defined.get("__name__") == "jinja2.sandbox":  # its own form of str.format
            return True
        if any(type(one).__module__.partition(".")[0] == "jinja2" for one in (obj, owner)):
            return True
        return any(obj is one for one in self.globals.values()) or (
            isinstance(obj, BuiltinMethodType) and isinstance(owner, _PLAIN)
        )

    def getattr(self, obj: Any, attribute: str) -> Any:
        return _ordered(super().getattr(obj, attribute))

    def getitem(self, obj: Any, argument: Any) -> Any:
        return _ordered(super().getitem(obj, argument))


class Written:
    """The template at ``path`` for inputs of a type. Raises InvalidInput for what can't work."""

    def __init__(self, path: Path, input: Any) -> None:
        self._path = path
        self._folder = path.parent
        self._environment = _Sandbox(self._folder)
        self._types = {_INPUT: input} | {name: kind for name, kind in (fields(input) or {}).items() if name != _INPUT}
        if not path.is_file():
            near = ", ".join(sorted(one.name for one in self._folder.glob("*") if one.is_file())[:20])
            where = f"there are: {near}" if near else f"there is nothing in {self._folder}"
            raise InvalidInput(f"the template {path} is not there; {where}")
        self._look(path.name, self._types, set())

    def render(self, value: Any) -> str:
        """The text for an input. Raises InvalidInput."""
        return judged(lambda: self._rendered(value), f"the template {self._path} failed")

    def _rendered(self, value: Any) -> str:
        given = {name: _ordered(item) for name, item in values_of(value).items()} | {_INPUT: value}
        try:
            return self._environment.get_template(self._path.name).render(given)
        except TemplateSyntaxError as error:
            raise self._broken(error) from None
        except TemplateError as error:
            raise InvalidInput(f"{self._place(error)}: {error.message}") from None

    def _place(self, error: BaseException) -> str:
        """Jinja2 puts the lines of templates into its tracebacks."""
        frames = traceback.extract_tb(error.__traceback__)
        inside = [frame for frame in frames if Path(frame.filename).is_relative_to(self._folder)]
        return f"{inside[-1].filename}, line {inside[-1].lineno}" if inside else str(self._path)

    # -- looked through ------------------------------------------------------------------------------

    def _look(self, name: str, types: Mapping[str, Any], seen: set[tuple[str, bool]]) -> None:
        """Look through a template and all that it names; ``types`` are those of the variables that it is given."""
        key = name, bool(types)
        if key in seen:
            return
        seen.add(key)
        source, file, _ = _load(self._folder, name) or ("", "", None)
        try:
            tree = self._environment.parse(source, name, file)
            self._environment.get_template(name)  # filters and tests are looked up when it is compiled
        except TemplateSyntaxError as error:
            raise self._broken(error) from None
        self._variables(tree, file, types)
        _Attributes(file, types, tree).look()
        for node in tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)):
            self._named(node, file, types, seen)

    def _variables(self, tree: nodes.Template, file: str, types: Mapping[str, Any]) -> None:
        known = {*types, *self._environment.globals, *_exported(tree)}
        for name in sorted(find_undeclared_variables(tree) - known):
            line = min((node.lineno for node in tree.find_all(nodes.Name) if node.name == name), default=1)
            raise InvalidInput(f"{file}, line {line}: there is no variable {name!r}{_there_are(name, types)}")

    def _named(self, node: Any, file: str, types: Mapping[str, Any], seen: set[tuple[str, bool]]) -> None:
        """The templates that a statement names; those that are imported are given no variables."""
        chosen = node.template
        if not isinstance(chosen, nodes.Const):
            raise InvalidInput(f"{file}, line {node.lineno}: name the template in quotes, so that it can be checked")
        names = [chosen.value] if isinstance(chosen.value, str) else list(chosen.value)
        there = [name for name in names if _load(self._folder, name) is not None]
        if not there and not getattr(node, "ignore_missing", False):
            raise InvalidInput(f"{file}, line {node.lineno}: there is no {names[0]!r} in {self._folder}")
        for name in there:
            self._look(name, types if getattr(node, "with_context", True) else {}, seen)

    def _broken(self, error: TemplateSyntaxError) -> InvalidInput:
        return InvalidInput(f"{error.filename or self._path}, line {error.lineno}: {error.message}")


class _Attributes:
    """Whether the fields that a template names of its variables are there, as far as their types tell."""

    def __init__(self, file: str, types: Mapping[str, Any], tree: nodes.Template) -> None:
        self._file = file
        self._tree = tree
        stored = {name.name for name in tree.find_all(nodes.Name) if name.ctx != "load"}
        self._types = {name: kind for name, kind in types.items() if name not in stored}
        for loop in tree.find_all(nodes.For):
            target = loop.target
            if isinstance(target, nodes.Name) and sum(
                one.name == target.name and one.ctx != "load" for one in tree.find_all(nodes.Name)
            ) == 1 and target.name not in types:  # fmt: skip
                self._types[target.name] = item_of(self._of(loop.iter))

    def look(self) -> None:
        for node in self._tree.find_all((nodes.Getattr, nodes.Getitem)):
            self._of(node)

    def _of(self, node: nodes.Node) -> Any:
        """The type of an expression; UNKNOWN when nothing tells it."""
        if isinstance(node, nodes.Name):
            return self._types.get(node.name, UNKNOWN)
        if isinstance(node, nodes.Getattr):
            return self._field(node, node.attr)
        if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
            key = node.arg.value
            return self._field(node, key) if isinstance(key, str) else item_of(self._of(node.node))
        return UNKNOWN

    def _field(self, node: nodes.Getattr | nodes.Getitem, name: str) -> Any:
        owner = self._of(node.node)
        kind = attribute_of(owner, name)
        if kind is None:
            wrong = f"{self._file}, line {node.lineno}: {label(owner)} has no {name!r}"
            raise InvalidInput(f"{wrong}{_there_are(name, fields(owner) or {})}")
        return kind


def _exported(tree: nodes.Template) -> set[str]:
    """The names that a template's blocks see beside its variables: what stands above them, at its top."""
    found: set[str] = set()
    for node in tree.body if tree.find(nodes.Block) else ():
        if isinstance(node, nodes.FromImport):
            found.update(name if isinstance(name, str) else name[1] for name in node.names)
        elif isinstance(node, nodes.Import):
            found.add(node.target)
        elif isinstance(node, nodes.Macro):
            found.add(node.name)
        elif isinstance(node, (nodes.Assign, nodes.AssignBlock)):
            found.update(name.name for name in node.target.find_all(nodes.Name))
            found.update([node.target.name] if isinstance(node.target, nodes.Name) else [])
    return found


def _load(folder: Path, name: str) -> tuple[str, str, Callable[[], bool]] | None:
    """A template of the folder, with whether it is still the same. None for what is not there, or lies outside."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()) or not path.is_file():
        return None
    known = _state(path)
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"the template {path} is not UTF-8 ({error.reason} at byte {error.start})") from None
    return text, str(path), lambda: path.is_file() and _state(path) == known


def _ordered(value: Any) -> Any:
    """A set has another order in each process, also one that lies in a list or a mapping."""
    if isinstance(value, (set, frozenset)):
        return tuple(sorted(map(_ordered, cast("Set[object]", value)), key=repr))
    if type(value) in (list, tuple):
        items = cast("list[object]", value)
        return value if all(type(item) in _SCALARS for item in items) else type(value)(map(_ordered, items))
    if type(value) is dict:
        return {name: _ordered(item) for name, item in cast("dict[object, object]", value).items()}
    return value


def _state(path: Path) -> tuple[int, int, int]:
    about = path.stat()
    return about.st_mtime_ns, about.st_size, about.st_ino


def _there_are(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, known, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{hint} There are: {', '.join(known)}" if hint else f"; there are: {', '.join(known) or 'none'}"
