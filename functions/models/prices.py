"""What tokens cost, where the user knows better than a list: servers of one's own, contracts, new models.

Dollars for a million tokens, part by part, exact. A part without a price is not free: an answer that has tokens of it
is unpriced as a whole, unless another part's price stands for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any

from ...orchestrator.governance.parts import PARTS, Tokens
from ...state.errors import InvalidInput
from ...state.quantities import money

Price = str | int | float | Decimal
_EXACT = Context(prec=100)
_LIKE = {"cache_read": "input", "reasoning": "output"}
"""Parts that cost at most what another one does. (Writing to a cache may cost more than reading anew.)"""


@dataclass(frozen=True, slots=True, init=False)
class Prices:
    """US dollars for a million tokens: ``Prices(input="0.25", output="2", cache_read="0.025")``. Without a price of
    their own, cached tokens cost what input does, reasoning what output does; the other parts have none then."""

    input: Decimal
    output: Decimal
    cache_read: Decimal | None
    cache_write: Decimal | None
    reasoning: Decimal | None
    audio_in: Decimal | None
    audio_out: Decimal | None
    image_in: Decimal | None
    image_out: Decimal | None

    def __init__(
        self,
        input: Price,
        output: Price,
        *,
        cache_read: Price | None = None,
        cache_write: Price | None = None,
        reasoning: Price | None = None,
        audio_in: Price | None = None,
        audio_out: Price | None = None,
        image_in: Price | None = None,
        image_out: Price | None = None,
    ) -> None:
        given = (input, output, cache_read, cache_write, reasoning, audio_in, audio_out, image_in, image_out)
        for part, price in zip(PARTS, given, strict=True):
            try:
                object.__setattr__(self, part, None if price is None else money(price))
            except ValueError as error:
                raise InvalidInput(f"the price of {part}: {error}") from None

    def of(self, tokens: Tokens) -> str | None:
        """The cost as exact decimal text; None when a part that was used has no price."""
        total = Decimal(0)
        for part, count in zip(PARTS, tokens, strict=True):
            if not count:
                continue
            price: Decimal | None = getattr(self, part)
            if price is None and part in _LIKE:
                price = getattr(self, _LIKE[part])
            if price is None:
                return None
            total = _EXACT.add(total, _EXACT.multiply(price, Decimal(count)))
        return written(total.scaleb(-6, _EXACT))


def written(amount: Decimal) -> str:
    """Money as the journal holds it, without zeros that say nothing."""
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


PriceList = Prices | Mapping[str, Prices]


def price_list(agent: str, given: Any) -> Mapping[str, Prices]:
    """By model's name, "" for every other. Raises InvalidInput for what is no price list."""
    if given is None:
        return {}
    if isinstance(given, Prices):
        return {"": given}
    if isinstance(given, Mapping):
        pairs: list[tuple[Any, Any]] = list(given.items())  # pyright: ignore[reportUnknownArgumentType,reportUnknownMemberType]  # of the user's
        if all(isinstance(name, str) and isinstance(prices, Prices) for name, prices in pairs):
            return dict(pairs)
    raise InvalidInput(
        f'agent {agent!r}: prices are Prices(input="0.25", output="2"), or a mapping of them by model\'s name'
    )
