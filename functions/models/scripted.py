"""A model that follows a script: offline, free, and the same at every run. Its name begins with ``scripted/``
in every answer, so that nobody takes it for a language model.

An answer depends on the request alone, so a script survives crashes, replays and other processes.
"""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import math
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from ...state.codec import dumps
from ...state.errors import InvalidInput
from ...state.quantities import Duration, seconds
from .port import Answer, Delta, Emit, Message, Request, ToolCall, ToolSchema, Usage
from .vectors import Embeddings


@dataclass(frozen=True, slots=True)
class Breaks:
    """An answer that gets as far as ``text`` and then fails: ``Breaks("Your order is o", ConnectionError())``."""

    text: str
    error: BaseException


Said = str | ToolCall | Sequence[ToolCall] | Answer | BaseException | Breaks
"""One scripted answer: text, tool calls (see ``call``), a whole Answer, an error to raise, or one in the middle."""

Script = (
    Callable[[Sequence[Message], Sequence[ToolSchema]], Said | Awaitable[Said]]
    | Callable[[Sequence[Message], Sequence[ToolSchema], Request], Said | Awaitable[Said]]
    | Sequence[Said]
    | Mapping[str, Said]
)


_DIMENSIONS = 8
_WORD = re.compile(r"\S+\s*|\s+")


def call(tool: str, /, **arguments: Any) -> ToolCall:
    """A tool call for a script: ``call("lookup_order", order_id="A-1")``."""
    return ToolCall("", tool, dumps(arguments))


class Scripted:
    """A model that answers from ``script``, which is one of

    - a function of (messages, tools), or of these and the whole request, that returns what to say; it must be pure;
    - a list: the n-th answer of the model in this conversation is the n-th item;
    - a mapping of regular expressions: the first that is found in the last message gives the answer.

    ``delay`` is how long each answer takes to begin. Streamed, it comes word by word, with ``pace`` between two words.
    """

    def __init__(self, script: Script, name: str = "script", *, delay: Duration = 0, pace: Duration = 0) -> None:
        self._script = script
        self._whole = callable(script) and _places(script) > 2
        self._delay = seconds(delay)
        self._pace = seconds(pace)
        self.name = f"scripted/{name}"

    def __repr__(self) -> str:
        return f"Scripted({self.name!r})"

    async def complete(self, request: Request) -> Answer:
        return self._answer(await self._said(request), request)

    async def stream(self, request: Request, emit: Emit) -> Answer:
        said = await self._said(request)
        if isinstance(said, Breaks):
            await self._speak(said.text, emit)
        answer = self._answer(said, request)
        await self._speak(answer.reasoning, lambda piece: emit(Delta(reasoning=piece.text)))
        await self._speak(answer.text, emit)
        return answer

    async def embed(
        self, texts: Sequence[str], *, dimensions: int | None = None, settings: Mapping[str, Any] = {}
    ) -> Embeddings:
        """Vectors of length one, made of the words of each text: the same for the same words, and near for many shared
        ones. They mean no more than that."""
        vectors = [_vector(text, dimensions or _DIMENSIONS) for text in texts]
        return Embeddings(vectors, Usage(sum(-(-len(text) // 4) for text in texts)), "0", self.name)

    async def _said(self, request: Request) -> Said:
        if self._delay:
            await asyncio.sleep(self._delay)
        said = self._say(request)
        return await said if inspect.isawaitable(said) else said

    async def _speak(self, text: str, emit: Emit) -> None:
        for number, piece in enumerate(_WORD.findall(text)):
            if number:
                await asyncio.sleep(self._pace)
            emit(Delta(piece))

    def _say(self, request: Request) -> Said | Awaitable[Said]:
        script = self._script
        if callable(script):
            given = (request.messages, request.tools, request)
            told: Said | Awaitable[Said] = cast("Any", script)(*given[: 3 if self._whole else 2])
            return told
        if isinstance(script, Mapping):
            return self._match(script, request.messages[-1].content)
        index = sum(message.role == "assistant" for message in request.messages)
        if index >= len(script):
            raise InvalidInput(
                f"{self.name} has {len(script)} answers, and answer {index + 1} was asked for; make it longer"
            )
        return script[index]

    def _match(self, rules: Mapping[str, Said], text: str) -> Said:
        for pattern, said in rules.items():
            if re.search(pattern, text, re.IGNORECASE):
                return said
        raise InvalidInput(f'{self.name} has no rule for {text[:200]!r}; add one, or a last rule ".*"')

    def sample(self) -> str | None:
        """A message that a rule answers, for whoever wants to try it; None when any message is as good, or none is
        known."""
        script = self._script
        if callable(script) or not isinstance(script, Mapping):
            return None
        for pattern in script:
            text = " ".join(re.sub(r"\\.|[^\w'-]+", " ", pattern).split())
            if text and re.search(pattern, text, re.IGNORECASE):
                return text
        return None

    def _answer(self, said: Said, request: Request) -> Answer:
        if isinstance(said, Breaks):
            said = said.error
        if isinstance(said, BaseException):
            raise said.with_traceback(None)  # the same one each time, which else grows with each
        if isinstance(said, ToolCall):
            said = (said,)
        if isinstance(said, str):
            said = Answer(text=said)
        elif not isinstance(said, Answer):
            said = Answer(tool_calls=tuple(said), finish="tool_calls")
        turn = len(request.messages)
        calls = tuple(
            item if item.id else item._replace(id=f"call_{turn}_{index}") for index, item in enumerate(said.tool_calls)
        )
        return said._replace(tool_calls=calls, model=self.name, usage=_usage(request, said), cost="0")


def _places(function: Callable[..., Any]) -> int:
    """How many values it must be given."""
    try:
        taken = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return 2
    places = [one for one in taken if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    return sum(one.default is one.empty for one in places)


def _vector(text: str, dimensions: int) -> list[float]:
    sums = [0.0] * dimensions
    for word in re.findall(r"\w+", text.lower()) or [text]:
        for place in range(dimensions):
            drawn = hashlib.blake2b(f"{place} {word}".encode(errors="replace"), digest_size=4).digest()
            sums[place] += int.from_bytes(drawn) / 2**31 - 1
    length = math.hypot(*sums) or 1.0
    return [round(value / length, 9) for value in sums]


def _usage(request: Request, said: Answer) -> Usage:
    """Four characters stand in for a token."""
    asked = sum(len(message.content) for message in request.messages)
    answered = len(said.text) + sum(len(item.arguments) + len(item.name) for item in said.tool_calls)
    return Usage(-(-asked // 4), -(-answered // 4))


def echo(messages: Sequence[Message], tools: Sequence[ToolSchema]) -> str:
    """The script ``scripted:echo``: says what it was told."""
    return messages[-1].content or "(nothing)"
