"""What spans are called and what they say: OpenTelemetry's semantic conventions 1.44 for generative AI, FaaS,
CloudEvents and messaging. What these have no word for begins with ``overwinter.``.

Content (what people, models and tools say) is only there when it is asked for, with secrets cut out and bounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, cast

from ...security.redaction import redacted
from ...state.codec import dumps
from .span import Attribute, Kind

SCHEMA = "https://opentelemetry.io/schemas/1.44.0"
_LONGEST = 8192
_ROOTS = {
    "agent": ("invoke_agent", "gen_ai.agent.name"),
    "tool": ("execute_tool", "gen_ai.tool.name"),
    "workflow": ("invoke_workflow", "gen_ai.workflow.name"),
}
"""What an execution of each kind does, and which attribute says what it is called."""
Attributes = dict[str, Attribute]
Fact = Mapping[str, Any]


class Described(NamedTuple):
    """A span's name, kind and attributes."""

    name: str
    kind: Kind
    attributes: Attributes


class Conventions(NamedTuple):
    """``content``: what is said goes into the spans. ``events``: whether the trace of an event is the parent of what it
    begins, or a link."""

    content: bool = False
    events: Literal["link", "parent"] = "link"

    def root(self, execution: str, function: str, kind: str, entry: Fact) -> Described:
        """An execution, or a turn of a session."""
        does, named = _ROOTS.get(kind, _ROOTS["workflow"])
        said: Attributes = {"overwinter.execution": execution, "overwinter.function": function, "faas.name": function}
        said["faas.trigger"] = trigger_of(entry)
        said |= {"gen_ai.operation.name": does, named: function}
        if kind == "agent":
            said["gen_ai.conversation.id"] = execution
        if entry.get("type") == "message":
            said["overwinter.message"] = str(entry.get("id", ""))
        caller = part(entry, "caller")
        for name in ("user", "tenant"):
            if caller.get(name):
                said["user.id" if name == "user" else "overwinter.tenant"] = str(caller[name])
        if entry.get("parent"):
            said["overwinter.parent"] = str(entry["parent"])
        span: Kind = "internal" if entry.get("parent") or not is_request(entry) else "server"
        if is_event(entry):
            span = "consumer"
            said |= _received(entry)
        if self.content:
            self.put(said, "gen_ai.input.messages", entry.get("content", entry.get("input")))
        return Described(f"{does} {function}", span, said)

    def operation(self, entry: Fact, *, elsewhere: bool) -> Described:
        """A call that has ended: a model, a tool, a step, a check."""
        name, type = str(entry.get("name", "")), str(entry["type"])
        said: Attributes = {"overwinter.operation": str(entry.get("op", ""))}
        for key, into in (("n", "overwinter.attempts"), ("branch", "overwinter.branch"), ("state", "overwinter.state")):
            if isinstance(entry.get(key), (int, str)):
                said[into] = entry[key]
        value = entry.get("value")
        if type == "model" or (type == "summary" and isinstance(value, dict) and "usage" in value):
            return self._chat(name, value, said)
        if type == "tool":
            said |= {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name, "gen_ai.tool.type": "function"}
            said |= {"gen_ai.tool.call.id": str(entry["call"])} if entry.get("call") else {}
            if self.content:
                self.put(said, "gen_ai.tool.call.result", value)
            called = Described(f"execute_tool {name}", "internal", said)
        else:
            called = Described(name if type == "step" else f"{type} {name}", "internal", said)
        if elsewhere:
            said |= {"faas.invoked_name": name, "faas.invoked_provider": "overwinter"}
            return called._replace(kind="client")
        return called

    def _chat(self, asked: str, value: Any, said: Attributes) -> Described:
        provider, _, model = asked.rpartition("/")
        said |= {"gen_ai.operation.name": "chat", "gen_ai.request.model": model}
        said["gen_ai.provider.name"] = provider.partition("/")[0] or "unknown"
        if isinstance(value, dict):
            answer = cast("Fact", value)
            said |= _usage(part(answer, "usage"))
            said["gen_ai.response.model"] = str(answer.get("model") or model)
            finish = answer.get("finish") or ("tool_calls" if answer.get("tool_calls") else "stop")
            said["gen_ai.response.finish_reasons"] = (str(finish),)
            if (cost := dollars(answer)) is not None:
                said["overwinter.cost"] = cost
            if self.content:
                shown = {key: answer[key] for key in ("text", "tool_calls", "refusal") if answer.get(key)}
                self.put(said, "gen_ai.output.messages", [{"role": "assistant", **shown}])
        return Described(f"chat {model}", "client", said)

    def put(self, said: Attributes, name: str, value: Any) -> None:
        if value is not None:
            text = redacted(value if isinstance(value, str) else dumps(value))
            said[name] = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def published(ordered: Fact) -> Described:
    """An event that goes out."""
    event = part(ordered, "event")
    type = str(event.get("type", ordered.get("name", "")))
    said: Attributes = {"overwinter.operation": str(ordered.get("op", "")), "messaging.system": "overwinter"}
    said |= {"messaging.operation.name": "send", "messaging.operation.type": "send", "messaging.destination.name": type}
    said["messaging.message.id"] = str(event.get("id", ""))
    return Described(f"send {type}", "producer", said | _event(event))


