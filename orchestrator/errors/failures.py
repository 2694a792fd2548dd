"""Errors into the journal and back. An exception returns as its own class, with message, arguments and attributes.

What is kept: every attribute (private ones, those of ``__slots__``, an OSError's file names, a response of HTTP),
notes, causes and the members of groups, bounded in size and depth. Known secrets are cut out on the way in. What can
not be kept is there all the same, as a ``NotKept``; the text of an error is always the one that was recorded. Neither
direction raises, whatever the error's class does.

Only classes that are already loaded are looked up (never imported), and no ``__init__`` of theirs is run.
"""

from __future__ import annotations

import builtins
import logging
from functools import lru_cache
from types import MemberDescriptorType
from typing import Any, cast

from ...security.address import MASK
from ...security.redaction import holds_a_secret
from ...state import errors
from ...state.codec import dumps
from ...state.errors import StepFailed
from . import traces
from .attributes import Keeper, Kinds, Path, Restorer, attempted, cut, loaded
from .kept import what_was

MESSAGE_LIMIT = 8 * 1024
NOTES_LIMIT = 20
MEMBERS_LIMIT = 100
DEPTH = 6
"""Errors in a row of causes, contexts, members and errors in attributes; what is deeper is left out."""
TOTAL_LIMIT = 192 * 1024
"""Characters that one recorded error may have with all that belongs to it; what comes after them is left out."""
Failure = dict[str, Any]

_OURS = "_overwinter_"
_OP = "_overwinter_op"
_TEXT = "_overwinter_text"
_TRACE = "_overwinter_trace"
_ARGS: Any = vars(BaseException)["args"]  # past a property of that name
_HEAPTYPE = 1 << 9  # of type.__flags__: a class that is made at run time, as every class in Python is
_SHOWN = frozenset({"obj", "object", "msg", "print_file_and_line", "message", "exceptions"})
"""Members of the interpreter's own errors that are arguments too, or would keep what is not theirs."""


def level(error: BaseException) -> int:
    """How loud the log is about an error of the store that is met again and again: a lost store was told of once."""
    return logging.DEBUG if isinstance(error, errors.StoreLost) else logging.WARNING


def encode(error: BaseException) -> Failure:
    """``{"kind": "module.Class", "message", "args"?, "data"?, "typed"?, "notes"?, "cause"?, "context"?, "members"?,
    "op"?, "trace"?}``; docs/journal.md says what they hold."""
    return attempted(lambda: _Encoder().failure(error, 0)) or {"kind": _kind(error), "message": text_of(error)}


def decode(failure: Failure) -> Exception:
    """The exception that ``encode`` was given, or StepFailed when its class is not loaded here or can't be made."""
    kind, message = str(failure.get("kind", "")), str(failure.get("message", ""))
    restorer = Restorer(failure.get("typed") or (), decode)
    args = tuple(restorer.restore(failure.get("args", [message]), ("args",)))
    data = cast("dict[str, Any]", restorer.restore(failure.get("data") or {}, ("data",)))
    cls = _find(kind)
    group = cls is not None and issubclass(cls, BaseExceptionGroup)
    members = (
        [decode(member) for member in failure.get("members") or ()] if group else []
    )  # once, however deep they lie
    error = None if cls is None else attempted(lambda: _made(cls, args, data, members))
    if error is not None and attempted(lambda: (str(error), repr(error))[0]) != message:
        error = attempted(lambda: _made(_worded(cast("Any", cls)), args, data | {_TEXT: message}, members))
    if error is None:
        error = _stand_in(cast("Any", cls))(message, kind=kind, data=data)
    _surround(error, failure, data)
    if trace := traces.read(failure.get("trace")):
        _held(error)[_TRACE] = trace
    return error


def interrupted() -> StepFailed:
    """The outcome of a call that cancelled itself (raised CancelledError without being cancelled)."""
    return StepFailed("the call raised CancelledError by itself", kind="asyncio.CancelledError")


def mark(error: BaseException, op: str) -> None:
    """Remember which operation an error came from, so that ``retry`` knows where to start again."""
    _held(error)[_OP] = op


def note(error: BaseException, text: str) -> None:
    """Add a note to the error, once, past whatever its class does."""
    notes: Any = _held(error).setdefault("__notes__", [])
    if isinstance(notes, list) and text not in notes:
        notes.append(text)  # pyright: ignore[reportUnknownMemberType]  # a list of texts


def origin(error: BaseException) -> str | None:
    """The operation that the error was marked with."""
    op = _held(error).get(_OP)
    return op if isinstance(op, str) else None


