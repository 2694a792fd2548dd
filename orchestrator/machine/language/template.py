"""Payload templates: JSON in which some places are computed.

In states that use JSONPath it is the members whose name ends in ``.$``: their text is a path or an intrinsic function,
and the name loses its ending. In states that use JSONata it is every text that stands whole between ``{%`` and ``%}``,
wherever it is. The rest of a template is given as it stands, shared and never copied.
"""

from __future__ import annotations

from typing import Any

from .failure import QUERY, RUNTIME, QueryError, bounded
from .intrinsics.call import PREFIX, Intrinsic, compile_intrinsic
from .jsonata import Expression, Limits, compile_expression
from .kinds import is_array, is_object, kind_of
from .paths import MISSING, Path, compile_path, shown
from .scope import Scope

ENDING = ".$"
OPENING, CLOSING = "{%", "%}"


class _Computed:
    """A member of a JSONPath template. ``name`` with its ending, for causes."""

    __slots__ = ("name", "source")

    def __init__(self, name: str, source: Path | Intrinsic) -> None:
        self.name = name
        self.source = source


class _Object:
    """An object with something computed in it: names and their compiled values, in the order of the template."""

    __slots__ = ("parts",)

    def __init__(self, parts: list[tuple[str, Any]]) -> None:
        self.parts = parts


class _Array:
    __slots__ = ("parts",)

    def __init__(self, parts: list[Any]) -> None:
        self.parts = parts


class Payload:
    """A template of a JSONPath state: Parameters, ResultSelector, ItemSelector, Assign."""

    def __init__(self, template: Any) -> None:
        self._compiled = _payload(template)

    @bounded
    def render(self, scope: Scope) -> Any:
        """Raises QueryError for paths that find nothing and functions that fail."""
        return _rendered(self._compiled, scope)


class Computation:
    """A path or an intrinsic function where one value is wanted: ``ErrorPath``, ``CausePath``, a template's member."""

    def __init__(self, text: str, field: str) -> None:
        self._computed = _Computed(field, _source(text, field))

    @bounded
    def evaluate(self, scope: Scope) -> Any:
        return _compute(self._computed, scope)


@bounded
def compile_payload(template: Any) -> Payload:
    """Raises QueryError for a member that ends in ``.$`` and is neither a path nor an intrinsic function."""
    return Payload(template)


def _payload(template: Any) -> Any:
    if is_object(template):
        parts: list[tuple[str, Any]] = []
        for name, value in template.items():
            if name.endswith(ENDING):
                parts.append((name.removesuffix(ENDING), _Computed(name, _source(value, name))))
            else:
                parts.append((name, _payload(value)))
        return _Object(parts) if any(_computes(part) for _, part in parts) else template
    if is_array(template):
        items = [_payload(item) for item in template]
        return _Array(items) if any(map(_computes, items)) else template
    return template


def _source(text: Any, name: str) -> Path | Intrinsic:
    if isinstance(text, str) and text.startswith("$"):
        return compile_path(text)
    if isinstance(text, str) and text.lstrip().startswith(PREFIX):
        return compile_intrinsic(text)
    cause = f"The value for the field '{name}' must be a valid JSONPath or a valid intrinsic function call"
    raise QueryError(RUNTIME, cause)


def _computes(part: Any) -> bool:
    return isinstance(part, _Computed | _Object | _Array | Expression)


def _rendered(part: Any, scope: Scope) -> Any:
    if isinstance(part, _Object):
        return {name: _rendered(inner, scope) for name, inner in part.parts}
    if isinstance(part, _Array):
        return [_rendered(inner, scope) for inner in part.parts]
    return _compute(part, scope) if isinstance(part, _Computed) else part


def _compute(part: _Computed, scope: Scope) -> Any:
    source = part.source
    if isinstance(source, Intrinsic):
        return source.evaluate(scope)
    value = source.find(scope)
    if value is not MISSING and (value is not None or source.steps or source.context or source.variable):
        return value
    if value is MISSING and source.past_the_end(scope):
        return None  # so AWS has it, and only here
    of_data = not source.context and source.variable is None
    if of_data and scope.data is None:
        raise QueryError(RUNTIME, "Unable to apply Path transformation to null or empty input.")
    seen = scope.data if of_data else scope.context if source.context else dict(scope.variables)
    place = f"The JSONPath '{source.text}' specified for the field '{part.name}'"
    raise QueryError(RUNTIME, f"{place} could not be found in the input '{shown(seen)}'")


class Query:
    """A template of a JSONata state: Arguments, Output, Assign, Items, a condition or a number of seconds.

    ``field``: how the place is called in causes; what stands within it is named after it: ``Output/a/b[0]``.
    """

    def __init__(self, template: Any, field: str) -> None:
        self.field = field
        self.expression = template if isinstance(template, str) and is_expression(template) else None
        self._compiled = _query(template)

    @bounded
    def render(self, scope: Scope, limits: Limits | None = None) -> Any:
        """Raises QueryError (States.QueryEvaluationError), whose cause names the expression and its place."""
        return _queried(self._compiled, scope, self.field, limits)

    def expect(self, scope: Scope, kind: str, limits: Limits | None = None) -> Any:
        """The value where only one kind will do: boolean, number, string, array or object."""
        value = self.render(scope, limits)
        if (given := kind_of(value)) == kind:
            return value
        text = (
            f"The JSONata expression '{inner(self.expression)}' specified" if self.expression else "The value specified"
        )
        cause = (
            f"{text} for the field '{self.field}' returned an unexpected result type. "
            f"Expected '{kind}', but was '{given}' for value: {shown(value)}"
        )
        raise QueryError(QUERY, cause)


@bounded
def compile_query(template: Any, field: str) -> Query:
    """Raises QueryError for a text that opens an expression and does not close it, or whose expression is none."""
    return Query(template, field)


def is_expression(text: str) -> bool:
    """Whether a text stands whole between the signs. Half a pair is an error."""
    opened, closed = text.startswith(OPENING), text.endswith(CLOSING)
    if opened != closed or (opened and len(text) < len(OPENING + CLOSING)):
        cause = (
            f"An expression has to begin with {OPENING} and end with {CLOSING}, with nothing before or after: {text}"
        )
        raise QueryError(QUERY, cause)
    return opened


def inner(text: str) -> str:
    return text[len(OPENING) : -len(CLOSING)].strip()


def _query(template: Any) -> Any:
    if isinstance(template, str):
        return compile_expression(inner(template)) if is_expression(template) else template
    if is_object(template):
        parts = [(name, _query(value)) for name, value in template.items()]
        return _Object(parts) if any(_computes(part) for _, part in parts) else template
    if is_array(template):
        items = [_query(item) for item in template]
        return _Array(items) if any(map(_computes, items)) else template
    return template


def _queried(part: Any, scope: Scope, field: str, limits: Limits | None) -> Any:
    if isinstance(part, Expression):
        return part.evaluate(scope, field, limits)
    if isinstance(part, _Object):
        return {name: _queried(value, scope, f"{field}/{name}", limits) for name, value in part.parts}
    if isinstance(part, _Array):
        return [_queried(value, scope, f"{field}[{at}]", limits) for at, value in enumerate(part.parts)]
    return part
