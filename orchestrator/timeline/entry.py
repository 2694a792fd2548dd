"""What the fields of a journal entry say, for who shows it."""

from __future__ import annotations

from typing import Any, cast

from ..protocol.media import said

Entry = dict[str, Any]
SHOWN = ("since", "key", "arguments", "why", "rule")


def doubtful(entry: Entry) -> Entry:
    """What a ``doubt`` entry says, for the row of its call."""
    return {"doubt": True} | {name: entry[name] for name in SHOWN if name in entry}


def verdict(entry: Entry) -> str:
    """Who has said what came of a call, and how one knows."""
    parts = [str(entry.get("verdict", "")), str(entry.get("reason") or "")]
    return " · ".join(filter(None, [*parts, f"by {entry['by']}" if entry.get("by") else ""]))


def left_in(data: Any) -> Entry:
    """As the error of a saga, what it could not undo."""
    each = [f"{left.get('name')}: {left.get('why')}" for left in cast("list[Entry]", data)]
    return {"kind": "", "message": f"not undone: {'; '.join(each)}"}


def said_in(entry: Entry, field: str) -> Any:
    return said(entry.get(field)) if entry.get("media") else entry.get(field)


def at(entry: Entry) -> int:
    return int(entry.get("at", 0))


def error(found: Any) -> Entry | None:
    """A recorded error; one that is only text gets the shape of the others."""
    return cast("Entry", found) if found is None or isinstance(found, dict) else {"kind": "", "message": str(found)}
