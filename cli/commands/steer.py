"""``overwinter pause | resume | retry | cancel | terminate``: for executions named by id, or for all that match
``--where``. The request is durable when the command returns; a serving process carries it out.

``--json``: ``{"action", "count", "ids"}``; ``ids`` are the named ones, null with ``--where``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from .. import reach
from ..options import by_default, complete_id, json_option, store_option
from ..selection import LIVE, confirm, matching, selection

if TYPE_CHECKING:
    from ...state.records import Filter

MEANT = {
    "pause": tuple(status for status in LIVE if status not in ("paused", "stuck")),
    "resume": ("paused", "stuck"),
    "retry": ("failed",),
    "cancel": LIVE,
    "terminate": LIVE,
}
"""Statuses that a bulk action means when ``--where`` names none."""
DONE = {
    "pause": "asked to pause",
    "resume": "asked to go on",
    "retry": "opened again",
    "cancel": "asked to cancel",
    "terminate": "terminated",
}


def _command(action: str, line: str) -> click.Command:
    @click.command(action, help=line, epilog="--json: {action, count, ids}")
    @click.argument("ids", metavar="[ID]...", nargs=-1, shell_complete=complete_id)
    @click.option("--where", multiple=True, metavar="KEY=VALUE", help="All with status=, function=, prefix=, parent= …")
    @click.option("--yes", "-y", is_flag=True, help="Do not ask before a bulk action.")
    @click.option("--by", default=None, help="Who asks; you, when not given.")
    @click.option("--reason", default="", help="Why, for the journal.")
    @store_option
    @json_option
    def command(
        ids: Sequence[str],
        where: Sequence[str],
        yes: bool,
        by: str | None,
        reason: str,
        store: str,
        as_json: bool,
        repeat: bool = False,
    ) -> None:
        if bool(ids) == bool(where):
            raise click.UsageError(f"name executions (overwinter {action} ID), or choose them with --where KEY=VALUE")
        who = by_default() if by is None else by
        if ids:
            count = reach.run(_named(store, action, ids, who, reason, repeat=repeat))
        else:
            count = reach.run(_bulk(store, action, selection(where, MEANT[action]), who, reason, ask=not yes))
        _report(action, count, ids, as_json=as_json)

    if action == "retry":
        command.params.append(click.Option(["--repeat"], is_flag=True, help="Also a call that may have taken effect."))
    return command


pause_command = _command("pause", "Hold executions where they are; nothing is lost, resume goes on.")
resume_command = _command("resume", "Go on with paused executions, or with stuck ones after a fix.")
retry_command = _command("retry", "Open failed executions again, from the failed step.")
cancel_command = _command("cancel", "Ask executions to clean up and end, with their children.")
terminate_command = _command("terminate", "End executions at once, without clean-up.")


async def _named(dsn: str, action: str, ids: Sequence[str], by: str, reason: str, *, repeat: bool) -> int:
    async with reach.control(dsn) as control:
        for id in ids:
            await control.show(id)
        for id in ids:
            await control.act(action, id, by=by, reason=reason, repeat=repeat)
    return len(ids)


async def _bulk(dsn: str, action: str, where: Filter, by: str, reason: str, *, ask: bool) -> int:
    async with reach.control(dsn) as control:
        count = await matching(control, where)
        if count and ask:
            confirm(action, count)
        return await control.bulk(action, where, by=by, reason=reason) if count else 0


def _report(action: str, count: int, ids: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        from ..view.terminal import emit

        emit({"action": action, "count": count, "ids": list(ids) or None})
        return
    from ..view.terminal import say
    from ..view.text import counted

    named = ids[0] if len(ids) == 1 else counted(count, "execution")
    say(f"{named} {DONE[action]}" if count else "no execution matches")