def text_of(error: BaseException) -> str:
    """The error's text, cut and cleaned; also when the error itself can't be asked."""
    text = attempted(lambda: str(error))
    if text is None:
        return f"an error whose text can't be read ({type(error).__name__})"
    return cut(text, MESSAGE_LIMIT)


# -- in ----------------------------------------------------------------------------------------------


class _Encoder:
    """One error with all that belongs to it, within TOTAL_LIMIT."""

    def __init__(self) -> None:
        self._left = TOTAL_LIMIT
        self._inside: set[int] = set()  # ids of the errors around the one at hand, so that a circle ends

    def failure(self, error: BaseException, depth: int) -> Failure | None:
        if depth >= DEPTH or self._left <= 0 or id(error) in self._inside:
            return None
        failure: Failure = {"kind": _kind(error), "message": text_of(error)}
        self._left -= len(failure["message"])
        self._inside.add(id(error))
        kinds: Kinds = []
        keeper = Keeper(lambda inner: self.failure(inner, depth + 1))
        self._args(error, failure, keeper, kinds)
        data = {name: self._kept(keeper, value, ("data", name), kinds) for name, value in _attributes(error).items()}
        if data:
            failure["data"] = data
        if kinds:
            failure["typed"] = kinds
        self._surroundings(error, failure, depth)
        op = origin(error)
        if op is not None:
            failure["op"] = op
        trace = traces.bounded([*traces.frames(error), *traces.read(_held(error).get(_TRACE))])
        if trace:
            failure["trace"] = [list(frame) for frame in trace]
            self._left -= sum(len(file) + len(function) + 16 for file, _, function in trace)
        self._inside.discard(id(error))
        return failure

    def _args(self, error: BaseException, failure: Failure, keeper: Keeper, kinds: Kinds) -> None:
        args = _ARGS.__get__(error)
        if issubclass(type(error), BaseExceptionGroup):
            args = args[:1]  # the others are its members
        if len(args) == 1 and type(args[0]) is str and args[0] == attempted(lambda: str(error)):
            return  # the message says it
        failure["args"] = [
            self._kept(keeper, value, ("args", index), kinds) for index, value in enumerate(args[:MEMBERS_LIMIT])
        ]

    def _kept(self, keeper: Keeper, value: Any, path: Path, kinds: Kinds) -> Any:
        if self._left <= 0:
            kinds.append([list(path), f"lost {what_was(value)}"])
            return None
        here: Kinds = []
        secret = type(value) is str and isinstance(path[-1], str) and holds_a_secret(path[-1])
        found = keeper.keep(MASK if secret else value, path, here)
        self._left -= len(dumps(found)) + 16
        kinds += here
        return found

    def _surroundings(self, error: BaseException, failure: Failure, depth: int) -> None:
        whole = error  # not narrowed to a group
        notes: Any = _held(error).get("__notes__")
        if isinstance(notes, list):
            failure["notes"] = [cut(str.__str__(note), 1024) for note in notes[:NOTES_LIMIT] if isinstance(note, str)]  # pyright: ignore[reportUnknownVariableType]
        if isinstance(error, BaseExceptionGroup):
            members = cast("BaseExceptionGroup[BaseException]", error).exceptions
            kept = [self.failure(member, depth + 1) for member in members[:MEMBERS_LIMIT]]
            failure["members"] = [member for member in kept if member is not None]
            if len(failure["members"]) < len(members):
                more = f"{len(members) - len(failure['members'])} of its {len(members)} errors were not kept"
                failure["notes"] = [*failure.get("notes", ()), more]
        name, other = "cause", error.__cause__
        if other is None:
            name, other = "context", None if error.__suppress_context__ else error.__context__
        if other is None:
            return
        held = next((key for key, value in _attributes(whole).items() if value is other), None)
        found = self.failure(other, depth + 1) if held is None else {"attribute": held}  # recorded there already
        if found is not None:
            failure[name] = found


def _attributes(error: BaseException) -> dict[str, Any]:
    """What the error holds: its ``__dict__``, its slots, and what the interpreter keeps for its own classes."""
    found = {
        name: value
        for name, value in _held(error).items()
        if type(name) is str and name != "__notes__" and not name.startswith(_OURS)  # pyright: ignore[reportUnnecessaryComparison]  # it need not be
    }
    given = _ARGS.__get__(error)
    for name, member, users in _members(cast("Any", type(error))):
        value = attempted(lambda member=member: (member.__get__(error),))  # type: ignore[misc]  # bound at once
        if value is None:
            continue  # it was never set
        if users or (value[0] is not None and not any(value[0] is arg for arg in given)):
            found.setdefault(name, value[0])
    return found


