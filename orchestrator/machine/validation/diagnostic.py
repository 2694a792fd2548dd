"""What is wrong, as data: the place, the rule, the sentence, the advice."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from ..definition.document import Document, Mark, Pointer, location, rfc6901

Severity = Literal["ERROR", "WARNING"]

_LONGEST, _MOST = 100, 500  # characters of a name, and names, that a misspelt one is compared with


class Diagnostic(NamedTuple):
    """``code`` is AWS's where it has one. ``pointer`` is the very place, by RFC 6901; ``location`` is where AWS would
    see it, "" where it says none; ``line`` and ``column`` are None when the definition was no text. ``rule`` is a key
    of RULES. ``blocks``: such a machine can't be run; other errors are of those that would show while it runs."""

    severity: Severity
    code: str
    pointer: str
    location: str
    line: int | None
    column: int | None
    message: str
    rule: str
    advice: str
    blocks: bool


class Report:
    """Collects diagnostics over one document, each place and message once."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._found: dict[tuple[str, str, str], tuple[tuple[int, int], Diagnostic]] = {}

    def add(
        self,
        severity: Severity,
        rule: str,
        pointer: Pointer,
        message: str,
        *,
        code: str = "SCHEMA_VALIDATION_FAILED",
        advice: str = "",
        at: Pointer | str | None = None,
        mark: Mark | None = None,
        blocks: bool = True,
    ) -> None:
        """``at`` is AWS's place when it is another than ours; ``mark`` the place in the text when it is not the
        pointer's."""
        mark = mark or self._document.mark(pointer)
        line, column = mark if mark is not None else (None, None)
        place = at if isinstance(at, str) else location(pointer if at is None else at)
        blocks = blocks and severity == "ERROR"
        made = Diagnostic(severity, code, rfc6901(pointer), place, line, column, message, rule, advice, blocks)
        self._found.setdefault((made.pointer, code, message), ((line or 0, column or 0), made))

    def diagnostics(self) -> list[Diagnostic]:
        """In the order of the text; what has no place in one, as it was found."""
        return [made for _, made in sorted(self._found.values(), key=lambda found: found[0])]


def did_you_mean(name: Any, known: Iterable[str]) -> str:
    """``Did you mean "Next"?``, or nothing."""
    if not isinstance(name, str) or not name:
        return ""
    return _nearest(name[:_LONGEST], tuple(known))


@lru_cache(maxsize=1024)
def _nearest(name: str, known: tuple[str, ...]) -> str:
    if len(known) > _MOST:  # comparing with each would take longer than all else
        return ""
    names = {one.casefold(): one for one in known}
    near = get_close_matches(name.casefold(), names, 1, 0.6)
    return f'Did you mean "{names[near[0]]}"?' if near else ""
