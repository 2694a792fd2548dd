"""``/decision/{token}``: the page of a signed link. GET shows what is asked and decides nothing, however often a
preview or a scanner looks at it; POST decides, once. Everything is answered by a page, since a person reads it.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from ...orchestrator.protocol.entries import resolve
from ...state.errors import InvalidInput, UnknownExecution
from ..messages.answer import Answer
from ..messages.problem import Refused
from .decision_link import Link, configured
from .decision_page import asking, saying
from .service import Call

REASON = 2000
"""Characters of a reason."""
_FORM = "application/x-www-form-urlencoded"
_GONE = "It has been decided, has expired, or is not wanted any more."
_USED = "It was good for one decision, and that has been made by it."
_CHANGED = "What is asked, or who is to decide it, has changed since the link was made. Ask for another link."


async def page(call: Call) -> Answer:
    """GET and POST /decision/{token}"""
    keys = configured()
    if keys is None:
        raise Refused(404, "there are no signed links here; OVERWINTER_LINK_KEY says where their key lies")
    link = keys.read(call.path("token"))
    if link is None:
        return saying("This link is not good", "It was cut off or changed, or its key is not used any more.", 404)
    if call.runtime.clock() >= link.until:
        return saying("This link is over", "It was good for a time only. Ask for another one.", 410)
    asked = await _asked(call, link)
    if isinstance(asked, Answer):
        return asked
    if call.scope["method"] != "POST":
        head = await call.runtime.show(link.execution)
        return asking(link.execution, head.function, asked, link.by, link.until)
    approved, reason = await _said(call)
    try:
        await call.runtime.decide(
            link.execution, link.op, approved, by=link.by, reason=reason, digest=link.digest, event=_event(link)
        )
    except InvalidInput as error:
        return saying("Nothing was decided", str(error), 409)
    name = str(asked.get("what") or "it")
    return saying("Thank you", f"You have {'approved' if approved else 'denied'} {name}. This link is used up.", 200)


async def _asked(call: Call, link: Link) -> dict[str, Any] | Answer:
    """The proposal as it stands; a page when the link is not good for it."""
    try:
        waiting = await call.runtime.proposals(link.execution)
        used = await call.runtime.was_decided_by(link.execution, _event(link))
    except UnknownExecution:
        return saying("Nothing is asked any more", _GONE, 410)
    asked = next((one for one in waiting if one["op"] == link.op), None)
    if asked is None:
        return saying("Nothing is asked any more", _GONE, 410)
    if asked["digest"] != link.digest:
        return saying("This link is not good any more", _CHANGED, 409)
    if used:  # others have to decide as well, so it is asked still
        return saying("This link is used up", _USED, 410)
    await resolve(call.runtime.store, link.execution, [asked])
    return asked


def _event(link: Link) -> str:
    """What a decision by it is known by."""
    return f"link {link.id}"


async def _said(call: Call) -> tuple[bool, str]:
    """Whether it is approved, and why. Raises Refused: nothing is taken for a yes that does not say so."""
    if call.header("content-type").partition(";")[0].strip().lower() != _FORM:
        raise Refused(415, f"send the form of the page ({_FORM})")
    try:
        fields = parse_qs((await call.body()).decode(), strict_parsing=True, errors="strict", max_num_fields=10)
    except ValueError:
        raise Refused(400, "the form can't be read; send that of the page") from None
    said, reason = fields.get("decision", []), "".join(fields.get("reason", []))
    if said not in (["approve"], ["deny"]):
        raise Refused(400, "say decision=approve or decision=deny")
    if len(reason) > REASON:
        raise Refused(400, f"a reason has {REASON} characters at the most")
    return said == ["approve"], reason
