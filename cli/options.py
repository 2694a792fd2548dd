"""Options that mean the same in every command, and the completion of ids and files."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click
from click.core import ParameterSource

from ..state.quantities import seconds
from .again import GIVEN, GIVEN_URL, note_store

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from ..orchestrator.engine.settings import Settings

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


def _keep(key: str) -> Callable[[click.Context, click.Parameter, str], str]:
    """What is suggested later names the same store, or the same server."""

    def callback(ctx: click.Context, parameter: click.Parameter, value: str) -> str:
        if ctx.get_parameter_source(str(parameter.name)) is ParameterSource.COMMANDLINE:
            ctx.meta[key] = value
        if key == GIVEN:
            note_store(ctx, value)
        return value

    return callback


def store_option(command: Command) -> Command:
    """``--store DSN``, and ``--debug`` with it."""
    option = click.option(
        "--store",
        callback=_keep(GIVEN),
        envvar="OVERWINTER_STATE",
        default=DEFAULT_STORE,
        show_default=True,
        show_envvar=True,
        metavar="DSN",
        help="Where executions live.",
    )
    return option(debug_option(command))


def url_option(command: Command) -> Command:
    """``--url`` and ``--token`` of a running server."""
    token = click.option(
        "--token", envvar="OVERWINTER_TOKEN", default="", show_envvar=True, help="Bearer token of the server."
    )
    url = click.option(
        "--url",
        callback=_keep(GIVEN_URL),
        envvar="OVERWINTER_URL",
        default=DEFAULT_URL,
        show_default=True,
        show_envvar=True,
        help="The running server.",
    )
    return url(token(command))


def duration_option(name: str, *, none: bool = False, **more: Any) -> Callable[[Command], Command]:
    """An option that takes a duration as people write it and hands the text on. None when it is not given. ``none``: a
    plain 0 says that there is no such time."""

    def check(_: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
        value = "0s" if none and value == "0" else value
        try:
            seconds(value or 0)
        except ValueError as error:
            raise click.BadParameter(str(error), param=parameter) from None
        return value

    return click.option(*name.split(), metavar="DURATION", callback=check, **more)


def text_option(*names: str, unsaid: str | None = None, **more: Any) -> Callable[[Command], Command]:
    """An option that takes a text. An empty one is refused: it was meant to say something."""

    def check(_: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
        if value == "":
            raise click.BadParameter("it is empty; leave the option out, or say which", param=parameter)
        return unsaid if value is None else value

    return click.option(*names, default=None, callback=check, **more)


class Load(NamedTuple):
    """What bounds one process that runs executions."""

    max_active: int
    threads: int
    grace: str
    lease: str | None
    deaths: int = 5
    retention: str | None = None
    spare_threads: int = 64
    watchdog: str = "5s"

    def settings(self) -> Settings:
        from ..orchestrator.engine.settings import Settings

        return Settings(**self._asdict())


LOAD_OPTIONS: tuple[Callable[[Callable[..., Any]], Callable[..., Any]], ...] = (
    duration_option(
        "--retention",
        envvar="OVERWINTER_RETENTION",
        default=None,
        show_envvar=True,
        help="Remove executions that ended longer ago, once an hour; without it nothing is removed.",
    ),
    click.option(
        "--deaths",
        envvar="OVERWINTER_DEATHS",
        type=click.IntRange(0, 1000),
        default=5,
        show_default=True,
        show_envvar=True,
        help="Quarantine an execution after so many processes in a row died with it; 0: never.",
    ),
    duration_option(
        "--lease",
        envvar="OVERWINTER_LEASE",
        default=None,
        show_envvar=True,
        help="Another machine takes over from a silent process after this; the store says when not given.",
    ),
    duration_option(
        "--grace",
        envvar="OVERWINTER_GRACE",
        default="15s",
        show_default=True,
        show_envvar=True,
        help="After SIGTERM, to end what runs and hand the rest over.",
    ),
    click.option(
        "--threads",
        envvar="OVERWINTER_THREADS",
        type=click.IntRange(1, 10_000),
        default=32,
        show_default=True,
        show_envvar=True,
        help="For steps and tools that are plain functions.",
    ),
    click.option(
        "--spare-threads",
        envvar="OVERWINTER_SPARE_THREADS",
        type=click.IntRange(0, 10_000),
        default=64,
        show_default=True,
        show_envvar=True,
        help="For those of them that were given up and still run.",
    ),
    duration_option(
        "--watchdog",
        none=True,
        envvar="OVERWINTER_WATCHDOG",
        default="5s",
        show_default=True,
        show_envvar=True,
        help="Name in the log what holds the event loop for longer; 0: nothing looks.",
    ),
    click.option(
        "--max-active",
        envvar="OVERWINTER_MAX_ACTIVE",
        type=click.IntRange(1, 1_000_000),
        default=1000,
        show_default=True,
        show_envvar=True,
        help="Executions active at once; the rest wait in the store.",
    ),
)


def load_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--max-active``, ``--threads`` and so on, one option a field of ``Load``; the command gets them as ``load``."""

    @functools.wraps(command)
    def with_load(**given: Any) -> Any:
        load = Load(**{name: given.pop(name) for name in Load._fields})
        return command(load=load, **given)

    made: Callable[..., Any] = with_load
    for option in LOAD_OPTIONS:
        made = option(made)
    return made


def complete_id(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Ids in the store that start with what was typed. Never fails and never creates a store."""
    from .reach import ids

    dsn = ctx.params.get("store") or DEFAULT_STORE
    return ids(str(dsn), incomplete)


def id_argument(command: Command) -> Command:
    return click.argument("id", metavar="ID", shell_complete=complete_id)(command)


def file_argument(command: Command) -> Command:
    """Eager, because a ``.env`` beside it is read before the options."""
    kind = click.Path(exists=True, dir_okay=False)
    return click.argument("file", metavar="FILE", is_eager=True, type=kind)(command)


def by_default() -> str:
    """Who acts, for the journal: the name of the user at this machine."""
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""
