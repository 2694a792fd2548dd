"""``overwinter asl draw``: a definition, or an execution on its definition, as Mermaid or SVG."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .. import reach
from ..definitions import STDIN, read_definition, shown
from ..exits import FAILED, USAGE, Exit
from ..options import complete_id, store_option
from ..view.command import command

if TYPE_CHECKING:
    from ...orchestrator.machine.drawing.sketch import Sketch

FORMATS = ("mermaid", "svg")


@click.command("draw")
@click.argument("file", required=False)
@click.option("--execution", metavar="ID", shell_complete=complete_id, help="Draw an execution, from its journal.")
@click.option(
    "--format", "form", type=click.Choice(FORMATS), help="Without it, as the ending of --output says; mermaid."
)
@click.option("-o", "--output", metavar="FILE", help="Write there, not to stdout.")
@store_option
def draw_command(file: str | None, execution: str | None, form: str | None, output: str | None, store: str) -> None:
    """Draw a definition as a state diagram, in Mermaid or SVG.

    FILE holds JSON, or YAML when it ends in .yaml or .yml; - is standard input. What is wrong is not drawn. With
    --execution no FILE is needed: it is drawn on the definition that it goes by, with its path, counts, times, retries
    and errors, and what runs now.
    """
    if (file is None) == (execution is None):
        raise Exit("name a FILE, or an execution by --execution ID", code=USAGE)
    chosen = form or ("svg" if output is not None and output.lower().endswith(".svg") else "mermaid")
    if execution is not None:
        text = reach.run(_execution(store, execution, chosen))
    else:
        text = _definition(file or STDIN, chosen)
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        Path(output).write_text(text, "utf-8")
    except OSError as error:
        raise Exit(f"{output} can't be written: {error.strerror}", code=USAGE) from None


def _definition(file: str, form: str) -> str:
    from ...orchestrator.machine.definition.document import Unreadable
    from ...orchestrator.machine.drawing.sketch import sketch
    from ...orchestrator.machine.validation.checking import unreadable
    from ...orchestrator.machine.validation.compiling import InvalidDefinition, compiled

    try:
        try:
            machine = compiled(read_definition(file))
        except Unreadable as error:
            raise InvalidDefinition([unreadable(error)]) from None
    except InvalidDefinition as error:
        advice = f"{command('asl check', *([] if file == STDIN else [file]))} says all that is wrong."
        raise Exit(f"{shown(file)} can't be drawn: {error}", code=FAILED, advice=advice) from None
    comment = machine.flow.comment
    return _written(sketch(machine), form, "State machine" if file == STDIN else Path(file).stem, comment or "")


async def _execution(dsn: str, id: str, form: str) -> str:
    from ...state.errors import InvalidInput, UnknownExecution

    async with reach.control(dsn) as reading:
        await reach.tell_moved(reading.store)
        try:
            drawn = await reading.drawn(id)
        except UnknownExecution:
            raise
        except InvalidInput as error:
            advice = f"{command('show', id)} says what it is."
            raise Exit(f"{id} can't be drawn: {error}", code=USAGE, advice=advice) from None
    if drawn.problem:
        from ..view.terminal import say

        say(f"drawn as far as it can be followed: {drawn.problem}", style="yellow")
    return _written(drawn.sketch, form, drawn.title, drawn.told)


def _written(drawn: Sketch, form: str, title: str, told: str) -> str:
    if form == "svg":
        from ...orchestrator.machine.drawing.svg import svg

        return svg(drawn, title, [told] if told else [])
    from ...orchestrator.machine.drawing.mermaid import mermaid

    return mermaid(drawn)
