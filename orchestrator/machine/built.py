"""A definition that was made in Python: plain, with the functions that it names."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Definition:
    """``definition`` is plain JSON; ``uses`` are the functions that its Tasks name."""

    definition: dict[str, Any]
    uses: tuple[object, ...] = ()

    def json(self, indent: int | None = 2) -> str:
        """As text, for files and for AWS."""
        return json.dumps(self.definition, indent=indent, ensure_ascii=False)
