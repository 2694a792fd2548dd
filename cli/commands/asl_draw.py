"""``overwinter asl draw``: a definition as a state diagram of Mermaid, on stdout."""

from __future__ import annotations

import click

from ..definitions import STDIN, read_definition, shown
from ..options import debug_option


@click.command("draw")
@click.argument("file")
@debug_option
def draw_command(file: str) -> None:
    """Draw a definition as a state diagram of Mermaid.

    FILE holds JSON, or YAML when it ends in .yaml or .yml; - is standard input. What is wrong is not drawn.
    """
    from ...orchestrator.machine.definition.document import Unreadable
    from ...orchestrator.machine.definition.mermaid import mermaid
    from ...orchestrator.machine.validation.checking import unreadable
    from ...orchestrator.machine.validation.compiling import InvalidDefinition, compiled
    from ..exits import FAILED, Exit
    from ..view.command import command

    try:
        try:
            machine = compiled(read_definition(file))
        except Unreadable as error:
            raise InvalidDefinition([unreadable(error)]) from None
    except InvalidDefinition as error:
        advice = f"{command('asl check', *([] if file == STDIN else [file]))} says all that is wrong."
        raise Exit(f"{shown(file)} can't be drawn: {error}", code=FAILED, advice=advice) from None
    click.echo(mermaid(machine), nl=False)
