"""Raw floors: the least that the same durability can cost on this disk, with bare ``sqlite3``.

One connection, WAL, ``synchronous=FULL``, one transaction for each transition and no batching. No engine, no
validation, no identity check: whatever overwinter costs above these figures, it has to be worth.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS instance (id TEXT PRIMARY KEY, seq INTEGER, value TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS history (id TEXT, seq INTEGER, value TEXT, PRIMARY KEY (id, seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS session (id TEXT PRIMARY KEY, state TEXT);
"""


def connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.executescript(SCHEMA)
    return connection


def transition(connection: sqlite3.Connection, id: str, seq: int, value: str) -> None:
    """One durable transition: a row of history and the instance's new head."""
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO history VALUES (?, ?, ?)", (id, seq, value))
    if seq:
        connection.execute("UPDATE instance SET seq = ?, value = ? WHERE id = ?", (seq, value, id))
    else:
        connection.execute("INSERT INTO instance VALUES (?, ?, ?)", (id, seq, value))
    connection.execute("COMMIT")


def steps(path: Path, workflows: int, each: int, value: str = "1") -> float:
    """As ``transitions``, on a connection of its own."""
    with closing(connect(path)) as connection:
        return transitions(connection, workflows, each, value)


def transitions(connection: sqlite3.Connection, workflows: int, each: int, value: str = "1") -> float:
    """Seconds for a number of workflows: one start and ``each`` transitions for every one."""
    (known,) = connection.execute("SELECT count(*) FROM instance").fetchone()
    started = time.perf_counter()
    for number in range(known, known + workflows):
        for seq in range(each + 1):
            transition(connection, f"workflow-{number}", seq, value)
    return time.perf_counter() - started


def conversation(path: Path, texts: Sequence[str]) -> float:
    """Seconds for a conversation: each text one committed row."""
    with closing(connect(path)) as connection:
        started = time.perf_counter()
        for seq, text in enumerate(texts):
            connection.execute("INSERT INTO history VALUES (?, ?, ?)", ("talk", seq, text))
        return time.perf_counter() - started


def read_history(path: Path, id: str) -> float:
    """Seconds to open the file and read and parse an instance's whole history."""
    import json

    started = time.perf_counter()
    with closing(connect(path)) as connection:
        rows = connection.execute("SELECT value FROM history WHERE id = ? ORDER BY seq", (id,)).fetchall()
        for (value,) in rows:
            json.loads(value)
    return time.perf_counter() - started


def fill_sessions(path: Path, count: int, state: str) -> None:
    """Idle sessions, each one row with its whole state."""
    with closing(connect(path)) as connection:
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO session VALUES (?, ?)", ((f"session-{number}", state) for number in range(count))
        )
        connection.execute("COMMIT")


def activate(connection: sqlite3.Connection, number: int, message: str) -> float:
    """Seconds to read an idle session, add a message to its state (same length) and commit it."""
    started = time.perf_counter()
    connection.execute("BEGIN IMMEDIATE")
    (state,) = connection.execute("SELECT state FROM session WHERE id = ?", (f"session-{number}",)).fetchone()
    grown = (state + "\n" + message)[-len(state) :]
    connection.execute("UPDATE session SET state = ? WHERE id = ?", (grown, f"session-{number}"))
    connection.execute("COMMIT")
    return time.perf_counter() - started
