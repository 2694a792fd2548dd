"""Parameters that are declared with pydantic's ``Field``: as a default (``x: int = Field(gt=0)``), or in ``Annotated``.

Python passes such a default on as it stands. Here it means what it means in a model: a default or none, and rules for
what is given. pydantic itself is not imported: who has declared a Field has loaded it.
"""

from __future__ import annotations

import functools
import inspect
import sys
import typing
import weakref
from collections.abc import Callable, Iterable, Mapping
from types import FunctionType, MethodType
from typing import Annotated, Any, NamedTuple

from ...state.codec import adapter, complaints
from ...state.errors import InvalidInput
from .annotations import annotation
from .calling import judged

EMPTY: Any = inspect.Parameter.empty
_known: weakref.WeakKeyDictionary[FunctionType, tuple[Mapping[str, Declared], inspect.Signature]]
_known = weakref.WeakKeyDictionary()


class Declared(NamedTuple):
    """A parameter: its annotation with all that a Field says, whether it may be left out, and the default that Python
    passes by itself (EMPTY: none; a Field's own is known to the annotation)."""

    annotation: Any
    optional: bool
    default: Any


def declared(annotation: Any, default: Any) -> Declared:
    """What an annotation and a default say together. ``default`` is EMPTY when there is none."""
    if is_field(default):
        return Declared(Annotated[annotation, default], not default.is_required(), EMPTY)
    within = any(not field.is_required() for field in _within(annotation))
    return Declared(annotation, default is not EMPTY or within, default)


def is_field(thing: object) -> bool:
    """Whether it is what ``Field(…)`` gives."""
    loaded = sys.modules.get("pydantic.fields")
    return loaded is not None and isinstance(thing, getattr(loaded, "FieldInfo"))  # noqa: B009  # not of every module


def described(annotation: Any) -> bool:
    """Whether a Field within the annotation brings a description."""
    return any(field.description is not None for field in _within(annotation))


def left_out(known: Declared, name: str) -> Any:
    """The value of a parameter that was not given, by its Field. Raises InvalidInput when it must be given."""
    found = adapter(known.annotation).get_default_value()
    if found is None:
        raise InvalidInput(f"{name}: is missing")
    return found.value


def minded(fn: Callable[..., Any]) -> Callable[..., Any] | None:
    """``fn`` with its Fields minded: what is left out is filled in, what is given is checked, and InvalidInput names
    what does not fit. None when it has none. Found out once for each function."""
    if "pydantic.fields" not in sys.modules:
        return None
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = {}
    while isinstance(fn, (functools.partial, MethodType)):
        if isinstance(fn, MethodType):
            args, fn = (fn.__self__, *args), fn.__func__
        else:
            args, kwargs, fn = (*fn.args, *args), {**fn.keywords, **kwargs}, fn.func
    if not isinstance(fn, FunctionType):
        return None
    known = _known.get(fn)
    if known is None:
        known = _known[fn] = (_found(fn), inspect.signature(fn))
    fields, signature = known
    return functools.partial(_called, fn, signature, fields, *args, **kwargs) if fields else None


def as_coroutine(fn: Callable[..., Any], *args: Any) -> Any:
    """The coroutine of a call of ``fn`` with its Fields minded; what does not fit is raised in it."""
    called = minded(fn)
    return fn(*args) if called is None else _awaited(called, *args)


async def _awaited(called: Callable[..., Any], *args: Any) -> Any:
    return await called(*args)


def _found(fn: FunctionType) -> dict[str, Declared]:
    """The parameters that have a Field."""
    found: dict[str, Declared] = {}
    for name, parameter in inspect.signature(fn).parameters.items():
        if not is_field(parameter.default) and parameter.annotation is EMPTY:
            continue
        try:
            known = declared(annotation(fn, name), parameter.default)
        except TypeError:  # its annotation is for type checkers alone
            known = declared(Any, parameter.default)
        if any(_within(known.annotation)):
            found[name] = known
    return found


def _called(
    fn: FunctionType, signature: inspect.Signature, fields: Mapping[str, Declared], /, *args: Any, **kwargs: Any
) -> Any:
    bound = signature.bind_partial(*args, **kwargs)
    for name, known in fields.items():
        if name in bound.arguments:
            bound.arguments[name] = _checked(name, known, bound.arguments[name])
        elif known.default is EMPTY:
            bound.arguments[name] = left_out(known, name)
    return fn(*bound.args, **bound.kwargs)


def _checked(name: str, known: Declared, value: Any) -> Any:
    def check() -> Any:
        try:
            return adapter(known.annotation).validate_python(value)
        except ValueError as error:
            raise InvalidInput(complaints(error, name)) from None

    return judged(check, f"{name} can't be checked")


def _within(annotation: Any) -> Iterable[Any]:
    """The Fields in an annotation's metadata."""
    if typing.get_origin(annotation) is not Annotated:
        return ()
    return [item for item in annotation.__metadata__ if is_field(item)]
