"""What a saga could not undo, as its error tells."""

from __future__ import annotations

from typing import Any, NamedTuple


class NotUndone(NamedTuple):
    """A call of a saga that could not be undone, and ``why``. ``op`` and ``key`` are the call's own, "" when it was
    registered by ``saga.undo``; ``arguments`` is None when they are large; ``undo`` is what was to undo it."""

    name: str
    op: str
    key: str
    arguments: dict[str, Any] | None
    undo: str
    why: str
