"""The one door to the query languages: whether a path, a call or an expression is sound, and which variables it reads.

Everything else here asks only through these names, so that the languages' own room can take over behind them.
"""

from __future__ import annotations

from .jsonata_syntax import STATES, Reads, read_jsonata
from .jsonpath_syntax import Read, is_call, is_reference, read_call, read_path

__all__ = ["STATES", "Read", "Reads", "is_call", "is_reference", "read_call", "read_jsonata", "read_path"]
