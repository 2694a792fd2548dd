"""What SQLite and the operating system report, as errors of the store: which file, what happened, what to do."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from ..errors import (
    InvalidInput,
    OverwinterError,
    PayloadTooLarge,
    StoreCorrupt,
    StoreError,
    StoreFull,
    StoreReadOnly,
    StoreUnavailable,
)

_PRIMARY = 0xFF  # SQLite's extended codes carry the primary one in the low byte


def primary(error: sqlite3.Error) -> int:
    """SQLite's primary result code; 0 when the error came from the sqlite3 module itself."""
    return getattr(error, "sqlite_errorcode", 0) & _PRIMARY


def busy(error: sqlite3.Error) -> bool:
    """Whether another connection stands in the way and waiting may help."""
    return primary(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)


def translate(error: BaseException, path: Path) -> OverwinterError:
    """The store's error for one that a statement or a file operation raised."""
    if isinstance(error, OverwinterError):
        return error
    if isinstance(error, sqlite3.Error):
        return _translate_sqlite(error, path)
    if isinstance(error, PermissionError):
        return StoreReadOnly(f"{path}: {error.strerror}. Check the permissions of the file and its folder")
    if isinstance(error, OSError):
        return StoreUnavailable(f"{path}: {error.strerror or error}")
    if isinstance(error, (ValueError, TypeError, OverflowError)):
        return InvalidInput(f"this value can't be stored: {error}")
    return StoreError(f"{path}: {type(error).__name__}: {error}")


def _translate_sqlite(error: sqlite3.Error, path: Path) -> OverwinterError:
    code = primary(error)
    if busy(error):
        return StoreUnavailable(
            f"{path} is locked by another process. Find it (lsof {path}) and let it finish, then try again"
        )
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        return StoreReadOnly(f"{path} can't be written. Check the permissions of the file and its folder")
    if code == sqlite3.SQLITE_FULL:
        return StoreFull(f"{path}: the disk is full. Free space and try again; nothing that was acknowledged is lost")
    if code == sqlite3.SQLITE_NOTADB:
        return StoreCorrupt(f"{path} is not an SQLite database. Choose another path or move the file away")
    if code == sqlite3.SQLITE_CORRUPT:
        return StoreCorrupt(
            f'{path} is damaged ({error}). Restore a backup, or save what is readable: sqlite3 {path} ".recover"'
        )
    if code == sqlite3.SQLITE_CANTOPEN:
        return StoreUnavailable(f"{path} can't be opened. Check that it is a file that this user may read")
    if code == sqlite3.SQLITE_TOOBIG:
        return PayloadTooLarge(f"a value is too big for {path}. Store it elsewhere and pass a reference")
    return StoreError(f"{path}: {error} ({getattr(error, 'sqlite_errorname', type(error).__name__)})")
