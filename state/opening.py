"""From a DSN to a store: the one place that knows which stores there are."""

from __future__ import annotations

import os

from .errors import InvalidInput
from .store import Store

DEFAULT = "sqlite:///overwinter.db"


def open_store(dsn: str | None = None) -> Store:
    """The store of a DSN, not opened yet: ``sqlite:///relative.db``, ``sqlite:////absolute.db`` or ``memory://``.

    Without one, ``OVERWINTER_STATE`` says which, else it is ``sqlite:///overwinter.db`` in the current folder.
    Raises InvalidInput that names what there is.
    """
    dsn = dsn or os.environ.get("OVERWINTER_STATE") or DEFAULT
    scheme, found, _ = dsn.partition("://")
    if not found:
        scheme = ""
    if scheme == "sqlite":
        from .sqlite.store import SqliteStore

        return SqliteStore(dsn)
    if scheme == "memory":
        from .memory import MemoryStore

        return MemoryStore(dsn)
    raise InvalidInput(f"there is no store for {dsn!r}; use {DEFAULT}, sqlite:////absolute/path.db or memory://")
