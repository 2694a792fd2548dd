"""Known secrets, and what looks like one, out of words that leave the process: errors, log lines, problems.

A secret is known when an environment variable holds it under a name such as ``…_KEY``, ``…_TOKEN``, ``…_SECRET`` or
``…_PASSWORD``, or as the password of an address, and when ``remember`` was told of it. Beside that the forms of
common keys are recognised, of people whose secrets this process was never given. Results and inputs are not
touched: what a function returns is its own affair.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, cast
from urllib.parse import quote, quote_plus

from .address import MASK, passwords

SHORTEST = 8
"""Characters that a known secret must have. What is shorter stands in ordinary words too."""
_REMEMBERED_LIMIT = 1000

_NAMED = r"(?:KEY|TOKEN|SECRET|PASSWORD|PASSPHRASE|PASSWD|PASS|PWD|CREDENTIAL)S?(?:_(?:[A-Z]|\d+|OLD|NEW))?$"
_HOLDS = (
    r"(?i)api[-_]?key|access[-_]?key|private[-_]?key|secret|passw(?:or)?d|passphrase|authorization|cookie|credential|"
    r"(?:access|auth|bearer|refresh|id|session|security)[-_]?token|x-[a-z-]*(?:token|key)"
)
_REFERENCES = ("OVERWINTER_KEYS", "OVERWINTER_AUDIT_KEY", "OVERWINTER_LINK_KEY")  # they say where keys lie
_NOT_SECRET = frozenset({*_REFERENCES, "PWD", "OLDPWD"})

LOGGERS = ("overwinter", "overwinter.http", "overwinter.aws", "overwinter.failures")
"""The package's logs. A filter of a logger does not hold for those below it, so each is named."""

_remembered: set[str] = set()  # of this process, as its environment is: nothing is looked up by it


def remember(*secrets: str) -> None:
    """Secrets that the environment does not hold: a token from the command line, a key in an agent's settings.
    Short ones are left out, see SHORTEST."""
    if len(_remembered) < _REMEMBERED_LIMIT:
        _remembered.update(secret for secret in secrets if len(secret) >= SHORTEST)


def remember_address(dsn: str) -> None:
    """The passwords of a DSN."""
    remember(*passwords(dsn))


def redacted(text: str) -> str:
    """The text with ``***`` in place of secrets."""
    for _ in range(_ROUNDS):  # what is cut out may show what stood around it
        found = _spans(text)
        if not found:
            break
        text = _without(text, found)
    return text


def redacted_all(value: Any) -> Any:
    """Plain JSON with every text in it redacted, keys too."""
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return {redacted(key): redacted_all(inner) for key, inner in items}
    if isinstance(value, (list, tuple)):
        return [redacted_all(inner) for inner in cast("Sequence[Any]", value)]
    return value


def holds_a_secret(name: str) -> bool:
    """Whether a header, an attribute or a key of that name holds one, whatever it looks like."""
    return re.search(_HOLDS, name) is not None


class Redacting(logging.Filter):
    """Rewrites the records that hold a secret, and leaves all others alone."""

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            text = record.getMessage()
            clean = redacted(text)
            if clean != text:
                record.msg, record.args = clean, ()
            if record.exc_info:
                trace = record.exc_text or logging.Formatter().formatException(record.exc_info)
                clean = redacted(trace)
                if clean != trace:
                    record.exc_info, record.exc_text = None, clean
            elif record.exc_text:
                record.exc_text = redacted(record.exc_text)
            if record.stack_info:
                record.stack_info = redacted(record.stack_info)
        except KeyboardInterrupt:
            raise
        except BaseException:  # noqa: BLE001  # an argument may have any __str__; logging says so itself, where it is written
            return True
        return True


def redact_logs(logger: logging.Logger) -> None:
    """Let nothing out by the logger's handlers that holds a secret, whichever library has said it; nor by the one
    that the interpreter has for those without any."""
    for handler in (*logger.handlers, *([logging.lastResort] if logging.lastResort is not None else ())):
        if not any(isinstance(one, Redacting) for one in handler.filters):
            handler.addFilter(Redacting())


def _spans(text: str) -> list[tuple[int, int]]:
    """Where secrets stand, known ones and usual forms alike: neither may break what the other would find."""
    found: list[tuple[int, int]] = []
    for known in _forms(frozenset(_of_environment() | _remembered)):
        start = text.find(known)
        while start >= 0:
            found.append((start, start + len(known)))
            start = text.find(known, start + 1)
    small = text.lower()
    for words, form in _FORMS:
        if any(word in small for word in words):
            for match in re.finditer(form, text):
                span = match.span("secret")
                if text[slice(*span)] not in _NOTHING:
                    found.append(span)
    return found


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    parts: list[str] = []
    done = 0  # up to where the text is written, or masked
    for start, end in sorted(spans):
        if start > done or not parts:
            parts += (text[done:start], MASK)
        done = max(done, end)
    return "".join((*parts, text[done:]))


def _of_environment() -> set[str]:
    found: set[str] = set()
    for name, value in os.environ.items():
        if len(value) < SHORTEST:
            continue
        if names_a_secret(name):
            found.add(value)
        elif "://" in value and "@" in value:
            found.update(secret for secret in passwords(value) if len(secret) >= SHORTEST)
    return found


