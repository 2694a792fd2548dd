"""Retry schedules, timeouts and circuit breakers as plain data.

There is one schedule of attempts for a call. A pause that is short is waited for in the process, a long one
(or an open circuit) through the store, with the execution released. Because both tiers walk the same
schedule, they can't multiply.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from inspect import iscoroutinefunction
from typing import Any, Literal

from ...state.errors import CircuitOpen, Final, InvalidInput, ModelRetry, OperationError, Retryable
from ...state.quantities import Duration, asked, briefly, count, positive, seconds
from ..errors.groups import lone
from ..errors.statuses import ClientRefused, headers_of
from .reconciling import Contract

FINAL_ERRORS: tuple[type[BaseException], ...] = (
    Final,
    InvalidInput,
    OperationError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    ClientRefused,
    ImportError,
    LookupError,
    NameError,
    NotImplementedError,
    StopAsyncIteration,
    StopIteration,
    SyntaxError,
    TypeError,
    ValueError,
)
"""Errors that another attempt would only repeat. ClientRefused is every error of an HTTP client whose answer says that
the request is wrong."""


@dataclass(frozen=True, slots=True)
class Retry:
    """When to try again. Pauses grow from ``first`` by ``factor``, or are as long as the error asks for (Retry-After);
    ``most`` bounds them all. ``jitter`` draws each between half and whole, with "full" between nothing and whole.
    ``attempts`` counts the first one. A pause up to ``in_process`` is waited for in the process.

    ``final`` errors are not tried again and ``retry`` errors are, both beside what is so by default (FINAL_ERRORS,
    and Retryable, timeouts, open circuits); of an error that is in both, its nearest class decides. ``when``, a
    function of an error and the number of the attempt that failed with it, comes first: True or False decides, None
    leaves it to the classes."""

    attempts: int = 5
    first: Duration = "200ms"
    factor: float = 4.0
    most: Duration = "1h"
    jitter: bool | Literal["full"] = True
    final: tuple[type[BaseException], ...] = ()
    retry: tuple[type[BaseException], ...] = ()
    in_process: Duration = "2s"
    when: Callable[[BaseException, int], bool | None] | None = None

    def __post_init__(self) -> None:
        count(self.attempts, 1, "attempts counts the first one: it")
        if not isinstance(self.jitter, (bool, str)) or self.jitter not in (True, False, "full"):  # pyright: ignore[reportUnnecessaryIsInstance]  # as users may give it
            raise ValueError('jitter is True (half to whole), "full" (nothing to whole) or False')
        for what, classes in (("final", self.final), ("retry", self.retry)):
            if not isinstance(classes, tuple) or not all(map(_is_error, classes)):  # pyright: ignore[reportUnnecessaryIsInstance]  # as users may give it
                raise ValueError(f"{what} is a tuple of error classes, like {what}=(KeyError,)")
        if self.when is not None and (not callable(self.when) or iscoroutinefunction(self.when)):
            raise ValueError("when is a plain function of an error and the number of its attempt")
        if not isinstance(self.factor, (int, float)) or not 0 <= self.factor < math.inf:  # pyright: ignore[reportUnnecessaryIsInstance]  # as users may give it
            raise ValueError("factor says how pauses grow: a number like 2.0, not below 0")
        for duration in (self.first, self.most, self.in_process):
            seconds(duration)

    def again(self, error: BaseException, failed: int = 1) -> bool:
        """Whether ``failed`` attempts, the last of them with ``error``, may be followed by another."""
        if failed >= self.attempts or not isinstance(error, Exception) or isinstance(lone(error), ModelRetry):
            return False
        said = None if self.when is None else self.when(self._meant(error), failed)
        if said is not None:
            if not isinstance(said, bool):  # pyright: ignore[reportUnnecessaryIsInstance]  # users' functions give anything
                raise TypeError(f"Retry.when says True, False or None, not {type(said).__name__}")
            return said
        error = self._meant(error)
        if self.final or self.retry:
            named = self._named(error)
            if named is not None:
                return named
        if isinstance(error, Retryable):
            return error.attempts is None or failed < error.attempts
        return isinstance(error, (TimeoutError, CircuitOpen)) or not isinstance(error, FINAL_ERRORS)

    def _meant(self, error: Exception) -> Exception:
        """The error of a group of one decides, unless groups are named themselves."""
        one = lone(error)
        if one is error or not isinstance(one, Exception):
            return error
        return one if self._named(error) is None else error

    def _named(self, error: Exception) -> bool | None:
        """What ``final`` and ``retry`` say; None: neither names it."""
        for known in type(error).__mro__:
            if known in self.final or known in self.retry:
                return known not in self.final
        if isinstance(error, self.final):  # by a class that decides for itself who belongs to it
            return False
        return True if isinstance(error, self.retry) else None

    def pause(self, failed: int, error: BaseException, draw: random.Random) -> float:
        """Seconds to wait after ``failed`` attempts. What the error asks for (``retry_after``) is a minimum; ``most``
        bounds it, whoever asks."""
        most = seconds(self.most)
        try:
            pause: float = min(most, seconds(self.first) * self.factor ** (failed - 1))
        except OverflowError:
            pause = most
        if self.jitter:
            pause *= draw.uniform(0.0 if self.jitter == "full" else 0.5, 1.0)
        wanted = retry_after(lone(error))
        return pause if wanted is None else min(most, max(pause, wanted))


def _is_error(known: object) -> bool:
    return isinstance(known, type) and issubclass(known, BaseException)


ONCE = Retry(attempts=1)


@dataclass(frozen=True, slots=True)
class Breaker:
    """Open after ``failures`` failed attempts in a row on one target; one trial call after ``reset``."""

    failures: int = 10
    reset: Duration = "30s"

    def __post_init__(self) -> None:
        count(self.failures, 1, "failures")
        seconds(self.reset)


@dataclass(frozen=True, slots=True)
class Policy:
    """How one call is made. ``timeout`` bounds one attempt, and is longer than nothing. ``breaker`` None: none."""

    retry: Retry = field(default_factory=Retry)
    timeout: Duration | None = None
    breaker: Breaker | None = None
    at_most_once: bool = False  # record the beginning of each attempt before it begins
    target: int = 0  # tells tools of one name apart: each has a circuit of its own
    contract: Contract | None = None  # what happens when nobody knows whether a call took effect; None: InDoubt

    def __post_init__(self) -> None:
        for what, given, wanted in (("retry", self.retry, Retry), ("breaker", self.breaker, Breaker)):
            if not isinstance(given, wanted) and (given is not None or wanted is Retry):
                raise ValueError(f"{what} is a {wanted.__name__}(…), not {briefly(given)}")
        if self.timeout is not None:
            positive(self.timeout, "timeout (None: no limit)")


DEFAULT = Policy()


@lru_cache(256)
def each_told(policy: Policy) -> Policy:
    """The same, with each attempt that fails recorded before the next one begins."""
    return replace(policy, retry=replace(policy.retry, in_process=0))


def retry_after(error: BaseException) -> float | None:
    """Seconds an error asks to wait: its ``retry_after``, or what the headers of its ``response`` (or its own) say.
    Finite, never negative; None when it asks for nothing that is a time."""
    wanted: Any = getattr(error, "retry_after", None)
    if wanted is not None:
        return _read(wanted)
    return wait_of(headers_of(error))


def wait_of(headers: Any) -> float | None:
    """Seconds that an answer's headers ask to wait: ``retry-after-ms``, or ``Retry-After`` as a number or a date."""
    if not hasattr(headers, "get"):
        return None
    finer = asked(headers.get("retry-after-ms"))
    if finer is not None:
        return finer / 1000
    return _read(headers.get("retry-after", headers.get("Retry-After")))


def _read(wanted: Any) -> float | None:
    found = asked(wanted)
    return _http_date(wanted) if found is None and isinstance(wanted, str) else found


def _http_date(text: str) -> float | None:
    import time
    from email.utils import parsedate_to_datetime

    try:
        return asked(parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError, LookupError, OverflowError):
        return None
