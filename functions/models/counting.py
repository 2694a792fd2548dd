"""Tokens as OpenAI's protocol reports them (and litellm, for everybody), taken apart into parts that don't overlap.

There ``prompt_tokens`` holds cached, audio and image tokens, and ``completion_tokens`` holds reasoning and audio. Not
all who speak it keep to that: some count the cache beside the input (the way of Anthropic), or reasoning beside the
output (xAI). The total tells, where it is given; and a part can't be larger than what it is said to be in.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, cast

from .fields import part
from .port import Usage
from .prices import written


def split(usage: object) -> Usage:
    """The parts of a ``usage`` object, read without trust: a mapping or an object with attributes."""
    read, wrote = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    inside, outside = part(usage, "prompt_tokens_details"), part(usage, "completion_tokens_details")
    cached = _first((inside, "cached_tokens"), (usage, "cache_read_input_tokens"), (usage, "prompt_cache_hit_tokens"))
    stored = _first(
        (inside, "cache_write_tokens"), (inside, "cache_creation_tokens"), (usage, "cache_creation_input_tokens")
    )
    thought = _first((outside, "reasoning_tokens"), (usage, "reasoning_tokens"))
    total = _count(usage, "total_tokens")
    if cached + stored > read or (total and total == read + cached + stored + wrote and total > read + wrote):
        read += cached + stored
    if thought > wrote or (total and total == read + wrote + thought and total > read + wrote):
        wrote += thought
    text, cache = read - cached - stored, part(inside, "cached_tokens_details")
    heard, seen = (
        max(0, _count(inside, f"{kind}_tokens") - _count(cache, f"{kind}_tokens")) for kind in ("audio", "image")
    )
    heard = min(heard, text)
    seen = min(seen, text - heard)
    spoken = min(_count(outside, "audio_tokens"), wrote - thought)
    drawn = min(_count(outside, "image_tokens"), wrote - thought - spoken)
    return Usage(
        input=text - heard - seen,
        output=wrote - thought - spoken - drawn,
        cache_read=cached,
        cache_write=stored,
        reasoning=thought,
        audio_in=heard,
        audio_out=spoken,
        image_in=seen,
        image_out=drawn,
    )


def cost_in(body: Mapping[str, Any]) -> str | None:
    """Dollars, where the server tells them (OpenRouter does); else None."""
    usage = body.get("usage")
    cost: Any = cast("Mapping[str, Any]", usage).get("cost") if isinstance(usage, Mapping) else None
    if isinstance(cost, bool) or not isinstance(cost, (int, float)) or not 0 <= cost < 10**12:
        return None
    return written(Decimal(str(cost)))


def _first(*places: tuple[object, str]) -> int:
    """The first count that is there."""
    return next(filter(None, (_count(thing, name) for thing, name in places)), 0)


def _count(thing: object, name: str) -> int:
    value = part(thing, name)
    return value if type(value) is int and 0 < value < 2**53 else 0
