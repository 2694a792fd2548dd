"""``overwinter asl run``: a definition to its end in this process, on the store, as ``overwinter run`` does it with a
function of a file. Killed and run again with the same ``--id``, it goes on where it stopped.

``--json`` is that of ``overwinter run``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from .. import reach
from ..definitions import STDIN, read_definition
from ..environment import env_file_option, tell_environment
from ..inputs import typed
from ..options import duration_option, json_option, store_option, text_option
from .run import INPUT, JSON, Order, run_one


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
@duration_option("--timeout", default=None, help="Stop waiting after this long (exit code 5).")
@store_option
@json_option
def run_command(
    file: str,
    input: str | None,
    uses: str | None,
    name: str | None,
    id: str | None,
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
    order = order._replace(again=("asl", "run", file), options={"uses": uses, "name": name})
    from ...orchestrator.protocol.failure_log import told_elsewhere

    with told_elsewhere():
        reach.run(run_one(order, _functions(file, called, uses), store))


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
