"""What is known of a model before it is asked: how much it reads beside the conversation, how much it may write, and
what that costs. By the agent's own settings and prices, else by litellm's list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from ...orchestrator.governance.budgets.hold import Hold, Terms
from ...state.codec import dumps
from ..models.litellm import LiteLLM
from ..models.port import Model, ToolSchema
from ..models.prices import Prices
from ..models.rates import UNLISTED, Listed, listed
from ..models.remote import FunctionModel

OUTPUTS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
"""Settings that bound what a model writes."""
_MILLION = Decimal(1_000_000)


def terms(model: Model, settings: Mapping[str, Any], prices: Prices | None, words: int) -> Terms:
    """Of a model that is asked with these settings. ``words``: characters of what it reads beside the conversation."""
    known: Listed = listed(model.name) if isinstance(model, LiteLLM) else UNLISTED
    read, write = known.read, known.write
    if prices is not None:
        read = max(filter(None, (prices.input, prices.cache_read, prices.cache_write)), default=prices.input) / _MILLION
        write = max(filter(None, (prices.output, prices.reasoning)), default=prices.output) / _MILLION
    asked = [settings[name] for name in OUTPUTS if isinstance(settings.get(name), int)]
    most = [bound for bound in (*asked, known.output) if bound is not None]
    keeps = isinstance(model, FunctionModel) and model.keeps
    return Terms(words, min(most, default=None), read, write, keeps)


def bounded(settings: Mapping[str, Any], hold: Hold) -> dict[str, Any]:
    """The settings of a call that may write as much as is held for it, and no more."""
    asked = {name: settings[name] for name in OUTPUTS if isinstance(settings.get(name), int)} or {
        OUTPUTS[0]: hold.output
    }
    return {**settings, **{name: min(most, hold.output) for name, most in asked.items()}}


def weight(system: str, schemas: Sequence[ToolSchema]) -> int:
    """Characters of instructions and tools."""
    tools = sum(len(one.name) + len(one.description) + len(dumps(one.parameters)) for one in schemas)
    return len(system) + tools
