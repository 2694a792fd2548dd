"""Commands that are suggested, with the store or the server that was named on this command line: so they can be typed
as they are."""

from __future__ import annotations

import re
import shlex

import click

from ..security.address import shown

GIVEN, GIVEN_URL = "overwinter.store", "overwinter.url"
"""Under which keys of ``Context.meta`` the store of ``--store`` and the server of ``--url`` are."""
_LOOKING = r"approvals|approve|cancel|chat|deny|pause|ps|resume|retry|run|show|signal|watch"
_COMMANDS = (
    (GIVEN, "--store", re.compile(rf"\boverwinter (?:{_LOOKING})\b(?! --store)")),
    (GIVEN_URL, "--url", re.compile(r"\boverwinter (?:chat|invoke)\b(?! --url)")),
)


def again(text: str) -> str:
    """The text with ``--store`` and ``--url`` in its commands. An address that holds a password is not repeated."""
    context = click.get_current_context(silent=True)
    for key, option, command in _COMMANDS:
        value = None if context is None else context.meta.get(key)
        if isinstance(value, str) and shown(value) == value:
            words = f"{option} {shlex.quote(value)}"
            text = command.sub(lambda found, words=words: f"{found.group()} {words}", text)  # type: ignore[misc]  # its default is a text
    return text
