"""``overwinter approval-link``: a signed link by which one person decides one approval.
``--json``: ``{"execution", "op", "name", "digest", "by", "until", "link"}``."""

from __future__ import annotations

from typing import Any

import click

from .. import reach
from ..exits import USAGE, Exit
from ..options import id_argument, json_option, store_option, text_option
from .decide import chosen


@click.command(epilog="--json: {execution, op, name, digest, by, until, link}")
@id_argument
@click.argument("op", metavar="[OP]", required=False)
@text_option("--by", unsaid="", help="Who is to decide with it.")
@text_option("--for", "lasting", unsaid="1d", help="How long it is good, like 2h; a day when not given.")
@text_option("--url", unsaid="http://127.0.0.1:8080", help="Where the server is reached.")
@store_option
@json_option
def approval_link_command(id: str, op: str | None, by: str, lasting: str, url: str, store: str, as_json: bool) -> None:
    """Print a link by which one person decides what an execution waits for.

    It is signed with the key that OVERWINTER_LINK_KEY names, good once, and bound to what is asked now. Whoever has it
    may decide: send it as you would a password.
    """
    if not by:
        raise Exit("say who is to decide with it: --by PERSON", code=USAGE)
    made = reach.run(_made(store, id, op, by, lasting))
    link = url.rstrip("/") + made.pop("path")
    if as_json:
        from ..view.terminal import emit

        emit({**made, "link": link})
        return
    click.echo(link)


async def _made(dsn: str, id: str, op: str | None, by: str, lasting: str) -> dict[str, Any]:
    from ...functions.http.decision_link import LONGEST, VARIABLE, Link, configured
    from ...orchestrator.governance.approvals.proposal import Proposal
    from ...state.quantities import milliseconds

    try:
        lasts = milliseconds(lasting)
    except ValueError as error:
        raise Exit(f"--for: {error}", code=USAGE) from None
    if not 0 < lasts <= LONGEST:
        raise Exit("--for: a link is good for 30 days at the most", code=USAGE)
    keys = configured()
    if keys is None:
        advice = f"Set it to where the key of the server lies, like {VARIABLE}=env:LINK_KEY or file:/run/secrets/link."
        raise Exit(f"{VARIABLE} is not set", code=USAGE, advice=advice)
    async with reach.control(dsn) as control:
        asked = chosen(await control.show(id), await control.approvals(id), op)
        trial = {"type": "decided", "op": asked["op"], "approved": True, "by": by, "digest": asked["digest"]}
        if why := Proposal.as_shown(asked).objection(trial):
            raise Exit(f"{by} could not decide it: {why}", code=USAGE)
        until = min(control.clock() + lasts, int(asked.get("until") or control.clock() + lasts))
        link = Link(id, str(asked["op"]), str(asked["digest"]), by, until)
        told = {name: value for name, value in link._asdict().items() if name != "id"}
        return {**told, "name": asked.get("name"), "path": keys.sign(link)}
