"""What litellm knows of providers and models without asking anybody: whether a name can mean something, and what it may
have been meant for."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

_OWN = frozenset({"api_base", "base_url", "custom_llm_provider"})
"""Settings with which a name may mean anything: a server of one's own."""


def unknown(library: Any, model: str, settings: Mapping[str, Any]) -> str:
    """Why no provider can be told from the name; "" when one can."""
    if "custom_llm_provider" in settings or model in (library.model_alias_map or {}):
        return ""
    base = settings.get("api_base", settings.get("base_url"))
    try:
        library.get_llm_provider(model=model, api_base=base if isinstance(base, str) else None)
    except library.exceptions.BadRequestError:
        return f"no provider is known for the model {model!r}{_meant(library, model)}; write provider/model"
    return ""


def doubtful(library: Any, model: str, settings: Mapping[str, Any]) -> str:
    """A provider's name that is like this one, which litellm does not know; "" when it knows it, or nothing like it.
    New models come faster than its releases, so nothing follows from that alone."""
    if _OWN & settings.keys() or model in library.model_cost:
        return ""
    name, provider = library.get_llm_provider(model=model)[:2]
    known = {one.removeprefix(f"{provider}/") for one in library.models_by_provider.get(provider) or ()}
    if not known or name in known or name.partition(":")[0] in known:
        return ""
    near = _near(name, known)
    return f"litellm knows no model {model!r}; is it {provider}/{near}?" if near else ""


def _meant(library: Any, model: str) -> str:
    provider, slash, name = model.partition("/")
    if slash and (near := _near(provider.lower(), map(_text, library.provider_list))):
        return f"; is it {near}/{name}?"
    if not slash and (near := _near(model, (key for key in library.model_cost if "/" not in key))):
        return f"; is it {_text(library.model_cost[near].get('litellm_provider'))}/{near}?"
    return ""


def _near(name: str, names: Iterable[str]) -> str:
    return next(iter(difflib.get_close_matches(name, list(names), 1, 0.8)), "")


def _text(value: Any) -> str:
    return str(getattr(value, "value", value))
