"""``overwinter stubs``: a typed module of what a server serves, for agents and workflows of another process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..exits import FAILED
from ..options import debug_option

if TYPE_CHECKING:
    from ...functions.invocation.routes import Route

MOST = 16 * 1024 * 1024  # bytes of what a server says of its functions


@click.command("stubs")
@click.argument("url")
@click.option("--out", metavar="FILE", type=click.Path(dir_okay=False, writable=True), help="Write there.")
@click.option("--check", metavar="FILE", type=click.Path(dir_okay=False), help="Exit with 1 when FILE is out of date.")
@click.option("--token", metavar="PLACE", default="", help="Where the server's token lies: env:NAME or file:PATH.")
@debug_option
@click.pass_context
def stubs_command(ctx: click.Context, url: str, out: str | None, check: str | None, token: str) -> None:
    """Write a typed module of what the server at URL serves.

    What is in it, agents and workflows use like the real thing, and a route leads to that. URL is any place of a route
    that is asked by HTTP.
    """
    from pathlib import Path

    from ...functions.invocation.routes import named
    from ...functions.stubs.writing import listing, mark_of, module
    from ...state.errors import InvalidInput
    from ..view.command import command
    from ..view.text import clean

    if out and check:
        raise click.UsageError("--out writes a file and --check looks at one; give one of them")
    place = named("stubs", {"url": url, "token": token}, "overwinter stubs")
    if not place.url or place.function or place.by_event:
        raise InvalidInput(f"{url!r:.200} is not asked by HTTP; give the URL of the server that serves the functions")
    text = module(listing(_asked(place)), place.url)
    if check is None:
        if out is None:
            click.echo(text, nl=False)
        else:
            Path(out).write_text(text, "utf-8", newline="\n")
        return
    if mark_of(_read(Path(check))) != mark_of(text):
        anew = command("stubs", url, out=check, token=token or None)
        click.echo(f"{clean(check)} is out of date; {anew} writes it anew", err=True)
        ctx.exit(FAILED)


def _read(path: Any) -> str:
    from ...state.errors import InvalidInput

    try:
        text: str = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} can't be read: {error}") from None
    return text


def _asked(place: Route) -> Any:
    """What ``GET /functions`` answers. Raises InvalidInput when that is nothing to read, Exit when nobody answers."""
    import json

    import httpx

    from ...state.errors import InvalidInput
    from ..exits import UNAVAILABLE, Exit

    token = place.bearer()
    headers = {"accept-encoding": "identity"} | ({"authorization": f"Bearer {token}"} if token else {})
    whole = bytearray()
    try:
        with httpx.stream("GET", f"{place.url}/functions", headers=headers, timeout=20) as answer:
            for data in answer.iter_raw():
                whole += data
                if len(whole) > MOST:
                    raise InvalidInput(f"{place.url} says more than {MOST:,} bytes of its functions")
    except httpx.HTTPError as error:
        why = str(error) or type(error).__name__
        raise Exit(f"{place.url} does not answer: {why}", code=UNAVAILABLE, advice="Is the server running?") from None
    if answer.status_code != 200:
        hint = "; say by --token where its token lies" if answer.status_code in (401, 403) else ""
        raise InvalidInput(f"{place.url}/functions answered {answer.status_code}{hint}")
    try:
        return json.loads(whole)
    except (ValueError, RecursionError):
        raise InvalidInput(f"{place.url}/functions is no JSON: it is no server of overwinter") from None
