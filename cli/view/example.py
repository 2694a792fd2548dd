"""An input that a function takes, made from its JSON schema, to be shown in a command that works as it stands.

No code of the user's is run for it: a validator may look something up, and has never been asked.
"""

from __future__ import annotations

import json
import shlex
from typing import Any

from ...state.example import TEXT, Known, Unmade, has_rules, sample


def words(function: Any, said: str = TEXT) -> str | None:
    """The input as a shell writes it, ``said`` for any text, with a space before it: "" when none is needed, None when
    none can be made."""
    try:
        value = _made_for(function, said)
    except Unmade:
        return None
    if value is None:
        return ""
    return f" {word(value)}"


def word(value: Any) -> str:
    """A value as one word of a shell, which the command line reads as that value."""
    return shlex.quote(written(value))


def written(value: Any) -> str:
    """A value as the command line reads it, without the quotes of a shell."""
    return value if isinstance(value, str) and _stays_text(value) else json.dumps(value)


def _made_for(function: Any, said: str) -> Any:
    """Raises Unmade, whatever a type of the user's does while its schema is made: a server starts without a hint."""
    from ...functions.http.schemas import core_schema, input_schema

    try:
        ruled = has_rules(core_schema(function))
        schema = {} if ruled else input_schema(function)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise Unmade from error
    return sample(schema, Known(schema.get("$defs", {}), said))


def _stays_text(text: str) -> bool:
    """Whether the command line reads it as the text it is, and not as JSON."""
    try:
        json.loads(text)
    except ValueError:
        return text.lstrip()[:1] not in ("{", "[", '"', "-", "")
    return False
