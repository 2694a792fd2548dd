"""Groups of errors as people read them: a group of one says no more than the one in it, however deep, and a group of
several names its members. What is recorded and raised stays the group that it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from .failures import text_of

NAMED = 3
"""How many members of a group are named."""
_DEPTH = 8

Record = Mapping[str, Any]


def lone(error: BaseException) -> BaseException:
    """The one error of a group of one, of whatever depth; any other error itself."""
    for _ in range(_DEPTH):
        members = _members(error)
        if len(members) != 1:
            break
        error = members[0]
    return error


def text(error: BaseException) -> str:
    """What the error says, without its class: redacted, bounded, also when it can't be asked."""
    error = lone(error)
    members = _members(error)
    return _with_members(text_of(error), [_named(member) for member in members[:NAMED]], len(members))


def said(error: BaseException) -> str:
    """ "ValueError: no such order"."""
    error = lone(error)
    return _line(type(error).__name__, text(error))


def lone_in(record: Record) -> Record:
    """As ``lone``, of a recorded error."""
    for _ in range(_DEPTH):
        members = _recorded(record)
        if len(members) != 1:
            break
        record = members[0]
    return record


def text_in(record: Record) -> str:
    """As ``text``, of a recorded error."""
    record = lone_in(record)
    members = _recorded(record)
    return _with_members(
        str(record.get("message", "")), [_named_in(member) for member in members[:NAMED]], len(members)
    )


def kind_in(record: Record) -> str:
    """The class's name, without its module; "" when there is none."""
    return str(lone_in(record).get("kind", "")).rpartition(".")[2]


def said_in(record: Record) -> str:
    """As ``said``, of a recorded error."""
    return _line(kind_in(record), text_in(record))


def _named(error: BaseException) -> str:
    error = lone(error)
    return _line(type(error).__name__, text_of(error))


def _named_in(record: Record) -> str:
    return _line(kind_in(record), str(lone_in(record).get("message", "")))


def _line(kind: str, text: str) -> str:
    return ": ".join(part for part in (kind, text) if part)


def _with_members(whole: str, named: list[str], count: int) -> str:
    if not named:
        return whole
    more = f"; and {count - len(named)} more" if count > len(named) else ""
    return f"{whole}: {'; '.join(named)}{more}"


def _members(error: BaseException) -> tuple[BaseException, ...]:
    if not isinstance(error, BaseExceptionGroup):
        return ()
    return cast("BaseExceptionGroup[BaseException]", error).exceptions


def _recorded(record: Record) -> list[Record]:
    members: Any = record.get("members")
    if not isinstance(members, list):
        return []
    return [cast("Record", one) for one in members if isinstance(one, Mapping)]  # pyright: ignore[reportUnknownVariableType]  # JSON
