"""``overwinter route list|check``: where functions live that are not here, and whether they answer there."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import click

from ..exits import FAILED
from ..options import debug_option, json_option

if TYPE_CHECKING:
    from ...functions.invocation.posting import Told
    from ...functions.invocation.routes import Route


@click.group("route")
def route_command() -> None:
    """Where functions live that are not here.

    The routes stand in [invocation] of overwinter.toml and in OVERWINTER_ROUTES (NAME=https://HOST NAME=broker …).
    """


@route_command.command("list")
@debug_option
@json_option
def list_command(as_json: bool) -> None:
    """The routes as they are read. --json: [{name, url, token, source, sign?, region?}]"""
    from ...functions.invocation.routes import routes

    _show([_told(route) for route in routes()], as_json=as_json)


@route_command.command("check")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@debug_option
@json_option
@click.pass_context
def check_command(ctx: click.Context, names: tuple[str, ...], as_json: bool) -> None:
    """Ask the server of each route whether it serves a function of that name, and the broker whether a process takes
    its calls; exit code 1 when one does not.

    --json: [{name, url, token, source, sign?, region?, found}]
    """
    from ...functions.invocation.routes import ALL, route, routes
    from ...state.errors import InvalidInput

    wanted: list[Route] = []
    for name in names:
        if (found := route(name)) is None:
            raise InvalidInput(f"no route leads to {name!r}; overwinter route list shows all")
        wanted.append(found)
    rows = [{**_told(one), "found": _found(one)} for one in wanted or routes() if one.url and one.name != ALL]
    if not rows and not as_json:
        click.echo("no route leads to a server that can be asked (here and * are not)")
        return
    _show(rows, as_json=as_json)
    if any(row["found"] not in ("agent", "model", "taken", "tool", "workflow") for row in rows):
        ctx.exit(FAILED)


def _found(route: Route) -> str:
    """The kind of the function that is there, "taken" when a process takes its calls, or why there is none."""
    if route.by_event:
        return _taken(route.name)
    import asyncio

    from ...functions.invocation.posting import Unreached, Unwanted
    from ...functions.invocation.reaching import Ways
    from ...state.errors import InvalidInput

    try:
        token = route.bearer()
        headers = {"authorization": f"Bearer {token}"} if token else {}
        told = asyncio.run(Ways().ask(route, "/functions", b"", headers, 10.0, method="GET"))
        if told.status != 200:
            return f"HTTP {told.status}{_detail(told)}"
        listed: Any = told.json
        kinds = {str(one["name"]): str(one["kind"]) for one in listed["functions"]}
    except (InvalidInput, Unwanted) as error:
        return str(error)
    except Unreached as error:
        return f"no answer ({error})"
    except (ValueError, KeyError, TypeError):
        return "no server of overwinter"
    return kinds.get(route.name, "does not serve it")


def _taken(name: str) -> str:
    import asyncio

    from ...functions.bus.place import ENVIRONMENT
    from ...functions.bus.takers import takers
    from ...state.errors import BrokerUnavailable, InvalidInput

    try:
        if asyncio.run(takers(os.environ.get(ENVIRONMENT, "").strip(), name)):
            return "taken"
    except (InvalidInput, BrokerUnavailable) as error:
        return str(error)
    return f"no process takes its calls; the routes of its own process say {name}=here"


def _detail(told: Told) -> str:
    """What is said beside the status."""
    said: Any = told.json
    try:
        return f": {str(said['detail'])[:200]}"
    except (TypeError, KeyError):
        return ""


def _told(route: Route) -> dict[str, Any]:
    return {name: value for name, value in route._asdict().items() if value or name not in ("sign", "region")}


def _show(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(rows))
        return
    from rich.text import Text

    from ..view.heads import table
    from ..view.terminal import console
    from ..view.text import clean

    out = console()
    if not rows:
        out.print(Text("no routes", "dim"))
        return
    names = list(dict.fromkeys(name for row in rows for name in row))
    names.sort(key=lambda name: name == "found")
    cells = [[(clean(str(row.get(name, "")) or ("here" if name == "url" else "")), "bold" if name == "name" else "")
              for name in names] for row in rows]  # fmt: skip
    for line in table([name.upper() for name in names], cells, out.width):
        out.print(line)
