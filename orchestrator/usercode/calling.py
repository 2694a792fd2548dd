"""Calling a user's function: whatever it raises comes back as an outcome that futures, tasks and loops can carry.

Three things keep their meaning and are passed on: KeyboardInterrupt (the process is being stopped), the cancellation
of the task that makes the call, and GeneratorExit (the task is being taken apart). Everything else that
a function raises ends its call and nothing but its call: SystemExit too, and BaseExceptions of somebody's own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from ...state.errors import InvalidInput, StepFailed
from ..errors import failures
from ..errors.groups import said, text

Call = Callable[[], Any]
T = TypeVar("T")


class Checking(Protocol):
    """What takes an input."""

    @property
    def name(self) -> str: ...

    def check(self, value: Any) -> Any: ...


async def alone(function: Call, in_thread: Callable[[Call], Awaitable[Any]] | None = None) -> Any:
    """Call a function without an execution around it, a plain one by ``in_thread``. All that it raises is an
    Exception afterwards."""
    try:
        if in_thread is not None:
            return await in_thread(function)
        value: object = function()
        return await value if isinstance(value, Awaitable) else value  # pyright: ignore[reportUnknownVariableType]  # user code gives anything
    except Exception:
        raise
    except BaseException as error:
        raise exception_of(error) from error


def exception_of(error: BaseException) -> Exception:
    """What a call raised, as an Exception. Raises it when it is about the task or the process instead."""
    failed = outcome_of(error)
    return failed if isinstance(failed, Exception) else _named(failed)


def checked(function: Checking, value: Any) -> Any:
    """The input of a function as plain JSON. Whatever its validators raise is InvalidInput."""
    return judged(lambda: function.check(value), f"the input of {function.name!r} can't be checked")


def judged(work: Callable[[], T], what: str) -> T:
    """What a user's code makes of a value: types, validators, approval functions. Whatever it raises is InvalidInput,
    which says ``what`` could not be done."""
    try:
        return work()
    except (InvalidInput, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise InvalidInput(f"{what} ({said(error)})") from error


def outcome_of(error: BaseException) -> BaseException:
    """An error that a call raised, as its outcome. Raises it when it is about the task or the process instead."""
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise error
        return failures.interrupted()
    if isinstance(error, (KeyboardInterrupt, GeneratorExit)):
        raise error
    return error


def carried(error: BaseException) -> BaseException:
    """What a thread raised, for a coroutine to raise, where these would mean something else."""
    if isinstance(error, asyncio.CancelledError):
        return failures.interrupted()
    if isinstance(error, (StopIteration, GeneratorExit)):
        return _named(error)
    return error


def _named(error: BaseException) -> StepFailed:
    """An error that can't be raised as itself, by its name."""
    name = type(error).__qualname__
    return StepFailed(f"the call raised {name}: {text(error)}".rstrip(": "), kind=f"{type(error).__module__}.{name}")
