"""What has left the window of a conversation, in a line, and who has handed it over."""

from __future__ import annotations

from typing import Any

from .text import counted


def gone(entry: dict[str, Any]) -> str:
    """What a ``compacted`` entry says: "turns up to 7 are outside, a summary stands for them (41 of 40 messages)"."""
    told: list[str] = [f"from {entry['from']}"] if entry.get("from") else []
    if "turns" in entry:
        told.append(f"turns up to {entry['turns']} are outside")
    if "steps" in entry:
        told.append(f"answers up to {entry['steps']} of the turn are outside")
    if ("turns" in entry or "steps" in entry) and entry.get("summary"):
        told.append("a summary stands for them")
    if entry.get("shortened"):
        told.append(f"{counted(len(entry['shortened']), 'long result', 'long results')} shortened")
    return ", ".join(told) + (f" ({entry['why']})" if entry.get("why") else "")