@lru_cache(maxsize=1024)
def _members(cls: Any) -> tuple[tuple[str, MemberDescriptorType, bool], ...]:
    """Slots of a class and those it inherits from: name, descriptor, and whether the class is no built-in one."""
    found: dict[str, tuple[str, MemberDescriptorType, bool]] = {}
    for part in cast("type[BaseException]", cls).__mro__:
        users = part.__module__ != "builtins"
        for name, member in vars(part).items():
            if isinstance(member, MemberDescriptorType) and not name.startswith("__") and (users or name not in _SHOWN):
                found.setdefault(name, (name, member, users))
    return tuple(found.values())


def _held(error: BaseException) -> dict[str, Any]:
    """The error's ``__dict__``, past whatever its class does with attributes."""
    held: dict[str, Any] = object.__getattribute__(error, "__dict__")
    return held


def _kind(error: BaseException) -> str:
    cls = type(error)
    return f"{cls.__module__}.{cls.__qualname__}"


# -- and out -----------------------------------------------------------------------------------------


def _made(cls: type[Exception], args: tuple[Any, ...], data: dict[str, Any], members: list[Exception]) -> Exception:
    """An error of that class. Raises whatever its class does when it can't be made.

    Its ``__init__`` is not run: its signature is the class's own affair. Those of the interpreter's classes are,
    because they keep state there.
    """
    base = next(part for part in cls.__mro__ if not part.__flags__ & _HEAPTYPE)
    if issubclass(cls, BaseExceptionGroup):
        error: Any = BaseExceptionGroup.__new__(cls, args[0] if args else "", members)
    else:
        error = cls(*args) if cls is base else base.__new__(cls, *args)
        if cls is not base:
            attempted(lambda: cast("Any", base).__init__(error, *args))
        _ARGS.__set__(error, args)
    slots = {name: member for name, member, _ in _members(cast("Any", cls))}
    held = _held(error)
    for name, value in data.items():
        member = slots.get(name)
        if member is None or attempted(lambda member=member, value=value: (member.__set__(error, value),)) is None:  # type: ignore[misc]  # bound at once
            held[name] = value
    return cast("Exception", error)


def _surround(error: Exception, failure: Failure, data: dict[str, Any]) -> None:
    notes = failure.get("notes")
    if isinstance(notes, list) and notes:
        _held(error)["__notes__"] = [str(note) for note in notes]  # pyright: ignore[reportUnknownArgumentType,reportUnknownVariableType]
    for name in ("cause", "context"):
        record = failure.get(name)
        if not isinstance(record, dict):
            continue
        held = data.get(str(record.get("attribute"))) if "attribute" in record else decode(cast("Failure", record))  # pyright: ignore[reportUnknownArgumentType,reportUnknownMemberType]  # JSON object
        if isinstance(held, BaseException):
            BaseException.__setattr__(error, f"__{name}__", held)


class _Worded:
    """An error whose text can't be made from what was kept: it was recorded, and is this."""

    __slots__ = ()

    def __init_subclass__(cls) -> None:
        """Not that of the error's class: it must not hear of this."""

    def __str__(self) -> str:
        return str(_held(cast("BaseException", self))[_TEXT])

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"


@lru_cache(maxsize=1024)
def _worded(cls: Any) -> type[Exception]:
    named = {"__slots__": (), "__module__": cls.__module__, "__qualname__": cls.__qualname__}
    made: type[Exception] = type(cls)(cls.__name__, (_Worded, cls), named)
    return made


@lru_cache(maxsize=1024)
def _stand_in(cls: Any) -> type[StepFailed]:
    """StepFailed; of a class that is loaded and can't be made, one that is caught like it where that is possible."""
    base: Any = next((part for part in cls.__mro__ if part.__module__ == "builtins"), Exception) if cls else Exception
    if base in (Exception, BaseException, object) or issubclass(base, BaseExceptionGroup):
        return StepFailed
    named = {"__module__": StepFailed.__module__, "__qualname__": StepFailed.__qualname__, "__slots__": ()}
    return attempted(lambda: type(StepFailed.__name__, (StepFailed, base), named)) or StepFailed


def _find(kind: str) -> type[Exception] | None:
    module_name, _, name = kind.rpartition(".")
    if module_name == "builtins":
        found: Any = getattr(builtins, "ExceptionGroup" if name == "BaseExceptionGroup" else name, None)
    elif module_name == errors.__name__:
        found = getattr(errors, name, None)
    else:
        found = loaded(kind)
    return found if isinstance(found, type) and issubclass(found, Exception) else None
