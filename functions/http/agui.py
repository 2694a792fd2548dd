"""The events of an execution in the words of AG-UI 1.0 (https://docs.ag-ui.com), so that its front ends can show it.

A run is the answer to one message, a thread the session. Where an answer begins anew, the messages that were begun are
closed, ``CUSTOM`` ``overwinter.reset`` names them, and the new answer comes as messages of other ids: who knows the
name takes the old ones away. What waits for a person ends the run with an interrupt for each open approval; the next
run, which answers them, goes on with the same message.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ...orchestrator.agent.observations import denied, told
from ...orchestrator.streaming.position import Position
from ...orchestrator.streaming.told import StreamEvent

if TYPE_CHECKING:
    from ...orchestrator.runtime import Runtime

VERSION = "1.0"
Event = tuple[str, Any]


class AgUi:
    """Translates the events of one ``run`` of a ``thread``, as the front end calls the answer and the execution."""

    def __init__(self, runtime: Runtime, execution: str, thread: str, run: str, at: Position = Position()) -> None:
        self.over = False
        self._runtime = runtime
        self._execution = execution
        self._thread = thread
        self._run = run
        self._text = ""  # id of the message that is open
        self._reasoning = ""
        # Of the answer that is not whole, the messages that hold a part of it: others were told of it before.
        self._begun = [
            id for id, size in zip(self._ids(at.op, at.attempt), (at.reasoning, at.text), strict=True) if size
        ]
        if not at.open:
            self._begun = []

    def begin(self) -> Sequence[Event]:
        return [_event("RUN_STARTED", threadId=self._thread, runId=self._run, protocolVersion=VERSION)]

    async def event(self, event: StreamEvent) -> Sequence[Event]:
        data = event.data
        match event.type:
            case "text":
                return [*self._close("reasoning"), *self._open_text(data), self._content("TEXT", self._text, data)]
            case "reasoning":
                opened = [*self._close("text"), *self._open_reasoning(data)]
                return [*opened, self._content("REASONING", self._reasoning, data)]
            case "reset":
                return self._reset(data)
            case "answer":
                self._begun = []
                return self._close()
            case "tool_call":
                return [*self._close(), *self._call(data)]
            case "observation":
                return self._observed(data)
            case "step":
                name = f"{data.get('name', '')} ({data.get('op', '')})"
                return [_event("STEP_STARTED", stepName=name), _event("STEP_FINISHED", stepName=name)]
            case "approval":
                return [*self._close(), *await self._interrupted()]
            case "decided" if not data.get("approved"):
                return self._observed({**data, "result": denied(data)})
            case "reply":
                return [*self._close(), self._ended(data, "failed" if "error" in data else "completed")]
            case "end":
                return [*self._close(), self._ended(data, str(data.get("status")))]
            case _:
                return [_event("CUSTOM", name=f"overwinter.{event.type}", value=data)]

    def _ids(self, op: str, attempt: int) -> tuple[str, str]:
        """Of the messages that hold what is thought and what is said."""
        id = f"{self._run}/{op}#{attempt}"
        return f"{id}/reasoning", id

    # -- answers -------------------------------------------------------------------------------------

    def _open_text(self, data: dict[str, Any]) -> list[Event]:
        _, id = self._ids(data["op"], data["attempt"])
        if self._text == id:
            return []
        closed = self._close("text")
        self._text = id
        self._begun.append(id)
        return [*closed, _event("TEXT_MESSAGE_START", messageId=id, role="assistant")]

    def _open_reasoning(self, data: dict[str, Any]) -> list[Event]:
        id, _ = self._ids(data["op"], data["attempt"])
        if self._reasoning == id:
            return []
        closed = self._close("reasoning")
        self._reasoning = id
        self._begun.append(id)
        opened = _event("REASONING_START", messageId=id)
        return [*closed, opened, _event("REASONING_MESSAGE_START", messageId=id, role="reasoning")]

    def _content(self, kind: str, id: str, data: dict[str, Any]) -> Event:
        return _event(f"{kind}_MESSAGE_CONTENT", messageId=id, delta=data["text"])

    def _close(self, which: str = "") -> list[Event]:
        closed: list[Event] = []
        if self._reasoning and which in ("", "reasoning"):
            closed += [_event(f"REASONING_{end}", messageId=self._reasoning) for end in ("MESSAGE_END", "END")]
            self._reasoning = ""
        if self._text and which in ("", "text"):
            closed.append(_event("TEXT_MESSAGE_END", messageId=self._text))
            self._text = ""
        return closed

    def _reset(self, data: dict[str, Any]) -> list[Event]:
        forget, self._begun = list(dict.fromkeys(self._begun)), []
        return [*self._close(), _event("CUSTOM", name="overwinter.reset", value={"messageIds": forget, **data})]

    # -- tools ---------------------------------------------------------------------------------------

    def _call(self, data: dict[str, Any]) -> list[Event]:
        id, arguments = _called(data), data["arguments"]
        return [
            _event("TOOL_CALL_START", toolCallId=id, toolCallName=data["name"]),
            _event("TOOL_CALL_ARGS", toolCallId=id, delta=told(arguments)),
            _event("TOOL_CALL_END", toolCallId=id),
        ]

    def _observed(self, data: dict[str, Any]) -> list[Event]:
        if str(data.get("op", "")).count(".") < 2:  # of an answer as a whole
            return [_event("CUSTOM", name="overwinter.observation", value=data)]
        error, result = data.get("error"), data.get("result")
        content = f"Error: {error.get('message', '')}" if error else told(result)
        id = _called(data)
        return [_event("TOOL_CALL_RESULT", messageId=f"{self._run}/{id}/result", toolCallId=id, content=content)]

    async def _interrupted(self) -> list[Event]:
        """Everything that waits for a person ends the run."""
        waiting = await self._runtime.proposals(self._execution)
        self.over = bool(waiting)
        if not waiting:  # it was decided meanwhile
            return []
        interrupts = [
            {
                "id": str(one["op"]),
                "reason": "approval",
                "message": f"{one.get('what', '')} waits for approval{_role(one)}",
                "toolCallId": str(one["op"]),
                "metadata": {"digest": one["digest"]},
                **({"expiresAt": _moment(one["until"])} if one.get("until") else {}),
            }
            for one in waiting
        ]
        outcome = {"type": "interrupt", "interrupts": interrupts}
        return [_event("RUN_FINISHED", threadId=self._thread, runId=self._run, outcome=outcome)]

    # -- the end -------------------------------------------------------------------------------------

    def _ended(self, data: dict[str, Any], status: str) -> Event:
        self.over = True
        if status in ("cancelled", "terminated"):
            outcome = {"type": "cancelled"}
            return _event("RUN_FINISHED", threadId=self._thread, runId=self._run, outcome=outcome)
        if "error" in data:
            error = data["error"]
            return _event("RUN_ERROR", message=str(error.get("message", "failed")), code=str(error.get("kind", status)))
        return _event("RUN_FINISHED", threadId=self._thread, runId=self._run, result=data.get("result"))


def _event(type: str, **fields: Any) -> Event:
    return "", {"type": type, **fields}


def _called(data: dict[str, Any]) -> str:
    """A tool call by its operation: providers' own ids may come twice."""
    return str(data.get("op", ""))


def _role(approval: dict[str, Any]) -> str:
    return f" by {approval['role']}" if approval.get("role") else ""


def _moment(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="seconds")
