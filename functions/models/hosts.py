"""From which hosts a message may name images. Nobody here opens an address; but the model's server does, or a library
on its way, and whoever writes messages would choose what is opened next to them. So nothing is allowed that an agent
does not name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, cast
from urllib.parse import urlsplit

from ...orchestrator.protocol.media import check_url, url_of
from ...state.errors import InvalidInput

_ENTRY = re.compile(r"\*|(?:\*\.)?[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?(?::\d{1,5})?|\[[0-9a-f:.]+\](?::\d{1,5})?")
_NAME = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+")
_NUMBER = re.compile(r"0x[0-9a-f]*|\d+")
_NEAR = (
    "arpa", "box", "cluster", "consul", "corp", "default", "docker", "goog", "home", "internal", "intra", "intranet",
    "invalid", "lan", "local", "localdomain", "localhost", "localnet", "onion", "priv", "private", "svc", "test",
    "workgroup",
)  # fmt: skip
"""Last labels of names that are nobody's in public."""
_DEFAULT = {"http": 80, "https": 443}


class Hosts:
    """``given``: ``shop.example`` is that host, ``*.shop.example`` all below it, ``*`` every host with a public name;
    with ``:8080`` behind it, that port. Raises InvalidInput for what is none of that."""

    def __init__(self, whose: str, given: Sequence[str] | str) -> None:
        self._whose = whose  # "agent desk"
        entries: object = (given,) if isinstance(given, str) else given
        if not isinstance(entries, (list, tuple, set, frozenset)):
            raise InvalidInput(f'{whose}: media_hosts is no list of hosts; write ["shop.example"]')
        self._entries = tuple(self._sound(entry) for entry in cast("Sequence[object]", entries))

    def _sound(self, entry: object) -> str:
        name = entry.lower() if isinstance(entry, str) else ""
        try:
            fit = bool(_ENTRY.fullmatch(name)) and (urlsplit(f"//{name}").port != 0 if name != "*" else True)
        except ValueError:
            fit = False
        if not fit:
            said = str(entry)[:80]
            raise InvalidInput(f"{self._whose}: {said!r} in media_hosts is no host; write shop.example")
        return name

    def checked(self, message: list[Any]) -> list[Any]:
        """A message with parts. Raises InvalidInput for an address that may not be named."""
        for item in message:
            if isinstance(item, dict) and (url := url_of(cast("dict[str, Any]", item))) and (why := self.refusal(url)):
                raise InvalidInput(why)
        return message

    def refusal(self, url: str) -> str:
        """Why an address may not be named; "" when it may."""
        try:
            parts = check_url(url)
        except InvalidInput as error:
            return str(error)
        host = (parts.hostname or "").rstrip(".")
        port = _DEFAULT[parts.scheme] if parts.port is None else parts.port
        usual = port == _DEFAULT[parts.scheme]
        if any(_fits(entry, host, port, usual=usual) for entry in self._entries):
            return ""
        return f"{self._whose} takes nothing from {host}; add it to its media_hosts, or send the bytes"


def _fits(entry: str, host: str, port: int, *, usual: bool) -> bool:
    if entry == "*":
        return usual and _public(host)
    named = urlsplit(f"//{entry.removeprefix('*.')}")
    if (named.port is None and not usual) or named.port not in (None, port):
        return False
    name = named.hostname or ""
    return bool(_NAME.fullmatch(host)) and host.endswith(f".{name}") if entry.startswith("*.") else host == name


def _public(host: str) -> bool:
    """Whether it is a name as the public has them, and no number, in whichever way that is written."""
    last = host.rpartition(".")[2]
    return bool(_NAME.fullmatch(host)) and last not in _NEAR and not _NUMBER.fullmatch(last)
