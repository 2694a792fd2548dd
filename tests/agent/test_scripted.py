"""The scripted model is a pure function of the request and always says that it is scripted."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overwinter.functions.models.choosing import choose
from overwinter.functions.models.port import Answer, Delta, Message, Request, Streaming, ToolCall
from overwinter.functions.models.scripted import Breaks, Script, Scripted, call
from overwinter.state.errors import InvalidInput

script_in_a_module = ["found me"]


def ask(script: Script, *said: str, times: int = 1) -> Answer:
    messages: list[Message] = []
    for text in said or ("hi",):
        messages += [Message("user", text), Message("assistant", "…")]
    request = Request("x", tuple(messages[:-1]))
    model = Scripted(script, "test")
    answers = [asyncio.run(model.complete(request)) for _ in range(2)]
    assert answers[0] == answers[1]
    return answers[0]


def test_a_list_gives_the_nth_answer_of_the_conversation() -> None:
    script: Script = ["one", call("lookup", order_id="1"), Answer("three", finish="length")]
    assert ask(script).text == "one"
    second = ask(script, "a", "b")
    assert second.finish == "tool_calls"
    assert second.tool_calls == (ToolCall("call_3_0", "lookup", '{"order_id":"1"}'),)
    assert ask(script, "a", "b", "c").finish == "length"
    with pytest.raises(InvalidInput, match="has 3 answers, and answer 4"):
        ask(script, "a", "b", "c", "d")


def test_rules_answer_what_was_said_last() -> None:
    rules: Script = {"refund": call("refund"), ".*": "How can I help?"}
    assert ask(rules, "I want a REFUND").tool_calls[0].name == "refund"
    assert ask(rules, "hello").text == "How can I help?"
    with pytest.raises(InvalidInput, match="no rule for 'hello'"):
        ask({"x": "y"}, "hello")


def test_a_function_answers_from_messages_and_tools() -> None:
    def script(messages: Sequence[Message], tools: Sequence[Any]) -> str:
        return f"{len(messages)} messages, {len(tools)} tools"

    async def slow(messages: Sequence[Message], tools: Sequence[Any]) -> list[ToolCall]:
        return [call("a"), call("b")]

    assert ask(script).text == "1 messages, 0 tools"
    assert [item.id for item in ask(slow).tool_calls] == ["call_1_0", "call_1_1"]


def test_an_error_in_a_script_is_raised() -> None:
    with pytest.raises(ConnectionError, match="down"):
        ask([ConnectionError("down")])


def test_every_answer_is_labelled_counted_and_free() -> None:
    answer = ask([Answer("two words", model="gpt", cost="5")], "three words here")
    assert answer.record() == {
        "text": "two words",
        "model": "scripted/test",
        "usage": {"input": 4, "output": 3},
        "cost": "0",
    }


def test_models_are_chosen_by_name() -> None:
    assert choose("scripted:echo").name == "scripted/echo"
    assert choose("openai/gpt-5-mini").name == "openai/gpt-5-mini"
    own = Scripted(["x"])
    assert choose(own) is own
    request = Request("x", (Message("user", "say it"),))
    assert asyncio.run(choose("scripted:echo").complete(request)).text == "say it"
    found = choose(f"scripted:{__name__}.script_in_a_module")
    assert asyncio.run(found.complete(request)).text == "found me"
    with pytest.raises(InvalidInput, match=r"there is no script 'nowhere\.script'"):
        asyncio.run(choose("scripted:nowhere.script").complete(request))


# -- streams -------------------------------------------------------------------------------------------


def stream(model: Any, emit: Any) -> Answer:
    assert isinstance(model, Streaming)
    return asyncio.run(model.stream(Request("x", (Message("user", "hi"),)), emit))


@given(st.text())
def test_a_streamed_answer_is_the_same_word_by_word(text: str) -> None:
    model = Scripted([text])
    pieces: list[Delta] = []
    answer = stream(model, pieces.append)
    assert answer == asyncio.run(model.complete(Request("x", (Message("user", "hi"),))))
    assert "".join(piece.text for piece in pieces) == answer.text and all(piece.text for piece in pieces)


def test_words_keep_their_spaces() -> None:
    pieces: list[Delta] = []
    stream(Scripted(["  It is\n\non its way. "]), pieces.append)
    assert [piece.text for piece in pieces] == ["  ", "It ", "is\n\n", "on ", "its ", "way. "]


def test_other_tasks_run_between_two_words() -> None:
    seen: list[int] = []

    async def main() -> None:
        pieces: list[Delta] = []
        model = Scripted(["a b c d"])
        task = asyncio.create_task(model.stream(Request("x", (Message("user", "hi"),)), pieces.append))
        while not task.done():
            await asyncio.sleep(0)
            seen.append(len(pieces))

    asyncio.run(main())
    assert {1, 2, 3} <= set(seen)


def test_an_answer_may_break_in_the_middle() -> None:
    script: Script = [Breaks("half a st", ConnectionError("gone"))]
    pieces: list[Delta] = []
    with pytest.raises(ConnectionError, match="gone"):
        stream(Scripted(script), pieces.append)
    assert "".join(piece.text for piece in pieces) == "half a st"
    with pytest.raises(ConnectionError, match="gone"):
        asyncio.run(Scripted(script).complete(Request("x", (Message("user", "hi"),))))


def test_a_script_in_a_module_streams() -> None:
    pieces: list[Delta] = []
    assert stream(choose(f"scripted:{__name__}.script_in_a_module"), pieces.append).text == "found me"
    assert [piece.text for piece in pieces] == ["found ", "me"]


def test_calls_are_not_emitted() -> None:
    pieces: list[Delta] = []
    assert stream(Scripted([call("lookup", order_id="1")]), pieces.append).tool_calls and not pieces
