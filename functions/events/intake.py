"""What an event means to the functions served here, and that it happens once. docs/events.md lists the types.

When ``take`` returns, the event is durable, or its tool has run, or nobody here wants it. An event is known
by its source and id: taken twice, it changes nothing the second time. Only a tool that is called by itself runs again,
because nothing of such a call is kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from ...orchestrator.governance import tokens
from ...orchestrator.ordering import For
from ...orchestrator.protocol.callers import named, of_event
from ...orchestrator.usercode.calling import checked
from ...state.errors import AlreadyFinished, InvalidInput, UnknownExecution, UnknownFunction
from ...state.ids import check_id
from ..invocation.loading import kind_of
from ..messages.problem import Raised, Refused, settle
from .event import CloudEvent

if TYPE_CHECKING:
    from ...orchestrator.runtime import Runtime
    from ..messages.models import Decision, Reason

PREFIX = "io.overwinter."
CALL = PREFIX + "call."
RESULT = PREFIX + "result."
ERROR = PREFIX + "error."
DECIDE = PREFIX + "decide"
CALLBACK = PREFIX + "callback"
HEARTBEAT = PREFIX + "heartbeat"
CANCEL = PREFIX + "cancel"
ANSWERED = PREFIX + "answered"
"""What a function was called to do from elsewhere is done."""
SWEEP = PREFIX + "sweep"
PING = "dev.knative.sources.ping"
"""What a PingSource sends; where no function is named it means a sweep."""


class Fate(Enum):
    """What became of an event."""

    ACCEPTED = "accepted"  # durable; the execution goes on
    DONE = "done"  # a tool has run; its result is in ``value``
    SWEPT = "swept"  # what was due has been taken; the sender keeps the request open while it is worked on
    UNWANTED = "unwanted"  # valid, but nothing here waits for it; it is dropped


class Taken(NamedTuple):
    """How an event was taken. ``message`` is set when it went to a session."""

    fate: Fate
    function: str = ""
    execution: str = ""
    message: str = ""
    value: Any = None


UNWANTED = Taken(Fate.UNWANTED)


async def take(runtime: Runtime, event: CloudEvent) -> Taken:
    """Take in an event by its type: a call of a function, a command, a sweep, or a signal to the execution that
    its subject names. Raises InvalidInput when its data does not fit, StoreError when it can't be kept."""
    if event.type in (SWEEP, PING):
        await runtime.engine.sweep()
        return Taken(Fate.SWEPT)
    if event.type.startswith(CALL):
        name = event.type[len(CALL) :]
        return await call(runtime, name, event) if name in runtime.functions else UNWANTED
    try:
        if event.type.startswith(PREFIX):
            return await _command(runtime, event)
        return await _signal(runtime, event)
    except (UnknownExecution, AlreadyFinished):
        return UNWANTED


async def take_for(runtime: Runtime, name: str, event: CloudEvent) -> Taken:
    """Take in an event that was sent to one function: commands, signals to its executions, and any other
    event is a call. Raises UnknownFunction."""
    function = runtime.functions.get(name)
    if function is None:
        raise UnknownFunction(f"no function {name!r} is served here; these are: {', '.join(runtime.functions)}")
    if event.type.startswith(PREFIX):
        return await take(runtime, event)
    return await (take(runtime, event) if await _is_of(runtime, name, event) else call(runtime, name, event))


async def _is_of(runtime: Runtime, name: str, event: CloudEvent) -> bool:
    """Whether the subject is an execution of the workflow, so that the event is a signal to it."""
    if kind_of(runtime.functions[name]) != "workflow" or event.subject is None:
        return False
    head = await runtime.find(event.subject)
    return head is not None and head.function == name


async def check(runtime: Runtime, name: str | None, event: CloudEvent, moved: Collection[str] = ()) -> None:
    """Raise what ``take`` (``take_for`` with a name) would raise whatever else is going on: for events that are taken
    together or not at all. Nothing is changed. ``moved``: executions that what is taken before may move on, so that
    nobody knows what they will wait for (``moves``)."""
    if event.type.startswith(CALL):
        called = event.type[len(CALL) :]
        if called in runtime.functions:
            _check_call(runtime.functions[called], event)
    elif event.type.startswith(PREFIX):
        _check_command(event)
        if event.type == CALLBACK and moves(event) not in moved:
            await _check_completion(runtime, event)
    elif name is not None and not await _is_of(runtime, name, event):
        _check_call(runtime.functions[name], event)
    elif event.subject is not None and event.subject not in moved:
        await runtime.check_signal(event.subject, event.type, event.data, event_id=event.id, source=event.source)


