"""What stands in a recorded error for what could not be recorded whole.

``NotKept`` takes the place of an attribute without a JSON form (a lock, a connection, a function). Looking into it
never raises: every attribute, call and item of it is it again, it is false and empty, and it says what it was.
``Response`` is what handlers read of an HTTP error's response; ``Headers`` are its headers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...state.codec import loads


class NotKept:
    """An attribute of an error that the journal does not hold. ``bool()`` of it is False."""

    __slots__ = ("_overwinter_what",)

    def __init__(self, what: str) -> None:
        self._overwinter_what = what

    def __getattr__(self, name: str) -> NotKept:
        if name.startswith("__"):
            raise AttributeError(name)  # what copies, pickles or measures it must not be led astray
        return self

    def __call__(self, *_: object, **__: object) -> NotKept:
        return self

    def __getitem__(self, _: object) -> NotKept:
        return self

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return f"<{self._overwinter_what}: not kept in the journal>"


def what_was(value: object) -> str:
    """What a value that can't be kept is called: its class."""
    return value._overwinter_what if isinstance(value, NotKept) else type(value).__name__  # pyright: ignore[reportPrivateUsage]  # its own


class Headers(Mapping[str, str]):
    """HTTP headers; names are found whatever their case."""

    __slots__ = ("_by_name", "_items")

    def __init__(self, items: Mapping[str, Any]) -> None:
        self._items = {name: str(value) for name, value in items.items()}
        self._by_name = {name.lower(): value for name, value in self._items.items()}

    def __getitem__(self, name: str) -> str:
        return self._by_name[str(name).lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return f"Headers({self._items!r})"


class Response:
    """A response as it was recorded: status, headers and the beginning of the text, under the names that httpx,
    requests and aiohttp give them. Any other attribute is NotKept."""

    def __init__(self, record: Mapping[str, Any]) -> None:
        self.status_code = int(record["status_code"])
        self.reason = str(record.get("reason", ""))
        self.url = str(record.get("url", ""))
        self.headers = Headers(record.get("headers") or {})
        self.text = str(record.get("text", ""))
        self.cut = bool(record.get("cut"))
        """Whether the text was longer."""

    @property
    def status(self) -> int:
        return self.status_code

    @property
    def reason_phrase(self) -> str:
        return self.reason

    @property
    def content(self) -> bytes:
        return self.text.encode()

    @property
    def ok(self) -> bool:
        return self.status_code < 400

    @property
    def is_success(self) -> bool:
        return 200 <= self.status_code < 300

    @property
    def is_error(self) -> bool:
        return self.status_code >= 400

    @property
    def is_client_error(self) -> bool:
        return 400 <= self.status_code < 500

    @property
    def is_server_error(self) -> bool:
        return self.status_code >= 500

    def json(self, **_: Any) -> Any:
        """The text as JSON. Raises ValueError when it is none, or was cut."""
        if self.cut:
            raise ValueError(f"the journal holds only the first {len(self.text):,} characters of this response")
        return loads(self.text)

    def __getattr__(self, name: str) -> NotKept:
        if name.startswith("__"):
            raise AttributeError(name)
        return NotKept(f"{name} of a response")

    def __repr__(self) -> str:
        return f"<Response [{self.status_code} {self.reason}]>"
