"""``overwinter invoke FUNCTION [INPUT]``: give work to a running server over HTTP and wait for the outcome. A message
to a session, a run of an agent or a workflow, or one call of a tool. The outcome goes to stdout.

``--json``: the server's answer: ``{"id", "status", "message"?, "result"? | "error"?}`` for what has an execution,
``{"status", "result"}`` for a tool. Not waiting, or waiting too long: ``"status": "running"``.
"""

from __future__ import annotations

import os
import secrets
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from ...state.errors import UnknownFunction
from ...state.quantities import seconds
from ..exits import FAILED, RUNNING, Exit
from ..inputs import attach_option, fitting, typed, with_files
from ..options import DEFAULT_STORE, by_default, debug_option, duration_option, json_option, text_option, url_option

if TYPE_CHECKING:
    import httpx

    from ..heard import Shown
    from ..server import Server

INPUT = "INPUT"
GOES_ON = "running"
REPEATED = 120
"""Characters of an input that a suggested command repeats."""


class Work(NamedTuple):
    """What to ask for, and how long to wait (None: as long as it takes, 0: not at all). ``input`` is the text that was
    typed, until it is known what the function takes."""

    function: str
    input: Any
    session: str | None
    id: str | None
    wait: float | None
    typed: str | None = None
    files: tuple[Path, ...] = ()


JSON = "--json: {id, status, message, result or error}; status is running when nobody waited for the end."


@click.command(epilog=JSON)
@click.argument("function")
@click.argument("input", metavar="[INPUT|-]", required=False)
@text_option("--session", metavar="KEY", help="Send INPUT as a message to this session of an agent.")
@text_option("--id", help="Id of the run or the message: sent again, it is the same one.")
@attach_option
@url_option
@click.option("--no-wait", is_flag=True, help="Return as soon as it is durable.")
@click.option("--stream", is_flag=True, help="Show the answer while it is being said, and what is done for it.")
@duration_option("--timeout", default=None, help="Stop waiting after this long (exit code 5).")
@debug_option
@json_option
@click.pass_context
def invoke_command(
    ctx: click.Context,
    function: str,
    input: str | None,
    session: str | None,
    id: str | None,
    files: tuple[Path, ...],
    url: str,
    token: str,
    no_wait: bool,
    stream: bool,
    timeout: str | None,
    as_json: bool,
) -> None:
    """Call a function of a running server: an agent, a workflow or a tool.

    INPUT is JSON, or plain text when it is none or when FUNCTION takes text; "-" reads it from standard input.
    """
    from ..heard import shown
    from ..server import Server

    if session is not None and input is None and not files:
        raise click.UsageError("a session needs a message: overwinter invoke AGENT --session KEY TEXT")
    if stream and no_wait:
        raise click.UsageError("--stream waits for what there is to show; leave --no-wait out")
    text = None if input is None else typed(input, INPUT)
    wait = 0.0 if no_wait else None if timeout is None else seconds(timeout)
    work = Work(function, text, session, id, wait, text, files)
    with Server(url, token) as server:
        outcome = _ask(server, work, shown(as_json=as_json) if stream else None)
    # What has an execution was told as it happened; a call of a tool has nothing but its result.
    if stream and outcome.get("id") and (as_json or outcome.get("status") == "completed"):
        ctx.exit(_code(outcome, no_wait=False))
    _report(outcome, work, as_json=as_json)
    ctx.exit(_code(outcome, no_wait=no_wait))


def _code(outcome: dict[str, Any], *, no_wait: bool) -> int:
    status = outcome.get("status")
    if status == GOES_ON:
        return 0 if no_wait else RUNNING
    return 0 if status == "completed" else FAILED


