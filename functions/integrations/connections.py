"""How http:invoke shows who it is: what stands for a connection of EventBridge, by references to secrets.

One of ``bearer``; ``user`` and ``password``; ``header`` and ``secret`` (an API key). ``headers`` and ``query`` go with
each request too; each of their values is a reference. References are looked up for each request, so a secret may be
exchanged.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from ...state.errors import InvalidInput
from ..invocation.secrets import is_reference, look_up

_WAYS = (("bearer",), ("user", "password"), ("header", "secret"))
_FIELDS = ("bearer", "user", "password", "header", "secret", "headers", "query")


@dataclass(frozen=True, slots=True)
class Connection:
    """``told`` are the references, ``header`` the name of the API key's header."""

    name: str
    told: Mapping[str, str]
    header: str
    headers: Mapping[str, str]
    query: Mapping[str, str]

    def shown(self) -> tuple[dict[str, str], dict[str, str]]:
        """Headers and parameters of the query that go with a request. Raises InvalidInput for a secret that is not
        where it should lie."""
        whose = f"secret of the connection {self.name!r}"
        headers = {name: look_up(place, whose) for name, place in self.headers.items()}
        told = {name: look_up(place, whose) for name, place in self.told.items()}
        if "bearer" in told:
            headers["Authorization"] = f"Bearer {told['bearer']}"
        elif "user" in told:
            pair = f"{told['user']}:{told['password']}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        elif "secret" in told:
            headers[self.header] = told["secret"]
        return headers, {name: look_up(place, whose) for name, place in self.query.items()}


def connection(name: str, told: Mapping[str, Any], source: str) -> Connection:
    """Raises InvalidInput for one that can't be."""
    where = f"the connection {name[:100]!r} in {source}"
    other = next((one for one in told if one not in _FIELDS), None)
    if other is not None:
        raise InvalidInput(f"{where} has no {other[:60]!r}; there are {', '.join(_FIELDS)}")
    more = {one: told.get(one, {}) for one in ("headers", "query")}
    for one, table in more.items():
        if not isinstance(table, dict):
            raise InvalidInput(f"{one} of {where} is no table of names and references")
    ways = [way for way in _WAYS if any(one in told for one in way)]
    if len(ways) > 1 or any(one not in told for way in ways for one in way):
        raise InvalidInput(f"{where} has bearer, or user and password, or header and secret; give one of these whole")
    secrets = {one: told[one] for one in ("bearer", "user", "password", "secret") if one in told}
    for one, place in [*secrets.items(), *more["headers"].items(), *more["query"].items()]:
        if not isinstance(place, str) or not is_reference(place):
            raise InvalidInput(f"{one[:60]!r} of {where} is where a secret lies, env:NAME or file:PATH, and no secret")
    header = told.get("header", "")
    if not isinstance(header, str):
        raise InvalidInput(f"header of {where} is the name of a header")
    return Connection(
        name,
        cast("dict[str, str]", secrets),
        header,
        cast("dict[str, str]", more["headers"]),
        cast("dict[str, str]", more["query"]),
    )
