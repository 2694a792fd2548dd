"""``overwinter asl render``: a state machine as resources of CloudFormation, for ``serverless.yml``. The template goes
to stdout, what it can't say to stderr."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ..machines import definition_of
from ..options import debug_option, text_option

if TYPE_CHECKING:
    from ..rendering.aws_machine import Level


@click.command("render")
@click.argument("file")
@click.argument("name", required=False)
@text_option("--service", unsaid="", metavar="KEY", help="The function in serverless.yml that serves the app.")
@click.option("--function", "functions", multiple=True, metavar="NAME=KEY|ARN", help="One of its own; repeatable.")
@click.option("--express", is_flag=True, help="An EXPRESS machine.")
@click.option("--log", type=click.Choice(("ALL", "ERROR", "FATAL", "OFF")), default="ERROR", show_default=True)
@click.option("--tracing", is_flag=True, help="Send traces to X-Ray.")
@debug_option
def render_command(
    file: str, name: str | None, service: str, functions: Sequence[str], express: bool, log: Level, tracing: bool
) -> None:
    """Print what deploys a state machine to AWS Step Functions.

    FILE holds a definition, or is a file of Python with the state machine or pattern NAME.
    """
    from ..rendering.aws_machine import Target, machine
    from ..rendering.options import tell

    own: dict[str, str] = {}
    for said in functions:
        function, equals, key = said.partition("=")
        if not (function and equals and key):
            raise click.UsageError(f"--function takes NAME=KEY or NAME=ARN, not {said[:80]!r}")
        own[function] = key
    called, definition = definition_of(file, name)
    tell(machine(definition, Target(called, service, own, express, log, tracing)))
