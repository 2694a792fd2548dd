"""The page of a link: in plain words what is asked, of whom, and two buttons. No scripts, nothing from elsewhere; all
that comes from outside is escaped, and what could make it look like something else is shown by its number.
"""

from __future__ import annotations

import base64
import hashlib
import json
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

from ..messages.answer import Answer

LARGEST = 200_000
"""Characters of arguments that are shown. Nobody approves what they can't see."""
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.4rem .6rem;"
    "border-bottom:1px solid #ddd}th{width:10rem;font-weight:600}pre{margin:0;white-space:pre-wrap;"
    "overflow-wrap:anywhere}button{font:inherit;padding:.5rem 1.2rem;margin-right:.8rem}"
    "textarea{font:inherit;width:100%;box-sizing:border-box}"
)
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
HEADERS = (
    ("content-type", "text/html; charset=utf-8"),
    ("content-security-policy", _POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cache-control", "no-store"),
    ("x-robots-tag", "noindex, nofollow"),
)


def asking(execution: str, function: str, asked: dict[str, Any], by: str, until: int) -> Answer:
    """What is asked, for ``by`` to decide until then."""
    data = _json(asked.get("data"))
    if len(data) > LARGEST:
        return saying("Too much to be shown here", "Decide it with overwinter approve.", 413)
    what, tool = str(asked.get("what") or ""), "version" in asked
    rows: list[tuple[str, str]] = []
    if isinstance(asked.get("data"), dict):
        rows += [(str(name), _json(value)) for name, value in asked["data"].items()]
    elif asked.get("data") is not None:
        rows.append(("about", data))
    told = [("asked by", f"{function}, in {execution}"), ("at", _time(asked["at"]))]
    told += [("for", str(asked["requester"]))] if asked.get("requester") else []
    told += [("you decide as", f"{by}" + (f", for {asked['role']}" if asked.get("role") else ""))]
    told += [("approved so far by", ", ".join(asked["votes"]))] if asked.get("votes") else []
    told += [("people who have to agree", str(asked["needs"]))] if int(asked.get("needs", 1)) > 1 else []
    told += (
        [("changed by", f"{asked['edited']}, before it was {_json(asked.get('original'))}")]
        if "edited" in asked
        else []
    )
    told += [("asked once more", str(asked["why"]))] if asked.get("why") else []
    told += [("this link is good until", _time(until))]
    head = f"Shall {what} be called?" if tool else f"Do you approve: {what}?"
    given = "<h2>With these arguments</h2>" if tool else ""
    form = (
        '<form method="post"><p><label>Why (who asked is told)<br><textarea name="reason" rows="3" maxlength="2000">'
        '</textarea></label></p><p><button name="decision" value="approve">Approve</button>'
        '<button name="decision" value="deny">Deny</button></p></form>'
    )
    return _page(head, f"{given}{_table(rows)}<h2>About this</h2>{_table(told)}{form}", 200)


def saying(head: str, text: str, status: int) -> Answer:
    """One sentence, in the place of a question."""
    return _page(head, f"<p>{_shown(text)}</p>", status)


def _page(head: str, body: str, status: int) -> Answer:
    title = _shown(head)
    whole = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><h1>{title}</h1>{body}</body></html>"
    )
    return Answer(status, whole.encode("utf-8", "replace"), HEADERS)


def _table(rows: Sequence[tuple[str, str]]) -> str:
    lines = [f"<tr><th>{_shown(name)}</th><td><pre>{_shown(value)}</pre></td></tr>" for name, value in rows]
    return f"<table>{''.join(lines)}</table>"


def _json(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def _shown(text: str) -> str:
    """Escaped; characters that are not seen, or turn the direction of others, by their numbers."""
    seen = "".join(one if one == "\n" or unicodedata.category(one)[0] != "C" else f"\\u{ord(one):04x}" for one in text)
    return escape(seen, quote=True)


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