def moves(event: CloudEvent) -> str | None:
    """The execution that the event may move on; None: none that is known before."""
    if event.type in (CALLBACK, HEARTBEAT):
        return tokens.parse(_completion(event)["token"]).execution
    return event.subject


async def _check_completion(runtime: Runtime, event: CloudEvent) -> None:
    data = _completion(event)
    if not data.get("error"):
        await runtime.check_completion(data["token"], data.get("value"))


def _check_call(function: Any, event: CloudEvent) -> None:
    kind = kind_of(function)
    if kind == "tool":
        checked_call(function, arguments_of(event.data))
        return
    if event.subject is not None and (kind == "agent" or event.type.startswith(CALL)):
        check_id(event.subject, "the subject")
    checked(function, content_of(event.data) if kind == "agent" and event.subject is not None else event.data)


def _check_command(event: CloudEvent) -> None:
    if event.type in (CALLBACK, HEARTBEAT):
        tokens.parse(_completion(event)["token"])
    elif event.type == CANCEL:
        _subject(event)
        _reason(event)
    elif event.type == DECIDE:
        _subject(event)
        _decision(event)
    elif event.type == ANSWERED:
        _subject(event)
        _answered(event)


async def call(runtime: Runtime, name: str, event: CloudEvent) -> Taken:
    """Call a function with the event's data. The subject is the execution's id, or the session's key."""
    kind = kind_of(runtime.functions[name])
    if kind == "tool":
        return Taken(Fate.DONE, name, value=await invoke(runtime, name, arguments_of(event.data)))
    if kind == "agent" and event.subject is not None:
        said = whose(event)
        said["by"] = event.source
        sent = await runtime.send(name, event.subject, content_of(event.data), id=key_of(event), **said)
        return Taken(Fate.ACCEPTED, name, sent.execution, sent.id)
    named = event.subject if event.type.startswith(CALL) else None
    id = check_id(named or f"{name}-{key_of(event)}")
    function, caller = runtime.engine.function(name), {**of_event(event.extensions), **_caller(event)}
    await runtime.order(function, event.data, id=id, by=event.source, caller=caller)
    return Taken(Fate.ACCEPTED, name, id)


def _caller(event: CloudEvent) -> dict[str, str]:
    """For whom something is done, as the extension attributes ``user`` and ``tenant`` say. Raises InvalidInput."""
    return named(*(str(event.extensions.get(name) or "") for name in ("user", "tenant")))


def whose(event: CloudEvent) -> For:
    """The same for a message."""
    found = _caller(event)
    return For(user=found.get("user", ""), tenant=found.get("tenant", ""), trace=of_event(event.extensions))


async def invoke(runtime: Runtime, name: str, arguments: dict[str, Any]) -> Any:
    """Call a tool once. Raises InvalidInput, Refused when a person must approve it, and what the tool raises as
    Raised."""
    tool: Any = runtime.functions[name]
    checked_call(tool, arguments)
    settled = await settle(runtime.invoke(name, arguments))
    if settled.error is not None:
        raise Raised(settled.error) from settled.error
    return settled.value


def checked_call(tool: Any, arguments: dict[str, Any]) -> None:
    """Raise what speaks against a call of a tool before it runs."""
    checked(tool, arguments)
    check_approval(tool, arguments)


def check_approval(tool: Any, arguments: dict[str, Any]) -> None:
    """Refuse a direct call of a tool that wants an approval for it: only an agent can wait for one."""
    role = tool.role(arguments) if hasattr(tool, "role") else None
    if role:
        raise Refused(403, f"this call of {tool.name} needs an approval by {role}; let an agent make it")


def check_delivery(runtime: Runtime, name: str | None, event: CloudEvent, *, alone: bool = False) -> None:
    """Refuse what a delivery token does not allow: deciding and cancelling, which is for people, and direct calls
    of tools, which have no agent's limits around them. ``name``: the function that the event was sent to; ``alone``:
    the token is for that one, so what is about another function, or about none, is refused as well."""
    about = event.type == f"{CALL}{name}" or not event.type.startswith(PREFIX)
    if alone and name is not None and not about:
        raise Refused(403, f"this token delivers events to {name} alone, and {event.type[:100]} is none for it")
    called = event.type[len(CALL) :] if event.type.startswith(CALL) else name
    if event.type in (DECIDE, CANCEL) or kind_of(runtime.functions.get(called or "")) == "tool":
        raise Refused(403, f"a delivery token does not allow {event.type[:100]} here; use the API's own token")


