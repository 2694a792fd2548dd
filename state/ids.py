"""What may be the id of an execution, the key of a session or the id of a message: one rule for every way in.

An id is 1 to 200 printable characters without a space at either end. So it is never empty (nobody's parent is), is
one line in every log and table, and reads in the order in which it is stored: control, line-separating, invisible
and direction-changing characters are refused, and halves of surrogate pairs, which no store can take. U+FFFD is
refused because it stands for bytes that could not be read: several ids would have become one. The names of the
runtime's own scopes (RESERVED) are nobody's id.

Ids are compared character by character; nothing is trimmed, folded or normalised.
"""

from __future__ import annotations

import hashlib

from .errors import InvalidInput

RESERVED = frozenset({"overwinter.store", "overwinter.functions", "overwinter.doctor"})
"""Scopes of the runtime's own marks. An execution of that name would own them."""
LONGEST = 200
"""Characters that a chosen id may have."""
_SHOWN = 120
LONGEST_KEPT = 2000
"""Bytes that the id of any execution may have: a session's holds its agent's name, a child's its parent's id."""


def check_id(id: object, what: str = "an id") -> str:
    """An id that somebody has chosen. Raises InvalidInput that says what may be ``what``."""
    if not isinstance(id, str):
        raise InvalidInput(f"{what} is text, not {type(id).__name__}; write str({id!r:.80})")
    if len(id) > LONGEST or not _is_plain(id):
        raise InvalidInput(f"{id[:80]!r} can't be {what}; use 1 to {LONGEST} printable characters without outer spaces")
    return _unreserved(id, what)


def child_id(parent: str, op: str) -> str:
    """The id of a child for which nobody has chosen one: its parent's and the operation, and, where that would be
    longer than a chosen one, its beginning and a hash of it. So ids stay short however deep children are nested."""
    id = f"{parent}/{op}"
    if len(id) <= LONGEST:
        return id
    return f"{id[:_SHOWN]}..{hashlib.sha256(id.encode()).hexdigest()[:32]}"


def check_kept(id: str, what: str = "an execution's id") -> str:
    """An id that another store has kept, on its way in. Raises InvalidInput."""
    if not _is_plain(id) or len(id.encode()) > LONGEST_KEPT:
        raise InvalidInput(f"{id[:80]!r} can't be {what}: it is empty, too long, or no single printable line")
    return _unreserved(id, what)


def _unreserved(id: str, what: str) -> str:
    if id in RESERVED:
        raise InvalidInput(f"{id!r} can't be {what}: it is the runtime's own name; use another")
    return id


def _is_plain(id: str) -> bool:
    return id != "" and id.isprintable() and id == id.strip() and "\ufffd" not in id


def can_exist(id: str) -> bool:
    """Whether any store can hold an execution of that id, also one that an older release let in."""
    if id.isascii():
        return True
    try:
        id.encode()
    except UnicodeEncodeError:
        return False
    return True
