"""``overwinter invoke FUNCTION [INPUT]``: give work to a running server over HTTP and wait for the outcome. A message
to a session, a run of an agent or a workflow, or one call of a tool. The outcome goes to stdout.

``--json``: the server's answer: ``{"id", "status", "message"?, "result"? | "error"?}`` for what has an execution,
``{"status", "result"}`` for a tool. Not waiting, or waiting too long: ``"status": "running"``.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import click

from ..state.errors import ExecutionError, UnknownFunction
from .exits import FAILED, NOT_FOUND, RUNNING, UNAVAILABLE, USAGE, Exit
from .inputs import read_value
from .options import DEFAULT_URL, by_default, debug_option, json_option

if TYPE_CHECKING:
    import httpx

INPUT = "INPUT"
WAIT_AT_ONCE = 25.0  # seconds: shorter than the idle limits of proxies
RUNNING_STATUS = "running"


class Work(NamedTuple):
    """What to ask for, and how long to wait (None: as long as it takes, 0: not at all)."""

    function: str
    input: Any
    session: str | None
    id: str | None
    wait: float | None


@click.command()
@click.argument("function")
@click.argument("input", metavar="[INPUT|-]", required=False)
@click.option("--session", default=None, metavar="KEY", help="Send INPUT as a message to this session of an agent.")
@click.option("--id", default=None, help="Id of the run or the message: sent again, it is the same one.")
@click.option("--url", envvar="OVERWINTER_URL", default=DEFAULT_URL, show_default=True, show_envvar=True)
@click.option("--token", envvar="OVERWINTER_TOKEN", default="", show_envvar=True, help="Bearer token of the server.")
@click.option("--no-wait", is_flag=True, help="Return as soon as it is durable.")
@click.option("--timeout", default=None, metavar="DURATION", help="Stop waiting after this long (exit code 5).")
@debug_option
@json_option
@click.pass_context
def invoke_command(
    ctx: click.Context,
    function: str,
    input: str | None,
    session: str | None,
    id: str | None,
    url: str,
    token: str,
    no_wait: bool,
    timeout: str | None,
    as_json: bool,
) -> None:
    """Call a function of a running server: an agent, a workflow or a tool.

    INPUT is JSON, or plain text when it is none; "-" reads it from standard input.
    """
    from .watch import duration

    value = None if input is None else read_value(input, INPUT)
    work = Work(function, value, session, id, 0.0 if no_wait else duration(timeout))
    with _client(url, token) as client:
        outcome = _ask(client, work)
    _report(outcome, as_json=as_json)
    status = outcome.get("status")
    if status == RUNNING_STATUS:
        ctx.exit(0 if no_wait else RUNNING)
    ctx.exit(0 if status == "completed" else FAILED)


def _client(url: str, token: str) -> httpx.Client:
    import httpx

    if not url.startswith(("http://", "https://")):
        raise click.BadParameter(f"{url!r} is no address like {DEFAULT_URL}", param_hint="--url")
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return httpx.Client(base_url=url, headers=headers, timeout=httpx.Timeout(10, read=WAIT_AT_ONCE + 30))


def _ask(client: httpx.Client, work: Work) -> dict[str, Any]:
    """The outcome, or what is known of it when the time is over."""
    until = None if work.wait is None else time.monotonic() + work.wait
    if work.session is not None:
        return _message(client, work, work.session, until)
    kind = _kind(client, work.function)
    if kind == "tool":
        arguments: Any = {} if work.input is None else work.input
        answer = _request(client, "POST", f"/tools/{_quoted(work.function)}", arguments, None)
        return {"status": "completed", "result": answer.json()}
    query = {"id": work.id, "by": by_default()} if work.id else {"by": by_default()}
    place = f"/{kind}s/{_quoted(work.function)}"
    return _settled(client, _request(client, "POST", place, work.input, _left(until), query), until)


def _message(client: httpx.Client, work: Work, session: str, until: float | None) -> dict[str, Any]:
    """A message has an id from the start, so that sending it again after a broken connection changes nothing."""
    content: Any = work.input
    if content is None:
        raise click.UsageError("a session needs a message: overwinter invoke AGENT --session KEY TEXT")
    if not isinstance(content, (str, dict)):
        content = str(content)  # a bare number or truth value was meant as text
    body: dict[str, Any] = {"content": content, "id": work.id or uuid.uuid4().hex, "by": by_default()}
    place = f"/sessions/{_quoted(work.function)}/{_quoted(session)}"
    return _settled(client, _request(client, "POST", place, body, _left(until)), until)


def _settled(client: httpx.Client, answer: httpx.Response, until: float | None) -> dict[str, Any]:
    """Ask where the 202 points to, until there is an outcome or the time is over."""
    while answer.status_code == 202:
        place = answer.headers.get("location")
        left = _left(until)
        if place is None or left <= 0:
            break
        answer = _request(client, "GET", place, None, left)
    outcome: dict[str, Any] = answer.json()
    return outcome


def _left(until: float | None) -> float:
    return WAIT_AT_ONCE if until is None else max(min(until - time.monotonic(), WAIT_AT_ONCE), 0.0)


def _kind(client: httpx.Client, function: str) -> str:
    """agent, workflow or tool, as the server says. Raises UnknownFunction naming what there is."""
    served: dict[str, str] = {
        item["name"]: item["kind"] for item in _request(client, "GET", "/functions", None, None).json()["functions"]
    }
    if function not in served:
        names = ", ".join(served) or "none"
        raise UnknownFunction(f"{client.base_url} serves no function {function!r}; it serves {names}")
    return served[function]


def _request(
    client: httpx.Client,
    method: str,
    place: str,
    body: Any,
    wait: float | None,
    query: dict[str, str] | None = None,
) -> httpx.Response:
    """One request. Connections are tried again for a moment, as during a restart. Raises Exit."""
    import httpx

    headers = {} if wait is None else {"prefer": f"wait={round(wait)}" if wait >= 1 else "respond-async"}
    content = {"json": body} if body is not None else {}
    try:
        answer = client.request(method, place, params=query, headers=headers, **content)
    except httpx.ConnectError:
        advice = "Start it: overwinter dev FILE; --url or OVERWINTER_URL names another."
        raise Exit(f"no server answers at {client.base_url}", code=UNAVAILABLE, advice=advice) from None
    except httpx.HTTPError as error:
        advice = "What was accepted goes on: overwinter ps"
        kind = type(error).__name__
        raise Exit(f"the connection to {client.base_url} broke ({kind})", code=UNAVAILABLE, advice=advice) from None
    if answer.is_error:
        raise _refused(answer)
    return answer


def _refused(answer: httpx.Response) -> Exit:
    """The problem document of the server as an error of ours."""
    detail = _detail(answer)
    codes = {401: USAGE, 403: USAGE, 404: NOT_FOUND, 503: UNAVAILABLE, 502: UNAVAILABLE, 504: RUNNING}
    code = codes.get(answer.status_code, FAILED if answer.status_code >= 500 else USAGE)
    advice = "Give the server's token by --token or OVERWINTER_TOKEN." if answer.status_code == 401 else ""
    return Exit((detail or f"the server answered {answer.status_code}"), code=code, advice=advice)


def _detail(answer: httpx.Response) -> str:
    """What a problem document says; "" for any other body."""
    try:
        problem: Any = answer.json()
    except ValueError:
        return ""
    return str(cast("Mapping[str, Any]", problem).get("detail") or "") if isinstance(problem, dict) else ""


def _report(outcome: dict[str, Any], *, as_json: bool) -> None:
    from .view.terminal import emit, say
    from .view.text import clean_lines, json_text

    if as_json:
        emit(outcome)
        return
    id, status = outcome.get("id"), outcome.get("status")
    if status == RUNNING_STATUS:
        say(f"{id} goes on; overwinter watch {id}", style="dim")
    elif status == "completed":
        value = outcome.get("result")
        click.echo(clean_lines(value) if isinstance(value, str) else json_text(value, indent=2))
    else:
        error: dict[str, Any] = outcome.get("error") or {}
        kind = str(error.get("kind", "")).rpartition(".")[2]
        raise ExecutionError(f"{id} {status}: {kind}: {error.get('message', '')}", execution=str(id))


def _quoted(segment: str) -> str:
    from urllib.parse import quote

    return quote(segment, safe="")
