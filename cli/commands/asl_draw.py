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
    from ...orchestrator.machine.drawing.course import Course
    from ...orchestrator.machine.drawing.sketch import Sketch
    from ...state.records import Head

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
    from ...orchestrator.machine.drawing.replay import followed
    from ...orchestrator.machine.drawing.sketch import sketch
    from ...state.errors import InvalidInput
    from ..view.moments import now

    async with reach.control(dsn) as reading:
        await reach.tell_moved(reading.store)
        found = await reading.story(id)
        entries = [await reading.entire(id, entry) for _, entry in found.entries]
    try:
        machine, course = followed(found.head.function, id, entries, found.head.status, now(), reading.integrations)
    except InvalidInput as error:
        raise Exit(
            f"{id} can't be drawn: {error}", code=USAGE, advice=f"{command('show', id)} says what it is."
        ) from None
    if course.problem:
        from ..view.terminal import say

        say(f"drawn as far as it can be followed: {course.problem}", style="yellow")
    return _written(sketch(machine, course), form, f"{found.head.function} · {id}", _told(found.head, course))


def _told(head: Head, course: Course) -> str:
    """The execution in a line."""
    from ...orchestrator.machine.running.context import moment
    from ...state.quantities import span

    retries = sum(stay.retries for stay in course.stays.values())
    parts = [head.status, f"began {moment(head.created)}", span(max(course.now - head.created, 0))]
    parts += [f"{retries} {'retry' if retries == 1 else 'retries'}"] if retries else []
    return " · ".join([*parts, *([head.awaits] if head.awaits and course.status != "completed" else [])])


def _written(drawn: Sketch, form: str, title: str, told: str) -> str:
    if form == "svg":
        from ...orchestrator.machine.drawing.svg import svg

        return svg(drawn, title, [told] if told else [])
    from ...orchestrator.machine.drawing.mermaid import mermaid

    return mermaid(drawn)
