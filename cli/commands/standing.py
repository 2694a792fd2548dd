"""``overwinter approvals --standing | revoke``: what somebody who approved a call has said of later ones, and its end.

``approvals --standing --json``: ``{"standing": [{execution, function, id, what, version, role, by, at, …}…]}``, and as
was said ``until``, ``exactly``, ``up_to``, ``for_all``; ``revoke --json``: ``{"execution", "standing", "what", "by",
"reason"}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from .. import reach
from ..options import by_default, id_argument, json_option, store_option

REVOKED = "--json: {execution, standing, what, by, reason}"


@click.command(epilog=REVOKED)
@id_argument
@click.argument("standing")
@click.option("--by", default=None, help="Who revokes it; you, when not given.")
@click.option("--reason", default="", help="Why, for the journal.")
@store_option
@json_option
def revoke_command(id: str, standing: str, by: str | None, reason: str, store: str, as_json: bool) -> None:
    """End a standing approval: later calls wait for somebody again. `approvals --standing` lists them. ID of one for
    all executions is the agent's name, or any execution of it."""
    who = by_default() if by is None else by
    terms = reach.run(_revoke(store, id, standing, who, reason))
    if as_json:
        from ..view.terminal import emit

        emit({"execution": id, "standing": standing, "what": terms["what"], "by": who, "reason": reason})
        return
    from ..view.terminal import say

    of = f"all executions ({id})" if terms.get("for_all") else id
    say(f"revoked {standing} of {of}: later calls of {terms['what']} wait for {terms['role']}")


async def _revoke(dsn: str, id: str, standing: str, by: str, reason: str) -> Mapping[str, Any]:
    async with reach.control(dsn) as control:
        return await control.revoke(id, standing, by=by, reason=reason)


def listed(dsn: str, id: str | None, role: str, function: str, *, as_json: bool) -> None:
    """Those that are good now."""
    found = reach.run(_found(dsn, id, role, function))
    if as_json:
        from ..view.terminal import emit

        emit({"standing": found})
        return
    from ..view.decisions import bounds
    from ..view.heads import table
    from ..view.moments import ago, now
    from ..view.terminal import console, say
    from ..view.text import clean

    if not found:
        say("there are no standing approvals")
        return
    today = now()
    rows = [
        [
            (clean(str(terms["function" if terms.get("for_all") else "execution"])), "bold"),
            (clean(str(terms["id"])), "dim"),
            (clean(str(terms["what"])), "yellow"),
            (clean(bounds(terms)), ""),
            (clean(f"{terms['by']}, as {terms['role']}"), ""),
            (ago(int(terms["until"]), today) if "until" in terms else "never", "dim"),
        ]
        for terms in found
    ]
    out = console()
    for line in table(["ID", "STANDING", "TOOL", "ONLY", "GIVEN BY", "ENDS"], rows, out.width):
        out.print(line)


async def _found(dsn: str, id: str | None, role: str, function: str) -> list[Mapping[str, Any]]:
    async with reach.control(dsn) as control:
        found: list[Mapping[str, Any]] = []
        async for name, terms in control.standings_for_all(id, role=role, function=function):
            found.append({"function": name, **terms})
        async for head, terms in control.standings(id, role=role, function=function):
            found.append({"execution": head.id, "function": head.function, **terms})
        return found
