"""An agent for the simulation: a session that calls tools as its messages say, and answers what follows."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from overwinter.functions.agents.agent import Agent
from overwinter.functions.models.port import Message
from overwinter.functions.models.scripted import Said, Scripted, call
from overwinter.functions.tools.tool import tool


class Desk:
    """``made`` counts calls of the irreversible tool by its argument."""

    def __init__(self) -> None:
        self.made: Counter[str] = Counter()

        @tool
        async def look(what: str) -> str:
            """Look something up."""
            await asyncio.sleep(0.05)
            return f"seen {what}"

        @tool(effect="irreversible")
        async def charge(what: str) -> str:
            """Take money."""
            self.made[what] += 1
            await asyncio.sleep(0.02)
            return f"charged {what}"

        self.agent = Agent("desk", Scripted(say, delay="30ms"), tools=[look, charge])


def say(messages: Sequence[Message], tools: object) -> Said:
    """``look x y`` looks twice, ``charge x`` charges; then the answer names the message and what came of it."""
    last = max(index for index, message in enumerate(messages) if message.role == "user")
    verb, *words = messages[last].content.split()
    results = [message.content for message in messages[last + 1 :] if message.role == "tool"]
    if verb in ("look", "charge") and len(results) < len(words):
        return [call(verb, what=word) for word in words]
    return f"{messages[last].content}: {len(results)} results"


def answers(content: str) -> str:
    """What a message must be answered with."""
    verb, *words = content.split()
    return f"{content}: {len(words) if verb in ('look', 'charge') else 0} results"
