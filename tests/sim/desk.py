"""An agent for the simulation: a session that calls tools as its messages say, and answers what follows."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from overwinter.functions.agents.agent import Agent
from overwinter.functions.effects import Resolve
from overwinter.functions.models.port import Message
from overwinter.functions.models.scripted import Said, Scripted, call
from overwinter.functions.tools.tool import tool
from overwinter.state.errors import ModelRetry


class Desk:
    """``made`` counts calls of the irreversible tool by its argument."""

    def __init__(self) -> None:
        self.made: Counter[str] = Counter()

        @tool
        async def look(what: str) -> str:
            """Look something up."""
            await asyncio.sleep(0.05)
            return f"seen {what}"

        @tool(effect="irreversible", in_doubt=Resolve(after="5s"))
        async def charge(what: str) -> str:
            """Take money."""
            self.made[what] += 1
            await asyncio.sleep(0.02)
            return f"charged {what}"

        async def reads(answer: str) -> str:
            """Send a first draft back; that takes a while, in which a process may die."""
            await asyncio.sleep(0.02)
            if answer.endswith(": a draft"):
                raise ModelRetry("write it out.")
            return answer

        script = Scripted(say, delay="30ms")
        self.agent = Agent("desk", script, tools=[look, charge], output_validator=reads)


def say(messages: Sequence[Message], tools: object) -> Said:
    """``look x y`` looks twice, ``charge x`` charges; then the answer names the message and what came of it.
    ``draft x`` is answered with a draft, until that is sent back."""
    asked = [index for index, message in enumerate(messages) if message.role == "user"]
    last = asked[-1]
    if "write it out" in messages[last].content:
        return f"{messages[asked[-2]].content}: written out"
    verb, *words = messages[last].content.split()
    results = [message.content for message in messages[last + 1 :] if message.role == "tool"]
    if verb in ("look", "charge") and len(results) < len(words):
        return [call(verb, what=word) for word in words]
    if verb == "draft":
        return f"{messages[last].content}: a draft"
    return f"{messages[last].content}: {len(results)} results"


def answers(content: str) -> str:
    """What a message must be answered with."""
    verb, *words = content.split()
    if verb == "draft":
        return f"{content}: written out"
    return f"{content}: {len(words) if verb in ('look', 'charge') else 0} results"
