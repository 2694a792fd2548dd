"""What configuration says of the resources of state machines: ``[machine]`` of the project's file, and a variable.

It stands in ``overwinter.toml`` (or the file that OVERWINTER_CONFIG names), and in OVERWINTER_MACHINE, a JSON object of
the same form that goes before it::

    [machine.resources]                         what a name, an ARN or a URL means here; * stands for any text
    "arn:aws:lambda:*:*:function:pay" = "charge"                         the function of that name
    "https://sqs.eu-west-1.amazonaws.com/123456789012/orders" = "order.placed"    the type of the event
    [machine.http]
    allow = ["http://prices.internal:8080"]     beside public https
    [machine.connections]
    "arn:aws:events:*:*:connection/shop/*" = {bearer = "env:SHOP_TOKEN"}
    [machine.aws]
    allow = ["s3:getObject", "sns:*"]           what aws-sdk: may call
    region = "eu-west-1"
    [machine.effects]
    "dynamodb:updateItem" = "idempotent"        it may be done again when nobody knows whether it was done

A secret is never written down, only where it lies.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast
from urllib.parse import urlsplit

from ...state.errors import InvalidInput
from ..invocation.aws import is_region
from ..invocation.configuration import CONFIG, FILE
from .connections import Connection, connection

TABLE, VARIABLE = "machine", "OVERWINTER_MACHINE"
EFFECTS = ("idempotent", "irreversible")
Effect = Literal["idempotent", "irreversible"]
_CALL = re.compile(r"[a-z0-9*-]+:[A-Za-z0-9*]+")


@dataclass(frozen=True, slots=True)
class Configuration:
    """``resources``, ``connections``: by patterns. ``hosts``: origins that http:invoke may reach beside public https.
    ``calls``: of aws-sdk that are allowed, as patterns. ``effects``: by the name of the integration."""

    resources: Mapping[str, str] = field(default_factory=dict[str, str])
    connections: Mapping[str, Connection] = field(default_factory=dict[str, Connection])
    hosts: frozenset[str] = frozenset()
    calls: tuple[str, ...] = ()
    region: str = ""
    effects: Mapping[str, Effect] = field(default_factory=dict[str, Effect])


def read() -> Configuration:
    """As it is now. Raises InvalidInput that says where the mistake is."""
    file = Path(os.environ.get(CONFIG) or FILE)
    found = Configuration()
    if file.is_file():
        found = _merged(found, _filed(file), f"[{TABLE}] of {file}")
    elif os.environ.get(CONFIG):
        raise InvalidInput(f"there is no file {file}, which {CONFIG} names")
    text = os.environ.get(VARIABLE, "").strip()
    if text:
        try:
            told: Any = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InvalidInput(f"{VARIABLE} is no valid JSON: {error}") from None
        found = _merged(found, told, VARIABLE)
    return found


def matched(patterns: Mapping[str, Any], text: str) -> Any:
    """What the table has for a text: by itself, else by the longest pattern that fits it; None: nothing."""
    if text in patterns:
        return patterns[text]
    fitting = [pattern for pattern in patterns if "*" in pattern and fits(pattern, text)]
    return patterns[max(fitting, key=len)] if fitting else None


def fits(pattern: str, text: str) -> bool:
    """Whether a pattern, in which ``*`` stands for any text, means the whole of it."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL) is not None


def _filed(file: Path) -> Any:
    try:
        return tomllib.loads(file.read_text("utf-8-sig")).get(TABLE, {})
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{file} can't be read: {error}") from None


def _merged(before: Configuration, told: Any, source: str) -> Configuration:
    """``told`` goes before what was read ``before``."""
    tables = _table(told, source)
    _refuse_others(tables, ("resources", "http", "connections", "aws", "effects"), source)
    http = _table(tables.get("http", {}), f"http in {source}")
    aws = _table(tables.get("aws", {}), f"aws in {source}")
    _refuse_others(http, ("allow",), f"http in {source}")
    _refuse_others(aws, ("allow", "region"), f"aws in {source}")
    region = str(aws.get("region", before.region))
    if region and not is_region(region):
        raise InvalidInput(f"{region[:40]!r} in {source} is no region of AWS; write one like eu-central-1")
    resources = _table(tables.get("resources", {}), f"resources in {source}")
    for name, means in resources.items():
        if not isinstance(means, str) or not means.strip():
            raise InvalidInput(f"{name[:100]!r} in resources in {source} is no text; write the name of a function")
    connections = _table(tables.get("connections", {}), f"connections in {source}")
    effects = _table(tables.get("effects", {}), f"effects in {source}")
    for name, effect in effects.items():
        if effect not in EFFECTS:
            raise InvalidInput(f"the effect of {name[:100]!r} in {source} is one of {', '.join(EFFECTS)}")
    made = {name: connection(name, _table(one, f"{name!r} in {source}"), source) for name, one in connections.items()}
    return Configuration(
        {**before.resources, **resources},
        {**before.connections, **made},
        before.hosts | frozenset(_origin(one, source) for one in _texts(http.get("allow", []), source)),
        before.calls + tuple(_call(one, source) for one in _texts(aws.get("allow", []), source)),
        region,
        {**before.effects, **effects},
    )


def _origin(text: str, source: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise InvalidInput(f"{text[:100]!r} in http in {source} is no origin; write https://HOST or http://HOST:PORT")
    return origin_of(text)


def origin_of(url: str) -> str:
    """``https://host:443`` of a URL. Raises ValueError for one that can't be taken apart."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    host = (parts.hostname or "").lower()
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def _call(text: str, source: str) -> str:
    if not _CALL.fullmatch(text):
        raise InvalidInput(f"{text[:100]!r} in aws in {source} is no call; write SERVICE:ACTION, like s3:getObject")
    return text


def _texts(value: Any, source: str) -> Sequence[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in cast("Sequence[Any]", value)):
        raise InvalidInput(f"allow in {source} is a list of texts")
    return cast("Sequence[str]", value)


def _table(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidInput(f"{what} is no table")
    return cast("dict[str, Any]", value)


def _refuse_others(table: Mapping[str, Any], known: tuple[str, ...], what: str) -> None:
    other = next((name for name in table if name not in known), None)
    if other is not None:
        raise InvalidInput(f"{what} has no {other[:60]!r}; there are {', '.join(known)}")
