"""How requests to a service of an OpenAPI document are signed in: by the document's security schemes. Secrets are
looked up for each request, so one that is exchanged holds at once."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from ...state.errors import InvalidInput
from ..invocation.secrets import is_reference, look_up


class Signed(NamedTuple):
    """What goes with a request."""

    headers: dict[str, str]
    query: dict[str, str]
    cookies: dict[str, str]

    def has(self, place: str, name: str) -> bool:
        """Whether a parameter of that name is said by who signs, and by nobody else."""
        if place == "header":
            return name.lower() in map(str.lower, self.headers)
        return name in (self.query if place == "query" else self.cookies if place == "cookie" else ())


class Credentials:
    """Of one service. Raises InvalidInput for a scheme that the document does not have, or that can't be used."""

    def __init__(
        self, title: str, document: Mapping[str, Any], token: str, auth: dict[str, str], headers: dict[str, str]
    ) -> None:
        self._title, self._token, self._auth, self._headers = title, token, auth, headers
        components = cast("Mapping[str, Any]", document.get("components") or {})
        self._schemes = cast("Mapping[str, Any]", components.get("securitySchemes") or {})
        for name in auth:
            if name not in self._schemes:
                there = ", ".join(self._schemes) or "none"
                raise InvalidInput(f"{title}: the document has no security scheme {name!r}; there are: {there}")
            kind, scheme = self._schemes[name].get("type"), str(self._schemes[name].get("scheme", "")).lower()
            if kind not in ("apiKey", "http", "oauth2", "openIdConnect") or (
                kind == "http" and scheme not in ("basic", "bearer")
            ):
                raise InvalidInput(f"{title}: the security scheme {name!r} ({kind} {scheme}) is not known here")

    def of(self, security: Sequence[Sequence[str]]) -> Signed:
        """For an operation that may be signed in for in one of these ways: the first for which all is there. Raises
        InvalidInput when a secret is not where it was said to be."""
        signed = Signed({}, {}, {})
        for name, value in self._headers.items():
            signed.headers[name] = look_up(value, f"{name} of {self._title}") if is_reference(value) else value
        if self._token:
            signed.headers["Authorization"] = f"Bearer {look_up(self._token, f'token of {self._title}')}"
        ways = [way for way in security if way and set(way) <= self._auth.keys()]
        for name in ways[0] if ways else ():
            self._add(signed, name)
        return signed

    def _add(self, signed: Signed, name: str) -> None:
        scheme: Mapping[str, Any] = self._schemes[name]
        secret = look_up(self._auth[name], f"{name} of {self._title}")
        if scheme["type"] == "apiKey":
            places = {"header": signed.headers, "query": signed.query, "cookie": signed.cookies}
            places[str(scheme["in"])][str(scheme["name"])] = secret
        elif str(scheme.get("scheme", "")).lower() == "basic":
            signed.headers["Authorization"] = f"Basic {b64encode(secret.encode()).decode()}"
        else:
            signed.headers["Authorization"] = f"Bearer {secret}"
