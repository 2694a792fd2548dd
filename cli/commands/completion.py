"""``overwinter completion [bash|zsh|fish]``: the shell's completion script, for commands, options and ids."""

from __future__ import annotations

import os
from pathlib import Path

import click

from ..exits import USAGE, Exit

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS), required=False)
def completion_command(shell: str | None) -> None:
    """Print the completion script of a shell.

    \b
    bash, in ~/.bashrc:  eval "$(overwinter completion bash)"
    zsh, in ~/.zshrc:    eval "$(overwinter completion zsh)"
    fish:                overwinter completion fish > ~/.config/fish/completions/overwinter.fish
    """
    from click.shell_completion import get_completion_class

    from ..main import cli

    name = shell or Path(os.environ.get("SHELL", "")).name
    found = get_completion_class(name)
    if found is None or name not in SHELLS:
        raise Exit("no shell is known here", code=USAGE, advice=f"Name one: overwinter completion {SHELLS[0]}")
    click.echo(found(cli, {}, "overwinter", "_OVERWINTER_COMPLETE").source())
