"""Why an execution is stuck: its code and its journal disagree, it was quarantined, or what is stored of it is damaged.
``Head.awaits`` says it in a sentence, and begins with a word that tells which."""

from __future__ import annotations

QUARANTINED = "quarantined"
"""Processes died under it. It stays as it is, whatever arrives, until it is resumed or terminated."""

DAMAGED = "damaged"
"""Something of it can't be read in the store."""

REASONS = {
    QUARANTINED: "the processes that ran it died",
    DAMAGED: "what is stored of it can't be read",
    "": "the code no longer asks for what the journal holds",
}
"""What each means, for people. The last one is all others."""


def damaged(error: Exception) -> str:
    """What a damaged execution says, for an error about what can't be read of it."""
    return f"{DAMAGED}: {error}. Mend it or restore a backup, then resume it, or terminate it"


def reason(awaits: str) -> str:
    """Which of REASONS it is."""
    return next(word for word in REASONS if awaits.startswith(word))
