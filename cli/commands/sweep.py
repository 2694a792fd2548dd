"""``overwinter sweep FILE``: take what is due, work until nothing is active and nothing is due, and exit. For
schedulers that start a process instead of sending a request; a sweep beside serving processes is harmless.

Exit codes: 0 done, 5 when ``--for`` passed and something was still active (it is handed over, not lost).
``--json``: ``{"taken", "active", "next"}``; ``next`` is the earliest wake time in ms since the epoch, or null.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .. import reach
from ..environment import env_file_option, tell_environment
from ..exits import RUNNING, UNAVAILABLE, Exit
from ..logs import log_format_option, log_to_stderr
from ..options import Load, duration_option, file_argument, json_option, load_options, store_option

if TYPE_CHECKING:
    from ...functions.http.sweeping import Swept

JSON = "--json: {taken, active, next}"


@click.command(epilog=JSON)
@file_argument
@env_file_option(looks=False)
@duration_option("--for limit", default=None, help="Hand over and exit after this long (exit code 5).")
@load_options
@log_format_option
@store_option
@json_option
@click.pass_context
def sweep_command(ctx: click.Context, file: str, limit: str | None, load: Load, store: str, as_json: bool) -> None:
    """Take what is due for the functions of FILE, work on it, and exit when nothing is left to do now."""
    from ..view.moments import ago, clock, now
    from ..view.terminal import emit
    from ..view.text import counted

    if not as_json:
        tell_environment()
    log_to_stderr()
    swept = reach.run(_sweep(file, limit, load, store))
    if as_json:
        emit(swept._asdict())
    else:
        today = now()
        later = "nothing to wake later"
        if swept.next is not None and swept.next > today:
            later = f"next wake {ago(swept.next, today)}, {clock(swept.next, today)}"
        elif swept.next is not None:
            later = "more is due; what is not for these functions waits for a process that serves it"
        active = f", {swept.active} still active and handed over" if swept.active else ""
        click.echo(f"{counted(swept.taken, 'execution')} worked on{active}; {later}")
    ctx.exit(RUNNING if swept.active else 0)


async def _sweep(file: str, limit: str | None, load: Load, dsn: str) -> Swept:
    from ...functions.http.sweeping import sweep_for
    from ...functions.invocation.loading import functions_of
    from ...functions.invocation.loading import load as load_file
    from ...functions.runtime import Runtime
    from ...state.quantities import seconds
    from ..ending import stoppable

    functions = functions_of(load_file(Path(file)))
    path = reach.sqlite_path(dsn)
    if path is not None and not path.exists():
        advice = "--store or OVERWINTER_STATE chooses the store of the processes that serve this file."
        raise Exit(f"there is no store at {path}, so nothing can be due", code=UNAVAILABLE, advice=advice)
    settings = load.settings()
    stopped = "stopped; what was taken is handed over to the next sweep"
    async with Runtime(functions, dsn, settings) as runtime, stoppable(runtime, seconds(settings.grace), stopped):
        return await sweep_for(runtime, None if limit is None else seconds(limit))
