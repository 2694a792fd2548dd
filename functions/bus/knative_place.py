"""Where a Broker of Knative takes events, as a DSN says it.

| DSN | the ingress |
|---|---|
| ``knative://NAMESPACE/BROKER`` | ``http://broker-ingress.knative-eventing.svc.cluster.local/NAMESPACE/BROKER`` |
| ``http://INGRESS/NAMESPACE/BROKER``, ``https://…`` | that one: a Broker says its own in ``status.address.url`` |
| ``knative://`` | what a SinkBinding has put into K_SINK, with the extensions of K_CE_OVERRIDES on each event |

A token is never written down, only where it lies (OVERWINTER_BROKER_TOKEN=env:NAME or file:PATH).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, cast
from urllib.parse import urlsplit

from ...state.codec import loads
from ...state.errors import InvalidInput
from ..events.event import CloudEvent
from ..invocation.secrets import is_reference, look_up

INGRESS = "http://broker-ingress.knative-eventing.svc.cluster.local"
SINK, OVERRIDES, AUTHORITIES = "K_SINK", "K_CE_OVERRIDES", "K_CA_CERTS"
TOKEN = "OVERWINTER_BROKER_TOKEN"
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_HINT = "write knative://NAMESPACE/BROKER, or http://INGRESS/NAMESPACE/BROKER"


class Place(NamedTuple):
    """``namespace`` and ``broker`` are "" where only the address is known. ``extensions`` go onto each event."""

    url: str
    namespace: str = ""
    broker: str = ""
    extensions: Mapping[str, str] = {}  # never changed
    authorities: str = ""  # whom to trust beside the system's, in PEM
    token: str = ""

    def bearer(self) -> str:
        """The token as it is now, "" for none: a mounted one is renewed while the process runs. Raises InvalidInput
        when it does not lie there."""
        return look_up(self.token, "token of the broker") if self.token else ""


def read(dsn: str) -> Place:
    """Raises InvalidInput that says what to write."""
    token = os.environ.get(TOKEN, "").strip()
    if token and not is_reference(token):
        raise InvalidInput(f"{TOKEN}: say where the token lies, by env:NAME or file:PATH, not the token itself")
    place = _bound() if dsn in ("knative:", "knative://") else _named(dsn)
    if token and not place.url.startswith("https:"):
        # In a cluster without transport encryption this is the usual way; elsewhere everybody on it could read it.
        host = urlsplit(place.url).hostname or ""
        if not re.search(r"\.svc(\.|$)", host) and host not in ("localhost", "127.0.0.1"):
            raise InvalidInput(f"{TOKEN} would go to {host} unencrypted; write the broker's address with https")
    return place._replace(token=token, authorities=os.environ.get(AUTHORITIES, ""))


def _named(dsn: str) -> Place:
    try:
        parts = urlsplit(dsn)
        fit = bool(parts.hostname) and (parts.port or 1) and dsn.isprintable() and " " not in dsn
    except ValueError:
        fit, parts = False, urlsplit("")
    if not fit or parts.username is not None or parts.query or parts.fragment:
        raise InvalidInput(f"this is no address of a broker; {_HINT}, without a password or a query")
    names = parts.path.strip("/").split("/")
    if parts.scheme == "knative":
        namespace, broker = str(parts.hostname), "/".join(names)
        if parts.port or not (_LABEL.fullmatch(namespace) and _LABEL.fullmatch(broker)):
            raise InvalidInput(f"knative://{parts.netloc[:60]}{parts.path[:60]} names no broker; {_HINT}")
        return Place(f"{INGRESS}/{namespace}/{broker}", namespace, broker)
    if not parts.path.strip("/"):
        raise InvalidInput(f"{parts.scheme}://{parts.netloc[:80]} has no broker's path; {_HINT}")
    if len(names) == 2 and all(_LABEL.fullmatch(name) for name in names):
        return Place(dsn, names[0], names[1])
    return Place(dsn)


def _bound() -> Place:
    """What a SinkBinding says."""
    sink = os.environ.get(SINK, "").strip()
    if not sink:
        raise InvalidInput(f"knative:// means what {SINK} says, and it is not set; bind a Broker to it, or {_HINT}")
    if not sink.startswith(("http://", "https://")):
        raise InvalidInput(f"{SINK} is no http address; {_HINT}")
    # A SinkBinding may lead anywhere, a Channel without a path for one.
    place = _named(sink) if urlsplit(sink).path.strip("/") else Place(sink)
    return place._replace(extensions=_overrides())


def _overrides() -> Mapping[str, str]:
    text = os.environ.get(OVERRIDES, "").strip()
    if not text:
        return {}
    wrong = f'{OVERRIDES} is no JSON like {{"extensions": {{"region": "eu"}}}}'
    try:
        told: Any = loads(text)
    except ValueError:
        raise InvalidInput(wrong) from None
    found: Any = cast("dict[str, Any]", told).get("extensions") or {} if isinstance(told, dict) else None
    if not isinstance(found, dict):
        raise InvalidInput(wrong)
    made = cast("dict[str, str]", found)
    if not all(isinstance(value, str) for value in made.values()):  # pyright: ignore[reportUnnecessaryIsInstance]  # as it was written
        raise InvalidInput(wrong)
    try:
        CloudEvent(type="overwinter.check", source="/overwinter", extensions=dict(made))
    except InvalidInput as error:
        raise InvalidInput(f"{OVERRIDES} can't be put on events: {error}") from None
    return made