def child(ordered: Fact) -> Described:
    """Another execution that is begun."""
    name = str(ordered.get("name", ""))
    said: Attributes = {
        "overwinter.operation": str(ordered.get("op", "")),
        "overwinter.child": str(ordered.get("id", "")),
    }
    if ordered.get("detached"):
        said["overwinter.detached"] = True
    return Described(f"child {name}", "internal", said)


def part(entry: Fact, name: str) -> Fact:
    """An object within an entry, empty when there is none."""
    found: Any = entry.get(name)
    return cast("Fact", found) if isinstance(found, dict) else {}


def is_event(entry: Fact) -> bool:
    """Whether it was begun by an event."""
    return "delivery" in entry or part(entry, "caller").get("from") == "event"


def trigger_of(entry: Fact) -> str:
    """What began it, in the words of the convention for FaaS."""
    if is_event(entry):
        return "pubsub"
    if str(entry.get("parent", "")).startswith("schedule/"):
        return "timer"
    return "http" if not entry.get("parent") and is_request(entry) else "other"


def is_request(entry: Fact) -> bool:
    """Whether it was begun by a request."""
    caller = part(entry, "caller")
    return "traceparent" in caller or caller.get("from") == "http"


def dollars(answer: Fact) -> float | None:
    try:
        return None if answer.get("cost") is None else float(answer["cost"])
    except (TypeError, ValueError):
        return None


def failure(error: Any) -> tuple[str, Attributes]:
    """What a recorded error is told as: one text, and its class as ``error.type``."""
    told = cast("Fact", error) if isinstance(error, dict) else {"message": error}
    kind = str(told.get("kind") or "_OTHER")
    text = redacted(str(told.get("message") or "")) or kind
    return text[:_LONGEST], {"error.type": kind}


def _received(entry: Fact) -> Attributes:
    event = part(part(entry, "delivery"), "event")
    said: Attributes = {"messaging.system": "overwinter", "messaging.operation.name": "process"}
    said["messaging.operation.type"] = "process"
    if event:
        said["messaging.message.id"] = str(event.get("id", ""))
        said["messaging.destination.name"] = str(event.get("type", ""))
    return said | _event(event)


def _event(event: Fact) -> Attributes:
    names = {"id": "event_id", "source": "event_source", "type": "event_type", "subject": "event_subject"}
    return {f"cloudevents.{into}": str(event[name]) for name, into in names.items() if event.get(name)}


def _usage(usage: Fact) -> Attributes:
    """The journal's parts don't overlap; the convention's sums have their parts in them."""

    def tokens(*names: str) -> int:
        return sum(int(usage.get(name) or 0) for name in names)

    read, written = tokens("cache_read"), tokens("cache_write")
    said: Attributes = {
        "gen_ai.usage.input_tokens": tokens("input", "audio_in", "image_in") + read + written,
        "gen_ai.usage.output_tokens": tokens("output", "reasoning", "audio_out", "image_out"),
    }
    parts = {
        "cache_read.input_tokens": read,
        "cache_creation.input_tokens": written,
        "reasoning.output_tokens": tokens("reasoning"),
    }
    return said | {f"gen_ai.usage.{name}": count for name, count in parts.items() if count}