def key_of(event: CloudEvent) -> str:
    """The event's identity, its source and id, as 32 hexadecimal digits."""
    return digest_of(event.source, event.id)


def digest_of(*parts: str) -> str:
    """32 hexadecimal digits that stand for these texts."""
    return hashlib.sha256("\n".join(f"{len(part)}:{part}" for part in parts).encode()).hexdigest()[:32]


def arguments_of(data: Any) -> dict[str, Any]:
    """A tool's arguments: a JSON object, or nothing for a tool without any."""
    if data is None:
        return {}
    if type(data) is not dict:
        raise InvalidInput('a tool takes a JSON object of its arguments, like {"order_id": "o-1"}')
    return cast("dict[str, Any]", data)


def content_of(data: Any) -> Any:
    """A message's content, which must be something."""
    if data is None:
        raise InvalidInput('a message to an agent needs a content; send data like "Where is my order?"')
    return data


async def _signal(runtime: Runtime, event: CloudEvent) -> Taken:
    if event.subject is None:
        return UNWANTED
    await runtime.signal(event.subject, event.type, event.data, event_id=event.id, source=event.source)
    return Taken(Fate.ACCEPTED, execution=event.subject)


async def _command(runtime: Runtime, event: CloudEvent) -> Taken:
    if event.type in (CALLBACK, HEARTBEAT):
        return await _to_callback(runtime, event)
    if event.type == CANCEL:
        subject, reason = _subject(event), _reason(event)
        by = reason.by or event.source
        await runtime.cancel(subject, by=by, reason=reason.reason, event_id=event.id, source=event.source)
        return Taken(Fate.ACCEPTED, execution=subject)
    if event.type == DECIDE:
        return await _decide(runtime, event)
    if event.type == ANSWERED:
        subject, op = _subject(event), _answered(event)
        await runtime.answered(subject, op, event_id=event.id, source=event.source)
        return Taken(Fate.ACCEPTED, execution=subject)
    return UNWANTED


async def _decide(runtime: Runtime, event: CloudEvent) -> Taken:
    subject, made = _subject(event), _decision(event)
    known = key_of(event)
    taken = Taken(Fate.ACCEPTED, execution=subject)
    waiting = {approval["op"] for approval in await runtime.proposals(subject)}
    if await runtime.was_decided_by(subject, known):
        return taken  # it has come again
    if not waiting or (made.op is not None and made.op not in waiting):
        return UNWANTED  # decided already, or expired
    by = made.by or event.source
    try:
        await runtime.decide(
            subject,
            made.op,
            made.approved,
            by=by,
            reason=made.reason,
            digest=made.digest,
            event=known,
            role=made.role,
            arguments=made.arguments,
            standing=None if made.standing is None else made.standing.meant(),
        )
    except AlreadyFinished:
        if not await runtime.was_decided_by(subject, known):
            raise
    return taken


async def _to_callback(runtime: Runtime, event: CloudEvent) -> Taken:
    data = _completion(event)
    if event.type == HEARTBEAT:
        await runtime.heartbeat(data["token"], event_id=event.id, source=event.source)
    elif "error" in data:
        await runtime.callback(data["token"], error=data["error"])
    else:
        await runtime.callback(data["token"], value=data.get("value"))
    return Taken(Fate.ACCEPTED)


# -- what commands say ---------------------------------------------------------------------------------------
# Their models take long to build, and a cold start seldom needs them.


def _subject(event: CloudEvent) -> str:
    if event.subject is None:
        raise InvalidInput(f"an event of type {event.type} needs the execution's id as its subject")
    return event.subject


def _reason(event: CloudEvent) -> Reason:
    from ..messages.message import read_model
    from ..messages.models import Reason

    return read_model(Reason, event.data)


def _decision(event: CloudEvent) -> Decision:
    from ..messages.message import read_model
    from ..messages.models import Decision

    return read_model(Decision, event.data)


def _answered(event: CloudEvent) -> str:
    op = arguments_of(event.data).get("operation")
    if not isinstance(op, str) or not op:
        raise InvalidInput(f'{event.type} needs data like {{"operation": "3"}}')
    return op


def _completion(event: CloudEvent) -> dict[str, Any]:
    data = arguments_of(event.data)
    token, error = data.get("token"), data.get("error", "")
    allowed = {"token"} if event.type == HEARTBEAT else {"token", "error"} if error else {"token", "value", "error"}
    if not isinstance(token, str) or not isinstance(error, str) or set(data) - allowed:
        raise InvalidInput(f'{event.type} needs data like {{"token": "…"}}, with "value" or a text as "error"')
    return data
