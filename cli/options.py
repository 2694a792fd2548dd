"""Options that mean the same in every command, and the completion of ids and files."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Command = TypeVar("Command", bound=Callable[..., Any])

DEFAULT_STORE = "sqlite:///overwinter.db"
DEFAULT_URL = "http://127.0.0.1:8080"
DEBUG = "overwinter.debug"
AS_JSON = "overwinter.json"


def _remember(key: str) -> Callable[[click.Context, click.Parameter, bool], bool]:
    def callback(ctx: click.Context, _: click.Parameter, value: bool) -> bool:
        ctx.meta[key] = value or ctx.meta.get(key, False)
        return value

    return callback


def debug_option(command: Command) -> Command:
    return click.option(
        "--debug",
        is_flag=True,
        expose_value=False,
        callback=_remember(DEBUG),
        help="Show the traceback of an error.",
    )(command)


def json_option(command: Command) -> Command:
    return click.option(
        "--json", "as_json", is_flag=True, callback=_remember(AS_JSON), help="Write JSON for programs."
    )(command)


def store_option(command: Command) -> Command:
    """``--store DSN``, and ``--debug`` with it."""
    option = click.option(
        "--store",
        envvar="OVERWINTER_STATE",
        default=DEFAULT_STORE,
        show_default=True,
        show_envvar=True,
        metavar="DSN",
        help="Where executions live.",
    )
    return option(debug_option(command))


def complete_id(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Ids in the store that start with what was typed. Never fails and never creates a store."""
    from .reach import ids

    dsn = ctx.params.get("store") or DEFAULT_STORE
    return ids(str(dsn), incomplete)


def id_argument(command: Command) -> Command:
    return click.argument("id", metavar="ID", shell_complete=complete_id)(command)


def file_argument(command: Command) -> Command:
    return click.argument("file", metavar="FILE", type=click.Path(exists=True, dir_okay=False))(command)


def by_default() -> str:
    """Who acts, for the journal: the name of the user at this machine."""
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""
