"""Endpoints that give work to functions: start, message, invoke, and ask for the outcome."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from ...orchestrator.ordering import For
from ...orchestrator.protocol.callers import named
from ...state.errors import InvalidInput
from ...state.ids import check_id
from ..events.intake import arguments_of, digest_of, invoke
from ..events.tracing import trace_of
from ..messages.answer import Answer, json_answer
from ..messages.media import essence
from ..messages.message import idempotency_key, read_json, read_model, read_text
from ..messages.models import Message
from ..messages.problem import Refused
from . import agui_runs, streaming
from .outcome import answer_of, message_url, reply_to, result_of, result_url
from .service import Call, single

if TYPE_CHECKING:
    from ...orchestrator.handles import Sent

CONVERSATION = 30.0  # seconds that a message waits for its reply when the sender does not say


async def start_workflow(call: Call) -> Answer:
    """POST /workflows/{name}: the body is the input."""
    return await _start(call, "workflow")


async def start_agent(call: Call) -> Answer:
    """POST /agents/{name}: one run of an agent, without a session; the body is the input."""
    return await _start(call, "agent")


async def _start(call: Call, kind: str) -> Answer:
    name = call.path("name")
    call.function(name, kind)
    query = call.query("id", "by", *streaming.WORDS)
    words = streaming.words(query)
    streams = streaming.wanted(call, words.protocol)
    if kind == "agent" and words.protocol == agui_runs.PROTOCOL:
        return await agui_runs.run(call, name)
    id = _id_of(call, name, query)
    by = single(query, "by")
    if len(by) > 200:
        raise Refused(400, "by is longer than 200 characters; shorten it")
    id = f"{name}-{secrets.token_hex(8)}" if id is None else check_id(id)
    function = call.runtime.engine.function(name)
    traces = call.runtime.tracing is not None
    caller = trace_of(call.headers, traces=traces) | named(call.header(USER) or "", call.header(TENANT) or "")
    created = await call.runtime.order(
        function, await call.json(), id=id, by=call.by(by), stream=streams, caller=caller
    )
    if streams:
        return await streaming.told(call, id, words, again=not created)
    wait = call.wait(0.0)
    look = wait or not created  # what was begun before may have ended
    outcome = await call.patiently(result_of(call.runtime, id, wait)) if look else None
    answer = answer_of(outcome, result_url(id), {"id": id})
    if not created:
        answer.headers = (*answer.headers, ("idempotent-replay", "true"))
    return answer


def _id_of(call: Call, name: str, query: dict[str, list[str]]) -> str | None:
    key = idempotency_key(call.headers)
    if "id" in query:
        if key is not None:
            raise InvalidInput("send either ?id= or Idempotency-Key, not both")
        return single(query, "id")
    return None if key is None else f"{name}-{digest_of(name, key)}"


USER, TENANT = "overwinter-user", "overwinter-tenant"
"""Headers that say for whom something is done."""


async def send_message(call: Call) -> Answer:
    """POST /sessions/{agent}/{session}: a message, JSON or plain text; waits for the reply."""
    agent, session = call.path("agent"), call.path("session")
    call.function(agent, "agent")
    words = streaming.words(call.query(*streaming.WORDS))
    streams = streaming.wanted(call, words.protocol)
    sent = await _sent(call, agent, session, stream=streams)
    if streams:
        how: dict[str, Any] = {"message": sent.id, "since": sent.since, "again": sent.duplicate}
        return await streaming.told(call, sent.execution, words, **how)
    wait = call.wait(CONVERSATION)
    look = wait or sent.duplicate
    outcome = await call.patiently(reply_to(call.runtime, sent.execution, sent.id, wait)) if look else None
    pending = {"id": sent.execution, "message": sent.id}
    return answer_of(outcome, message_url(sent.execution, sent.id), pending)


async def _sent(call: Call, agent: str, session: str, *, stream: bool) -> Sent[Any]:
    message = await _message(call)  # not kept while the reply is waited for
    by = call.by(message.by)
    whose = named(call.header(USER) or "", call.header(TENANT) or "")
    said = For(by=by, stream=stream, user=whose.get("user", ""), tenant=whose.get("tenant", ""))
    said["trace"] = trace_of(call.headers, traces=call.runtime.tracing is not None)
    return await call.runtime.send(agent, session, message.content, id=message.id, **said)


async def _message(call: Call) -> Message:
    body = await call.body()
    if essence(call.header("content-type")) != "text/plain":
        message = read_model(Message, read_json(call.headers, body))
    else:
        message = Message(content=read_text(call.headers, body))
    key = idempotency_key(call.headers)
    if key is None or message.id is not None:
        return message
    return message.model_copy(update={"id": digest_of(key)})


async def result(call: Call) -> Answer:
    """GET /results/{id}: the outcome of an execution, or 202 while it goes on."""
    id = call.path("id")
    words = streaming.words(call.query(*streaming.WORDS))
    if streaming.wanted(call, words.protocol):
        return await streaming.told(call, id, words)
    outcome = await _found(call, partial(result_of, call.runtime, id))
    return answer_of(outcome, result_url(id), {"id": id})


async def reply(call: Call) -> Answer:
    """GET /messages/{execution}?id=MESSAGE: the reply to a message, or 202 while there is none."""
    execution = call.path("id")
    query = call.query("id", *streaming.WORDS)
    message, words = single(query, "id"), streaming.words(query)
    if not message:
        raise InvalidInput("say which message by ?id=, as the Location of its acceptance did")
    if streaming.wanted(call, words.protocol):
        return await streaming.told(call, execution, words, message=message)
    outcome = await _found(call, partial(reply_to, call.runtime, execution, message))
    return answer_of(outcome, message_url(execution, message), {"id": execution, "message": message})


async def _found(call: Call, look: Callable[[float], Awaitable[dict[str, Any] | None]]) -> dict[str, Any] | None:
    """What there is by now, or after the wait. The first look says whether there is anything to wait for at all."""
    outcome, wait = await look(0.0), call.wait(0.0)
    return await call.patiently(look(wait)) if outcome is None and wait else outcome


async def invoke_tool(call: Call) -> Answer:
    """POST /tools/{name}: call a tool once; the body is the object of its arguments, the answer its result."""
    name = call.path("name")
    call.function(name, "tool")
    call.query()
    arguments: dict[str, Any] = arguments_of(await call.json())
    return json_answer(await invoke(call.runtime, name, arguments))
