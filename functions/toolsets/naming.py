"""Whether the tools that a change names are there, as far as that can be told without asking."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from ...state.errors import InvalidInput
from .source import UNASKED, Source


def known(source: Source, names: Iterable[str], what: str) -> None:
    """Raises InvalidInput for the first name that no tool has. What servers list is not known here."""
    if source.servers:
        return
    there = [tool.name for tool in source.tools(UNASKED)]
    for name in names:
        if name not in there:
            near = get_close_matches(name, there, 1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise InvalidInput(f"{what}: there is no tool {name!r}; {hint}there are: {', '.join(there) or 'none'}")
