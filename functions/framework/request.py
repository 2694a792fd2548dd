"""What a platform's server hands to its target, told apart from what plain code hands to a function."""

from __future__ import annotations

import sys

_REQUESTS = (("werkzeug.wrappers", "Request"), ("starlette.requests", "Request"))


def is_request(thing: object) -> bool:
    """Whether a framework hands in its request: Flask's (or a proxy of it) or Starlette's."""
    for module, name in _REQUESTS:
        loaded = sys.modules.get(module)
        if loaded is not None and isinstance(thing, getattr(loaded, name)):
            return True
    return False
