"""A bucket as readers and writers see it, wherever it lies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

MISSING_KEY = "The specified key does not exist."
MISSING_BUCKET = "The specified bucket does not exist"


class Refused(Exception):
    """What can't be read or written, in S3's words where it has some. The text is the cause that a state fails with."""

    def __init__(self, message: str, status: int = 0, request: str = "") -> None:
        details = f"Status Code: {status}" + (f", Request ID: {request}" if request else "")
        super().__init__(f"{message} (Service: S3, {details})" if status else message)


class Object(NamedTuple):
    """An object of a listing. ``modified``: seconds since 1970; ``etag`` with its quotation marks."""

    key: str
    size: int
    modified: int
    etag: str
    storage: str = "STANDARD"


class Stream(Protocol):
    """Bytes that are read once, from the front."""

    def read(self, size: int, /) -> bytes: ...
    def close(self) -> None: ...


class Opened(NamedTuple):
    """An object that is being read. ``etag`` is that of its content."""

    stream: Stream
    etag: str


class Bucket(Protocol):
    """Each raises Refused."""

    def open(self, key: str, *, version: str = "", owner: str = "", start: int = 0, etag: str = "") -> Opened:
        """Read an object from a byte on. With an ``etag``, only when its content is still that one."""
        ...

    def list(self, prefix: str, after: str = "", *, owner: str = "") -> Iterator[Object]:
        """The objects whose keys begin with ``prefix`` and come after ``after``, by their keys in UTF-8."""
        ...

    def put(self, key: str, content: bytes, *, owner: str = "") -> None:
        """Write an object whole: nobody ever reads a part of it. What lay there is replaced."""
        ...


def changed(key: str) -> Refused:
    """Another content than the one whose first items were read already."""
    return Refused(f"{key} was changed while it was read; run the state again to read it from its beginning")
