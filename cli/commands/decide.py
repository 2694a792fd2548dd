"""``overwinter approvals | approve | deny``: what waits for a person, and the person's answer. A decision is bound
to the digest of what was shown, so nobody approves something that changed in between.

``approvals --json``: ``{"approvals": [{execution, function, op, name, what, role, data, digest, until, at}…]}``;
``approve``/``deny --json``: ``{"execution", "op", "name", "what", "approved", "digest", "by", "reason"}``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from ...state.records import FINAL, Filter, Head
from .. import reach
from ..exits import USAGE, Exit
from ..options import by_default, complete_id, id_argument, json_option, store_option, text_option

if TYPE_CHECKING:
    from ...orchestrator.control import Control

Approval = Mapping[str, Any]


LISTED = "--json: {approvals: [{execution, function, op, name, what, role, data, digest, until, at}]}"
DECIDED = "--json: {execution, op, name, what, approved, digest, by, reason}"


@click.command(epilog=LISTED)
@click.argument("id", metavar="[ID]", required=False, shell_complete=complete_id)
@text_option("--role", unsaid="", help="Only what this role may decide.")
@text_option("--function", unsaid="", help="Only of this workflow or agent.")
@store_option
@json_option
def approvals_command(id: str | None, role: str, function: str, store: str, as_json: bool) -> None:
    """List everything that waits for a person, oldest first."""
    found = reach.run(_approvals(store, id, role, function))
    if as_json:
        from ..view.terminal import emit

        emit({"approvals": [_shape(head, approval) for head, approval in found]})
        return
    _print(found)


@click.command(epilog=DECIDED)
@id_argument
@click.argument("op", metavar="[OP]", required=False)
@click.option("--by", default=None, help="Who approves; you, when not given.")
@click.option("--reason", default="", help="Why, for the journal.")
@store_option
@json_option
def approve_command(id: str, op: str | None, by: str | None, reason: str, store: str, as_json: bool) -> None:
    """Approve what an execution waits for. OP is needed when it waits for several decisions."""
    _decide(store, id, op, True, by_default() if by is None else by, reason, as_json=as_json)


@click.command(epilog=DECIDED)
@id_argument
@click.argument("op", metavar="[OP]", required=False)
@click.option("--by", default=None, help="Who denies; you, when not given.")
@click.option("--reason", default="", help="Why; the execution is told.")
@store_option
@json_option
def deny_command(id: str, op: str | None, by: str | None, reason: str, store: str, as_json: bool) -> None:
    """Deny what an execution waits for. OP is needed when it waits for several decisions."""
    _decide(store, id, op, False, by_default() if by is None else by, reason, as_json=as_json)


def _decide(dsn: str, id: str, op: str | None, approved: bool, by: str, reason: str, *, as_json: bool) -> None:
    approval = reach.run(_send(dsn, id, op, approved, by, reason))
    if as_json:
        from ..view.terminal import emit

        kept = {key: approval.get(key) for key in ("op", "name", "what", "digest")}
        emit({"execution": id, "approved": approved, "by": by, "reason": reason, **kept})
        return
    from ..view.lines import proposal
    from ..view.terminal import say
    from ..view.text import shorten

    verb = "approved" if approved else "denied"
    name = str(approval.get("name") or "the request")
    about = proposal(dict(approval), name)
    say(f"{verb} {name} of {id} (operation {approval['op']})" + (f": {shorten(about, 200)}" if about else ""))


async def _send(dsn: str, id: str, op: str | None, approved: bool, by: str, reason: str) -> Approval:
    async with reach.control(dsn) as control:
        head = await control.show(id)
        approval = _chosen(head, await control.approvals(id), op)
        digest = str(approval.get("digest") or "")
        await control.decide(id, str(approval["op"]), approved, by=by, reason=reason, digest=digest)
        return approval


def _chosen(head: Head, open_ones: Sequence[Approval], op: str | None) -> Approval:
    """The approval that is meant. Raises Exit naming the choices."""
    from ..view.command import command

    if op is not None:
        open_ones = [approval for approval in open_ones if approval["op"] == op]
    if not open_ones:
        state = f"it is {head.status}" + (f", waiting for {head.awaits}" if head.awaits else "")
        which = f"an approval under operation {op}" if op else "an approval"
        advice = f"{command('show', head.id)} tells what it does."
        raise Exit(f"{head.id} does not wait for {which}: {state}", code=USAGE, advice=advice)
    if len(open_ones) > 1:
        choices = ", ".join(f"{approval['op']} ({approval.get('name')})" for approval in open_ones)
        advice = f"Name one: {command('approve', head.id, str(open_ones[0]['op']))}"
        raise Exit(f"{head.id} waits for {len(open_ones)} decisions: {choices}", code=USAGE, advice=advice)
    return open_ones[0]


async def _approvals(dsn: str, id: str | None, role: str, function: str) -> list[tuple[Head, Approval]]:

    async with reach.control(dsn) as control:
        await reach.tell_moved(control.store)
        where = Filter(function=function, awaits="approval")
        heads = [await control.show(id)] if id is not None else [head async for head in control.all(where)]
        found = [(head, approval) for head in heads for approval in await _of(control, head)]
    wanted = [(head, approval) for head, approval in found if not role or approval.get("role") == role]
    return sorted(wanted, key=lambda pair: int(pair[1].get("at") or 0))


async def _of(control: Control, head: Head) -> Sequence[Approval]:
    return [] if head.status in FINAL else await control.approvals(head.id)


def _shape(head: Head, approval: Approval) -> dict[str, Any]:
    keys = ("op", "name", "what", "role", "data", "digest", "until", "at")
    return {"execution": head.id, "function": head.function, **{key: approval.get(key) for key in keys}}


def _print(found: Sequence[tuple[Head, Approval]]) -> None:
    from ..view.command import command
    from ..view.heads import table
    from ..view.lines import proposal
    from ..view.moments import ago, now
    from ..view.terminal import console, say
    from ..view.text import clean, excerpt

    if not found:
        say("nothing waits for a person")
        return
    today = now()
    rows = [
        [
            (clean(head.id), "bold"),
            (clean(str(approval["op"])), "dim"),
            (excerpt(approval.get("name") or approval.get("what"), 40), "yellow"),
            (clean(str(approval.get("role") or "anybody")), ""),
            (ago(int(approval.get("at") or today), today), "dim"),
            (ago(int(approval["until"]), today) if approval.get("until") else "never", "dim"),
            (proposal(dict(approval), str(approval.get("name", ""))), ""),
        ]
        for head, approval in found
    ]
    out = console()
    for line in table(["ID", "OP", "WHAT", "WHO", "SINCE", "EXPIRES", "ABOUT"], rows, out.width):
        out.print(line)
    head, approval = found[0]
    say(f"→ {command('approve', head.id, str(approval['op']))}", style="dim")
