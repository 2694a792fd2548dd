"""Evaluator-optimizer: a writer and a critic, six rounds at the most, and no more when two bring nothing better."""

from collections.abc import Sequence

from overwinter import Agent, run
from overwinter.functions.model import Message, Scripted, ToolSchema
from overwinter.patterns import evaluator_optimizer
from overwinter.patterns.evaluator_optimizer import Draft, Verdict


def writer_script(messages: Sequence[Message], tools: Sequence[ToolSchema]) -> str:
    return "Snow falls." if "Improve" not in messages[-1].content else "Snow falls, and the house listens."


def critic_script(messages: Sequence[Message], tools: Sequence[ToolSchema]) -> str:
    good = "listens" in messages[-1].content
    return '{"accepted": true}' if good else '{"accepted": false, "feedback": "let somebody listen", "score": 0.4}'


writer = Agent("writer", Scripted(writer_script, "writer"))
critic = Agent("critic", Scripted(critic_script, "critic"), input=Draft, output=Verdict)
line = evaluator_optimizer("line", writer, critic, rounds=6, patience=2)

if __name__ == "__main__":
    print(run(line, "A line about snow", store="memory://"))
