"""Where functions live that are not here. One table says it, and nothing in an agent's code names a place.

It is ``[invocation]`` in the file ``overwinter.toml`` of the working folder (or the one that OVERWINTER_CONFIG names),
and OVERWINTER_ROUTES, which goes before it::

    [invocation]
    fast = "https://models.example"                                  a server of overwinter
    slow = {url = "https://models.example", token = "env:MODELS_TOKEN"}
    "*" = "kubernetes://agents"                                      http://NAME.agents.svc, _ of NAME as -
    tiny = "openfaas://gateway:8080"                                 http://gateway:8080/function/tiny
    small = "here"                                                   what this process itself defines
    big = "broker"                                                   called by events, through OVERWINTER_BROKER
    pay = "lambda://payments:live"                                   a function of AWS Lambda, invoked
    look = {url = "https://….lambda-url.eu-central-1.on.aws", sign = "aws"}     one with IAM in front

    OVERWINTER_ROUTES='fast=https://models.example *=kubernetes://agents'     or the same as a JSON object

``*`` is for all that have no line of their own. A token is never written down, only where it lies.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, cast
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

from ...state.errors import InvalidInput
from ...state.ids import check_name
from . import aws, lambdas
from .configuration import CONFIG, FILE, ROUTES
from .secrets import is_reference, look_up

TABLE = "invocation"
HERE, BROKER = "here", "broker"
ALL = "*"
_SERVICE = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
"""What Kubernetes takes as the name of a service."""
FIELDS = ("url", "token", "sign", "region")
_LAMBDA = f"{lambdas.SCHEME}://"


class Route(NamedTuple):
    """Where one function is reached: ``url`` of the server, "" for here, "broker" for events; ``token`` says where its
    token lies, as ``env:NAME`` or ``file:PATH``; ``source`` is where that is written; ``sign`` is "aws" where requests
    are signed for AWS, in ``region``, which "" leaves to the place or the environment."""

    name: str
    url: str
    token: str = ""
    source: str = ""
    sign: str = ""
    region: str = ""

    @property
    def function(self) -> str:
        """The function of Lambda that is invoked there; "" for a place that is asked by HTTP."""
        return self.url[len(_LAMBDA) :] if self.url.startswith(_LAMBDA) else ""

    @property
    def streams(self) -> bool:
        """Whether an answer can be read while it comes."""
        return not self.function

    @property
    def by_event(self) -> bool:
        """Whether it is called by events: then it has no address."""
        return self.url == BROKER

    def bearer(self) -> str:
        """The token itself; "" for none. Raises InvalidInput when it does not lie there."""
        return look_up(self.token, f"token for {self.name!r}") if self.token else ""


def route(name: str) -> Route | None:
    """The way to a function; None when the table has none. Raises InvalidInput for a table that can't be read."""
    for source, table in _tables():
        for key in (name, ALL):
            if key in table:
                return named(name, table[key], source)
    return None


def routes() -> list[Route]:
    """All lines of the table, as they are written; ``*`` for a function of that name."""
    found: dict[str, Route] = {}
    for source, table in _tables():
        for name, given in table.items():
            found.setdefault(name, named(name, given, source))
    return list(found.values())


def _tables() -> list[tuple[str, Mapping[str, Any]]]:
    path = Path(os.environ.get(CONFIG) or FILE)
    tables = [(ROUTES, _listed(os.environ.get(ROUTES, "")))]
    if path.is_file():
        tables.append((str(path), _filed(str(path), path.stat().st_mtime_ns)))
    elif os.environ.get(CONFIG):
        raise InvalidInput(f"there is no file {path}, which {CONFIG} names")
    return tables


@lru_cache(maxsize=8)
def _listed(text: str) -> Mapping[str, Any]:
    text = text.strip()
    if text.startswith("{"):
        try:
            return _table(json.loads(text, object_pairs_hook=_once), ROUTES)
        except (ValueError, RecursionError) as error:
            raise InvalidInput(f"{ROUTES} is no valid JSON: {error}") from None
    found: dict[str, Any] = {}
    for item in text.replace(",", " ").split():
        name, equals, place = item.partition("=")
        if not (name and equals and place):
            raise InvalidInput(f"{ROUTES}: {item[:80]!r} is no route; write NAME=https://HOST")
        if name in found:
            raise InvalidInput(f"{ROUTES} has two routes of {name!r}")
        found[name] = place
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON in which no name stands twice. Raises InvalidInput."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidInput(f"{ROUTES} names {twice[:80]!r} twice")
    return found


@lru_cache(maxsize=8)
def _filed(path: str, _changed: int) -> Mapping[str, Any]:
    try:
        whole = tomllib.loads(Path(path).read_text("utf-8-sig"))
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path} can't be read: {error}") from None
    return _table(whole.get(TABLE, {}), f"[{TABLE}] of {path}")


