"""Commands that are suggested, with the store that was named on this command line: so they can be typed as they are."""

from __future__ import annotations

import re
import shlex

import click

from ...security.address import shown

GIVEN = "overwinter.store"
"""Under which key of ``Context.meta`` the store of ``--store`` is."""
_COMMAND = re.compile(r"\boverwinter (?:approve|cancel|deny|pause|ps|resume|retry|run|show|signal|watch)\b(?! --store)")


def again(text: str) -> str:
    """The text with ``--store`` in the commands of it. One whose address holds a password is not repeated."""
    context = click.get_current_context(silent=True)
    store = None if context is None else context.meta.get(GIVEN)
    if not isinstance(store, str) or shown(store) != store:
        return text
    return _COMMAND.sub(lambda found: f"{found.group()} --store {shlex.quote(store)}", text)
