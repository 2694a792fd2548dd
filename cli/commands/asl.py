"""``overwinter asl COMMAND``: definitions of state machines. A command's module is imported when it is named."""

from __future__ import annotations

import importlib

import click

COMMANDS = {
    "check": "Say what is wrong with definitions.",
    "draw": "Draw a definition, or an execution on it.",
    "export": "Print the definition of a state machine or pattern in Python.",
    "render": "Print what deploys a state machine to AWS Step Functions.",
    "run": "Run a definition to its end, in this process.",
    "test": "Test the states of a definition, with mocks.",
}


class AslCommands(click.Group):
    """The group that imports a command when it is named."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f".asl_{cmd_name}", __package__)
        command = getattr(module, f"{cmd_name}_command")
        if not isinstance(command, click.Command):
            raise TypeError(f"{cmd_name} is no command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name.ljust(10), line) for name, line in COMMANDS.items()])


@click.group(cls=AslCommands)
def asl_command() -> None:
    """State machines in Amazon States Language, JSON or YAML: check, draw, test, run and deploy them."""
