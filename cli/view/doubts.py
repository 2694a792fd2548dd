"""How calls in doubt are shown, and what was said about them."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from .lines import doubted
from .moments import ago, clock
from .text import clean, excerpt


def ways(resolve: str) -> str:
    """The command that resolves a call, with what there is to say."""
    return f"{resolve} --done RESULT | --not-done | --give-up"


def told(name: str, facts: dict[str, Any], at: int, now: int) -> Text:
    """Which call, since when, under which key, and what happens when nobody says anything."""
    since = int(facts.get("since") or at)
    text = Text.assemble(("in doubt ", "yellow"), (doubted(facts | {"name": name}), "bold yellow"))
    text.append(f" since {clock(since, now)} ({ago(since, now)}), key {clean(str(facts.get('key') or '?'))}", "yellow")
    rule: Any = facts.get("rule")
    if isinstance(rule, dict):
        text.append(f", {rule['then']} {ago(int(rule['at']), now)}", "yellow")  # pyright: ignore[reportUnknownArgumentType]  # JSON
    return text.append(f": {excerpt(facts['why'], 200)}" if facts.get("why") else "", "yellow")
