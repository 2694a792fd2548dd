"""``overwinter doubts | resolve``: calls of which nobody knows whether they took effect, and the word of somebody who
has found out. The first word counts, and stands in the journal with who said it and why.

``doubts --json``: ``{"doubts": [{execution, function, parent, op, name, since, key, arguments, why, until, rule}…]}``;
``resolve --json``: ``{"execution", "op", "verdict", "value", "by", "reason"}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from ...state.records import FINAL, IN_DOUBT, Filter, Head
from .. import reach
from ..inputs import DATA, read_value
from ..options import by_default, complete_id, id_argument, json_option, store_option, text_option

if TYPE_CHECKING:
    from ...orchestrator.usercode.reconciling import Done, GiveUp, NotDone

Doubt = Mapping[str, Any]
LISTED = "--json: {doubts: [{execution, function, parent, op, name, since, key, arguments, why, until, rule}]}"
RESOLVED = "--json: {execution, op, verdict, value, by, reason}"
FIELDS = ("op", "name", "since", "key", "arguments", "why", "until", "rule")


@click.command(epilog=LISTED)
@click.argument("id", metavar="[ID]", required=False, shell_complete=complete_id)
@text_option("--function", unsaid="", help="Only of this workflow, agent or tool.")
@store_option
@json_option
def doubts_command(id: str | None, function: str, store: str, as_json: bool) -> None:
    """List the calls of which nobody knows whether they took effect, oldest first."""
    found = reach.run(_doubts(store, id, function))
    if as_json:
        from ..view.terminal import emit

        emit({"doubts": [_shape(head, doubt) for head, doubt in found]})
        return
    _print(found)


@click.command(epilog=RESOLVED)
@id_argument
@click.argument("op", metavar="[OP]", required=False)
@click.option("--done", metavar="RESULT", default=None, help="It took effect, and gave that (JSON or text).")
@click.option("--not-done", is_flag=True, help="It did not take effect: it is made again, under the same key.")
@click.option("--give-up", is_flag=True, help="Nobody will ever know: whoever ordered it is told so (InDoubt).")
@click.option("--by", default=None, help="Who says so; you, when not given.")
@click.option("--reason", default="", help="How one knows, for the journal.")
@store_option
@json_option
def resolve_command(
    id: str,
    op: str | None,
    done: str | None,
    not_done: bool,
    give_up: bool,
    by: str | None,
    reason: str,
    store: str,
    as_json: bool,
) -> None:
    """Say what came of a call in doubt. OP is needed when there are several."""
    if (done is not None) + not_done + give_up != 1:
        raise click.UsageError("say one of --done RESULT, --not-done, --give-up")
    from ...orchestrator.usercode.reconciling import Done, GiveUp, NotDone

    value = None if done is None else read_value(done, DATA)
    outcome = Done(value) if done is not None else NotDone() if not_done else GiveUp()
    who = by_default() if by is None else by
    resolved = reach.run(_resolve(store, id, op, outcome, who, reason))
    verdict = "done" if done is not None else "not-done" if not_done else "give-up"
    if as_json:
        from ..view.terminal import emit

        emit({"execution": id, "op": resolved, "verdict": verdict, "value": value, "by": who, "reason": reason})
        return
    from ..view.terminal import say

    say(f"operation {resolved} of {id} is resolved: {verdict}")


async def _resolve(dsn: str, id: str, op: str | None, outcome: Done | NotDone | GiveUp, by: str, reason: str) -> str:
    async with reach.control(dsn) as control:
        return await control.resolve(id, op, outcome, by=by, reason=reason)


async def _doubts(dsn: str, id: str | None, function: str) -> list[tuple[Head, Doubt]]:
    async with reach.control(dsn) as control:
        await reach.tell_moved(control.store)
        where = Filter((IN_DOUBT,), function=function)
        heads = [await control.show(id)] if id is not None else [head async for head in control.all(where)]
        looked = [head for head in heads if head.status not in FINAL]
        found = [(head, doubt) for head in looked for doubt in await control.doubts(head.id)]
    return sorted(found, key=lambda pair: int(pair[1].get("since") or 0))


def _shape(head: Head, doubt: Doubt) -> dict[str, Any]:
    told = {name: doubt.get(name) for name in FIELDS}
    return {"execution": head.id, "function": head.function, "parent": head.parent, **told}


def _print(found: list[tuple[Head, Doubt]]) -> None:
    from ..view.command import command
    from ..view.doubts import ways
    from ..view.heads import table
    from ..view.lines import doubted
    from ..view.moments import ago, now
    from ..view.terminal import console, say
    from ..view.text import clean

    if not found:
        say("nothing is in doubt")
        return
    today = now()
    rows = [
        [
            (clean(head.id), "bold"),
            (clean(str(doubt["op"])), "dim"),
            (doubted(dict(doubt)), "yellow"),
            (ago(int(doubt.get("since") or today), today), "dim"),
            (_rule(doubt, today), "dim"),
            (clean(str(doubt.get("key") or "")), ""),
        ]
        for head, doubt in found
    ]
    out = console()
    for line in table(["ID", "OP", "CALL", "SINCE", "THEN", "KEY"], rows, out.width):
        out.print(line)
    head, doubt = found[0]
    say(f"→ {ways(command('resolve', head.id, str(doubt['op'])))}", style="dim")


def _rule(doubt: Doubt, today: int) -> str:
    from ..view.moments import ago

    rule = doubt.get("rule")
    if not isinstance(rule, dict):
        return "waits"
    return f"{rule['then']} {ago(int(rule['at']), today)}"  # pyright: ignore[reportUnknownArgumentType]  # JSON
