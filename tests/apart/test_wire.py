"""What is asked of a model function and what it answers, as JSON and back; and what is none of both."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overwinter import InvalidInput
from overwinter.functions.models import wire
from overwinter.functions.models.port import Answer, Message, OutputSchema, Request, ToolCall, ToolSchema, Usage
from overwinter.orchestrator.protocol.media import Part

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
OPAQUE = st.none() | st.dictionaries(TEXT, st.integers() | TEXT | st.lists(TEXT, max_size=2), min_size=1, max_size=2)
CALL = st.builds(ToolCall, TEXT, TEXT, TEXT, OPAQUE)
PART = st.builds(
    Part,
    st.sampled_from(["text", "image", "audio", "file"]),
    **dict.fromkeys(("text", "url", "media_type", "name", "digest"), TEXT),
    size=st.integers(0, 10**9),
    data=st.binary(min_size=1, max_size=30),
)
MESSAGE = st.builds(
    Message,
    st.sampled_from(["system", "user", "assistant", "tool"]),
    TEXT,
    st.lists(CALL, max_size=2).map(tuple),
    TEXT,
    OPAQUE,
    TEXT,
    st.lists(PART, max_size=2).map(tuple),
    st.just(0),  # where a result stands in a journal is no business of a model's, and stays at home
)
TOOL = st.builds(ToolSchema, TEXT, TEXT, st.dictionaries(TEXT, TEXT, max_size=2))
OUTPUT = st.none() | st.builds(OutputSchema, TEXT, st.dictionaries(TEXT, TEXT, max_size=2), st.booleans())
REQUEST = st.builds(
    Request,
    st.just("m"),
    st.lists(MESSAGE, min_size=1, max_size=3).map(tuple),
    st.lists(TOOL, max_size=2).map(tuple),
    OUTPUT,
    st.dictionaries(TEXT, st.integers() | TEXT, max_size=2),
    st.sampled_from(["auto", "required", "none"]) | TEXT.filter(bool),
    st.none() | st.booleans(),
)
ANSWER = st.builds(
    Answer,
    TEXT,
    st.lists(CALL, max_size=2).map(tuple),
    st.builds(Usage, *[st.integers(0, 10**6)] * 9),
    st.none() | st.just("0.00012"),
    st.just("openai/x"),
    st.sampled_from(["length", "content_filter", "pause", "malformed"]),
    TEXT,
    OPAQUE,
    TEXT,
)


@given(REQUEST)
def test_a_request_comes_as_it_was_asked(request: Request) -> None:
    assert wire.request(json.loads(json.dumps(wire.asked(request))), "m") == request


@given(ANSWER)
def test_an_answer_comes_as_it_was_given(answer: Answer) -> None:
    assert wire.answer(json.loads(json.dumps(answer.record())), "function:x") == answer


def test_an_answer_that_ended_in_the_usual_way_says_so() -> None:
    for answer in (
        Answer("x", model="m"),
        Answer(tool_calls=(ToolCall("1", "a", "{}"),), finish="tool_calls", model="m"),
    ):
        assert wire.answer(answer.record(), "function:x") == answer
    assert wire.answer({}, "function:x") == Answer(model="function:x")


USER = {"role": "user", "content": "hi"}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (None, "no JSON object"),
        ([], "no JSON object"),
        ({}, "messages is no list"),
        ({"messages": {}}, "messages is no list"),
        ({"messages": ["hi"]}, "a message is no JSON object"),
        ({"messages": [{"role": "user", "content": 7}]}, "content is no text"),
        ({"messages": [{"role": "root", "content": ""}]}, "'root'"),
        ({"messages": [{"role": "user", "content": "", "contnt": 1}]}, "'contnt'"),
        ({"messages": [{"role": "user", "parts": [{"kind": "file", "path": "/etc/passwd"}]}]}, "'path'"),
        ({"messages": [{"role": "user", "parts": [{"kind": "hologram"}]}]}, "kinds"),
        ({"messages": [{"role": "user", "parts": [{"kind": "file", "size": "x"}]}]}, "size"),
        ({"messages": [{"role": "user", "parts": [{"kind": "file", "data": "?"}]}]}, "base64"),
        ({"messages": [{"role": "user", "opaque": "x"}]}, "opaque"),
        ({"messages": [{"role": "assistant", "tool_calls": [{"name": 7}]}]}, "name is no text"),
        ({"messages": [USER], "tools": [{"name": "x", "parameters": []}]}, "parameters"),
        ({"messages": [USER], "output": []}, "output"),
        ({"messages": [USER], "settings": "x"}, "settings"),
        ({"messages": [], "model": "gpt"}, "'model'"),
        ({"messages": []}, "holds none"),
        ({"messages": [{"role": "user", "parts": [{"kind": "image", "digest": "sha256:1"}]}]}, "brings its bytes"),
        (
            {"messages": [{"role": "user", "parts": [{"kind": "audio", "url": "https://x.example"}]}]},
            "brings its bytes",
        ),
    ],
)
def test_what_is_no_request_is_refused_by_its_name(body: Any, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        wire.request(body, "m")


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {"text": 7},
        {"tool_calls": "x"},
        {"usage": {"input": "7"}},
        {"usage": {"input": -1}},
        {"usage": {"output": True}},
        {"cost": 0.1},
        {"cost": "-1"},
        {"cost": "NaN"},
        {"cost": "1_000"},
        {"cost": "free"},
        {"usage": {"input": 10**40}},
        {"opaque": []},
    ],
)
def test_what_is_no_answer_is_refused(body: Any) -> None:
    with pytest.raises(InvalidInput):
        wire.answer(body, "m")
