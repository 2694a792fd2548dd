"""Server-sent events and what is heard in them, however the bytes are cut and whatever a server makes of the form."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overwinter.functions.models.chat import Unfit, answer
from overwinter.functions.models.events import MOST, Event, Events
from overwinter.functions.models.heard import Heard
from overwinter.functions.models.pieces import Pieces, merged
from overwinter.functions.models.port import Answer, Delta, ToolCall

from .streams import DONE, event

ODD = "Grüße, 世界 🌍\u2028\u0085\x0b\x1c end"
"""Letters of two to four bytes, and what some libraries take for ends of lines."""


def chunk(delta: Any = None, finish: str | None = None, **more: Any) -> str:
    choice = {"index": 0, "delta": {} if delta is None else delta, "finish_reason": finish}
    data = json.dumps({"choices": [choice], **more}, ensure_ascii=False)
    return f"data: {data}\n\n"


def heard(text: str | bytes, *cuts: int) -> tuple[Heard, list[Delta]]:
    """What is heard of a stream that is read in pieces cut at those bytes, and ends in order."""
    data = text.encode() if isinstance(text, str) else text
    emitted: list[Delta] = []
    found = Heard(emitted.append)
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    for start, end in pairwise(places):
        found.feed(data[start:end])
    if not found.over:
        found.end()
    return found, emitted


def read(text: str | bytes, *cuts: int) -> Answer:
    found, emitted = heard(text, *cuts)
    assert found.pieces.finish and found.failure is None
    whole = answer(found.pieces.body(), "m")
    assert "".join(delta.text for delta in emitted) == whole.text
    return whole


STREAM = "".join(
    [
        ": OPENROUTER PROCESSING\n\n",
        chunk({"role": "assistant", "content": ""}),
        chunk({"reasoning_content": "Let me see: ü"}),
        chunk({"content": ODD}),
        "event: ping\ndata:{}\n\nid: 7\nretry: 5\n\n",
        'data: {"choices": [{"index": 0,\ndata: "delta": {"content": " more"}}]}\n\n',
        chunk({"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "lookup", "arguments": '{"a":'}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": ' "ß"}'}}]}),
        chunk({}, "tool_calls"),
        'data:{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13}}\n\n',
        DONE,
    ]
)
HEARD = read(STREAM)


def test_the_stream_of_these_tests_holds_what_they_look_for() -> None:
    assert HEARD.text == ODD + " more" and HEARD.usage.total == 13
    assert HEARD.tool_calls == (ToolCall("c1", "lookup", '{"a": "ß"}'),)


@given(st.lists(st.integers(0, 4000), max_size=40), st.sampled_from(["\n", "\r\n", "\r"]))
def test_it_is_the_same_wherever_the_bytes_are_cut(cuts: list[int], end: str) -> None:
    assert read(STREAM.replace("\n", end), *cuts) == HEARD


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_it_is_the_same_byte_by_byte(end: str) -> None:
    text = STREAM.replace("\n", end)
    assert read(text, *range(len(text.encode()))) == HEARD


def test_forms_that_servers_make_of_it_are_read() -> None:
    plain = chunk({"content": "Hello."}) + chunk({}, "stop")
    for text in (
        plain,
        plain.rstrip("\n"),  # no end of the last line
        plain.replace("\n\n", "\n"),  # no empty lines
        plain.replace("data: ", "data:"),
        "\ufeff" + plain,
        plain + "data: [DONE]",
        plain + DONE + "data: what stands behind the end\n\n",
        plain + 'data: {"choices": [], "usage": null}\n\n',
        plain.replace('"delta"', '"message"'),
        plain.replace('"index": 0, ', ""),
        chunk({"content": [{"type": "text", "text": "Hello."}]}, "stop"),
        plain + 'data: {"choices": [{"index": 1, "delta": {"content": "No"}}]}\n\n',  # n=2
    ):  # fmt: skip
        assert read(text).text == "Hello.", text


def test_events_have_kinds_and_lines() -> None:
    assert Events().feed(b"event: a\ndata: 1\ndata\ndata: 2\n\n: x\n\ndata: 3\n\n") == [
        Event("a", "1\n\n2"),
        Event("", "3"),
    ]


def test_a_line_without_an_end_is_refused() -> None:
    found = Heard(lambda delta: None)
    with pytest.raises(Unfit, match="longer than"):
        for _ in range(MOST // 2**20 + 1):
            found.feed(b"x" * 2**20)


@pytest.mark.parametrize(
    "text", ["data: <html>\n\n", 'data: {"choices": [\n\n', "data: []\n\n", "data: " + "[" * 100_000 + "\n\n"]
)
def test_what_is_no_piece_is_unfit(text: str) -> None:
    with pytest.raises(Unfit):
        heard(chunk({"content": "Hel"}) + text)


@pytest.mark.parametrize("bad", [{"choices": [5]}, {"choices": [{"delta": 5}]},
                                 {"choices": [{"delta": {"tool_calls": {}}}]},
                                 {"choices": [{"delta": {"tool_calls": [{"id": 5}]}}]},
                                 {"choices": [{"delta": {"tool_calls": [{"function": {"name": 5}}]}}]}])  # fmt: skip
def test_a_piece_of_another_form_is_unfit(bad: Any) -> None:
    with pytest.raises(Unfit):
        heard(event(bad))


ERRORS = {
    "openai": event({"error": {"message": "boom", "type": "server_error", "code": None}}),
    "openrouter": event({"error": {"code": 502, "message": "boom"},
                         "choices": [{"delta": {"content": ""}, "finish_reason": "error"}]}),
    "in the choice": event({"choices": [{"delta": {}, "finish_reason": "error",
                                         "error": {"code": 502, "message": "boom"}}]}),
    "anthropic's": event({"type": "error", "error": {"type": "overloaded_error", "message": "boom"}}, "error"),
    "vllm, older": event({"object": "error", "message": "boom", "code": 400}),
    "llama.cpp, older": 'error: {"code": 500, "message": "boom"}\n\n',
    "a text": "event: error\ndata: boom\n\n",
    "a bare line": '{"error": {"message": "boom"}}\n',
}  # fmt: skip


@pytest.mark.parametrize("case", ERRORS)
def test_an_error_in_the_middle_is_one(case: str) -> None:
    found, emitted = heard(chunk({"content": "Hel"}) + ERRORS[case])
    assert "boom" in json.dumps(found.failure) and emitted == [Delta("Hel")]
    assert not found.pieces.finish


# -- calls, whichever way they are numbered ------------------------------------------------------------

A, B = '{"a": 1}', '{"b": 2}'


def piece(index: int | None = None, id: str = "", name: str = "", arguments: Any = "", **more: Any) -> Any:
    numbered: dict[str, Any] = {} if index is None else {"index": index}
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value != ""}
    return {**numbered, **({"id": id} if id else {}), "function": function, **more}


TWO = (ToolCall("c1", "look", A), ToolCall("c2", "look", B))
NUMBERED: dict[str, list[list[Any]]] = {
    "as openai": [[piece(0, "c1", "look")], [piece(0, arguments='{"a"')], [piece(0, arguments=": 1}")],
                  [piece(1, "c2", "look")], [piece(1, arguments=B)]],
    "at once": [[piece(0, "c1", "look", A), piece(1, "c2", "look", B)]],
    "all 0, whole": [[piece(0, "c1", "look", A)], [piece(0, "c2", "look", B)]],
    "all 0, in pieces": [[piece(0, "c1", "look")], [piece(0, arguments=A)], [piece(0, "c2", "look")],
                         [piece(0, arguments=B)]],
    "no numbers": [[piece(None, "c1", "look", A)], [piece(None, "c2", "look", B)]],
    "no numbers, in pieces": [[piece(None, "c1", "look", '{"a"')], [piece(None, arguments=": 1}")],
                              [piece(None, "c2", "look", B)]],
    "no numbers, together": [[piece(None, "c1", "look"), piece(None, "c2", "look")],
                             [piece(None, arguments=A), piece(None, arguments=B)]],
    "mixed": [[piece(0, "c1", "look"), piece(1, "c2", "look")], [piece(1, arguments=B)], [piece(0, arguments=A)]],
    "in another order": [[piece(1, "c2", "look", B)], [piece(0, "c1", "look", A)]],
    "an id each time": [[piece(0, "c1", "look")], [piece(0, "x7", arguments=A)], [piece(1, "c2", "look")],
                        [piece(1, "x8", arguments=B)]],
    "the id and the name each time": [[piece(0, "c1", "look", '{"a"')], [piece(0, "c1", "look", ": 1}")],
                                      [piece(1, "c2", "look", B)]],
    "the id later": [[piece(0, "", "look")], [piece(0, "c1", "", A)], [piece(1, "", "look")], [piece(1, "c2", "", B)]],
    "arguments as objects": [[piece(0, "c1", "look", {"a": 1})], [piece(1, "c2", "look", {"b": 2})]],
    "the name in pieces": [[piece(0, "c1", "lo")], [piece(0, "", "ok", A)], [piece(1, "c2", "look", B)]],
}  # fmt: skip


def gathered(pieces: list[list[Any]]) -> tuple[ToolCall, ...]:
    found = Pieces(lambda delta: None)
    for calls in pieces:
        found.add({"choices": [{"delta": {"tool_calls": calls}}]})
    found.add({"choices": [{"finish_reason": "tool_calls"}]})
    return answer(found.body(), "m").tool_calls


@pytest.mark.parametrize("case", NUMBERED)
def test_calls_are_told_apart(case: str) -> None:
    assert (
        tuple(call._replace(arguments=json.dumps(json.loads(call.arguments))) for call in gathered(NUMBERED[case]))
        == TWO
    )


def test_calls_without_ids_are_told_apart() -> None:
    bare = tuple(call._replace(id="") for call in TWO)
    assert gathered([[piece(0, "", "look", A)], [piece(0, "", "look", B)]]) == bare
    assert gathered([[piece(None, "", "look", A)], [piece(None, "", "look", B)]]) == bare
    assert gathered([[piece(0, "", "look", '{"a"')], [piece(0, "", "look", ": 1}")], [piece(1, "", "look", B)]]) == bare


def test_a_call_without_arguments_does_not_swallow_the_next() -> None:
    bare = (ToolCall("c1", "look", ""), ToolCall("c2", "find", ""))
    assert gathered([[piece(0, "c1", "look")], [piece(0, "c2", "find")]]) == bare


@given(st.lists(st.tuples(st.sampled_from(["look", "find"]), st.text(max_size=12)), max_size=4), st.data())
def test_calls_cut_anywhere_are_whole_again(calls: list[tuple[str, str]], data: st.DataObject) -> None:
    pieces: list[list[Any]] = []
    for index, (name, text) in enumerate(calls):
        cut = data.draw(st.integers(0, len(text)))
        pieces.append([piece(index, f"c{index}", name, text[:cut])])
        pieces.append([piece(index, arguments=text[cut:])])
    assert gathered(pieces) == tuple(ToolCall(f"c{index}", *call) for index, call in enumerate(calls))


# -- what goes back --------------------------------------------------------------------------------------


def body_of(*deltas: Any) -> Any:
    found = Pieces(lambda delta: None)
    for delta in deltas:
        found.add({"choices": [{"delta": delta}]})
    return found.body()["choices"][0]["message"]


def think(text: str | None = None, signature: str | None = None) -> Any:
    block = {"type": "thinking"} | ({} if text is None else {"thinking": text})
    return {"thinking_blocks": [block | ({} if signature is None else {"signature": signature})]}


def test_signed_thinking_is_whole_and_in_order() -> None:
    redacted = {"type": "redacted_thinking", "data": "x"}
    one, two = (
        {"type": "thinking", "thinking": "Let me", "signature": "S1"},
        {"type": "thinking", "thinking": "so", "signature": "S2"},
    )
    signed = [one, redacted, two]
    rest = ({"thinking_blocks": [redacted]}, think("so"), think(None, "S2"))
    assert body_of(think("Let"), think(" me"), think("", "S1"), *rest)["thinking_blocks"] == signed
    assert body_of(think("Let"), think(" me"), think("Let me", "S1"), *rest)["thinking_blocks"] == signed
    assert body_of(think("Let me", "S1"), *rest)["thinking_blocks"] == signed
    assert body_of(think("Let me"))["thinking_blocks"] == [{"type": "thinking", "thinking": "Let me"}], (
        "nobody signs it"
    )
    cut = Pieces(lambda delta: None)
    delta = {**think("Let me"), "reasoning_content": "Let me"}
    cut.add({"choices": [{"delta": delta, "finish_reason": "length"}]})
    message = cut.body()["choices"][0]["message"]
    assert "thinking_blocks" not in message and message["reasoning_content"] == "Let me"


def test_parts_of_reasoning_are_joined_by_their_number() -> None:
    def part(kind: str, **fields: Any) -> Any:
        return {"reasoning_details": [{"type": f"reasoning.{kind}", **fields}]}

    told = body_of(
        part("text", text="Let", index=0), part("text", text=" me", index=0), part("text", signature="S", index=0),
        part("summary", summary="a", index=1), part("encrypted", data="E1", index=2),
        part("encrypted", data="E2", index=2),
    )["reasoning_details"]  # fmt: skip
    assert told == [
        {"type": "reasoning.text", "text": "Let me", "index": 0, "signature": "S"},
        {"type": "reasoning.summary", "summary": "a", "index": 1},
        {"type": "reasoning.encrypted", "data": "E1", "index": 2},
        {"type": "reasoning.encrypted", "data": "E2", "index": 2},
    ]
    assert body_of(part("text", text="a"), part("text", text="b"))["reasoning_details"] == [
        {"type": "reasoning.text", "text": "ab"}
    ]


def test_lists_may_grow_or_come_item_by_item() -> None:
    call, response = {"id": "1", "args": {}, "signature": "S"}, {"id": "1", "response": "r", "signature": "long"}
    assert merged([call], [response]) == [{"id": "1", "args": {}, "signature": "S", "response": "r"}]
    assert merged(["a"], ["b"]) == merged(["a"], ["a", "b"]) == ["a", "b"]
    assert merged({"x": ["a"], "y": 1}, {"x": ["b"], "y": None, "z": 2}) == {"x": ["a", "b"], "y": 1, "z": 2}


@pytest.mark.parametrize(
    "deltas",
    [
        [{"reasoning_content": "Let me "}, {"reasoning_content": "see."}],
        [
            {"reasoning": "Let me ", "reasoning_details": [{"type": "reasoning.text", "text": "Let me "}]},
            {"reasoning": "see."},
        ],
        [{"reasoning_details": [{"type": "reasoning.summary", "summary": "Let me see."}]}],
        [think("Let me "), think("see."), think("", "S")],
        [{"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Let me see."}]}]}],
    ],
)
def test_reasoning_is_told_once_and_apart(deltas: list[Any]) -> None:
    emitted: list[Delta] = []
    found = Pieces(emitted.append)
    for delta in [*deltas, {"content": "Yes."}]:
        found.add({"choices": [{"delta": delta}]})
    assert "".join(delta.reasoning for delta in emitted) == "Let me see."
    assert [delta.text for delta in emitted if delta.text] == ["Yes."]


@pytest.mark.parametrize(
    "chunks",
    [
        [
            {"usage": {"prompt_tokens": 1, "completion_tokens": 1}},
            {"usage": {"prompt_tokens": 9, "completion_tokens": 4}},
        ],
        [{"usage": {"prompt_tokens": 9, "completion_tokens": 4}}, {"usage": {}}, {"usage": None}],
        [{"x_groq": {"usage": {"prompt_tokens": 9, "completion_tokens": 4}}}],
        [{"choices": [{"index": 0, "delta": {}, "usage": {"prompt_tokens": 9, "completion_tokens": 4}}]}],
    ],
)
def test_the_last_count_holds_wherever_it_stands(chunks: list[Any]) -> None:
    found = Pieces(lambda delta: None)
    for one in chunks:
        found.add(one)
    assert answer(found.body(), "m").usage.total == 13