def _ask(server: Server, work: Work, show: Shown | None) -> dict[str, Any]:
    """The outcome, or what is known of it when the time is over."""
    from ..server import segment

    until = None if work.wait is None else time.monotonic() + work.wait
    served = _served(server, work.function)
    kind = served["kind"]
    if work.input is not None:
        work = work._replace(input=fitting(work.input, served.get("input") or {}, INPUT))
    work = work._replace(input=with_files(work.input, work.files, kind))
    if work.session is not None:
        return _message(server, work, work.session, until, show)
    if kind == "tool":
        arguments: Any = {} if work.input is None else work.input
        answer = server.ask("POST", f"/tools/{segment(work.function)}", arguments, again=False)
        return {"status": "completed", "result": answer.json()}
    # When nobody else has, the id is chosen here: sent again, it is the same start.
    id = f"{work.function}-{secrets.token_hex(8)}" if work.id is None else work.id
    query = {"id": id, "by": by_default()}
    place = f"/{kind}s/{segment(work.function)}"
    if show is not None:
        return show(server, place, work.input, {"id": id}, query, until)
    return _settled(server, server.ask("POST", place, work.input, wait=_left(until), query=query), until)


def _message(server: Server, work: Work, session: str, until: float | None, show: Shown | None) -> dict[str, Any]:
    """A message has an id from the start: sent again, it is the same message."""
    from ..server import segment

    id = uuid.uuid4().hex if work.id is None else work.id
    body: dict[str, Any] = {"content": work.input, "id": id, "by": by_default()}
    place = f"/sessions/{segment(work.function)}/{segment(session)}"
    if show is not None:
        return show(server, place, body, {"id": f"{work.function}/{session}", "message": id}, None, until)
    return _settled(server, server.ask("POST", place, body, wait=_left(until)), until)


def _settled(server: Server, answer: httpx.Response, until: float | None) -> dict[str, Any]:
    """Ask where the 202 points to, until there is an outcome or the time is over."""
    while answer.status_code == 202:
        place = answer.headers.get("location")
        left = _left(until)
        if place is None or left <= 0:
            break
        answer = server.ask("GET", place, wait=left)
    with server.understood():
        outcome: dict[str, Any] = answer.json()
        return outcome


def _left(until: float | None) -> float:
    from ..server import LONGEST_WAIT

    return LONGEST_WAIT if until is None else max(min(until - time.monotonic(), LONGEST_WAIT), 0.0)


def _served(server: Server, function: str) -> dict[str, Any]:
    """What the server says of a function: its kind and what it takes. Raises UnknownFunction naming what there is."""
    answer = server.ask("GET", "/functions")
    with server.understood():
        listed: list[dict[str, Any]] = answer.json()["functions"]
        served = {str(item["name"]): item for item in listed}
    if function not in served:
        names = ", ".join(served) or "none"
        raise UnknownFunction(f"{server.url} serves no function {function!r}; it serves {names}")
    return served[function]


def _waiting(outcome: dict[str, Any], work: Work) -> str:
    """How to wait for it: the same start again, when that is short enough to be typed."""
    if work.session is not None or work.files or len(work.typed or "") > REPEATED:
        return ""
    from ..view.command import command

    words = [work.function, *([work.typed] if work.typed is not None else [])]
    return f"; {command('invoke', *words, id=str(outcome['id']))} waits for it"


def _report(outcome: dict[str, Any], work: Work, *, as_json: bool) -> None:
    from ...orchestrator.errors.groups import said_in
    from ..view.terminal import emit, say
    from ..view.text import clean_lines, json_text

    if as_json:
        emit(outcome)
        return
    id, status = outcome.get("id"), outcome.get("status")
    if status == GOES_ON:
        say(f"{id} goes on; {_show(str(id))} tells what it does{_waiting(outcome, work)}", style="dim")
    elif status == "completed":
        value = outcome.get("result")
        click.echo(clean_lines(value) if isinstance(value, str) else json_text(value, indent=2))
    else:
        error: dict[str, Any] = outcome.get("error") or {}
        message = f"{id} {status}: {said_in(error)}"
        raise Exit(message, code=FAILED, advice=f"{_show(str(id))} tells why.")


def _show(id: str) -> str:
    """How to look at it. A server does not say where its store is; where nobody has said it here either, that is left
    open."""
    from ..environment import STORE, names_a_store
    from ..reach import sqlite_path
    from ..view.command import command

    usual = sqlite_path(DEFAULT_STORE)
    if os.environ.get(STORE) or (usual is not None and usual.exists() and not names_a_store()):
        return command("show", id)
    return f"{command('show', id, store='…')} (that of the server)"
