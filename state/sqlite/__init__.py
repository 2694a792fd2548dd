"""The embedded store: one SQLite file, any number of processes, group commit."""

from .store import SqliteStore

__all__ = ["SqliteStore"]
