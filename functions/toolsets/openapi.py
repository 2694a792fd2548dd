"""The operations of an OpenAPI document as tools: schemas from the document, effects by method, secrets by reference.

Only what is called with JSON, a form or text can be a tool; other operations are left out, and the log says so. The
document is read when the toolset is made, and nothing is fetched: neither it nor what it refers to.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ...orchestrator.usercode.reconciling import InDoubtRule
from ...orchestrator.usercode.resilience import Breaker, Retry
from ...security.address import shown
from ...security.redaction import holds_a_secret
from ...state.errors import InvalidInput
from ...state.quantities import Duration, positive
from ..invocation.connections import Connections
from ..invocation.secrets import is_reference
from ..tools.tool import EFFECTS, Effect, Reconcile, Tool
from .openapi_document import Operation, operations, read
from .openapi_operation import Caller
from .openapi_security import Credentials
from .source import UNASKED, Listed, Server
from .toolset import Toolset

log = logging.getLogger("overwinter")

_BY_METHOD: Mapping[str, Effect] = {
    "get": "pure", "head": "pure", "options": "pure", "trace": "pure", "put": "idempotent", "delete": "idempotent",
}  # fmt: skip
"""All others may happen twice."""


class OpenAPI(Toolset):
    """Each operation of a document as a tool: ``OpenAPI("shop.json", token="env:SHOP_TOKEN")``.

    - ``document``: the path of a file of JSON or YAML, or the document itself. ``url``: where the service is, in place
      of the first of the document's servers.
    - ``token``: sent as a bearer token. ``auth``: secrets by the names of the document's security schemes (a key, a
      bearer token, ``user:password`` of basic). ``headers``: sent with each request. All by reference, ``env:NAME`` or
      ``file:PATH``.
    - ``effects``: what calling an operation twice does, by the names of tools. Without a word GET is pure, PUT and
      DELETE are idempotent, all others irreversible.
    - ``reconcile``: who says whether a call took effect, by the names of tools, which makes them reconcilable.
      ``in_doubt``: as that of ``@tool``.
    - ``key_header``: the header in which each request carries the idempotency key.
    - ``timeout``, ``retry``, ``breaker``: as those of ``@tool``.

    Raises InvalidInput for what is no such document.
    """

    def __init__(
        self,
        document: str | Path | Mapping[str, Any],
        *,
        url: str = "",
        token: str = "",
        auth: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        effects: Mapping[str, Effect] | None = None,
        reconcile: Mapping[str, Reconcile] | None = None,
        in_doubt: InDoubtRule = "fail",
        key_header: str = "Idempotency-Key",
        timeout: Duration = "30s",
        retry: Retry | None = None,
        breaker: Breaker | None = None,
    ) -> None:
        whole = read(document)
        self._title = str(whole.get("info", {}).get("title", "OpenAPI"))
        base = _base(whole, url, self._title)
        for what, place in {"token": token, **(auth or {})}.items():
            if place and not is_reference(place):
                raise InvalidInput(
                    f"{self._title}: say where {what} lies, by env:NAME or file:PATH, not the secret itself"
                )
        for key, value in (headers or {}).items():
            if holds_a_secret(key) and not is_reference(value):
                raise InvalidInput(f"{self._title}: say where the header {key} lies, by env:NAME or file:PATH")
        credentials = Credentials(self._title, whole, token, dict(auth or {}), dict(headers or {}))
        connections = Connections(encrypted=base.startswith("https:"))
        self._timeout, self._retry, self._breaker = positive(timeout, "timeout"), retry, breaker
        self._reconcile, self._key_header = dict(reconcile or {}), key_header
        self._in_doubt: InDoubtRule = in_doubt
        chosen: dict[str, Effect] = {**(effects or {}), **dict.fromkeys(self._reconcile, "reconcilable")}
        for given in chosen.values():
            if given not in EFFECTS:
                raise InvalidInput(f"{self._title}: effect {given!r} is unknown; it is one of {', '.join(EFFECTS)}")
        self._tools: list[Tool] = []
        for operation in operations(whole):
            if operation.wrong:
                log.warning("%s: %s %s is left out: %s", self._title, *operation.place, operation.wrong)
                continue
            effect: Effect = chosen.get(operation.name) or _BY_METHOD.get(operation.method, "irreversible")
            chosen.pop(operation.name, effect)
            self._tools.append(
                self._made(operation, effect, Caller(operation, base, credentials, connections, effect, self._timeout))
            )
        if chosen:
            there = ", ".join(tool.name for tool in self._tools)
            raise InvalidInput(f"{self._title}: there is no operation {next(iter(chosen))!r}; there are: {there}")
        self._source = self

    @property
    def servers(self) -> Sequence[Server]:
        return ()

    def tools(self, listed: Listed = UNASKED) -> Sequence[Tool]:
        return self._tools

    def _made(self, operation: Operation, effect: Effect, caller: Caller) -> Tool:
        once, caller.key_header = effect == "irreversible", self._key_header
        return Tool(
            caller,
            name=operation.name,
            description=operation.description,
            schema=operation.schema,
            effect=effect,
            reconcile=self._reconcile.get(operation.name),
            retry=None if once else self._retry,
            timeout=None if once else self._timeout,  # then it says itself that nobody knows
            breaker=self._breaker,
            in_doubt=self._in_doubt,
        )


def _base(document: Mapping[str, Any], url: str, title: str) -> str:
    servers: Any = document.get("servers") or [{}]
    server: Any = servers[0]
    base = url or str(server.get("url", ""))
    variables: dict[str, Any] = server.get("variables") or {} if not url else {}
    for name, variable in variables.items():
        base = base.replace(f"{{{name}}}", str(variable.get("default", "")))
    parts = urlsplit(base)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise InvalidInput(f"{title}: {shown(base)!r} is no address of a service; say where it is: url='https://…'")
    return base.rstrip("/")
