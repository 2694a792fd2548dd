"""What people name in a workflow: steps, events, callbacks, approvals, roles, scopes, keys, status lines. One rule for
all: a name is text, and is not empty, because nobody could send, decide or look up what has no name.
"""

from __future__ import annotations

from ...state.codec import clean
from ...state.errors import InvalidArgument


def named(name: object, what: str) -> str:
    """``name`` as it can be stored. Raises InvalidArgument that says which name is none."""
    if name == "":
        raise InvalidArgument(f"{what} is empty; give it a name")
    return text(name, what)


def text(said: object, what: str) -> str:
    """Text that may be empty, as it can be stored. Raises InvalidArgument for anything else."""
    if not isinstance(said, str):
        raise InvalidArgument(f"{what} is text, not {type(said).__name__}")
    return said if said.isascii() else clean(said)
