"""The content of a file, line by line, from any byte on. GZIP is told by the name, as S3's readers do."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from typing import Any, cast

from .bucket import Bucket, Refused, Stream

BLOCK = 1 << 20
LONGEST = 16 << 20
"""Bytes of one line, or of one row that goes over lines: more than an item may have."""
WHOLE = 512 << 20
"""Bytes of a file that has to be read whole."""


class Content:
    """``at``: how many bytes of it, unpacked, lie before the line that comes next."""

    def __init__(self, bucket: Bucket, key: str, *, version: str, owner: str, start: int, etag: str) -> None:
        if key.endswith((".zst", ".zstd")):
            raise Refused(f"{key} is packed with ZSTD, which is not read here; pack it with GZIP")
        packed = key.endswith((".gz", ".gzip"))
        opened = bucket.open(key, version=version, owner=owner, start=0 if packed else start, etag=etag)
        self.key = key
        self.etag = opened.etag
        self.at = start
        self._raw = opened.stream
        self._stream: Stream = cast("Stream", gzip.GzipFile(fileobj=cast("Any", self._raw))) if packed else self._raw
        if packed:
            self._skip(start)

    def close(self) -> None:
        self._raw.close()

    def lines(self) -> Iterator[bytes]:
        """With their ends. ``at`` has moved behind a line when it is given."""
        rest = b""
        while block := self._read(BLOCK):
            *whole, rest = (rest + block).split(b"\n")
            for line in whole:
                self.at += len(line) + 1
                yield line + b"\n"
            if len(rest) > LONGEST:
                raise Refused(f"{self.key} has a line of more than {LONGEST:,} bytes, from byte {self.at:,} on")
        if rest:
            self.at += len(rest)
            yield rest

    def whole(self) -> bytes:
        parts: list[bytes] = []
        size = 0
        while block := self._read(BLOCK):
            size += len(block)
            if size > WHOLE:
                raise Refused(f"{self.key} has more than {WHOLE:,} bytes, too many for JSON; make it JSONL")
            parts.append(block)
        return b"".join(parts)

    def _skip(self, size: int) -> None:
        while size:
            block = self._read(min(size, BLOCK))
            if not block:
                return
            size -= len(block)

    def _read(self, size: int) -> bytes:
        try:
            return self._stream.read(size)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise Refused(f"{self.key} can't be unpacked: {error}") from None
        except OSError as error:
            raise Refused(f"{self.key} can't be read: {error}") from None


def text_of(line: bytes, key: str, what: str) -> str:
    """The text of a part of a file. ``what`` tells which one, for people."""
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise Refused(f"{key} is not UTF-8: {what}, byte {error.start}") from None
