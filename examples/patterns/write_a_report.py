"""Prompt chaining: an outline that must pass its gate, then the text."""

from collections.abc import Sequence

from overwinter import Agent, run
from overwinter.functions.model import Message, Scripted, ToolSchema
from overwinter.patterns import Link, prompt_chain


def outline_script(messages: Sequence[Message], tools: Sequence[ToolSchema]) -> str:
    return "1. Frost 2. Ice 3. Thaw" if "refused" in messages[-1].content else "1. Frost"


def three_parts(outline: str) -> str | None:
    """The gate: what is wrong with the outline, if anything."""
    return None if "3." in outline else "it needs three parts"


outliner = Agent("outliner", Scripted(outline_script, "outliner"), "Outline the subject in three numbered parts.")
author = Agent("author", Scripted({".*": "First comes the frost, then the ice, and then the thaw."}, "author"))
report = prompt_chain("report", Link(outliner, gate=three_parts), Link(author))

if __name__ == "__main__":
    print(run(report, "How winter goes", store="memory://"))
