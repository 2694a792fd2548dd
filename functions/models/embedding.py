"""Texts as vectors: ``await embed("openai/text-embedding-3-small", ["a", "b"])``.

One call for any number of texts: they are asked for in requests that providers take, one after another, and each is one
attempt. In a workflow it is a step like any other: ``await ctx.step(embed, "openai/text-embedding-3-small", texts)``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from ...state.errors import InvalidInput, ModelError
from .choosing import choose
from .port import Model, Usage
from .prices import Prices, written
from .vectors import Embedder, Embeddings

MOST, LONGEST = 96, 200_000
"""Texts of one request, and their characters: what the strictest of the large providers take."""


async def embed(
    model: str | Model | Embedder,
    texts: str | Sequence[str],
    *,
    dimensions: int | None = None,
    settings: Mapping[str, Any] | None = None,
    prices: Prices | None = None,
    batch: int = MOST,
) -> Embeddings:
    """A vector for each text, in their order. ``dimensions`` is for models that can give shorter vectors, ``batch`` the
    most texts of one request. Raises InvalidInput for what can't be embedded, and the errors of models."""
    found = model if not isinstance(model, str) and isinstance(model, Embedder) else choose(model)
    if not isinstance(found, Embedder):
        raise InvalidInput(
            f"{found.name} does not embed; give a model that does, such as openai/text-embedding-3-small"
        )
    told = [texts] if isinstance(texts, str) else list(texts)
    for number, text in enumerate(told):
        if not isinstance(text, str) or not text.strip():  # pyright: ignore[reportUnnecessaryIsInstance]  # as users may give it
            raise InvalidInput(f"text {number} of {len(told)} is empty or no text; leave it out before embedding")
    if batch < 1:
        raise InvalidInput(f"batch={batch}; a request holds at least one text")
    done: list[Embeddings] = []
    for part in _parts(told, batch):
        try:
            one = await found.embed(part, dimensions=dimensions, settings=settings or {})
        except ModelError as error:
            _add(error, done)
            raise
        if len(one.vectors) != len(part):
            raise InvalidInput(f"{found.name} gave {len(one.vectors)} vectors for {len(part)} texts; correct its embed")
        done.append(one if prices is None else one._replace(cost=prices.of(one.usage)))
    return _sum(done, found.name)


def _parts(texts: Sequence[str], batch: int) -> Iterator[list[str]]:
    part: list[str] = []
    size = 0
    for text in texts:
        if part and (len(part) == batch or size + len(text) > LONGEST):
            yield part
            part, size = [], 0
        part.append(text)
        size += len(text)
    if part:
        yield part


def _sum(done: Sequence[Embeddings], name: str) -> Embeddings:
    usage = Usage(*(sum(counts) for counts in zip(*(one.usage for one in done), strict=True))) if done else Usage()
    costs = [one.cost for one in done if one.cost is not None]
    cost = written(sum(map(Decimal, costs), Decimal(0))) if len(costs) == len(done) else None
    vectors = [vector for one in done for vector in one.vectors]
    return Embeddings(vectors, usage, cost, done[0].model if done else name)


def _add(error: ModelError, done: Sequence[Embeddings]) -> None:
    """What the requests before were billed is billed with the error of this one."""
    before = _sum(done, "")
    if before.usage.total and error.billed is None:
        error.billed = {"usage": before.usage.record(), "cost": before.cost}
