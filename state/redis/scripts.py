"""The Lua scripts beside this file, read once, and how a call of one is packed."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from .wire import bulk, bulks

_FOLDER = Path(__file__).parent / "scripts"
_WITH_INDEXES = "-- with indexes\n"


class Script:
    """One script. ``digest`` and ``text`` are how a packed call begins: by its name, or bringing it along."""

    def __init__(self, name: str) -> None:
        source = (_FOLDER / f"{name}.lua").read_text("utf-8")
        if source.startswith(_WITH_INDEXES):
            source = f"{(_FOLDER / 'indexes.lua').read_text('utf-8')}\n{source}"
        self.name = name
        self.source = source.encode()
        sha = hashlib.sha1(self.source, usedforsecurity=False).hexdigest().encode()
        self.digest = bulk(b"EVALSHA") + bulk(sha)
        self.text = bulk(b"EVAL") + bulk(self.source)

    def call(self, keys: list[bytes], arguments: list[bytes]) -> bytes:
        return self.packed(b"".join([bulk(key) for key in keys]), len(keys), arguments)

    def packed(self, keys: bytes, count: int, arguments: list[bytes]) -> bytes:
        """A call whose ``count`` keys are packed already."""
        many = 3 + count + len(arguments)
        return b"*%d\r\n%b%b%b%b" % (many, self.digest, bulk(b"%d" % count), keys, bulks(arguments))

    def bringing_text(self, packed: bytes) -> bytes:
        """The same call for a server that does not have the script; it has it from then on."""
        return packed.replace(self.digest, self.text, 1)


@cache
def script(name: str) -> Script:
    return Script(name)
