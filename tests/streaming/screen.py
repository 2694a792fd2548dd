"""What a careful client shows of an execution, and a model that never says the same twice."""

from __future__ import annotations

import asyncio
from typing import Any

from overwinter.functions.models.port import Answer, Delta, Emit, Request, ToolCall, Usage
from overwinter.orchestrator.streaming.told import StreamEvent


class Screen:
    """Takes events in order and keeps what is to be seen. ``wrong`` says what a client could not make sense of.
    ``watches``: a reply is not the end."""

    def __init__(self, *, watches: bool = False) -> None:
        self._watches = watches
        self.last = ""  # id of the last event
        self.shown: dict[str, str] = {}  # text by model call
        self.thought: dict[str, str] = {}
        self.whole: list[str] = []  # model calls whose answer is recorded
        self.calls: list[str] = []
        self.observed: list[str] = []
        self.messages: list[Any] = []
        self.resets: list[tuple[str, int]] = []
        self.attempts: dict[str, int] = {}
        self.ending: dict[str, Any] | None = None
        self.kinds: list[str] = []
        self.wrong: list[str] = []

    def take(self, event: StreamEvent) -> None:
        if self.ending is not None:
            self.wrong.append(f"{event.type} after the end")
        if event.id == self.last:
            self.wrong.append(f"two events have the id {event.id}")
        self.last = event.id
        self.kinds.append(event.type)
        op = str(event.data.get("op", ""))
        match event.type:
            case "text":
                self._piece(self.shown, op, event.data)
            case "reasoning":
                self._piece(self.thought, op, event.data)
            case "reset":
                self.resets.append((op, event.data["attempt"]))
                for shown in (self.shown, self.thought):
                    shown.pop(event.data.get("instead", op), None)
                    shown.pop(op, None)
                if event.data["attempt"] <= self.attempts.get(op, 0):
                    self.wrong.append(f"attempt {event.data['attempt']} of {op} again")
                self.attempts[op] = event.data["attempt"]
            case "answer":
                self._once(self.whole, op)
            case "tool_call":
                self._once(self.calls, op)
            case "observation":
                self._once(self.observed, op)
            case "message":
                self._once(self.messages, event.data["message"])
            case "reply" if self._watches:
                pass
            case "reply" | "end":
                self.ending = event.data
            case _:
                pass

    def _piece(self, kept: dict[str, str], op: str, data: dict[str, Any]) -> None:
        if op in self.whole:
            self.wrong.append(f"{op} goes on after its answer was whole")
        if not data["text"]:
            self.wrong.append(f"an empty piece of {op}")
        self.attempts.setdefault(op, data["attempt"])
        kept[op] = kept.get(op, "") + data["text"]
        if len({word.partition(".")[0] for word in kept[op].split() if "." in word}) > 1:
            self.wrong.append(f"{op} shows two answers at once: {kept[op]}")

    def _once(self, known: list[Any], one: Any) -> None:
        if one in known:
            self.wrong.append(f"{one} twice")
        known.append(one)

    def against(self, journal: list[dict[str, Any]]) -> list[str]:
        """What differs from what is recorded."""
        wrong = list(self.wrong)
        for entry in journal:
            if entry["type"] == "model" and "error" not in entry and entry["op"] in self.whole:
                said = entry["value"].get("text", "")
                if self.shown.get(entry["op"], "") != said:
                    wrong.append(f"{entry['op']} shows {self.shown.get(entry['op'])!r}, and {said!r} is recorded")
        return wrong


class Moody:
    """Every answer has another beginning and other words, as those of a language model at high temperature.
    ``gate`` is opened by who hears the first words: so an answer that is told as a whole is never one.
    ``calls``: how many tools are called in a turn, before it answers."""

    name = "scripted/moody"

    def __init__(self, *, words: int = 12, pace: float = 0.1, calls: int = 1, reasons: bool = False) -> None:
        self.gate: asyncio.Event | None = None  # streamed, it goes on after three words when somebody has heard them
        self.made = 0
        self.streamed = 0
        self._words, self._pace, self._calls, self._reasons = words, pace, calls, reasons

    async def complete(self, request: Request) -> Answer:
        return await self._say(request, lambda _: None)

    async def stream(self, request: Request, emit: Emit) -> Answer:
        self.streamed += 1
        return await self._say(request, emit, self.gate)

    async def _say(self, request: Request, emit: Emit, gate: asyncio.Event | None = None) -> Answer:
        self.made += 1
        made = self.made
        if self._reasons:
            for number in range(3):
                emit(Delta(reasoning=f"{made}.{number} "))
                await asyncio.sleep(self._pace)
        pieces: list[str] = []
        for number in range(self._words):
            pieces.append(f"{made}.{number} ")
            emit(Delta(text=pieces[-1]))
            await asyncio.sleep(self._pace)
            if number == 2 and gate is not None:
                await gate.wait()
        last = max(index for index, message in enumerate(request.messages) if message.role == "user")
        asked = sum(message.role == "tool" for message in request.messages[last:])
        calls = (ToolCall(f"c{made}", "note", '{"text": "x"}'),) if asked < self._calls else ()
        finish = "tool_calls" if calls else "stop"
        return Answer("".join(pieces), calls, Usage(1, self._words), "0", self.name, finish)
