"""Known secrets, and what looks like one, out of words that leave the process: errors, log lines, problems.

A secret is known when an environment variable holds it under a name such as ``…_KEY``, ``…_TOKEN``, ``…_SECRET`` or
``…_PASSWORD``, or as the password of an address, and when ``remember`` was told of it. Beside that the forms of
common keys are recognised, of people whose secrets this process was never given. Results and inputs are not
touched: what a function returns is its own affair.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable
from functools import lru_cache
from urllib.parse import quote

from .address import MASK, passwords

SHORTEST = 8
"""Characters that a known secret must have. What is shorter stands in ordinary words too."""
_REMEMBERED_LIMIT = 1000

_NAMED = re.compile(
    r"(?:KEY|TOKEN|SECRET|PASSWORD|PASSPHRASE|PASSWD|PASS|PWD|CREDENTIAL)S?(?:_(?:[A-Z]|\d+|OLD|NEW))?$"
)
_HOLDS = re.compile(
    r"(?i)api[-_]?key|access[-_]?key|private[-_]?key|secret|passw(?:or)?d|passphrase|authorization|cookie|credential|"
    r"(?:access|auth|bearer|refresh|id|session|security)[-_]?token|x-[a-z-]*(?:token|key)"
)
_NOT_SECRET = frozenset({"OVERWINTER_KEYS", "PWD", "OLDPWD"})  # the first holds references

LOGGERS = ("overwinter", "overwinter.http", "overwinter.aws")
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
    for known in _forms(frozenset(_of_environment() | _remembered)):
        if known in text:
            text = text.replace(known, MASK)
    small = text.lower()
    for words, form, instead in _FORMS:
        for word in words:
            if word in small:
                text = form.sub(instead, text)
                break
    return text


def holds_a_secret(name: str) -> bool:
    """Whether a header, an attribute or a key of that name holds one, whatever it looks like."""
    return _HOLDS.search(name) is not None


class Redacting(logging.Filter):
    """Rewrites the records that hold a secret, and leaves all others alone."""

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            text = record.getMessage()
            clean = redacted(text)
            if clean != text:
                record.msg, record.args = clean, ()
            if record.exc_info:
                trace = logging.Formatter().formatException(record.exc_info)
                clean = redacted(trace)
                if clean != trace:
                    record.exc_info, record.exc_text = None, clean
        except KeyboardInterrupt:
            raise
        except BaseException:  # noqa: BLE001  # an argument may have any __str__; logging says so itself, where it is written
            return True
        return True


def _of_environment() -> set[str]:
    found: set[str] = set()
    for name, value in os.environ.items():
        if len(value) < SHORTEST:
            continue
        if _names_a_secret(name):
            found.add(value)
        elif "://" in value and "@" in value:
            found.update(secret for secret in passwords(value) if len(secret) >= SHORTEST)
    return found


@lru_cache(maxsize=4096)
def _names_a_secret(name: str) -> bool:
    upper = name.upper()
    return upper not in _NOT_SECRET and _NAMED.search(upper) is not None


@lru_cache(maxsize=8)
def _forms(secrets: frozenset[str]) -> tuple[str, ...]:
    """All of them in the forms in which they may come back; the longest first."""
    forms = {form for secret in secrets for form in (secret, quote(secret, safe=""), repr(secret)[1:-1])}
    return tuple(sorted((form for form in forms if form.strip("* ")), key=len, reverse=True))


def _kept(match: re.Match[str]) -> str:
    """What names the secret stays, the secret goes."""
    return f"{match[1]}{MASK}"


_SECRET_NAME = (
    r"(?:(?:api|access|secret|private|account)[-_]?key|(?<![A-Za-z0-9])token|secret|passw(?:or)?d|passphrase|pwd"
    r"|authorization|cookie)"
)
_NAMES = ("key", "token", "secret", "passw", "passphrase", "pwd", "authorization", "cookie")
_FORMS: tuple[tuple[tuple[str, ...], re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    # Words of which one must stand in the text, in small letters; the form; what is put in its place.
    # Whole private keys.
    (
        ("private key-----",),
        re.compile(r"(?s)-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)"),
        MASK,
    ),
    # Keys of providers, by their prefix; those that are masked in the middle too. Without a digit it is a word.
    (
        ("sk-", "sk_", "pk-", "pk_", "rk-", "rk_"),
        re.compile(r"\b(?:sk|pk|rk)[-_](?=[A-Za-z_*-]{0,200}[0-9*])[A-Za-z0-9_*-]{12,}"),
        MASK,
    ),
    (("akia", "asia"), re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"), MASK),
    (
        ("gh", "glpat-", "xox", "aiza", "hf_", "gsk_", "xai-", "npm_", "pypi-"),
        re.compile(r"\b(?:gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|AIza|hf_|gsk_|xai-|npm_|pypi-)[\w-]{16,}"),
        MASK,
    ),
    (("eyj",), re.compile(r"\beyJ[\w-]{8,2000}\.[\w-]{8,4000}\.[\w-]*"), MASK),
    # Credentials of HTTP.
    (
        ("bearer", "basic"),
        re.compile(r"(?i)\b((?:bearer|basic)\s{1,20})(?=[\w.~+/-]{0,200}[0-9=])[\w.~+/-]{8,}=*"),
        _kept,
    ),
    # Named in a URL, an assignment or a dump: password=…, 'api-key': '…', "token": "…", api_key: …
    (
        _NAMES,
        re.compile(rf"(?i)({_SECRET_NAME}=)(?!{re.escape(MASK)})(?:'[^']*'|\"[^\"]*\"|[^\s&;,'\")\]}}]+)"),
        _kept,
    ),
    (
        _NAMES,
        re.compile(rf"(?i)({_SECRET_NAME}[\"']\s{{0,20}}:\s{{0,20}}b?)(?:'[^']+'|\"[^\"]+\")"),
        lambda found: f'{found[1]}"{MASK}"',
    ),
    (_NAMES, re.compile(rf"(?i)({_SECRET_NAME}:\s{{1,20}})(?=[\w.~+/-]{{0,200}}[0-9])[\w.~+/-]{{8,}}=*"), _kept),
    (("key=", "sig", "x-amz-"), re.compile(r"(?i)([?&](?:key|sig|signature|x-amz-[a-z-]{1,40})=)[^\s&'\"]+"), _kept),
    # User and password in a URL.
    (("://",), re.compile(r"(://[^\s/?#@:'\"]{0,100}:)[^\s'\"]{0,200}(?=@)"), _kept),
    (("://",), re.compile(r"(://)[^\s/?#@:'\"]{1,200}(?=@)"), _kept),
)

for _name in LOGGERS:
    logging.getLogger(_name).addFilter(Redacting(_name))
