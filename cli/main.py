"""The ``overwinter`` command. Commands are imported when they are used, so that ``--help`` and ``ps`` start
fast. Every expected error ends here: one sentence and advice on stderr, an exit code that means something
(see ``exits``), a traceback only with ``--debug``.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import sys
from pathlib import Path
from typing import Any

import click

from ..security.redaction import redacted
from ..state.errors import OverwinterError
from . import exits
from .options import AS_JSON, DEBUG, debug_option
from .secret_files import read_secrets

SECTIONS: dict[str, dict[str, tuple[str, str]]] = {
    "Run": {
        "new": ("new", "Write a small project that runs."),
        "dev": ("dev", "Serve a file's functions; reload on change."),
        "serve": ("dev", "Serve a file's functions, without reload."),
        "run": ("run", "Run one function to its end, in this process."),
        "chat": ("chat", "Talk to an agent, of a file or of a running server."),
        "model-server": ("model_server", "Serve models as functions of their own."),
        "sweep": ("sweep", "Take what is due, work on it, and exit."),
        "invoke": ("invoke", "Call a function of a running server."),
    },
    "Look": {
        "ps": ("ps", "List executions."),
        "show": ("show", "What an execution did and waits for."),
        "history": ("history", "Events of a state machine, as AWS tells them."),
        "watch": ("watch", "Follow an execution until it ends."),
        "top": ("top", "What goes on, live."),
        "logs": ("logs", "What happens to an execution, an event a line."),
        "approvals": ("decide", "What waits for a person."),
        "doubts": ("doubts", "Calls that may have taken effect, or not."),
        "dead-letters": ("dead_letters", "Events that a subscription could not take."),
        "events": ("events", "What a broker carries, and still has."),
        "subscriptions": ("subscriptions", "Which functions get which events."),
        "memory": ("memory", "What agents remember, and erasing it."),
        "budget": ("budget", "What accounts may use, have used, and who has spent it."),
        "console": ("console", "Pages for a browser, of a server anywhere."),
        "audit": ("audit", "Who did what, and whether the record of it holds."),
        "doctor": ("doctor", "Check the set-up and the store."),
    },
    "Steer": {
        "signal": ("signals", "Send an event to an execution."),
        "approve": ("decide", "Approve what waits for a person."),
        "deny": ("decide", "Deny what waits for a person."),
        "revoke": ("standing", "End a standing approval."),
        "delegate": ("decide", "Let somebody else decide it."),
        "approval-link": ("approval_link", "Print a link by which one person decides it."),
        "resolve": ("doubts", "Say what came of a call in doubt."),
        "schedule": ("schedule", "What begins functions at set times."),
        "pause": ("steer", "Hold an execution where it is."),
        "resume": ("steer", "Go on with a paused or stuck execution."),
        "retry": ("steer", "Go on with a failed execution, from the failed step."),
        "fork": ("fork", "Go on from a place in an execution, without effects."),
        "cancel": ("steer", "Ask an execution to clean up and end."),
        "terminate": ("steer", "End an execution at once, without clean-up."),
    },
    "Set up": {
        "asl": ("asl", "Check, draw, test and run state machines."),
        "route": ("route", "Where functions live that are not here."),
        "stubs": ("stubs", "Write a typed module of what a server serves."),
        "grant": ("grant", "Print a token that delivers events to one function."),
        "store": ("store", "Make, check, copy, move, seal and clean up a store."),
        "completion": ("completion", "Print a shell's completion script."),
    },
}
COMMANDS = {name: place for section in SECTIONS.values() for name, place in section.items()}


class Commands(click.Group):
    """The group that imports a command when it is named, and the outer edge for errors."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f".commands.{COMMANDS[cmd_name][0]}", __package__)
        command = getattr(module, f"{cmd_name.replace('-', '_')}_command")
        if not isinstance(command, click.Command):
            raise TypeError(f"{cmd_name} is no command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            if args and args[0] not in COMMANDS and (near := get_close_matches(args[0], COMMANDS, 1)):
                raise click.UsageError(f"no command {args[0]!r}; did you mean {near[0]!r}?", ctx) from None
            raise error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(12), line) for name, (_, line) in commands.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except OverwinterError as error:
            if ctx.meta.get(DEBUG):
                import traceback

                click.echo(redacted("".join(traceback.format_exception(error))), err=True, nl=False)
            complain(error, as_json=bool(ctx.meta.get(AS_JSON)))
            ctx.exit(exits.code(error))
        except (KeyboardInterrupt, click.Abort):
            click.echo("interrupted", err=True)
            ctx.exit(exits.INTERRUPTED)
        except BrokenPipeError:
            _drop_stdout()
            ctx.exit(exits.BROKEN_PIPE)
        except click.UsageError as error:
            if not ctx.meta.get(AS_JSON) or isinstance(error, click.exceptions.NoArgsIsHelpError):
                raise
            complain(_usage(error), as_json=True)
            ctx.exit(error.exit_code)
        except OSError as error:
            if not _is_of_output(error):
                raise
            _drop_stdout()
            what = f"what there was to say can't be written ({error.strerror})"
            complain(exits.Exit(what, code=exits.UNWRITTEN), as_json=bool(ctx.meta.get(AS_JSON)))
            ctx.exit(exits.UNWRITTEN)
        return result

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # Known before anything can be wrong with the rest of the line.
        ctx.meta[AS_JSON] = "--json" in args[: args.index("--")] if "--" in args else "--json" in args
        return super().parse_args(ctx, args)


def complain(error: OverwinterError, *, as_json: bool) -> None:
    """The error on stderr: a sentence and advice, or ``{"error": {kind, message, advice, code}}``."""
    from .again import again
    from .view.text import clean_lines, json_text

    message, advice = again(redacted(str(error) or type(error).__name__)), again(exits.advice(error))
    if as_json:
        kind = "Error" if isinstance(error, exits.Exit) else type(error).__name__
        shape = {"kind": kind, "message": message, "advice": advice, "code": exits.code(error)}
        click.echo(json_text({"error": shape}), err=True)
        return
    click.echo(click.style("error: ", fg="red", bold=True) + clean_lines(message), err=True)
    if advice:
        click.echo(clean_lines(advice), err=True)


def _usage(error: click.UsageError) -> exits.Exit:
    """Wrong usage as one of our ends."""
    command = error.ctx.command_path if error.ctx is not None else "overwinter"
    return exits.Exit(error.format_message(), code=error.exit_code, advice=f"{command} --help tells how")


def _is_of_output(error: OSError) -> bool:
    """Whether stdout can't take what a command has to say: it is full, or was closed."""
    return error.filename is None and error.errno in (errno.ENOSPC, errno.EBADF, errno.EIO, errno.EDQUOT)


def _drop_stdout() -> None:
    """Whoever read our output has gone: let the interpreter's last flush go nowhere."""
    with contextlib.suppress(OSError, ValueError):  # not a real file: there is nothing to redirect
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        from .. import __version__

        click.echo(f"overwinter {__version__}")
        ctx.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Print the version."
)
@debug_option
def cli() -> None:
    """A serverless runtime for AI agents: an agent sleeps at zero and wakes where it left off.

    overwinter new shop · cd shop · overwinter dev shop.py
    """
    read_secrets()


def main() -> None:
    """Entry point. Output that the terminal's encoding can't show is replaced, never a crash."""
    import io

    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us: nobody wants to know
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  # open to the end
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    cli(prog_name="overwinter")


if __name__ == "__main__":
    main()
