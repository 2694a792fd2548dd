"""``overwinter chat AGENT [FILE]``: a conversation with an agent, of FILE in this process or of a running server.

Every message is durable when it is sent, so a chat may end at any moment, and ``--session`` goes on with it. In a pipe
each line is a message and nothing is prompted for. Exit codes: 0 · 1 a message came to an error · 5 an approval is
waited for and nobody can be asked, or ``--timeout`` passed · 130 Ctrl-C.
``--json``: for each message one line ``{"id", "message", "status", "result" or "error"}``.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

import click

from ...state.quantities import seconds
from .. import reach
from ..again import gone, note_store
from ..environment import env_file_option, tell_environment
from ..exits import INTERRUPTED
from ..options import duration_option, json_option, store_option, text_option, url_option

if TYPE_CHECKING:
    from ..party import Party

GRACE = "10s"
JSON = "--json: for each message one line {id, message, status, result or error}"


class Place(NamedTuple):
    """Where the agent is: in ``file`` on ``store``, or without a file on the server at ``url``."""

    agent: str
    file: str | None
    session: str
    store: str
    url: str
    token: str


@click.command(epilog=JSON)
@click.argument("agent")
@click.argument("file", metavar="[FILE]", required=False, is_eager=True, type=click.Path(exists=True, dir_okay=False))
@env_file_option(looks=True)
@text_option("--session", metavar="KEY", help="Go on with this conversation; a new one by default.")
@duration_option("--timeout", default=None, help="Stop waiting for an answer after this long (exit code 5).")
@url_option
@store_option
@json_option
@click.pass_context
def chat_command(
    ctx: click.Context,
    agent: str,
    file: str | None,
    session: str | None,
    timeout: str | None,
    url: str,
    token: str,
    store: str,
    as_json: bool,
) -> None:
    """Talk to an agent of FILE, or without FILE to one of the running server at --url.

    Tool calls are shown as they happen, approvals are asked for in place. Ctrl-D ends it, and nothing is lost.
    """
    from click.core import ParameterSource

    if file is not None and ctx.get_parameter_source("url") is ParameterSource.COMMANDLINE:
        raise click.UsageError("FILE is for an agent in this process, --url for one of a running server; give one")
    if file is None:
        note_store(ctx, "")  # what is said is kept by the server
    if not as_json:
        tell_environment()
    place = Place(agent, file, session or f"chat-{secrets.token_hex(4)}", store, url, token)
    from ...orchestrator.protocol.failure_log import told_elsewhere

    with told_elsewhere():
        code = reach.run(_chat(place, None if timeout is None else seconds(timeout), as_json=as_json))
    ctx.exit(code)


async def _chat(place: Place, limit: float | None, *, as_json: bool) -> int:
    from ..conversing import Conversation
    from ..ending import ending_in_time
    from ..view.talk import Talk
    from ..view.terminal import console, interactive

    asks = interactive() and not as_json
    talk = Talk(console(stderr=True), quiet=as_json)
    async with _party(place) as party:
        talk.note(f"{party.execution}{f' · {party.model}' if party.model else ''}", "bold")
        if asks:
            talk.note("one line is a message; Ctrl-D ends, and nothing is lost")
        task = asyncio.current_task()

        def stop(number: int) -> None:
            if number > 1:
                party.hurry()
            elif task is not None:
                task.cancel()

        with ending_in_time(seconds(GRACE), stop, code=INTERRUPTED) as ending:
            code = INTERRUPTED
            conversation = Conversation(party, talk, asks=asks, as_json=as_json, limit=limit)
            try:
                code = await conversation.hold()
            except asyncio.CancelledError:
                if not ending.signals:
                    raise
                if asks:
                    talk.gap()
            finally:
                talk.still()
                if conversation.begun and not gone():
                    talk.note(f"{party.execution} is kept. Go on: {_again(place)}")
                await party.close()
                ending.over(code)
        return code


@asynccontextmanager
async def _party(place: Place) -> AsyncGenerator[Party]:
    from ..party import here, there

    if place.file is not None:
        async with here(place.agent, place.file, place.session, place.store) as party:
            yield party
    else:
        async with there(place.agent, place.session, place.url, place.token) as party:
            yield party


def _again(place: Place) -> str:
    from ..view.command import command

    return command("chat", place.agent, *([place.file] if place.file else []), session=place.session)
