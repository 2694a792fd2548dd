"""Which definition an execution goes by, as its head tells whoever lists executions: ``{"definition": "sha256:…"}``."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, cast

from ...state.codec import dumps, loads


@lru_cache(maxsize=256)
def state_of(digest: str) -> str:
    """The head's state of an execution that goes by the definition of that digest."""
    return dumps({"definition": digest})


def definition_of(state: str) -> str:
    """The digest; "" for what is no state machine."""
    if '"definition"' not in state:
        return ""
    try:
        held: Any = loads(state)
    except ValueError:
        return ""
    found = cast("dict[str, Any]", held).get("definition") if isinstance(held, dict) else None
    return found if isinstance(found, str) else ""
