"""Names for a module of stubs, made of texts that may be anything. Each is given once."""

from __future__ import annotations

import builtins
import keyword
import re

from pydantic import BaseModel

IMPORTED = {
    "date": "datetime", "datetime": "datetime", "time": "datetime", "timedelta": "datetime",
    "Decimal": "decimal",
    "Annotated": "typing", "Any": "typing", "Final": "typing", "Literal": "typing",
    "UUID": "uuid",
    "BaseModel": "pydantic", "ConfigDict": "pydantic", "Field": "pydantic",
    "Context": "overwinter", "tool": "overwinter", "workflow": "overwinter",
    "elsewhere": "overwinter.functions.stub", "unsaid": "overwinter.functions.stub",
}  # fmt: skip
"""What such a module may import, and from where."""
_TYPES = frozenset({"str", "int", "float", "bool", "list", "dict", "tuple", *IMPORTED})
_LONGEST = 60


def identifier(text: str) -> str:
    """The text as a name of Python; "" when nothing of it can be."""
    found = re.sub(r"[^A-Za-z0-9_]+", "_", text)[:_LONGEST].strip("_")
    found = f"n{found}" if found[:1].isdigit() else found
    return f"{found}_" if keyword.iskeyword(found) else found


def title(text: str) -> str:
    """The text as the name of a class."""
    parts = re.split(r"[^A-Za-z0-9]+", text)
    found = "".join(part[:1].upper() + part[1:] for part in parts)[:_LONGEST]
    return identifier(found) or "Value"


def attribute(text: str) -> str:
    """The text as the name of a model's field: neither one of pydantic's own nor one that would hide a type."""
    found = identifier(text) or "field"
    taken = hasattr(BaseModel, found) or found in _TYPES or found[0].isupper()
    return f"{found}_" if taken else found


class Names:
    """The names of one scope."""

    def __init__(self) -> None:
        self._taken = {*IMPORTED, *dir(builtins), *keyword.kwlist, "annotations"}

    def take(self, wanted: str) -> str:
        """That name, or one like it."""
        made, number = wanted, 2
        while made in self._taken:
            made, number = f"{wanted}_{number}" if wanted[-1:].isdigit() else f"{wanted}{number}", number + 1
        self._taken.add(made)
        return made
