"""The corpus: definitions with what they are given and what comes of them, one JSON file for each subject.

``source`` says where the expectation is from: a part of the specification, a page of AWS's guide, or a place where what
AWS answered was measured and published. ``output``, or ``error`` and, where AWS's words are known, ``cause``; where its
events are known, ``history`` in order; ``seconds`` from the start to the end. ``resources`` and ``machines`` are what
Tasks may call besides ``functions``, and ``callbacks`` what is said with the task token, ``after`` so many seconds.
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


def alone() -> Iterator[tuple[str, dict[str, Any]]]:
    """Those that need nobody beside the machine and its functions."""
    for name, case in cases():
        if not {"callbacks", "machines"} & case.keys():
            yield name, case
