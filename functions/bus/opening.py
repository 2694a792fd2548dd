"""A broker by its DSN. Nothing in the code of a function names one, and no client library is loaded before it is used.

``store`` (or nothing): the store itself. ``redis://host:6379/0``, ``rediss://…``: Redis Streams.
``knative://NAMESPACE/BROKER``, ``knative://``, ``http://INGRESS/NAMESPACE/BROKER``, ``https://…``: a Broker of Knative.
``sns://TOPIC``, ``events://BUS``, ``sqs://QUEUE``: AWS.
"""

from __future__ import annotations

import os

from ...state.errors import InvalidInput
from ...state.quantities import briefly
from .broker import Broker
from .place import ENVIRONMENT
from .store_broker import StoreBroker


def open_broker(dsn: str | Broker | None = None) -> Broker:
    """``dsn`` itself when it is a broker; else the one of that address, by default what OVERWINTER_BROKER says. Raises
    InvalidInput."""
    if dsn is not None and not isinstance(dsn, str):
        if callable(getattr(dsn, "publish", None)):
            return dsn
        raise InvalidInput(f"broker= is an address like redis://host:6379/0, or a Broker, not {briefly(dsn)}")
    text = (os.environ.get(ENVIRONMENT, "") if dsn is None else dsn).strip()
    scheme = text.partition("://")[0]
    if text in ("", "store"):
        return StoreBroker()
    if scheme in ("redis", "rediss"):
        from .redis_broker import RedisBroker

        return RedisBroker(text)
    if scheme in ("knative", "http", "https"):
        from .knative_broker import KnativeBroker

        return KnativeBroker(text)
    if scheme in ("sqs", "sns", "events"):
        from .aws_broker import AwsBroker

        return AwsBroker(text)
    raise InvalidInput(
        f"no broker is known for {scheme[:40]!r}; OVERWINTER_BROKER is store, redis://host:6379/0, "
        "knative://NAMESPACE/BROKER, sns://TOPIC, events://BUS or sqs://QUEUE"
    )
