"""Opening a file: made when it is new, migrated when it is older, refused by name when it is newer, not
ours, damaged or not writable. A file that is refused is left as it was."""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from ..errors import SchemaMismatch, StoreCorrupt, StoreError, StoreReadOnly, StoreUnavailable
from .failures import busy, translate
from .statements import script, sections

VERSION = 6
APPLICATION = 0x6F767774
"""PRAGMA application_id of every file of ours: the letters "ovwt"."""

_OLDEST_SQLITE = (3, 35, 0)  # RETURNING
_PAUSE = 0.001

Result = TypeVar("Result")


def open_writer(path: Path, patience: float, *, compressed: bool = False) -> sqlite3.Connection:
    """A connection that may write, to a file that has the current schema. ``compressed``: texts will be."""
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise StoreError(
            f"SQLite {sqlite3.sqlite_version} is too old: Python must be linked with 3.35 or newer; upgrade Python"
        )
    try:
        _create_private(path)
        connection = _connect(path)
        try:
            if compressed:  # of compressed texts one fits into an ordinary page, and half of it stays empty
                connection.execute("PRAGMA page_size=8192")  # of a new file; another one keeps its own
            prepare(connection, path, patience)
        except BaseException:
            connection.close()
            raise
    except (sqlite3.Error, OSError) as error:
        raise translate(error, path) from error
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA secure_delete=OFF")
    connection.execute("PRAGMA wal_autocheckpoint=0")  # the writer does it between two transactions
    connection.execute("PRAGMA journal_size_limit=16777216")
    connection.execute("PRAGMA cache_size=-8192")
    return connection


def open_reader(path: Path, patience: float) -> sqlite3.Connection:
    """A connection for queries, beside the writer's."""
    try:
        connection = _connect(path)
        connection.execute(f"PRAGMA busy_timeout={int(patience * 1000)}")
        connection.execute("PRAGMA query_only=ON")
    except sqlite3.Error as error:
        raise translate(error, path) from error
    return connection


def open_frozen(path: Path) -> sqlite3.Connection:
    """A connection to a file that nobody writes, as a backup, and that may lie where nobody can: nothing is made beside
    it, and what would write is refused (StoreReadOnly)."""
    log = Path(f"{path}-wal")
    if log.exists() and log.stat().st_size:
        raise StoreReadOnly(
            f"{path} has a log beside it ({log.name}), without which it is not whole: it is in use, or was copied "
            "while it was. Open it without mode=ro, or make a copy with VACUUM INTO"
        )
    try:
        connection = sqlite3.connect(
            f"file:{quote(str(path))}?mode=ro&immutable=1", uri=True, isolation_level=None, check_same_thread=False
        )
        try:
            found = _check(connection, path, VERSION)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise translate(error, path) from error
    if found != VERSION:
        connection.close()
        raise SchemaMismatch(
            f"{path} has schema version {found}, and this release reads {VERSION}: open a copy of it once without "
            "mode=ro, which migrates that"
        )
    return connection


def patiently(work: Callable[[], Result], patience: float) -> Result:
    """Do ``work``; while another connection stands in the way, try again for ``patience`` seconds."""
    # SQLite's own busy handler sleeps up to 100 ms between two tries, too coarse for processes that share
    # a file and hold it for one commit each.
    deadline = time.monotonic() + patience
    while True:
        try:
            return work()
        except sqlite3.OperationalError as error:
            if not busy(error) or time.monotonic() > deadline:
                raise
        time.sleep(_PAUSE)


def prepare(
    connection: sqlite3.Connection,
    path: Path,
    patience: float,
    *,
    version: int = VERSION,
    migrations: Mapping[str, str] | None = None,
) -> None:
    """Bring the file to ``version``. ``migrations`` are scripts by the version they lead to."""
    if migrations is None:
        migrations = sections(script("migrations.sql"))
    patiently(lambda: _look(connection, path, version), patience)
    mode = patiently(lambda: connection.execute("PRAGMA journal_mode=WAL").fetchone()[0], patience)
    if mode != "wal":
        raise StoreError(f"{path} is on a file system without shared memory (journal mode {mode}); use a local disk")
    patiently(lambda: connection.execute("BEGIN IMMEDIATE"), patience)
    try:
        found = _check(connection, path, version)  # again: another process may have been first
        if found == 0:
            _run(connection, script("schema.sql"))
            connection.execute(f"PRAGMA application_id={APPLICATION}")
        else:
            for step in range(found + 1, version + 1):
                _run(connection, migrations[str(step)])
        if found != version:
            connection.execute(f"PRAGMA user_version={version}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)


def _create_private(path: Path) -> None:
    # Conversations are nobody else's business: SQLite itself would make the file readable for all, and it
    # gives its -wal and -shm files the mode of this one.
    if not path.parent.is_dir():
        raise StoreUnavailable(f"{path}: there is no folder {path.parent}. Make it, or choose another path")
    if path.is_dir():
        raise StoreUnavailable(f"{path} is a folder. Choose the path of a file in it")
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    # Asked beforehand, because SQLite reports a folder without room for its log as "unable to open".
    if not (os.access(path, os.R_OK | os.W_OK) and os.access(path.parent, os.W_OK)):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _look(connection: sqlite3.Connection, path: Path, version: int) -> int:
    # In one transaction: another process may be making the file at this moment.
    connection.execute("BEGIN")
    try:
        return _check(connection, path, version)
    finally:
        connection.execute("ROLLBACK")


def _check(connection: sqlite3.Connection, path: Path, version: int) -> int:
    """The file's version; 0 when it is empty. Raises what refuses it."""
    application: int = connection.execute("PRAGMA application_id").fetchone()[0]
    found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    tables: int = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if application == 0 and found == 0 and tables == 0:
        return 0
    if application != APPLICATION:
        raise StoreCorrupt(f"{path} is an SQLite database of another program. Choose another path")
    if found > version:
        raise SchemaMismatch(
            f"{path} has schema version {found}, written by a newer release; this one knows up to {version}. "
            "Upgrade overwinter; nothing was changed"
        )
    return found


def _run(connection: sqlite3.Connection, text: str) -> None:
    # Connection.executescript would commit the transaction that this belongs to.
    statement = ""
    for line in text.splitlines():
        if not line.startswith("--"):
            statement += line + "\n"
        if sqlite3.complete_statement(statement):
            connection.execute(statement)
            statement = ""
