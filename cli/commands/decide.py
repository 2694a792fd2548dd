"""``overwinter approvals | approve | deny | delegate``: what waits for a person, and the person's answer. A decision is
bound to the digest of what was shown, so nobody approves something that changed in between.

``approvals --json``: ``{"approvals": [{execution, function, op, name, what, role, data, digest, until, at, …}…]}``;
``approve``/``deny --json``: ``{"execution", "op", "name", "what", "approved", "digest", "by", "reason", "data"}``;
``delegate --json``: ``{"execution", "op", "name", "what", "digest", "by", "role", "to", "reason"}``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from ...state.records import Head
from .. import reach
from ..exits import USAGE, Exit
from ..inputs import object_of
from ..options import by_default, complete_id, id_argument, json_option, store_option, text_option
from .standing import listed

if TYPE_CHECKING:
    from ...orchestrator.control import Control
    from ...orchestrator.deciding import Wanted
    from ...orchestrator.governance.approvals.standing import Standing

Approval = Mapping[str, Any]

LISTED = "--json: {approvals: [{execution, function, op, name, what, role, data, digest, until, at, …}]}"
DECIDED = "--json: {execution, op, name, what, approved, digest, by, reason, data}"
DELEGATED = "--json: {execution, op, name, what, digest, by, role, to, reason}"
_SHOWN = ("op", "name", "what", "role", "data", "digest", "until", "at")
_MORE = ("needs", "votes", "requester", "approver", "moved", "original", "edited", "reminded", "why")


@click.command(epilog=LISTED)
@click.argument("id", metavar="[ID]", required=False, shell_complete=complete_id)
@text_option("--role", unsaid="", help="Only what this role may decide.")
@text_option("--function", "--agent", "function", unsaid="", help="Only of this agent, workflow or state machine.")
@text_option("--older", unsaid="", help="Only what has waited for so long, like 2h.")
@text_option("--approver", unsaid="", help="Only what was given to this person to decide.")
@click.option("--standing", is_flag=True, help="The standing approvals instead, with --role and --agent.")
@store_option
@json_option
def approvals_command(
    id: str | None, role: str, function: str, older: str, approver: str, standing: bool, store: str, as_json: bool
) -> None:
    """List everything that waits for a person, oldest first."""
    if standing:
        if older or approver:
            raise Exit("--older and --approver are about what waits, and not about --standing", code=USAGE)
        listed(store, id, role, function, as_json=as_json)
        return
    found = reach.run(_approvals(store, id, role, function, older, approver))
    if as_json:
        from ..view.terminal import emit

        emit({"approvals": [_shape(head, approval) for head, approval in found]})
        return
    _print(found)


_digest_option = text_option("--digest", unsaid="", help="Only what has this digest, as approvals --json told it.")


@click.command(epilog=DECIDED)
@id_argument
@click.argument("op", metavar="[OP]", required=False)
@click.option("--by", default=None, help="Who approves; you, when not given.")
@text_option("--role", unsaid="", help="As whom; it must be the role that is asked.")
@click.option("--reason", default="", help="Why, for the journal.")
@text_option("--edit", unsaid="", help="Other arguments in the place of the call's own: JSON, or @FILE.")
@_digest_option
@text_option("--standing", unsaid="", help="Later calls too: 'session', or for a time like 1d.")
@click.option("--exactly", is_flag=True, help="With --standing: only with exactly these arguments.")
@click.option("--up-to", "up_to", multiple=True, help="With --standing: only up to an amount, like amount=100.")
@click.option(
    "--for-all", is_flag=True, help="With --standing TIME: in all executions of the agent, workflow or machine."
)
@store_option
@json_option
def approve_command(
    id: str, op: str | None, by: str | None, role: str, reason: str, edit: str, digest: str, standing: str,
    exactly: bool, up_to: tuple[str, ...], for_all: bool, store: str, as_json: bool,
) -> None:  # fmt: skip
    """Approve what an execution waits for. OP is needed when it waits for several decisions."""
    said = {"by": by_default() if by is None else by, "reason": reason, "role": role, "digest": digest}
    _decide(store, id, op, True, said, edit, as_json=as_json, standing=_standing(standing, exactly, up_to, for_all))


def _standing(lasts: str, exactly: bool, up_to: tuple[str, ...], for_all: bool) -> Standing | None:
    """What is said of later calls. Raises Exit."""
    from ...orchestrator.governance.approvals.standing import Standing
    from ...state.errors import InvalidInput

    if not lasts:
        if exactly or up_to or for_all:
            raise Exit("--exactly, --up-to and --for-all say what --standing is for; give that too", code=USAGE)
        return None
    amounts: dict[str, str] = {}
    for said in up_to:
        name, _, most = (part.strip() for part in said.partition("="))
        if name in amounts:
            raise Exit(f"--up-to: {name or 'nothing'} is said twice; say one amount of each argument", code=USAGE)
        amounts[name] = most
    try:
        return Standing(lasts, exactly, amounts or None, for_all)
    except InvalidInput as error:
        raise Exit(f"--standing: {error}", code=USAGE) from None


@click.command(epilog=DECIDED)
@id_argument
@click.argument("op", metavar="[OP]", required=False)
@click.option("--by", default=None, help="Who denies; you, when not given.")
@text_option("--role", unsaid="", help="As whom; it must be the role that is asked.")
@click.option("--reason", default="", help="Why; the execution is told.")
@_digest_option
@store_option
@json_option
def deny_command(
    id: str, op: str | None, by: str | None, role: str, reason: str, digest: str, store: str, as_json: bool
) -> None:
    """Deny what an execution waits for. OP is needed when it waits for several decisions."""
    said = {"by": by_default() if by is None else by, "reason": reason, "role": role, "digest": digest}
    _decide(store, id, op, False, said, "", as_json=as_json)


@click.command(epilog=DELEGATED)
@id_argument
@click.argument("op", metavar="[OP]", required=False)
@text_option("--role", unsaid="", help="The role that is to decide it.")
@text_option("--to", unsaid="", help="The person who alone is to decide it.")
@click.option("--by", default=None, help="Who gives it to them; you, when not given.")
@click.option("--reason", default="", help="Why, for the journal.")
@store_option
@json_option
def delegate_command(
    id: str, op: str | None, role: str, to: str, by: str | None, reason: str, store: str, as_json: bool
) -> None:
    """Let another role, or one person, decide what an execution waits for."""
    said = {"role": role, "to": to, "by": by_default() if by is None else by, "reason": reason}
    approval = reach.run(_delegate(store, id, op, said))
    if as_json:
        from ..view.terminal import emit

        emit({"execution": id, **{key: approval.get(key) for key in ("op", "name", "what", "digest")}, **said})
        return
    from ..view.terminal import say

    say(f"{approval.get('name') or 'the request'} of {id} (operation {approval['op']}) is for {to or role} to decide")


def _decide(
    dsn: str, id: str, op: str | None, approved: bool, said: dict[str, str], edit: str, *, as_json: bool,
    standing: Standing | None = None,
) -> None:  # fmt: skip
    arguments: dict[str, Any] | None = object_of(edit, "--edit") if edit else None
    approval = reach.run(_send(dsn, id, op, approved, said, arguments, standing))
    if as_json:
        from ..view.terminal import emit

        kept = {key: approval.get(key) for key in ("op", "name", "what", "digest")}
        data = approval.get("data") if arguments is None else arguments
        emit({"execution": id, "approved": approved, "by": said["by"], "reason": said["reason"], **kept, "data": data})
        return
    from ..view.decisions import differences
    from ..view.lines import proposal
    from ..view.terminal import say
    from ..view.text import shorten

    verb = "approved" if approved else "denied"
    name = str(approval.get("name") or "the request")
    about = proposal(dict(approval), name)
    if arguments is not None:
        about = differences(approval.get("data"), arguments)
    say(f"{verb} {name} of {id} (operation {approval['op']})" + (f": {shorten(about, 200)}" if about else ""))
    left = int(approval.get("needs") or 1) - len(approval.get("votes") or ()) - 1
    if approved and arguments is None and left > 0:
        say(f"{left} more {'has' if left == 1 else 'have'} to approve it", style="dim")


async def _send(
    dsn: str, id: str, op: str | None, approved: bool, said: dict[str, str], arguments: dict[str, Any] | None,
    standing: Standing | None,
) -> Approval:  # fmt: skip
    async with reach.control(dsn) as control:
        approval = chosen(await control.show(id), await control.approvals(id), op)
        digest = said["digest"] or str(approval.get("digest") or "")
        by, reason, role = said["by"], said["reason"], said["role"]
        await control.decide(
            id, str(approval["op"]), approved, by=by, reason=reason, role=role, digest=digest, arguments=arguments,
            standing=standing,
        )  # fmt: skip
        return approval


async def _delegate(dsn: str, id: str, op: str | None, said: dict[str, str]) -> Approval:
    if not (said["role"] or said["to"]):
        raise Exit("say who is to decide: --role ROLE, or --to PERSON", code=USAGE)
    async with reach.control(dsn) as control:
        approval = chosen(await control.show(id), await control.approvals(id), op)
        await control.delegate(id, str(approval["op"]), digest=str(approval.get("digest") or ""), **said)
        return approval


def chosen(head: Head, open_ones: Sequence[Approval], op: str | None) -> Approval:
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


async def _approvals(
    dsn: str, id: str | None, role: str, function: str, older: str, approver: str
) -> list[tuple[Head, Approval]]:
    from ...orchestrator.deciding import Wanted
    from ...orchestrator.protocol.entries import resolve
    from ...state.quantities import milliseconds

    try:
        lasted = milliseconds(older) if older else 0
    except ValueError as error:
        raise Exit(f"--older: {error}", code=USAGE) from None
    async with reach.control(dsn) as control:
        await reach.tell_moved(control.store)
        before = control.clock() - lasted if older else 0
        wanted = Wanted(role, function, before, approver)
        found = await _of(control, id, wanted)
        for head, approval in found:
            await resolve(control.store, head.id, [approval])
    return sorted(found, key=lambda pair: int(pair[1].get("at") or 0))


async def _of(control: Control, id: str | None, wanted: Wanted) -> list[tuple[Head, dict[str, Any]]]:
    if id is None:
        return [pair async for pair in control.waiting(wanted)]
    return [pair async for pair in control.waiting_of(await control.show(id), wanted)]


def _shape(head: Head, approval: Approval) -> dict[str, Any]:
    told = {key: approval.get(key) for key in _SHOWN} | {key: approval[key] for key in _MORE if key in approval}
    return {"execution": head.id, "function": head.function, **told}


def _print(found: Sequence[tuple[Head, Approval]]) -> None:
    from ..view.command import command
    from ..view.heads import table
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
            (clean(_who(approval)), ""),
            (ago(int(approval.get("at") or today), today), "dim"),
            (ago(int(approval["until"]), today) if approval.get("until") else "never", "dim"),
            (_about(approval), ""),
        ]
        for head, approval in found
    ]
    out = console()
    for line in table(["ID", "OP", "WHAT", "WHO", "SINCE", "EXPIRES", "ABOUT"], rows, out.width):
        out.print(line)
    head, approval = found[0]
    say(f"→ {command('approve', head.id, str(approval['op']))}", style="dim")


def _who(approval: Approval) -> str:
    """Who is to decide, and how many of how many have."""
    who = str(approval.get("approver") or approval.get("role") or "anybody")
    needs = int(approval.get("needs") or 1)
    return f"{who} ({len(approval.get('votes') or ())} of {needs})" if needs > 1 else who


def _about(approval: Approval) -> str:
    from ..view.decisions import differences
    from ..view.lines import proposal
    from ..view.text import clean

    about = proposal(dict(approval), str(approval.get("name", "")))
    if approval.get("edited"):
        about = f"{differences(approval.get('original'), approval.get('data'))} (by {approval['edited']})"
    return clean(f"{approval['why']}: {about}" if approval.get("why") else about)
