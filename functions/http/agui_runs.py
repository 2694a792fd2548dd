"""Runs that AG-UI's front ends ask for: ``POST /agents/{name}?protocol=ag-ui`` with a RunAgentInput.

The thread is a session of the agent, and the session itself knows what was said before: of the messages that come with
the request, the last one of the user is sent to it, under its own id, so a run that is asked for twice is one. Answers
to interrupts are decisions on approvals; the turn they belong to goes on.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, StrictBool
from pydantic.alias_generators import to_camel

from ...state.errors import InvalidInput
from ...state.ids import check_id
from ..messages.answer import Answer
from .service import Call
from .streaming import Words, told, wanted

PROTOCOL = "ag-ui"
KINDS = {"image": "image", "audio": "audio", "video": "file", "document": "file"}
_KNOWN = ", ".join(["text", *KINDS])


class Loose(BaseModel):
    """Part of a request in a form that others define and extend."""

    model_config = ConfigDict(extra="ignore", alias_generator=to_camel, populate_by_name=True)


class Source(Loose):
    """Where the content of a part is: in ``value`` (base64), or at the address that ``value`` is."""

    type: Literal["data", "url"]
    value: str
    mime_type: str = ""


class Part(Loose):
    """A piece of a message."""

    type: str
    text: str = ""
    source: Source | None = None
    mime_type: str = ""  # of a ``binary`` one, as front ends before 1.0 send it
    data: str = ""
    url: str = ""
    filename: str = ""


class Said(Loose):
    """A message of the conversation, as the front end knows it."""

    id: str
    role: str
    content: str | list[Part] | None = None


class Verdict(Loose):
    """What is answered to an interrupt: whether the call may be made. ``digest`` is that of what was read, as the
    interrupt told it (``metadata``)."""

    approved: StrictBool
    reason: str = ""
    digest: str = ""


class Resume(Loose):
    """The answer to one interrupt."""

    interrupt_id: str
    status: Literal["resolved", "cancelled"]
    payload: StrictBool | Verdict | None = None


class Run(Loose):
    """RunAgentInput, as far as an agent that knows its own conversation needs it."""

    thread_id: str
    run_id: str
    messages: list[Said]
    resume: list[Resume] | None = None


async def run(call: Call, agent: str) -> Answer:
    """Begin the run, or go on with the one that was interrupted, and tell of it."""
    wanted(call, PROTOCOL)
    asked = await call.model(Run)
    check_id(asked.run_id, "the id of a run")  # it stands in the answer's Location
    if asked.resume:
        return await _resume(call, f"{agent}/{asked.thread_id}", asked, asked.resume)
    said = next((message for message in reversed(asked.messages) if message.role == "user"), None)
    if said is None:
        raise InvalidInput("messages holds none of the user; send the message that is to be answered")
    content, by = _content(said.content), call.by("")
    sent = await call.runtime.send(agent, asked.thread_id, content, id=said.id, by=by, stream=True)
    words = Words(PROTOCOL, asked.thread_id, asked.run_id)
    return await told(call, sent.execution, words, message=sent.id, since=sent.since, again=sent.duplicate)


async def _resume(call: Call, execution: str, asked: Run, answers: list[Resume]) -> Answer:
    """Decide, and tell what follows. Asked again, what was decided stays, and the turn is told from its beginning."""
    head = await call.runtime.show(execution)
    turn = await call.runtime.turn(execution)
    waiting = {str(one["op"]): one["digest"] for one in await call.runtime.proposals(execution)}
    decisions = {answer.interrupt_id: _decision(answer) for answer in answers}
    if len(decisions) < len(answers):
        raise InvalidInput("an interrupt is answered twice; answer each once")
    if unknown := [id for id in decisions if id not in waiting and id not in turn.decided]:
        raise InvalidInput(f"{unknown[0][:80]!r} is no open interrupt; open are: {', '.join(waiting) or 'none'}")
    if left := [id for id in waiting if id not in decisions]:
        raise InvalidInput(f"a run that goes on answers every interrupt; {', '.join(left)} has no answer")
    if other := [id for id, digest in waiting.items() if decisions[id].digest not in ("", digest)]:
        raise InvalidInput(f"what {other[0]} asks has changed since it was read; read it again")
    for id in waiting:
        said = decisions[id]
        await call.runtime.decide(execution, id, said.approved, by=call.by(""), reason=said.reason, digest=said.digest)
    words = Words(PROTOCOL, asked.thread_id, asked.run_id)
    after = f"{head.length}.0" if waiting else ""
    return await told(call, execution, words, message=turn.message, after=after)


def _decision(answer: Resume) -> Verdict:
    """Whether it was approved, and why. Raises InvalidInput: nothing is taken for a yes that does not say so."""
    if answer.status == "cancelled":
        return Verdict(approved=False)
    said = answer.payload
    if said is None:
        raise InvalidInput(f'interrupt {answer.interrupt_id[:80]!r} wants the payload {{"approved": true or false}}')
    return Verdict(approved=said) if isinstance(said, bool) else said


def _content(content: str | list[Part] | None) -> str | list[Any]:
    """What the user said: text, or a list of texts, images, sounds and files. Raises InvalidInput for what is empty or
    of another kind."""
    if isinstance(content, str):
        return content
    if not content:
        raise InvalidInput("a message has no content; say something")
    if all(part.type == "text" for part in content):
        return "\n".join(part.text for part in content)
    return [part.text if part.type == "text" else _media(part) for part in content]


def _media(part: Part) -> dict[str, Any]:
    kind, source = KINDS.get(part.type), part.source
    if part.type == "binary":
        kind = part.mime_type.partition("/")[0].lower()
        kind = kind if kind in KINDS else "file"
        source = Source(type="url" if part.url else "data", value=part.url or part.data, mime_type=part.mime_type)
    if kind is None or source is None:
        raise InvalidInput(f"a message has a part of type {part.type[:40]!r} that can't be taken; send {_KNOWN}")
    place = {"url": source.value} if source.type == "url" else {"data": source.value}
    more = {"media_type": source.mime_type, "name": part.filename}
    return {"type": kind, **place} | {name: value for name, value in more.items() if value}
