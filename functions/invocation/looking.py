"""What is wrong with functions, as far as this machine can know before anything runs: nobody is asked, nothing is sent.

For the commands that check. litellm is loaded when an agent's model needs it, which takes seconds; who only begins to
serve uses ``loading.sound``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from .loading import kind_of, unsound
from .places import at


class Finding(NamedTuple):
    """``function`` is the name it is served under. ``certain``: it would fail at its first call; else its name may be
    mistaken."""

    function: str
    text: str
    certain: bool = True


def look(functions: Mapping[str, Any]) -> list[Finding]:
    """What is wrong with tools and agents: what can't be described or recorded, a missing library, a missing key, a
    model of no provider, a script that is not there. What is certain comes first."""
    found = [Finding(name, text) for name, text in unsound(functions)]
    known = {finding.function for finding in found}
    for name, function in functions.items():
        if kind_of(function) not in ("agent", "model") or name in known:
            continue
        what = f"{kind_of(function)}{' function' if kind_of(function) == 'model' else ''} {name}"
        if wrong := _ask(function, "wrong"):
            found.append(Finding(name, f"{at(function)}{what}: {wrong}"))
        elif doubt := _ask(function, "doubt"):
            found.append(Finding(name, f"{at(function)}{what}: {doubt}", certain=False))
    return sorted(found, key=lambda finding: not finding.certain)


def _ask(agent: Any, what: str) -> str:
    """What an agent's models have against themselves. They need not know."""
    models = getattr(agent, "models", None) or (agent.model,)
    asked = (getattr(model, what, None) for model in models)
    return next(filter(None, (str(told(agent.settings)) for told in asked if told is not None)), "")
