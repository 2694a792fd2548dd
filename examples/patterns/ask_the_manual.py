"""Augmented LLM: a help desk that looks into the manual, knows the shop, and remembers what was said."""

from collections.abc import Sequence

from overwinter import run
from overwinter.functions.model import Message, Scripted, ToolSchema
from overwinter.patterns import augmented_llm
from overwinter.patterns.augmented_llm import Question

MANUAL = ["To descale the kettle, boil vinegar in it.", "The lamp takes an E27 bulb.", "The kettle holds 1.7 litres."]


async def search(question: str) -> list[str]:
    """Passages that share a word with the question."""
    words = {word.strip("?.,").lower() for word in question.split() if len(word) > 4}
    return [passage for passage in MANUAL if any(word in passage.lower() for word in words)]


def script(messages: Sequence[Message], tools: Sequence[ToolSchema]) -> str:
    asked = messages[-1].content
    return "As I said: vinegar." if "You said:" in asked else asked.partition("Passage 1: ")[2].partition("\n")[0]


helpdesk = augmented_llm("helpdesk", Scripted(script, "helpdesk"), retrieve=search)
question = Question(text="How do I descale the kettle?", memory="c-42")

if __name__ == "__main__":
    print(run(helpdesk, question, store="memory://"))
