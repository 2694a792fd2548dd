"""Paths: where data is read and where a result is put.

A path begins at the data (``$``), the context object (``$$``) or a variable (``$name``). Nearly all are reference
paths, a chain of names and indexes such as ``$.order.items[0]['sku']``; they are followed here, step by step. Anything
else (wildcards, slices, filters, ``..``) is JSONPath in the dialect of the Jayway library, as AWS has it, and is
evaluated by python-jsonpath, loaded when the first such path is compiled.

A path that names one place gives the value there, or ``MISSING``. A path that may name many gives a list, which is
empty when nothing is found, even when what stands before the first wildcard isn't there.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from .failure import REFERENCE_PATH, RUNTIME, QueryError, bounded
from .jayway import FUNCTIONS, compile_jsonpath
from .kinds import is_array, is_object
from .numbers import json_text
from .scope import Scope


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()
"""What is found where nothing is; null is something."""

_ROOT = re.compile(r"\$(?:\$|([^\W\d]\w*))?")
_STEP = re.compile(
    r"""\.([^.\[\]()*?,:'"\s&|!<>=$]+)|\.?\[\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|(-?\d{1,10}))\s*\]"""
)
_NAMES = re.compile(
    r"""\[\s*((?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")(?:\s*,\s*(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"))+)\s*\]"""
)
_NAME = re.compile(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)\"""")
_CALL = re.compile(r"\.([a-z]+)\(\)$")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)

Step = str | int


class Path:
    """A compiled path. ``variable``: the name when it begins at one, ``steps`` the chain up to the first part that may
    name many places, ``rest`` what evaluates that part and all after it."""

    __slots__ = ("context", "rest", "rest_text", "steps", "text", "variable")

    def __init__(
        self,
        text: str,
        variable: str | None,
        context: bool,
        steps: tuple[Step, ...],
        rest: Callable[[Any], Any] | None,
        rest_text: str,
    ) -> None:
        self.text = text
        self.variable = variable
        self.context = context
        self.steps = steps
        self.rest = rest
        self.rest_text = rest_text

    @property
    def is_reference(self) -> bool:
        """Whether it names exactly one place by names and indexes."""
        return self.rest is None

    def find(self, scope: Scope) -> Any:
        """The value, or MISSING. Raises QueryError for an index into what is no array, as AWS does."""
        value = self.root(scope)
        for step in self.steps:
            kind = value.__class__
            if type(step) is str:
                if kind is not dict or step not in value:
                    return self._nothing()
                value = value[step]
            else:
                if kind is not list and value is not MISSING and value is not None:
                    raise _no_array(f"[{step}]", value)
                value = inside(value, step)
                if value is MISSING:
                    return self._nothing()
        return value if self.rest is None or value is MISSING else self.rest(value)

    def past_the_end(self, scope: Scope) -> bool:
        """Whether nothing is found only because an array ends before the index that the path ends with."""
        if self.rest is not None or not self.steps or not isinstance(last := self.steps[-1], int) or last < 0:
            return False
        value = self.root(scope)
        for step in self.steps[:-1]:
            value = inside(value, step)
        return is_array(value) and last >= len(value)

    def root(self, scope: Scope) -> Any:
        """Where the path begins; MISSING for a variable without a value."""
        if self.variable is not None:
            return scope.variables.get(self.variable, MISSING)
        return scope.context if self.context else scope.data

    def _nothing(self) -> Any:
        return MISSING if self.rest is None else self.rest(MISSING)

    def canonical(self, steps: int | None = None) -> str:
        """As Jayway shows it in what it says: ``$['order']['items'][0]``."""
        chain = "".join(f"['{step}']" if isinstance(step, str) else f"[{step}]" for step in self.steps[:steps])
        return f"${chain}" + (self.rest_text if steps is None else "")


def inside(value: Any, step: Step) -> Any:
    """What lies one step within a value, or MISSING."""
    if isinstance(step, str):
        return value[step] if is_object(value) and step in value else MISSING
    return value[step] if is_array(value) and -len(value) <= step < len(value) else MISSING


def _no_array(what: str, value: Any) -> QueryError:
    return QueryError(RUNTIME, f"Filter: {what} can only be applied to arrays. Current context is: {shown(value)}")


@lru_cache(4096)
def compile_path(text: str) -> Path:
    """Raises QueryError for a text that is no path."""
    root = _ROOT.match(text)
    if root is None:
        raise QueryError(RUNTIME, f"Invalid path '{text}': a path begins with $, $$ or $ and the name of a variable.")
    steps: list[Step] = []
    at = root.end()
    while found := _STEP.match(text, at):
        if text.startswith("()", found.end()) and found[1] in FUNCTIONS:
            break  # $.list.length(): a function of what stands before it
        steps.append(_step(found))
        at = found.end()
    if "$" in text[at:]:  # a filter that looks at the root has to be given the root
        steps, at = [], root.end()
    rest = None if at == len(text) else _rest(text, text[at:])
    return Path(text, root[1], root[0] == "$$", tuple(steps), rest, text[at:])


def _step(found: re.Match[str]) -> Step:
    plain, single, double, index = found.groups()
    if index is not None:
        return int(index)
    return plain if plain is not None else _ESCAPED.sub(r"\1", single if single is not None else double)


def _rest(text: str, rest: str) -> Callable[[Any], Any]:
    if names := _NAMES.fullmatch(rest):
        return _several([_ESCAPED.sub(r"\1", one[1] or one[2] or "") for one in _NAME.finditer(names[1])])
    call = _CALL.search(rest)
    function = FUNCTIONS.get(call[1]) if call else None
    if call is not None and function is None:
        raise QueryError(RUNTIME, f"Invalid path '{text}': there is no function {call[1]}().")
    chain = rest[: call.start()] if call else rest
    query = _query(text, chain) if chain else None

    def evaluate(value: Any) -> Any:
        found = value if query is None else query(value)
        if function is None or found is MISSING:
            return found
        try:
            return function(found)
        except (TypeError, ValueError, OverflowError):
            raise QueryError(RUNTIME, f"Invalid path '{text}': {rest} can't be computed of {shown(found)}.") from None

    return evaluate


def _query(text: str, chain: str) -> Callable[[Any], Any]:
    evaluate = compile_jsonpath(chain)
    if evaluate is None:
        raise QueryError(RUNTIME, f"Invalid path '{text}': it is neither a reference path nor JSONPath.")
    ranged = re.match(r"\[\s*[-\d:,\s]+\]", chain)

    def query(value: Any) -> Any:
        if value is MISSING:
            return []
        if ranged and not is_array(value) and value is not None:
            raise _no_array(ranged[0], value)
        return evaluate(value)

    return query


def _several(names: list[str]) -> Callable[[Any], Any]:
    """``$['a','b']`` at the end of a path: one object of what is there of them."""

    def pick(value: Any) -> Any:
        return {name: value[name] for name in names if name in value} if is_object(value) else MISSING

    return pick


@bounded
def read(path: Path, scope: Scope) -> Any:
    """The value for InputPath, OutputPath, SecondsPath and their like. Raises QueryError in Jayway's words."""
    value = path.find(scope)
    if value is MISSING:
        raise QueryError(RUNTIME, f"Invalid path '{path.text}' : {_why(path, scope)}")
    return value


def _why(path: Path, scope: Scope) -> str:
    value = path.root(scope)
    if value is MISSING:
        return f"The variable ${path.variable} has no value here."
    for number, step in enumerate(path.steps):
        if isinstance(step, str) and not is_object(value):
            return (
                f"Expected to find an object with property ['{step}'] in path {path.canonical(number)} but found "
                f"'{_java(value)}'. This is not a json object according to the JsonProvider: "
                "'com.jayway.jsonpath.spi.json.JacksonJsonNodeJsonProvider'."
            )
        value = inside(value, step)
        if value is MISSING:
            if isinstance(step, str) and number < len(path.steps) - 1:
                return f"Missing property in path {path.canonical(number + 1)}"
            break
    return f"No results for path: {path.canonical()}"


def _java(value: Any) -> str:
    names = {bool: "BooleanNode", int: "IntNode", float: "DoubleNode", str: "TextNode", list: "ArrayNode"}
    return "null" if value is None else f"com.fasterxml.jackson.databind.node.{names[type(value)]}"


@bounded
def read_reference(path: Path, scope: Scope) -> Any:
    """The value for ItemsPath. Raises QueryError (States.ReferencePathConflict), which names the step that fails."""
    if not path.is_reference:
        return read(path, scope)
    value = path.root(scope)
    for step in path.steps:
        if (inner := inside(value, step)) is MISSING:
            raise QueryError(REFERENCE_PATH, f'Unable to apply step "{step}" to input {shown(value)}')
        value = inner
    return value


@bounded
def write(path: Path, data: Any, result: Any) -> Any:
    """The data with the result at the path (ResultPath): a new value that shares whatever lies beside the path.

    Objects on the way are made when they are missing; an item of an array must be there. Raises QueryError where a step
    does not fit the data: States.ReferencePathConflict, for which the specification has States.ResultPathMatchFailure.
    """
    if not path.is_reference or path.context or path.variable is not None:
        raise QueryError(
            REFERENCE_PATH, f"Unable to apply ReferencePath {path.text}: it has to name one place in the input."
        )
    return _written(path.steps, 0, data, result)


def _written(steps: tuple[Step, ...], number: int, value: Any, result: Any) -> Any:
    if number == len(steps):
        return result
    step = steps[number]
    if isinstance(step, str):
        if value is MISSING:
            return {step: _written(steps, number + 1, MISSING, result)}
        if is_object(value):
            inner = value.get(step, MISSING)
            return {**value, step: _written(steps, number + 1, inner, result)}
    elif is_array(value) and 0 <= step < len(value):
        changed = _written(steps, number + 1, value[step], result)
        return [*value[:step], changed, *value[step + 1 :]]
    raise QueryError(REFERENCE_PATH, f'Unable to apply step "{step}" to input {shown(value)}')


def shown(value: Any) -> str:
    """A value in a cause."""
    return "nothing" if value is MISSING else json_text(value)
