"""What a newer release has written is left to it.

A release that begins to write what older ones can't go on from says so in the entry: ``"protocol": N``, the level of
what whoever replays the journal must know. LEVEL is the one of this release. An execution with such an entry, or with
one of a kind that its decider has never heard of, is neither run nor stuck here: the lease goes back, and a process of
the newer release goes on with it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from .decider import Fact

LEVEL = 2
PROTOCOL = "protocol"
FORKS = 2
"""Of forks: a release that does not know them would make their calls."""
AWAITS = "a process of a newer release"


def newer(entries: Sequence[Fact], first: int, kinds: Collection[str] | None) -> str:
    """Why this release can't go on from a journal, "" when it can. ``kinds`` are those that the decider knows, None: it
    says so itself."""
    for number, entry in enumerate(entries, first):
        if PROTOCOL in entry and not _known(entry[PROTOCOL]):
            level = str(entry[PROTOCOL])[:20]
            return f"entry {number} ({entry['type']}) has protocol {level}, and this release has {LEVEL}"
        if kinds is not None and entry["type"] not in kinds:
            return f"entry {number} is of a kind that this release does not know: {str(entry['type'])[:40]}"
    return ""


def _known(level: object) -> bool:
    return type(level) is int and level <= LEVEL
