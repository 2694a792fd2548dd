"""``state``: key-value entries in the store, as durable operations. A read is recorded like a step's result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, NamedTuple, TypeVar, overload

from ...state.codec import clean, copied
from ...state.errors import InvalidInput
from ..protocol.decider import Access
from ..protocol.shared import scope_of
from ..usercode import fingerprint
from . import arguments
from .naming import named, text
from .operation import Decode, Operation
from .scope import Scope
from .targets import decoder, writer

T = TypeVar("T")


class Entry(NamedTuple, Generic[T]):
    """A value and its etag, which ``put`` and ``delete`` take to fail when somebody else was faster."""

    value: T
    etag: str


class State:
    """The keys of one scope. An execution's own scope is its id, a shared one's is ``shared.place_of`` its name."""

    __slots__ = ("_in", "_scope")

    def __init__(self, operations: Scope, scope: str) -> None:
        self._in = operations
        self._scope = scope

    @overload
    def get(self, key: str) -> Operation[Any]: ...
    @overload
    def get(self, key: str, *, type: type[T]) -> Operation[T | None]: ...
    def get(self, key: str, *, type: Any = Any) -> Operation[Any]:
        """The value under ``key``, as ``type``; None when there is none."""
        decode = decoder(type, _value_of(key))

        def value(found: Any) -> Any:
            return None if found is None else _decoded(decode, found["value"])

        return self._access("get", key, decode=value)

    @overload
    def read(self, key: str) -> Operation[Entry[Any] | None]: ...
    @overload
    def read(self, key: str, *, type: type[T]) -> Operation[Entry[T] | None]: ...
    def read(self, key: str, *, type: Any = Any) -> Operation[Any]:
        """The value with its etag; None when there is none."""
        decode = decoder(type, _value_of(key))

        def entry(found: Any) -> Entry[Any] | None:
            return None if found is None else Entry(_decoded(decode, found["value"]), found["etag"])

        return self._access("get", key, decode=entry)

    def put(self, key: str, value: Any, *, etag: str | None = None, type: Any = Any) -> Operation[str]:
        """Write; gives the new etag. ``etag`` "" means only when absent, another only when unchanged: else
        EtagMismatch is raised. After a crash between the write and its record, it is written again. ``type``: the
        type that it will be read as, where the value alone does not tell (a dict with keys that are no text).
        Raises InvalidInput for what would not come back."""
        write = writer(type, _value_of(key))
        return self._access("put", key, write(value), etag)

    def delete(self, key: str, *, etag: str | None = None) -> Operation[bool]:
        """Remove; whether there was one. Raises EtagMismatch when ``etag`` is given and not the current one."""
        return self._access("remove", key, None, etag)

    def keys(self, prefix: str = "") -> Operation[Sequence[str]]:
        """The keys that begin with ``prefix``."""
        return self._access("keys", text(prefix, "what keys begin with"))

    def _access(
        self, action: str, key: str, value: Any = None, etag: str | None = None, decode: Decode | None = None
    ) -> Operation[Any]:
        if action != "keys":
            named(key, "a key of ctx.state or ctx.kv")
        arguments.text_or_none(etag, f"{action}(etag=…)")
        if clean(key) != key or clean(self._scope) != self._scope:
            raise InvalidInput(f"the key {key!r} holds half a surrogate pair, which no store can keep; use another")
        run, op = self._in._run, self._in._next()  # pyright: ignore[reportPrivateUsage]  # a part of the context
        name = f"state.{action} {key}" if self._scope == run.id else f"{scope_of(self._scope)}.{action} {key}"
        given = fingerprint.of((value, etag), {}) if action == "put" or etag is not None else ""
        operation: Operation[Any] = Operation(run, op, name, decode, given)
        run.open(operation)
        run.effect(Access(op, name, action, self._scope, key, value, etag, decode, given))
        return operation


def _value_of(key: object) -> str:
    return f"the value of {named(key, 'a key of ctx.state or ctx.kv')!r}"


def _decoded(decode: Decode | None, value: Any) -> Any:
    return copied(value) if decode is None else decode(value)
