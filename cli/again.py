"""Commands that are suggested, with the store or the server that was named on this command line: so they can be typed
as they are."""

from __future__ import annotations

import re
import shlex

import click

from ..security.address import shown

GIVEN, GIVEN_URL, GONE = "overwinter.store", "overwinter.url", "overwinter.gone"
"""Under which keys of ``Context.meta`` the store of ``--store`` and the server of ``--url`` are, and whether the store
is gone with this process."""
_LOOKING = r"approvals|approve|cancel|chat|deny|doubts|logs|pause|ps|resolve|resume|retry|run|show|signal|watch"
_COMMANDS = (
    (GIVEN, "--store", re.compile(rf"\boverwinter (?:{_LOOKING})\b(?! --store)")),
    (GIVEN_URL, "--url", re.compile(r"\boverwinter (?:chat|invoke)\b(?! --url)")),
)


def again(text: str) -> str:
    """The text with ``--store`` and ``--url`` in its commands. An address that holds a password is not repeated."""
    context = click.get_current_context(silent=True)
    for key, option, command in _COMMANDS:
        value = None if context is None else context.meta.get(key)
        if isinstance(value, str) and shown(value) == value and not _lost(value):
            words = f"{option} {shlex.quote(value)}"
            text = command.sub(lambda found, words=words: f"{found.group()} {words}", text)  # type: ignore[misc]  # its default is a text
    return text


def gone() -> bool:
    """Whether the store ends with this process, wherever it was named: no command reaches what is in it."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(GONE))


def note_store(context: click.Context, dsn: str) -> None:
    """For ``gone``: the store of this command line."""
    context.meta[GONE] = _lost(dsn)


def _lost(value: str) -> bool:
    return value.startswith("memory:")