def _table(value: Any, source: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InvalidInput(f"{source} is no table of names and places")
    return cast("dict[str, Any]", value)


def named(name: str, given: Any, source: str) -> Route:
    """Raises InvalidInput, which names the line."""
    where = f"{source}: the route of {name!r:.100}"
    if name != ALL:
        check_name(name, "function", for_models=False)
    fields: Mapping[str, Any] = cast("dict[str, Any]", given) if isinstance(given, dict) else {"url": given}
    if unknown := sorted(set(fields) - set(FIELDS)):
        raise InvalidInput(f"{where} has no field {unknown[0]!r}; there are url, token, sign and region")
    place, token, sign, region = (fields.get(field, "") for field in FIELDS)
    if not place or not all(isinstance(value, str) for value in (place, token, sign, region)):
        raise InvalidInput(
            f'{where} is no place; write "https://HOST", "kubernetes://NAMESPACE", "{BROKER}" or "{HERE}"'
        )
    if token and not is_reference(token):
        raise InvalidInput(f"{where}: say where the token lies, by env:NAME or file:PATH, not the token itself")
    if place == BROKER and (token or sign or region):
        raise InvalidInput(f"{where}: a broker is given no token; what it takes stands in OVERWINTER_BROKER")
    url = {HERE: "", BROKER: BROKER}.get(place)
    made = Route(name, _url(name, place, where) if url is None else url, token, source, sign, region)
    return _on_aws(made, where) if made.function or sign or region else made


def _on_aws(place: Route, where: str) -> Route:
    """The route with its region. Raises InvalidInput for what is not for each other."""
    if place.region and not aws.is_region(place.region):
        raise InvalidInput(f"{where}: {place.region[:40]!r} is no region of AWS; write one like eu-central-1")
    if place.function:
        if place.token or place.sign:
            raise InvalidInput(f"{where}: who may invoke a function of Lambda, IAM says; leave out token and sign")
        return place._replace(region=place.region or lambdas.understood(place.function) or "")
    if place.sign != "aws" or place.token or not place.url:
        raise InvalidInput(f'{where}: sign = "aws" signs requests to https://HOST, without a token beside it')
    from .signing import service_of

    region = place.region or service_of(urlsplit(place.url).hostname or "")[1] or aws.default_region()
    if not region:
        raise InvalidInput(f'{where}: say in which region of AWS it is: region = "eu-central-1", or set AWS_REGION')
    return place._replace(region=region)


def _url(name: str, place: str, where: str) -> str:
    if place.startswith(_LAMBDA):
        return _LAMBDA + _invoked(name, place.removeprefix(_LAMBDA), where)
    try:
        parts = urlsplit(place)
        fit = bool(parts.hostname) and (parts.port or 1) and place.isprintable() and " " not in place
    except ValueError:
        fit, parts = False, urlsplit("")
    if not fit or parts.username is not None or parts.query or parts.fragment:
        raise InvalidInput(
            f"{where}: {_short(parts, place)} is no place; write https://HOST, without a password or a query"
        )
    segment = quote(name, safe=ALL)
    if parts.scheme in ("kubernetes", "openfaas") and (parts.path or (parts.scheme == "kubernetes" and parts.port)):
        what = "kubernetes://NAMESPACE" if parts.scheme == "kubernetes" else "openfaas://GATEWAY:PORT"
        raise InvalidInput(f"{where}: {place[:80]!r} has something behind it; write {what}")
    if parts.scheme == "kubernetes":
        return f"http://{_service(name, where)}.{parts.netloc}.svc"
    if parts.scheme == "openfaas":
        return f"http://{parts.netloc}/function/{segment}"
    if parts.scheme not in ("http", "https"):
        raise InvalidInput(
            f"{where}: {parts.scheme[:20]!r} is no way to reach it; there are http, https, kubernetes, openfaas, lambda"
        )
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))


def _service(name: str, where: str) -> str:
    """What the service of a function is called. Raises InvalidInput when none can be."""
    service = name.lower().replace("_", "-")
    if name != ALL and not _SERVICE.fullmatch(service):
        raise InvalidInput(f"{where}: no service can be called {service[:80]!r}; write its address, http://HOST")
    return service


def _invoked(name: str, place: str, where: str) -> str:
    """The function that ``place`` names, ``*`` in it standing for ``name``. Raises InvalidInput."""
    function = place.replace(ALL, name)
    if lambdas.understood(function.replace(ALL, "any")) is None:  # of the line for all others: as it is written
        raise InvalidInput(
            f"{where}: {function[:80]!r} is no function of Lambda; write lambda://NAME, lambda://NAME:ALIAS or "
            "lambda://ARN, where * stands for the name that is asked for"
        )
    return function


def _short(parts: SplitResult, place: str) -> str:
    """A place without what may be a secret."""
    return repr(parts.hostname or "it") if "@" in place or "?" in place else repr(place[:80])
