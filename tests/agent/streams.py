"""The answers of ``answers`` as each provider streams them: the same content in pieces, in the shape that it
documents."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

SSE = {"content-type": "text/event-stream; charset=utf-8"}
CLOSED = {"connection": "close"}
"""For litellm, which leaves connections to whoever collects garbage when a loop has ended."""
DONE = "data: [DONE]\n\n"


def event(data: Any, kind: str = "") -> str:
    return f"{f'event: {kind}' + chr(10) if kind else ''}data: {json.dumps(data)}\n\n"


def halves(text: str) -> list[str]:
    """Pieces of a text, the first of them one character."""
    return [part for part in (text[:1], text[1 : len(text) // 2 + 1], text[len(text) // 2 + 1 :]) if part]


def streamed(name: str, body: Any) -> list[str]:
    """The events in which ``name`` sends that body."""
    if name == "anthropic":
        return list(_claude(body))
    if name == "gemini":
        return list(_gemini(body))
    return list(_chat(name, body))


# -- OpenAI's protocol, and how others speak it --------------------------------------------------------

USAGE_WITH_THE_END = ("mistral", "deepseek")
WHOLE_CALLS = ("mistral", "groq", "ollama")
COMMENTS = {"openrouter": ": OPENROUTER PROCESSING\n\n", "deepseek": ": keep-alive\n\n"}


def _chat(name: str, body: Any) -> Iterator[str]:
    head = {**{key: body[key] for key in ("id", "created", "model")}, "object": "chat.completion.chunk"}
    choice = body["choices"][0]
    message = choice["message"]
    beside = {key: value for key, value in choice.items() if key not in ("message", "finish_reason", "index")}

    def chunk(delta: Any, finish: str | None = None, **more: Any) -> str:
        told = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return event({**head, "choices": [told], **({} if finish is None else beside), **more})

    none = {} if name in ("ollama", "groq", "mistral") else {"usage": None}
    if name == "azure":
        yield event({**head, "choices": [], "prompt_filter_results": [{"prompt_index": 0}]})
    if name in COMMENTS:
        yield COMMENTS[name]
    empty = {"role": "assistant", "content": "", **({"reasoning_content": None} if name == "deepseek" else {})}
    yield chunk(empty, **none)
    for field in ("reasoning_content", "reasoning", "refusal", "content"):
        for text in halves(message.get(field) or ""):
            yield chunk({field: text}, **none)
    if message.get("reasoning_details"):
        for item in message["reasoning_details"]:
            yield from (chunk({"reasoning_details": [part]}, **none) for part in _details(item))
    for place, call in enumerate(message.get("tool_calls") or ()):
        for part in _call(name, place, call):
            yield chunk({"tool_calls": [part]}, **none)
    usage = body["usage"]
    if name in USAGE_WITH_THE_END:
        yield chunk({"content": ""}, choice["finish_reason"], usage=usage)
    else:
        yield chunk({}, choice["finish_reason"], **none)
        last = [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]
        yield event({**head, "choices": last if name == "openrouter" else [], "usage": usage})
    yield DONE


def _call(name: str, place: int, call: Any) -> Iterator[Any]:
    index = 0 if name == "ollama" else place  # it numbers each 0
    call = {key: value for key, value in call.items() if key != "index"}
    if name in WHOLE_CALLS:
        yield {"index": index, **call}
        return
    function = call["function"]
    yield {"index": index, **call, "function": {"name": function["name"], "arguments": ""}}
    for part in halves(function["arguments"]):
        yield {"index": index, "function": {"arguments": part}}


def _details(item: Any) -> Iterator[Any]:
    for field in ("text", "summary"):
        if item.get(field):
            rest = {key: value for key, value in item.items() if key not in (field, "signature")}
            yield from ({**rest, field: part} for part in halves(item[field]))
            if item.get("signature"):
                yield {**rest, field: "", "signature": item["signature"]}
            return
    yield item


# -- Anthropic -------------------------------------------------------------------------------------------


def _claude(body: Any) -> Iterator[str]:
    def told(kind: str, **fields: Any) -> str:
        return event({"type": kind, **fields}, kind)

    usage = body["usage"]
    before = {**usage, "output_tokens": 1}
    yield told("message_start", message={**body, "content": [], "stop_reason": None, "usage": before})
    yield told("ping")
    for index, block in enumerate(body["content"]):
        start, deltas = _block(copy.deepcopy(block))
        yield told("content_block_start", index=index, content_block=start)
        for delta in deltas:
            yield told("content_block_delta", index=index, delta=delta)
        yield told("content_block_stop", index=index)
    stop = {"stop_reason": body["stop_reason"], "stop_sequence": None}
    yield told("message_delta", delta=stop, usage={"output_tokens": usage["output_tokens"]})
    yield told("message_stop")


def _block(block: Any) -> tuple[Any, list[Any]]:
    kind = block["type"]
    if kind == "text":
        return {**block, "text": ""}, [{"type": "text_delta", "text": part} for part in halves(block["text"])]
    if kind == "thinking":
        parts = [{"type": "thinking_delta", "thinking": part} for part in halves(block["thinking"])]
        signed = {"type": "signature_delta", "signature": block["signature"]}
        return {**block, "thinking": "", "signature": ""}, [*parts, signed]
    if kind in ("tool_use", "server_tool_use"):
        given = json.dumps(block["input"]) if block["input"] else ""
        parts = [{"type": "input_json_delta", "partial_json": part} for part in ["", *halves(given)]]
        return {**block, "input": {}}, parts
    return block, []


# -- Gemini ------------------------------------------------------------------------------------------------


def _gemini(body: Any) -> Iterator[str]:
    candidate = body["candidates"][0]
    usage = body["usageMetadata"]
    rest = {key: value for key, value in body.items() if key not in ("candidates", "usageMetadata")}
    pieces = [
        {**part, "text": text} if "text" in part else part
        for part in candidate["content"]["parts"]
        for text in (halves(part.get("text") or "") or [""])
    ]
    for place, part in enumerate(pieces):
        last = place == len(pieces) - 1
        told = {"content": {"role": "model", "parts": [part]}, "index": 0}
        told |= {"finishReason": candidate["finishReason"]} if last else {}
        counted = usage if last else {"promptTokenCount": usage["promptTokenCount"]}
        yield event({"candidates": [told], "usageMetadata": counted, **rest})
