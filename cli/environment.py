"""Variables from a ``.env`` file, for commands at a developer's desk. What the environment holds already wins, and no
value of the file is ever shown. A process in production reads none, unless ``--env-file`` names one.

The file is ``.env`` of the current folder, else the one beside FILE. Its options are read after it, so it may also say
where the store is or which token a server asks for.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from ..security.address import shown
from .again import GIVEN
from .secret_files import read_secrets

if TYPE_CHECKING:
    from dotenv.parser import Original

Command = TypeVar("Command", bound=Callable[..., Any])

NAME = ".env"
STORE = "OVERWINTER_STATE"
READ = "overwinter.environment"
"""Under which key of ``Context.meta`` is what was read."""
SHOWN = 6


class Environment(NamedTuple):
    """A file that was read: ``taken`` are the variables it set, ``kept`` those that were set before."""

    path: str = ""
    taken: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()

    def without(self) -> dict[str, str]:
        """The environment of this process as it would be without the file."""
        return {name: value for name, value in os.environ.items() if name not in self.taken}


def env_file_option(*, looks: bool) -> Callable[[Command], Command]:
    """``--env-file``. ``looks``: without it a ``.env`` that lies there is read. FILE has to be an eager argument."""

    def callback(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
        path = Path(value) if value is not None else _lying_there(ctx.params.get("file")) if looks else None
        if path is not None and not ctx.resilient_parsing:
            ctx.meta[READ] = _read(path, parameter, ctx)
        return value

    told = "Read variables from this file; .env, when there is one." if looks else "Read variables from this file."
    return click.option(
        "--env-file",
        type=click.Path(exists=True, dir_okay=False),
        expose_value=False,
        is_eager=True,
        callback=callback,
        help=told,
    )


def environment() -> Environment:
    """What was read for this command."""
    found: Environment = click.get_current_context().meta.get(READ, Environment())
    return found


def present(file: str) -> str:
    """The path of the file as a process that is started now should read it; "" when there is none."""
    named = environment().path
    path = Path(named) if named and Path(named).is_file() else _lying_there(file)
    return "" if path is None else str(path)


def names_a_store() -> bool:
    """Whether the ``.env`` of the current folder says where the store is."""
    try:
        lines = Path(NAME).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return False
    return any(line.strip().removeprefix("export ").lstrip().startswith(f"{STORE}=") for line in lines)


def tell_environment() -> None:
    """Say that a file was read: names, never values."""
    from .view.terminal import say

    read = environment()
    if not read.path:
        return
    parts = [_listed(read.taken) or "nothing new"]
    parts += [f"{_listed(read.kept)} set already, kept"] if read.kept else []
    say(f"read {read.path}: {'; '.join(parts)}", style="dim")


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _lying_there(file: object) -> Path | None:
    folders = [Path(), *([Path(file).parent] if isinstance(file, str) else [])]
    return next((path for folder in folders if (path := folder / NAME).is_file()), None)


def _number(original: Original) -> int:
    """Where it stands; the library counts from the blank lines before it."""
    text = original.string
    return original.line + text[: len(text) - len(text.lstrip())].count("\n")


def _read(path: Path, parameter: click.Parameter, ctx: click.Context) -> Environment:
    """Set what the file says and the environment does not. Raises BadParameter with the line that can't be read."""
    from dotenv import dotenv_values
    from dotenv.parser import parse_stream

    try:
        with path.open(encoding="utf-8") as stream:
            wrong = [_number(line.original) for line in parse_stream(stream) if line.error]
    except (OSError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"{path} can't be read: {error}", param=parameter) from None
    if wrong:
        raise click.BadParameter(f"{path}, line {wrong[0]}: this is no NAME=value; correct it", param=parameter)
    said = {name: value for name, value in dotenv_values(path, encoding="utf-8").items() if value is not None}
    if unfit := [name for name, value in said.items() if "\0" in name + value]:
        raise click.BadParameter(f"{path}: {unfit[0]} has a NUL in it; no variable can hold that", param=parameter)
    taken = tuple(name for name in said if name not in os.environ)
    os.environ.update({name: said[name] for name in taken})
    if "OVERWINTER_SECRETS" in taken:
        read_secrets()
    if STORE in taken and shown(said[STORE]) == said[STORE]:
        ctx.meta.setdefault(
            GIVEN, said[STORE]
        )  # other commands do not read the file: what is suggested names the store
    return Environment(str(path), taken, tuple(name for name in said if name not in taken))
