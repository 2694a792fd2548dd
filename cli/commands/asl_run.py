"""``overwinter asl run``: a definition to its end in this process, on the store, as ``overwinter run`` does it with a
function of a file. Killed and run again with the same ``--id``, it goes on where it stopped.

``--json``: ``{"id", "function", "status", "created", "totals", "output" | "error" and "cause"}``, with ``--history``
also ``"history"``: the events as ``overwinter history --json`` has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .. import reach
from ..definitions import STDIN, read_definition
from ..environment import env_file_option, tell_environment
from ..inputs import typed
from ..options import duration_option, json_option, store_option, text_option
from .run import INPUT, Order, Told, run_one

if TYPE_CHECKING:
    from ...functions.runtime import Runtime

JSON = "--json: {id, function, status, created, totals, output or error and cause, history}"


@click.command(epilog=JSON)
@click.argument("file", metavar="FILE")
@click.argument("input", metavar="[INPUT|-]", required=False)
@click.option(
    "--uses",
    metavar="FILE.py",
    type=click.Path(exists=True, dir_okay=False),
    help="Holds the tools, workflows and agents that its Tasks call.",
)
@env_file_option(looks=False)
@text_option("--name", help="What the machine is called; without it, as FILE is.")
@text_option("--id", help="Id of the execution; the same id goes on after a kill.")
@click.option("--history", is_flag=True, help="Tell its events too, as AWS would.")
@duration_option("--timeout", default=None, help="Stop waiting after this long (exit code 5).")
@store_option
@json_option
def run_command(
    file: str,
    input: str | None,
    uses: str | None,
    name: str | None,
    id: str | None,
    history: bool,
    timeout: str | None,
    store: str,
    as_json: bool,
) -> None:
    """Run a state machine to its end, in this process.

    FILE holds JSON, or YAML when it ends in .yaml or .yml; - is standard input. INPUT is JSON.
    """
    called = name or ("machine" if file == STDIN else Path(file).stem)
    text = None if input is None else typed(input, INPUT)
    if not as_json:
        tell_environment()
    order = Order(file, called, text, input is not None, id, None, timeout, as_json)
    told = Told("output", _failed)
    if history:
        told = told._replace(more=partial(_history, as_json=as_json))
    order = order._replace(again=("asl", "run", file), options={"uses": uses, "name": name}, told=told)
    from ...orchestrator.protocol.failure_log import told_elsewhere

    with told_elsewhere():
        reach.run(run_one(order, _functions(file, called, uses), store))


def _failed(error: BaseException) -> dict[str, Any]:
    from ...state.errors import StateFailed

    if isinstance(error, StateFailed):
        return {"error": error.error, "cause": error.cause}
    return {"error": type(error).__name__, "cause": str(error)}


async def _history(runtime: Runtime, id: str, *, as_json: bool) -> dict[str, Any]:
    """The events; those that are for people stand before the result."""
    from ..view.terminal import console, put
    from .history import lines

    events = await runtime.aws_history(id)
    if as_json:
        return {"history": events}
    out = console()
    for line in lines(events, out.width):
        put(out, line)
    return {}


def _functions(file: str, name: str, uses: str | None) -> Mapping[str, Any]:
    """The machine, and what its Tasks call. Raises InvalidInput."""
    from ...functions.invocation.loading import functions_of, load, reachable, sound
    from ...functions.state_machine import StateMachine
    from ...orchestrator.machine.definition.document import Unreadable
    from ...state.errors import InvalidInput

    held: Mapping[str, Any] = {} if uses is None else functions_of(load(Path(uses)))
    try:
        definition = read_definition(file)
    except Unreadable as error:
        raise InvalidInput(f"{file} can't be read: {error}") from None
    machine = StateMachine(name, definition.value, held.values())
    return sound(reachable([machine]))
