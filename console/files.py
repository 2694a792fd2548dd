"""The console's files, read once and held as they go out: as they are and compressed, each with its digest.

A module asks for its neighbours by their plain names, so no address has a digest in it: a browser keeps every file, and
asks each time whether it is still the same (``no-cache`` with an ETag, answered by 304).
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

STATIC = Path(__file__).parent / "static"
KINDS: Mapping[str, str] = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".txt": "text/plain; charset=utf-8",
}
"""What is served, by the end of its name; nothing else in the folder is."""


class File(NamedTuple):
    """One file. ``packed`` is its gzip form, empty where that is no shorter."""

    kind: str
    plain: bytes
    packed: bytes
    digest: str

    @property
    def smallest(self) -> int:
        """Bytes that go over the wire to a browser."""
        return len(self.packed or self.plain)


def made(kind: str, content: bytes) -> File:
    packed = gzip.compress(content, 9, mtime=0)
    return File(kind, content, packed if len(packed) < len(content) else b"", hashlib.sha256(content).hexdigest()[:32])


def read(folder: Path = STATIC) -> dict[str, File]:
    """The files of the folder by their path in it, like ``pages/inbox.js``. Hidden ones are left out."""
    found: dict[str, File] = {}
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.suffix in KINDS and path.is_file() and not any(part.startswith(".") for part in parts):
            found["/".join(parts)] = made(KINDS[path.suffix], path.read_bytes())
    return found
