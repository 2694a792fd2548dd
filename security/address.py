"""An address for people: a DSN without what must not be seen.

What can be read without doubt is shown, with ``***`` where a password stands. Of everything else only the scheme
is shown: an address that nobody can take apart may hold its password anywhere.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

MASK = "***"

_FORM = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://"
    r"(?:(?P<user>[^\s/?#@:]*)(?P<password>:[^\s/?#@]*)?@)?"
    r"(?P<hosts>[^\s/?#@]*)"
    r"(?P<path>/[^\s?#@]*)?"
    r"(?:\?(?P<query>[^\s#@]*))?",
    re.IGNORECASE | re.ASCII,
)
_FILE = re.compile(r"(?P<before>sqlite:///[^?#]*)(?:\?(?P<query>[^#]*))?", re.IGNORECASE)
_HOST = re.compile(r"(?:\[[0-9a-f:.]*\]|[\w.~-]*)(?::\d{0,5})?", re.IGNORECASE | re.ASCII)
_NAME = re.compile(r"[\w./\\ ~-]{0,200}", re.ASCII)  # no address at all: a file's name, or a slip
_SHOWN_OPTIONS = frozenset({
    "partitions", "prefix", "db", "client_name", "sentinel_username", "ssl_ca_certs", "ssl_ca_path", "ssl_cert_reqs",
    "compress", "ssl_certfile", "ssl_check_hostname", "ssl_ciphers", "ssl_keyfile", "region", "endpoint", "bucket",
    "retention",
})  # fmt: skip
_SECRET = re.compile(r"(?i)([?&;][^=&;]*(?:key|token|secret|pass|pwd|auth)[^=&;]*=)([^&;#\s]*)")


def shown(dsn: str) -> str:
    """The DSN for people, logs and marks: no password, no secret option, no option that is not known."""
    file = _FILE.fullmatch(dsn)
    if file is not None:
        return file["before"] + _options(file["query"])
    form = _FORM.fullmatch(dsn)
    if form is None or not all(_HOST.fullmatch(host) for host in form["hosts"].split(",")):
        return _hidden(dsn)
    user = ""
    if form["password"] is not None:
        user = f"{form['user']}:{MASK}@"
    elif form["user"] is not None:
        user = f"{MASK}@"  # a token, more often than a name
    return f"{form['scheme']}://{user}{form['hosts']}{form['path'] or ''}{_options(form['query'])}"


def passwords(dsn: str) -> set[str]:
    """Whatever in a DSN may be a password, as it is written and as it is sent. Rather too much than too little."""
    found: set[str] = set()
    _, _, rest = dsn.partition("://")
    head, at, _ = rest.rpartition("@")
    if at and not dsn.lower().startswith("sqlite:///"):
        user, colon, password = head.partition(":")
        found.update({password} if colon else {user} if "/" not in user else ())
    found.update(match[2] for match in _SECRET.finditer(dsn))
    return {form for text in found for form in (text, unquote(text), unquote(text.replace("+", " "))) if form}


def _options(query: str | None) -> str:
    if query is None:
        return ""
    parts: list[str] = []
    for option in query.split("&"):
        name, equals, _ = option.partition("=")
        parts.append(option if name in _SHOWN_OPTIONS else f"{name}={MASK}" if equals else MASK if name else "")
    return "?" + "&".join(parts)


def _hidden(dsn: str) -> str:
    """As much of an odd address as holds no secret."""
    scheme, mark, _ = dsn.partition("://")
    if mark:
        return f"{scheme}://…" if re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]{0,40}", scheme) else "…"
    return dsn if _NAME.fullmatch(dsn) else "…"
