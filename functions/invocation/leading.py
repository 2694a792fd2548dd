"""Whether a function lives elsewhere. Most processes have no routes at all, and load nothing to find that out."""

from __future__ import annotations

import os
from pathlib import Path

from .configuration import CONFIG, FILE, ROUTES


def leads(name: str) -> bool:
    """Whether the function of that name lives elsewhere. Raises InvalidInput for a table that can't be read."""
    if not (os.environ.get(ROUTES) or os.environ.get(CONFIG) or Path(FILE).is_file()):
        return False
    from .routes import route

    found = route(name)
    return found is not None and found.url != ""
