"""The corpus: definitions with what they are given and what comes of them, one JSON file for each subject.

``{"id", "definition", "input"?, "status"?, "output" | "error", "cause"?, "history"?, "from"?}``: without a status it
succeeds; ``from`` says which sentence of the specification or of AWS's documentation the expectation is taken from.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CASES = Path(__file__).parent / "corpus"


def cases() -> Iterator[tuple[str, dict[str, Any]]]:
    for file in sorted(CASES.glob("*.json")):
        for case in json.loads(file.read_text("utf-8")):
            yield f"{file.stem}/{case['id']}", case
