"""``overwinter asl export``: the definition of a state machine or a pattern in Python, as JSON on stdout."""

from __future__ import annotations

import json

import click

from ..machines import definition_of
from ..options import debug_option


@click.command("export")
@click.argument("file")
@click.argument("name", required=False)
@debug_option
def export_command(file: str, name: str | None) -> None:
    """Print a definition as JSON.

    FILE is a file of Python, NAME a state machine in it, or a pattern whose shape allows it. A definition in YAML is
    printed too.
    """
    _, definition = definition_of(file, name)
    click.echo(json.dumps(definition, indent=2, ensure_ascii=False))
