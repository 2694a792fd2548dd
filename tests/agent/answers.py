"""What providers answer when they do: bodies in the shape that each of them documents, and what they say. Both adapters
are to read the same out of one body, where both can read it."""

from __future__ import annotations

from typing import Any, NamedTuple

from overwinter.functions.models.port import ToolCall, Usage


class Said(NamedTuple):
    """The body, and the fields of the Answer."""

    body: Any
    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    finish: str = "stop"
    refusal: str = ""
    usage: Usage = Usage()


ARGUMENTS = '{"order_id": "A-1"}'
LOOKUP = ToolCall("call_1", "lookup", ARGUMENTS)


def call(id: Any = "call_1", arguments: Any = ARGUMENTS, name: str = "lookup", **more: Any) -> Any:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}, **more}


def chat(finish: str | None, usage: Any, *, content: Any = None, choice: Any = None, **message: Any) -> Any:
    told = {"index": 0, "message": {"role": "assistant", "content": content, **message}, "finish_reason": finish}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_760_000_000,
        "model": "m",
        "choices": [{**told, **(choice or {})}],
        "usage": usage,
    }


def counted(read: int, wrote: int, **more: Any) -> Any:
    return {"prompt_tokens": read, "completion_tokens": wrote, "total_tokens": read + wrote, **more}


def claude(content: list[Any], stop: str, **usage: int) -> Any:
    told = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "content": content}
    return {**told, "stop_reason": stop, "stop_sequence": None, "usage": usage}


def gemini(parts: list[Any], finish: str = "STOP", **usage: Any) -> Any:
    candidate = {"content": {"role": "model", "parts": parts}, "finishReason": finish, "index": 0}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "gemini-2.5-flash", "responseId": "r"}


DETAILS = {
    "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 0},
    "completion_tokens_details": {
        "reasoning_tokens": 64, "audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0,
    },
}  # fmt: skip
FILTERS = {"content_filter_results": {"hate": {"filtered": False, "severity": "safe"}}}
TIMES = {"queue_time": 0.02, "prompt_time": 0.001, "completion_time": 0.3, "total_time": 0.301}
USE = {"type": "tool_use", "id": "call_1", "name": "lookup", "input": {"order_id": "A-1"}}

