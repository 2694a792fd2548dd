"""What is given to the operations of a context, checked where it is given: whatever is wrong is InvalidArgument, raised
at the line of the user's that asks, and says which parameter, what it takes and what was given.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from inspect import iscoroutinefunction
from typing import Any

from ...state.errors import InvalidArgument
from ...state.quantities import briefly, milliseconds, positive
from .completion import Completion
from .naming import named


def wrong(where: str, takes: str, given: object) -> InvalidArgument:
    """``where`` reads "ctx.until(factor=…)"."""
    return InvalidArgument(f"{where} takes {takes}, not {briefly(given)}")


def duration(given: Any, where: str) -> int:
    """Milliseconds."""
    try:
        return milliseconds(given)
    except ValueError as error:
        raise InvalidArgument(f"{where}: {error}") from None


def limit(given: Any, where: str) -> int | None:
    """Milliseconds of a duration that may be missing."""
    return None if given is None else duration(given, where)


def attempt_limit(given: Any, where: str) -> None:
    """Refuse what can't bound an attempt."""
    if given is not None:
        with named_by(where):
            positive(given, "a timeout (None: no limit)")


def flag(given: object, where: str) -> None:
    if given is not True and given is not False:
        raise wrong(where, "True or False", given)


def looking(given: Any, where: str, at: str) -> None:
    """Refuse what is no plain function, which looks ``at`` something."""
    if given is not None and (not callable(given) or iscoroutinefunction(given)):
        raise InvalidArgument(
            f"{where} is a plain function, which looks at {at}, not {briefly(given)}; do in a step what needs I/O"
        )


def items(given: Any, where: str) -> list[Any]:
    if not isinstance(given, Iterable):
        raise wrong(where, "a collection to go through", given)
    return list[Any](given)  # pyright: ignore[reportUnknownArgumentType]  # of anything


def rule(given: Any, where: str) -> None:
    if given is not None and not isinstance(given, Completion):
        raise wrong(where, "a Completion, like Completion.first()", given)


def text_or_none(given: object, where: str) -> None:
    if given is not None and not isinstance(given, str):
        raise wrong(where, "a text or None", given)


def names(given: Any, count: int, where: str) -> list[str]:
    """One name for each of so many; none at all for None."""
    if given is None:
        return []
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise wrong(where, "a list of texts, one for each branch", given)
    each: Sequence[Any] = given  # pyright: ignore[reportUnknownVariableType]  # of anything
    called = [named(name, f"a name of {where}") for name in each]
    if len(called) != count or len(set(called)) != count:
        raise InvalidArgument(f"{where} takes one name for each of {count} branches, each another, not {len(called)}")
    return called


def naming(given: Any, where: str) -> None:
    """Refuse what neither is a name nor gives one."""
    if given is not None and not isinstance(given, str) and (not callable(given) or iscoroutinefunction(given)):
        raise wrong(where, "a text, or a plain function that gives one for an item", given)


@contextmanager
def named_by(where: str) -> Generator[None]:
    """What a quantity or a policy refuses, with the place where it was given."""
    try:
        yield
    except InvalidArgument:
        raise
    except ValueError as error:
        raise InvalidArgument(f"{where}: {error}") from None
