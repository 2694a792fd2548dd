"""What people name in a workflow: steps, events, callbacks, approvals, roles, scopes, keys, status lines. One rule for
all: a name is text, and is not empty, because nobody could send, decide or look up what has no name.
"""

from __future__ import annotations

from ...state.codec import clean
from ...state.errors import InvalidArgument

LONGEST = 10_000
"""Characters of a name: it stands in every entry of what it names."""


def named(name: object, what: str) -> str:
    """``name`` as it can be stored. Raises InvalidArgument that says which name is none."""
    if name == "":
        raise InvalidArgument(f"{what} is empty; give it a name")
    said = text(name, what)
    if len(said) > LONGEST:
        raise InvalidArgument(f"{what} has {len(said):,} characters; a name has {LONGEST:,} at the most")
    return said


def text(said: object, what: str) -> str:
    """Text that may be empty, as it can be stored. Raises InvalidArgument for anything else."""
    if not isinstance(said, str):
        raise InvalidArgument(f"{what} is text, not {type(said).__name__}")
    return said if said.isascii() else clean(said)
