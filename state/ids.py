"""What may be the id of an execution, the key of a session or the id of a message, and the name of a function: one
rule for every way in.

An id is 1 to 200 printable characters without a space at either end. So it is never empty (nobody's parent is), is
one line in every log and table, and reads in the order in which it is stored: control, line-separating, invisible
and direction-changing characters are refused, and halves of surrogate pairs, which no store can take. Invisible is
what Unicode calls ignorable by default (variation selectors, fillers, joiners) and the blank of Braille: two ids that
look alike would be two executions. U+FFFD is refused because it stands for bytes that could not be read: several ids
would have become one. The names of the runtime's own scopes (RESERVED) are nobody's id,
nor are those by which an audit tells a store's own chains (CHAIN).

Ids stand in addresses as they are, and clients resolve ``.`` and ``..`` between slashes before they ask: an id with
such a part would lead to another execution, and is refused.

A name is text of the same kind without a slash, because the ids that are given by themselves begin with it.

``NAME/fork:1f2e3d4c`` and what lies below it are forks: their calls have no effect, and the id says so to every
process, without a look at anything.

Ids are compared character by character; nothing is trimmed, folded or normalised.
"""

from __future__ import annotations

import hashlib
import re

from .errors import InvalidInput

SCHEDULES = "overwinter.schedules"
AUDIT = "overwinter.audit"
READINGS = "overwinter.readings"
KEYED = "overwinter.keyed"
TRACES = "overwinter.traces"
RESERVED = frozenset(
    {
        *("overwinter.store", "overwinter.functions", "overwinter.doctor", "overwinter.trials"),
        *("overwinter.listening", SCHEDULES, AUDIT, READINGS, KEYED, TRACES),
    }
)
"""Scopes of the runtime's own marks. An execution of that name would own them."""
CHAIN = re.compile("store:[0-9a-f]{16}")
FORKED = "/fork:"
"""In the id of a fork, and of what it has begun."""
_FORK = re.compile("[^/]+/fork:[0-9a-f]{8}(?=/|$)")
LONGEST_NAME = 128
"""Characters that the name of a workflow may have; what a runtime adds to make an id of it fits in LONGEST."""
LONGEST = 200
"""Characters that a chosen id may have."""
_SHOWN = 120
_DOTS = frozenset({".", ".."})
_CALLABLE = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Default_Ignorable_Code_Point of Unicode 15 (DerivedCoreProperties.txt), and U+2800."""
LONGEST_KEPT = 2000
"""Bytes that the id of any execution may have: a session's holds its agent's name, a child's its parent's id."""


def check_id(id: object, what: str = "an id") -> str:
    """An id that somebody has chosen. Raises InvalidInput that says what may be ``what``."""
    if not isinstance(id, str):
        raise InvalidInput(f"{what} is text, not {type(id).__name__}; write str({id!r:.80})")
    if len(id) > LONGEST or not _is_plain(id) or _INVISIBLE.search(id):
        raise InvalidInput(f"{id[:80]!r} can't be {what}; use 1 to {LONGEST} printable characters without outer spaces")
    if "." in id and not _DOTS.isdisjoint(id.split("/")):
        raise InvalidInput(
            f"{id[:80]!r} can't be {what}: clients resolve '.' and '..' between slashes and would ask for another one; "
            "write it without them"
        )
    return _unreserved(id, what)


def check_name(name: object, what: str, *, for_models: bool) -> str:
    """The name of a function. Raises InvalidInput that says what may be one: text that can begin an id, or,
    where models read it, what they take."""
    if not isinstance(name, str):
        raise InvalidInput(f"the name of a function is text, not {type(name).__name__}; write {str(name)!r:.80}")
    if for_models:
        if not _CALLABLE.fullmatch(name):
            raise InvalidInput(f"{what} name {name[:80]!r} must be 1 to 64 of the characters a-z A-Z 0-9 _ -")
        return name
    if len(name) > LONGEST_NAME or not _is_plain(name) or "/" in name or name in _DOTS or _INVISIBLE.search(name):
        raise InvalidInput(
            f"{name[:80]!r} can't be the name of a {what}; use 1 to {LONGEST_NAME} printable characters without "
            "a slash or outer spaces"
        )
    return name


def child_id(parent: str, op: str) -> str:
    """The id of a child for which nobody has chosen one: its parent's and the operation, and, where that would be
    longer than a chosen one, its beginning and a hash of it. So ids stay short however deep children are nested."""
    id = f"{parent}/{op}"
    if len(id) <= LONGEST:
        return id
    shown = max(_SHOWN, len(fork_of(id)) + 1)
    return f"{id[:shown]}..{hashlib.sha256(id.encode()).hexdigest()[:32]}"


def fork_id(function: str, token: str) -> str:
    """The id of a fork; ``token`` has eight hexadecimal digits."""
    return f"{function}{FORKED}{token}"


def fork_of(id: str) -> str:
    """The id of the fork that an execution is, or belongs to; "" when it is none."""
    found = _FORK.match(id) if FORKED in id else None
    return found.group() if found is not None else ""


def check_kept(id: str, what: str = "an execution's id") -> str:
    """An id that another store has kept, on its way in. Raises InvalidInput."""
    if not _is_plain(id) or len(id.encode()) > LONGEST_KEPT:
        raise InvalidInput(f"{id[:80]!r} can't be {what}: it is empty, too long, or no single printable line")
    return _unreserved(id, what)


def _unreserved(id: str, what: str) -> str:
    if id in RESERVED or CHAIN.fullmatch(id):
        raise InvalidInput(f"{id!r} can't be {what}: it is the runtime's own name; use another")
    return id


def _is_plain(id: str) -> bool:
    return id != "" and id.isprintable() and id == id.strip() and "\ufffd" not in id


def can_exist(id: str) -> bool:
    """Whether any store can hold an execution of that id, also one that an older release let in."""
    if not isinstance(id, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # as users may give it
        return False
    if id.isascii():
        return True
    try:
        id.encode()
    except UnicodeEncodeError:
        return False
    return True
