"""Where a secret lies, by reference: ``env:NAME`` or ``file:PATH``. The secret itself is written nowhere.

What was read once stands in no log and no answer afterwards (``security.redaction``).
"""

from __future__ import annotations

import os
from pathlib import Path

from ...security.redaction import remember
from ...state.errors import InvalidInput

KINDS = ("env", "file")
LARGEST = 64 * 1024  # bytes of a file that holds one


def is_reference(text: str) -> bool:
    """Whether it says where a secret lies, and is none."""
    kind, colon, place = text.partition(":")
    return kind in KINDS and bool(colon and place.strip())


def look_up(reference: str, whose: str) -> str:
    """The secret that lies there, without white space around it. Raises InvalidInput that says ``whose`` it is, when
    there is none or it can't be one."""
    kind, _, place = reference.partition(":")
    try:
        found = os.environ.get(place, "") if kind == "env" else contents(Path(place))
    except (OSError, ValueError) as error:
        raise InvalidInput(f"the {whose} can't be read: {error}") from None
    found = fit(found, reference, whose)
    if not found.isascii():
        raise InvalidInput(f"the {whose} in {reference} is not ASCII, so it can't be sent in a header; make another")
    return found


def contents(path: Path) -> str:
    """The text of a file that holds a secret. Raises OSError, ValueError."""
    with path.open("rb") as file:
        found = file.read(LARGEST + 1)
    if len(found) > LARGEST:
        raise ValueError(f"{path} has more than {LARGEST} bytes")
    return found.decode()


def fit(found: str, reference: str, whose: str) -> str:
    """The secret without white space around it. Raises InvalidInput when there is none, or more than one line."""
    found = found.strip()
    if not (found and found.isprintable()):
        raise InvalidInput(f"there is no {whose} in {reference}; put it there, as one line")
    remember(found)
    return found
