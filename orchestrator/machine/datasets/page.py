"""One page of a data set: as many items as fit into an entry of a journal, and where the next page begins.

``{"parts": [{"source", "items", "keys"?}], "next": cursor or null}``: items of one file lie together, ``source`` is the
address that AWS gives it. A data set that changes between two pages is refused: no item is read twice or left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from ....state.codec import stored
from ....state.errors import InvalidInput, StateFailed
from ....state.text import dumps
from ..definition.states.map_data import ReaderConfig
from ..running.failure import READER_FAILED
from ..running.resources import Reading
from .bucket import Refused
from .buckets import Buckets
from .content import Content
from .delimited import Rows
from .json_items import Lines, Whole
from .sources import Arguments, File, files, listed, metadata


class Items(Protocol):
    """The items of one file with their keys, and the cursor behind the one that was given last."""

    def __iter__(self) -> Iterator[tuple[str | None, Any]]: ...
    def cursor(self) -> dict[str, Any]: ...


def read_page(buckets: Buckets, reading: Reading) -> dict[str, Any]:
    """The page that ``reading`` asks for. Raises StateFailed (States.ItemReaderFailed)."""
    page = _Page(reading)
    try:
        given = Arguments(reading.action, reading.arguments)
        if reading.action == "s3:listObjectsV2" and reading.config.transformation == "NONE":
            return page.of_listing(buckets, given)
        return page.of_files(buckets, given, reading.config)
    except Refused as error:
        raise StateFailed(READER_FAILED, str(error)) from None


def page_text(page: Any, limit: int | None = None, /) -> Any:
    """The page as it is recorded. Raises StateFailed that names the item which can't be."""
    try:
        return stored(page, limit)
    except InvalidInput as error:
        for part in page["parts"]:
            for item in part["items"]:
                try:
                    stored(item, limit)
                except InvalidInput as found:
                    raise StateFailed(READER_FAILED, f"{_named(part['source'], item)} can't be kept: {found}") from None
        raise StateFailed(READER_FAILED, f"a page of {len(page['parts'])} files can't be kept: {error}") from None


def _named(source: str, item: Any) -> str:
    return f"an item of {source} ({ascii(item)[:80]})"


class _Page:
    def __init__(self, reading: Reading) -> None:
        self._cursor: dict[str, Any] = dict(reading.cursor or {})
        self._most = reading.most
        self._room = reading.room
        self._count = 0
        self._parts: list[dict[str, Any]] = []

    def of_listing(self, buckets: Buckets, given: Arguments) -> dict[str, Any]:
        source = f"S3://{given.bucket}"
        for found in listed(buckets.get(given.bucket), given, self._cursor.get("after", "")):
            if self._all:
                break
            if self._room <= 0:
                return self._ended(self._cursor)
            self._add(source, None, metadata(found))
            self._cursor = {"after": found.key}
        return self._ended(None)

    def of_files(self, buckets: Buckets, given: Arguments, config: ReaderConfig) -> dict[str, Any]:
        inner: dict[str, Any] = self._cursor.get("in", {})
        for file in files(buckets, given, config, self._cursor):
            if self._all:
                break
            where = {**self._cursor, "file": file.mark}
            start, etag = inner.get("at", 0), inner.get("etag", "")
            owner = given.owner if file.bucket == given.bucket else ""
            bucket = buckets.get(file.bucket)
            content = Content(bucket, file.key, version=file.version, owner=owner, start=start, etag=etag)
            try:
                items = _items(content, file, config, inner)
                for key, item in items:
                    self._add(file.address, key, item)
                    if self._all or self._room <= 0:
                        break
            finally:
                content.close()
            if self._room <= 0 and not self._all:
                return self._ended({**where, "in": {**items.cursor(), "etag": content.etag}})
            inner = {}
        return self._ended(None)

    @property
    def _all(self) -> bool:
        """Whether as many were read as are wanted."""
        return self._most is not None and self._count >= self._most

    def _add(self, source: str, key: str | None, item: Any) -> None:
        if not self._parts or self._parts[-1]["source"] != source:
            self._parts.append({"source": source, "items": []})
        part = self._parts[-1]
        part["items"].append(item)
        if key is not None:
            part.setdefault("keys", []).append(key)
        self._count += 1
        try:
            self._room -= len(dumps(item)) + len(key or "")
        except InvalidInput as error:
            raise Refused(f"{_named(source, item)} can't be kept: {error}") from None

    def _ended(self, cursor: dict[str, Any] | None) -> dict[str, Any]:
        return {"parts": self._parts, "next": cursor}


def _items(content: Content, file: File, config: ReaderConfig, cursor: dict[str, Any]) -> Items:
    if file.header or config.input_type == "CSV":
        given = file.header or (config.csv_headers if config.csv_header_location == "GIVEN" else ())
        return Rows(content, config.csv_delimiter, given, cursor)
    if config.input_type == "JSONL":
        return Lines(content, cursor)
    return Whole(content, config.items_pointer, cursor)
