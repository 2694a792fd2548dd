"""``overwinter store COMMAND``: a store as a whole. A command's module is imported when it is named."""

from __future__ import annotations

import importlib

import click

COMMANDS = {
    "init": "Make the store, if it is not there.",
    "check": "Look whether everything in it is sound.",
    "stats": "What is in it, and who works on it.",
    "export": "Write it to a file, as JSON lines.",
    "import": "Read such a file into it.",
    "move": "Carry everything over to another store.",
    "prune": "Delete what is over for long enough.",
    "new-key": "Make a key that payloads can be sealed with.",
    "reseal": "Seal anew with the first key, and count what is left.",
    "forget-key": "Give up a key that is lost for good.",
}

MODULES = {"new-key": "keys", "reseal": "keys", "forget-key": "keys"}
"""Where a command is, when not in a module of its name."""


class StoreCommands(click.Group):
    """The group that imports a command when it is named."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        module = importlib.import_module(f".store_{MODULES.get(cmd_name, name)}", __package__)
        command = getattr(module, f"{name}_command")
        if not isinstance(command, click.Command):
            raise TypeError(f"{cmd_name} is no command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name.ljust(10), line) for name, line in COMMANDS.items()])


@click.group(cls=StoreCommands)
def store_command() -> None:
    """Look after a store as a whole: make it, check it, keep a copy, move it, clean it up."""