@lru_cache(maxsize=4096)
def names_a_secret(name: str) -> bool:
    """Whether an environment variable of that name holds one."""
    upper = name.upper()
    return upper not in _NOT_SECRET and re.search(_NAMED, upper) is not None


@lru_cache(maxsize=8)
def _forms(secrets: frozenset[str]) -> tuple[str, ...]:
    """All of them in the forms in which they may come back; the longest first."""
    forms = {form for secret in secrets for form in _written(secret)}
    return tuple(sorted((form for form in forms if form.strip("* ")), key=len, reverse=True))


def _written(secret: str) -> Iterator[str]:
    """A secret as itself, in URLs, in the texts of Python, also as bytes, and in JSON, also in JSON that is a text of
    JSON."""
    yield secret
    yield quote(secret, safe="", errors="surrogatepass")
    yield quote_plus(secret, errors="surrogatepass")
    yield repr(secret)[1:-1]
    yield repr('"' + secret)[2:-1]  # beside a double quote
    for octets in _octets(secret):
        yield repr(octets)[2:-1]
        yield repr(b'"' + octets)[3:-1]
    for plain in (True, False):
        once = json.dumps(secret, ensure_ascii=plain)[1:-1]
        yield once
        yield json.dumps(once, ensure_ascii=plain)[1:-1]


def _octets(secret: str) -> Iterator[bytes]:
    """As what it is sent: in a body, in a header, and as the environment had it."""
    for coding, errors in (("utf-8", "strict"), ("latin-1", "strict"), ("utf-8", "surrogateescape")):
        with suppress(UnicodeEncodeError):
            yield secret.encode(coding, errors)


_SECRET_NAME = (
    r"(?:(?:api|access|secret|private|account)[-_]?key|(?<![A-Za-z0-9])token|secret|passw(?:or)?d|passphrase|pwd"
    r"|authorization|cookie)"
)
_NAMES = ("key", "token", "secret", "passw", "passphrase", "pwd", "authorization", "cookie")
_VALUE = r"b?(?P<quote>\\{0,3}[\"'])(?P<secret>(?:(?!(?P=quote))(?s:\\.|.))+)(?:(?P=quote)|\Z)"
_ROUNDS = 4
_NOTHING = frozenset({"", MASK, "…", "...", "PASSWORD", "TOKEN"})
"""What stands for a secret, in advice and in what has been redacted."""

# As texts: compiling them takes ten milliseconds of every start, and ``re`` keeps them once one is needed.
_FORMS: tuple[tuple[tuple[str, ...], str], ...] = (
    # Words of which one must stand in the text, in small letters; the form. What names the secret stays.
    # Whole private keys.
    (
        ("private key-----",),
        r"(?s)(?P<secret>-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z))",
    ),
    # Keys of providers, by their prefix; those that are masked in the middle too. Without a digit it is a word.
    (
        ("sk-", "sk_", "pk-", "pk_", "rk-", "rk_"),
        r"\b(?P<secret>(?:sk|pk|rk)[-_](?=[A-Za-z_*-]{0,200}[0-9*])[A-Za-z0-9_*-]{12,})",
    ),
    (("akia", "asia"), r"\b(?P<secret>(?:AKIA|ASIA)[0-9A-Z]{16})\b"),
    (
        ("gh", "glpat-", "xox", "aiza", "hf_", "gsk_", "xai-", "npm_", "pypi-"),
        r"\b(?P<secret>(?:gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|AIza|hf_|gsk_|xai-|npm_|pypi-)[\w-]{16,})",
    ),
    (("owd_",), r"\b(?P<secret>owd_[\w-]{16,})"),  # ours, for one way in
    (("eyj",), r"\b(?P<secret>eyJ[\w-]{8,2000}\.[\w-]{8,4000}\.[\w-]*)"),
    # Credentials of HTTP.
    (
        ("bearer", "basic"),
        r"(?i)\b(?:bearer|basic)\s{1,20}(?=[\w.~+/-]{0,200}[0-9=])(?P<secret>[\w.~+/-]{8,}=*)",
    ),
    # Named in a URL, an assignment or a dump: password=…, password = '…', 'api-key': '…', "token": "…", api_key: …
    (_NAMES, rf"(?i){_SECRET_NAME}\s{{0,8}}=\s{{0,8}}{_VALUE}"),
    (_NAMES, rf"(?i){_SECRET_NAME}=(?![\\\"'])(?P<secret>[^\s&;,'\")\]}}]+)"),
    (_NAMES, rf"(?i){_SECRET_NAME}(?:\\{{0,3}}[\"'])?\s{{0,20}}:\s{{0,20}}{_VALUE}"),
    (
        _NAMES,
        rf"(?i){_SECRET_NAME}:\s{{1,20}}(?=[\w.~+/-]{{0,200}}[0-9])(?P<secret>[\w.~+/-]{{8,}}=*)",
    ),
    (
        ("key=", "sig", "x-amz-"),
        r"(?i)[?&](?:key|sig|signature|x-amz-[a-z-]{1,40})=(?P<secret>[^\s&'\"]+)",
    ),
    # User and password in a URL.
    (("://",), r"://[^\s/?#@:'\"]{0,100}:(?P<secret>[^\s'\"]{0,200})(?=@)"),
    (("://",), r"://(?P<secret>[^\s/?#@:'\"]{1,200})(?=@)"),
)

for _name in LOGGERS:
    logging.getLogger(_name).addFilter(Redacting(_name))
