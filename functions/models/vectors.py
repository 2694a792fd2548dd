"""Embeddings: vectors read without trust out of what a server answers, as many as there were texts and in their order.

The answer is OpenAI's (``data`` of ``index`` and ``embedding``, numbers or base64 of little-endian floats of 32 bits),
as a mapping or as litellm's object.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol, cast, runtime_checkable

from .chat import Unfit
from .fields import part
from .port import Usage


class Embeddings(NamedTuple):
    """One vector for each text, in their order, with what it used and cost: exact decimal text in US dollars, None when
    nobody knows the price."""

    vectors: list[list[float]]
    usage: Usage = Usage()
    cost: str | None = None
    model: str = ""


@runtime_checkable
class Embedder(Protocol):
    """A model that embeds. Its errors are those of ``complete``."""

    @property
    def name(self) -> str: ...

    async def embed(
        self, texts: Sequence[str], *, dimensions: int | None = None, settings: Mapping[str, Any] = {}
    ) -> Embeddings:
        """The vectors of texts that fit into one request, in one attempt."""
        ...


def vectors(body: object, count: int) -> list[list[float]]:
    """The ``count`` vectors in an answer. Raises Unfit."""
    data = part(body, "data")
    if not isinstance(data, list):
        raise Unfit("it has no data")
    items = cast("list[object]", data)
    if len(items) != count:
        raise Unfit(f"it has {len(items)} embeddings for {count} texts")
    numbers = [part(item, "index") for item in items]
    if sorted(number for number in numbers if isinstance(number, int)) == list(range(count)):
        items = sorted(items, key=lambda item: cast("int", part(item, "index")))
    elif len(set(map(repr, numbers))) > 1:  # a server that numbers none, or each alike, keeps the order
        raise Unfit("its embeddings are numbered as no texts are")
    found = [_vector(part(item, "embedding")) for item in items]
    if len({len(vector) for vector in found}) > 1:
        raise Unfit("its embeddings differ in length")
    return found


def _vector(value: object) -> list[float]:
    if isinstance(value, str):
        try:
            data = base64.b64decode(value, validate=True)
            value = list(struct.unpack(f"<{len(data) // 4}f", data))
        except (binascii.Error, struct.error):
            raise Unfit("an embedding is no base64 of floats") from None
    if not isinstance(value, list) or not value:
        raise Unfit("an embedding is no list of numbers")
    numbers = cast("list[object]", value)
    if not all(isinstance(number, (int, float)) and not isinstance(number, bool) for number in numbers):
        raise Unfit("an embedding is no list of numbers")
    return [float(cast("float", number)) for number in numbers]