SAID: dict[str, dict[str, Said]] = {
    "openai": {
        "text": Said(chat("stop", counted(1117, 100, **DETAILS), content="Hello.", refusal=None, annotations=[]),
                     "Hello.", usage=Usage(93, 36, cache_read=1024, reasoning=64)),
        "call": Said(chat("tool_calls", counted(82, 17), tool_calls=[call()]), calls=(LOOKUP,), finish="tool_calls",
                     usage=Usage(82, 17)),
        "parallel": Said(chat("tool_calls", counted(82, 35), tool_calls=[call(), call("call_2", '{"order_id":"B"}')]),
                         calls=(LOOKUP, ToolCall("call_2", "lookup", '{"order_id":"B"}')), finish="tool_calls",
                         usage=Usage(82, 35)),
        "malformed arguments": Said(chat("tool_calls", counted(8, 3), tool_calls=[call(arguments='{"order_id": A-1')]),
                                    calls=(LOOKUP._replace(arguments='{"order_id": A-1'),), finish="tool_calls",
                                    usage=Usage(8, 3)),
        "empty arguments": Said(chat("tool_calls", counted(8, 3), tool_calls=[call(arguments="")]),
                                calls=(LOOKUP._replace(arguments=""),), finish="tool_calls", usage=Usage(8, 3)),
        "truncated": Said(chat("length", counted(8, 16), content="To be cont"), "To be cont", finish="length",
                          usage=Usage(8, 16)),
        "truncated in a call": Said(chat("length", counted(8, 16), tool_calls=[call(arguments='{"order_')]),
                                    calls=(LOOKUP._replace(arguments='{"order_'),), finish="length",
                                    usage=Usage(8, 16)),
        "refusal": Said(chat("stop", counted(8, 9), refusal="I'm sorry, I can't help with that."),
                        refusal="I'm sorry, I can't help with that.", usage=Usage(8, 9)),
        "filtered": Said(chat("content_filter", counted(8, 0), content=""), finish="content_filter",
                         usage=Usage(8, 0)),
    },
    "anthropic": {
        "text": Said(claude([{"type": "text", "text": "Hello."}], "end_turn", input_tokens=50, output_tokens=12,
                            cache_read_input_tokens=2000, cache_creation_input_tokens=1000), "Hello.",
                     usage=Usage(50, 12, 2000, 1000)),
        "call": Said(claude([{"type": "text", "text": "I look."}, USE], "tool_use", input_tokens=9, output_tokens=5),
                     "I look.", (LOOKUP,), "tool_calls", usage=Usage(9, 5)),
        "parallel": Said(claude([USE, {**USE, "id": "call_2"}], "tool_use", input_tokens=9, output_tokens=5),
                         calls=(LOOKUP, LOOKUP._replace(id="call_2")), finish="tool_calls", usage=Usage(9, 5)),
        "empty arguments": Said(claude([{**USE, "input": {}}], "tool_use", input_tokens=9, output_tokens=5),
                                calls=(LOOKUP._replace(arguments="{}"),), finish="tool_calls", usage=Usage(9, 5)),
        "truncated": Said(claude([{"type": "text", "text": "To be"}], "max_tokens", input_tokens=9, output_tokens=5),
                          "To be", finish="length", usage=Usage(9, 5)),
        "refusal": Said(claude([], "refusal", input_tokens=9, output_tokens=1), finish="content_filter",
                        usage=Usage(9, 1)),
    },
    "gemini": {
        "text": Said(gemini([{"text": "Hello."}], promptTokenCount=1100, candidatesTokenCount=20,
                            thoughtsTokenCount=300, cachedContentTokenCount=1000, totalTokenCount=1420,
                            promptTokensDetails=[{"modality": "TEXT", "tokenCount": 1100}]), "Hello.",
                     usage=Usage(100, 20, cache_read=1000, reasoning=300)),
        "truncated": Said(gemini([{"text": "To be"}], "MAX_TOKENS", promptTokenCount=9, candidatesTokenCount=5,
                                 totalTokenCount=14), "To be", finish="length", usage=Usage(9, 5)),
        "filtered": Said(gemini([{"text": ""}], "SAFETY", promptTokenCount=9, candidatesTokenCount=0,
                                totalTokenCount=9), finish="content_filter", usage=Usage(9, 0)),
        "audio": Said(gemini([{"text": "Birds."}], promptTokenCount=150, candidatesTokenCount=5, totalTokenCount=155,
                             promptTokensDetails=[{"modality": "TEXT", "tokenCount": 22},
                                                  {"modality": "AUDIO", "tokenCount": 128}]), "Birds.",
                      usage=Usage(22, 5, audio_in=128)),
    },
    "mistral": {
        "text": Said(chat("stop", counted(9, 12), content="Hello.", tool_calls=None), "Hello.", usage=Usage(9, 12)),
        "call": Said(chat("tool_calls", counted(82, 17), content="", tool_calls=[call(index=0)]), calls=(LOOKUP,),
                     finish="tool_calls", usage=Usage(82, 17)),
        "truncated": Said(chat("length", counted(9, 12), content="To be", tool_calls=None), "To be", finish="length",
                          usage=Usage(9, 12)),
    },
    "groq": {
        "text": Said({**chat("stop", counted(9, 12, **TIMES), content="Hello."), "x_groq": {"id": "req_1"},
                      "service_tier": "on_demand"}, "Hello.",
                     usage=Usage(9, 12)),
        "call": Said({**chat("tool_calls", counted(82, 17, **TIMES), tool_calls=[call()]),
                      "service_tier": "on_demand"}, calls=(LOOKUP,),
                     finish="tool_calls", usage=Usage(82, 17)),
    },
    "deepseek": {
        "text": Said(chat("stop", counted(500, 90, prompt_cache_hit_tokens=448, prompt_cache_miss_tokens=52,
                                          prompt_tokens_details={"cached_tokens": 448},
                                          completion_tokens_details={"reasoning_tokens": 70}),
                          content="Hello.", reasoning_content="They greet."), "Hello.",
                     usage=Usage(52, 20, cache_read=448, reasoning=70)),
        "call": Said(chat("tool_calls", counted(82, 17), content="", tool_calls=[call(index=0)]), calls=(LOOKUP,),
                     finish="tool_calls", usage=Usage(82, 17)),
    },
    "openrouter": {
        "text": Said(chat("stop", counted(1117, 100, cost=0.00123, **DETAILS), content="Hello.", reasoning=None,
                          choice={"native_finish_reason": "completed"}), "Hello.",
                     usage=Usage(93, 36, cache_read=1024, reasoning=64)),
        "call": Said(chat("tool_calls", counted(82, 17, cost=0), tool_calls=[call(index=0)]), calls=(LOOKUP,),
                     finish="tool_calls", usage=Usage(82, 17)),
    },
    "azure": {
        "text": Said(chat("stop", counted(1117, 100, **DETAILS), content="Hello.", refusal=None, choice=FILTERS),
                     "Hello.", usage=Usage(93, 36, cache_read=1024, reasoning=64)),
        "call": Said(chat("tool_calls", counted(82, 17), tool_calls=[call()], choice=FILTERS), calls=(LOOKUP,),
                     finish="tool_calls", usage=Usage(82, 17)),
        "filtered": Said(chat("content_filter", counted(8, 0), content="", choice=FILTERS), finish="content_filter",
                         usage=Usage(8, 0)),
    },
    "vllm": {
        "text": Said(chat("stop", counted(26, 12, prompt_tokens_details=None), content="Hello.", tool_calls=[],
                          refusal=None, choice={"logprobs": None, "stop_reason": None}), "Hello.",
                     usage=Usage(26, 12)),
        "call": Said(chat("tool_calls", counted(26, 12), tool_calls=[call("chatcmpl-tool-1")],
                          reasoning_content=None), calls=(LOOKUP._replace(id="chatcmpl-tool-1"),),
                     finish="tool_calls", usage=Usage(26, 12)),
    },
    "ollama": {
        "text": Said({**chat("stop", counted(26, 12), content="Hello."), "system_fingerprint": "fp_ollama"}, "Hello.",
                     usage=Usage(26, 12)),
        "call": Said(chat("tool_calls", counted(26, 12), content="", tool_calls=[call("call_9", index=0)]),
                     calls=(LOOKUP._replace(id="call_9"),), finish="tool_calls", usage=Usage(26, 12)),
    },
}  # fmt: skip
"""By provider and case."""

SAYING = [(provider, case) for provider, cases in SAID.items() for case in cases]
OTHERS = ("anthropic", "gemini")
"""Providers that don't speak OpenAI's protocol here."""
