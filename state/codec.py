"""Values to JSON text and back, typed by annotations. What the journal gives back on replay is exactly what
the code got the first time, because both come from the same JSON text.

This is the face of ``text`` (JSON texts and their limits) and ``form`` (typed values).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from .form import adapter, complaints, form, mended, stored
from .text import DEPTH, clean, cleaned, copied, dumps, loads, readable

__all__ = [
    "DEPTH",
    "Writer",
    "acceptor",
    "adapter",
    "clean",
    "cleaned",
    "complaints",
    "copied",
    "decoder",
    "dumps",
    "form",
    "loads",
    "losses",
    "mended",
    "mender",
    "plain",
    "readable",
    "stored",
    "taker",
    "writer",
]

_PLAIN: tuple[Any, ...] = (Any, object, None, type(None))
_SCALARS: tuple[Any, ...] = (str, int, bool, float)


class Writer(Protocol):
    """Makes plain JSON of a value, and refuses by InvalidInput what would not come back as it is."""

    def __call__(self, value: Any, limit: int | None = None, /) -> Any: ...


def plain(value: Any) -> Any:
    """The value as plain JSON types, whatever that loses: for showing and comparing. ``stored`` is for keeping."""
    return loads(dumps(value))


def decoder(annotation: Any) -> Callable[[Any], Any] | None:
    """A function from plain JSON to the annotated type; None when nothing is to be done."""
    if annotation in _PLAIN:
        return None
    if annotation in _SCALARS:
        return partial(_scalar, annotation)
    return form(annotation).read


def writer(annotation: Any) -> Writer:
    """What makes plain JSON of values of an annotation; ``stored`` itself when it says nothing."""
    if annotation in _PLAIN:
        return stored
    if annotation in _SCALARS:
        return partial(_write_scalar, annotation)
    return form(annotation).write


def mender(annotation: Any) -> Writer:
    """``writer`` for what nobody who reads it could correct: its texts are made storable."""
    if annotation in _PLAIN:
        return mended
    if annotation is str:
        return _mend_text
    return writer(annotation) if annotation in _SCALARS else form(annotation).mended


def taker(annotation: Any) -> Writer:
    """``writer`` for what comes in from outside: a number that is not finite is refused, whatever the type says."""
    if annotation in _PLAIN:
        return stored
    if annotation in _SCALARS:
        return partial(_take_scalar, annotation)
    return form(annotation).take


def acceptor(annotation: Any) -> Callable[[Any], Any] | None:
    """``decoder`` for what comes in from outside, with ``taker``'s rule: raises ValueError for a number that is not
    finite. None when nothing is to be done."""
    if annotation is float:
        return _accept_float
    if annotation in _PLAIN or annotation in _SCALARS:
        return decoder(annotation)
    return form(annotation).accept


def losses(annotation: Any) -> str:
    """What every value of the annotation would lose on its way to JSON and back; "" for nothing."""
    if annotation in _PLAIN or annotation in _SCALARS:
        return ""
    return "; ".join(form(annotation).lost)


def _scalar(annotation: type, value: Any) -> Any:
    return value if type(value) is annotation else form(annotation).read(value)


def _accept_float(value: Any) -> float:
    found: float = _scalar(float, value)
    if not math.isfinite(found):
        raise ValueError("a finite number is wanted")
    return found


def _mend_text(value: Any, limit: int | None = None, /) -> Any:
    return _write_scalar(str, clean(value) if isinstance(value, str) else value, limit)


def _take_scalar(annotation: type, value: Any, limit: int | None = None, /) -> Any:
    if type(value) is annotation and annotation is not float:
        return stored(value, limit)
    return form(annotation).take(value, limit)


def _write_scalar(annotation: type, value: Any, limit: int | None = None, /) -> Any:
    kind: object = type(value)  # pyright: ignore[reportUnknownVariableType]  # of any type
    if kind is annotation and (kind is not float or math.isfinite(value)):
        return value if kind is float else stored(value, limit)
    return form(annotation).write(value, limit)
