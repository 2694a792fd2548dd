"""What litellm's list says of a model: its prices and how much it may write. The list is read from the file that comes
with litellm, which takes a moment; litellm itself, which takes seconds, is not imported for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple, cast

_FILE = "model_prices_and_context_window_backup.json"
_READ = ("input_cost_per_token", "cache_creation_input_token_cost")
_WRITE = ("output_cost_per_token", "output_cost_per_reasoning_token")
"""How the prices for one token are called; those for long prompts and dear tiers begin like these."""


class Listed(NamedTuple):
    """``read`` and ``write``: dollars for a token, the dearest that may apply; ``output``: tokens that it may write.
    None: the list does not say."""

    read: Decimal | None = None
    write: Decimal | None = None
    output: int | None = None


UNLISTED = Listed()


@cache
def listed(model: str) -> Listed:
    """The model of that name (``provider/model``, or the model alone)."""
    found = _list()
    entry: Any = found.get(model) or found.get(model.partition("/")[2])
    if not isinstance(entry, Mapping):
        return UNLISTED
    fields = cast("Mapping[str, Any]", entry)
    most: Any = fields.get("max_output_tokens", fields.get("max_tokens"))
    output = int(most) if isinstance(most, (int, float)) and not isinstance(most, bool) and most >= 1 else None
    return Listed(_dearest(fields, _READ), _dearest(fields, _WRITE), output)


def _dearest(fields: Mapping[str, Any], names: tuple[str, ...]) -> Decimal | None:
    """None when the first of the names, without which nothing is known, is not there."""
    if not isinstance(fields.get(names[0]), (int, float)):
        return None
    return max(
        Decimal(str(value))
        for name, value in fields.items()
        if name.startswith(names) and isinstance(value, (int, float)) and not isinstance(value, bool)
    )


@cache
def _list() -> Mapping[str, Any]:
    """{} where litellm is not installed, or its list can't be read."""
    package = find_spec("litellm")
    for folder in (package.submodule_search_locations or ()) if package is not None else ():
        try:
            read: Any = json.loads((Path(folder) / _FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(read, dict):
            return cast("Mapping[str, Any]", read)
    return {}
