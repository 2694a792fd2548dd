"""Texts as bytes on their way into a store: those above a size compressed, the others in plain UTF-8, and back.

What is compressed begins with bytes that no text in UTF-8 holds, so each says itself what it is: stores may have both,
what was written before stays readable, and whoever reads need not know how anybody writes. The form is zlib's, with
its checksum: on texts of a few KB it is as small as zstd's, and every Python can read it. A text that would hardly
become smaller stays plain.

Compression comes before sealing, since nothing sealed can be compressed. Then a length says something of a content,
so a sealed store compresses only if its address says so.
"""

from __future__ import annotations

import zlib
from urllib.parse import parse_qsl

from .errors import InvalidInput, StoreCorrupt
from .quantities import size

MARK = b"\xff\x01"
"""How bytes begin that are compressed. No UTF-8 has the first, no blob of ours both."""

OPTION = "compress"
"""Of a store's address: ``?compress=1KB`` compresses texts of that size or more, ``?compress=off`` none."""
ABOVE = 1024
"""Bytes from which on it pays where bytes are what a store costs."""

_LEVEL = 6
_WORTH = 0.9
_LEAST = 64
_AT_ONCE = 1024 * 1024


def asked(option: str | None, default: int) -> int:
    """From how many bytes on texts are compressed, as an address says; 0: none are. Raises InvalidInput."""
    if option is None:
        return default
    if option.lower() in ("off", "no", "0"):
        return 0
    try:
        return max(size(option), _LEAST)
    except ValueError as error:
        raise InvalidInput(f"{OPTION}: {error}; or write {OPTION}=off") from None


def said(dsn: str) -> int:
    """What the address itself says; 0 where it says nothing. Raises InvalidInput."""
    return asked(dict(parse_qsl(dsn.partition("?")[2])).get(OPTION), 0)


def pack(text: str, above: int) -> bytes:
    """A text to be stored. Raises UnicodeEncodeError for half a surrogate pair."""
    return pack_bytes(text.encode(), above)


def pack_bytes(content: bytes, above: int) -> bytes:
    """The same for a text that is bytes already."""
    if not above or len(content) < above:
        return content
    packed = MARK + zlib.compress(content, _LEVEL)
    return packed if len(packed) < len(content) * _WORTH else content


def unpack(body: bytes) -> str:
    """The text. Raises StoreCorrupt for one that was damaged, UnicodeDecodeError for what is none."""
    return unpack_bytes(body).decode()


def unpack_bytes(body: bytes) -> bytes:
    if not body.startswith(MARK):
        return body
    try:
        return zlib.decompress(memoryview(body)[len(MARK) :])
    except zlib.error as error:
        raise StoreCorrupt(f"a compressed text is damaged ({error}); restore the store from a backup") from None


def pack_blob(content: bytes, above: int) -> bytes:
    """A blob, which may be anything, to be stored where its bytes alone are. A big one stays as it is: it would hold up
    everybody else while it is compressed."""
    if content.startswith(MARK):  # else it would be taken for a compressed one
        return MARK + zlib.compress(content, 1)
    return pack_bytes(content, above) if len(content) <= _AT_ONCE else content


def unpack_blob(body: bytes) -> bytes:
    """The blob. One that only looks compressed is from before blobs were, and is given as it is."""
    try:
        return unpack_bytes(body)
    except StoreCorrupt:
        return body


def opened(stored: object) -> str:
    """A text out of a column that has texts as they are and compressed ones as bytes."""
    if isinstance(stored, bytes):
        return unpack(stored)
    if isinstance(stored, str):
        return stored
    raise StoreCorrupt(f"there is a {type(stored).__name__} where a text must be; restore the store from a backup")
