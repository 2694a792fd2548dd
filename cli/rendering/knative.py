"""Subscriptions as Triggers of Knative, schedules as its PingSources.

A Trigger brings the events of one subscription to ``POST /subscriptions/NAME`` of the Service. A PingSource only wakes:
it posts to ``/sweep`` at the times of one schedule, which stays an execution of ours, so overlap, missed runs and the
change of clocks are what they are elsewhere. Where the delivery token belongs stands DELIVERY_TOKEN.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple, cast
from urllib.parse import quote, urlencode

from ...functions.bus.subscription import Subscription
from ...orchestrator.schedule.spec import Spec
from .cron_form import cron_of

TOKEN = urlencode({"access_token": "DELIVERY_TOKEN"})
COMMENT = 'Put the delivery token of the Service in place of DELIVERY_TOKEN: … | sed "s/DELIVERY_TOKEN/$TOKEN/"'
ORDERED = {"kafka.eventing.knative.dev/delivery.order": "ordered"}
"""A Kafka Broker then brings the events of one key one after another; other Brokers know no order."""
_RETRIES = {"retry": 10, "backoffPolicy": "exponential", "backoffDelay": "PT1S"}  # together about half an hour
_UNLIKE = frozenset({"time", "dataschema"})
"""Attributes that Triggers compare in another form, or under another name."""
_LONGEST = 63

Json = dict[str, Any]


class Target(NamedTuple):
    """Where it is applied: the Service that is posted to, the Broker that Triggers are of, and the Service that takes
    what can't be delivered, "" for that of the Broker. ``namespace`` "" leaves it to who applies it."""

    service: str
    namespace: str = ""
    broker: str = "default"
    dead_letters: str = ""


class Rendered(NamedTuple):
    """``notes`` say what could not be expressed, and what becomes of it."""

    documents: Sequence[Json]
    notes: Sequence[str]


def triggers(subscriptions: Iterable[Subscription], target: Target) -> Rendered:
    """One Trigger for each."""
    made: list[Json] = []
    notes: list[str] = []
    for one in subscriptions:
        filters = [filter for filter in one.filters if _is_expressible(filter)]
        if len(filters) < len(one.filters):
            notes.append(
                f"subscription {one.name}: Triggers can't compare {' or '.join(sorted(_UNLIKE))}; more events are "
                "brought, and the Service drops what is not wanted"
            )
        delivery: Json = dict(_RETRIES)
        if target.dead_letters:
            delivery["deadLetterSink"] = {"ref": _service(target.dead_letters), "uri": f"/?{TOKEN}"}
        spec: Json = {"broker": target.broker, **({"filters": filters} if filters else {})}
        uri = f"/subscriptions/{quote(one.name, safe='')}?{TOKEN}"
        spec |= {"subscriber": {"ref": _service(target.service), "uri": uri}, "delivery": delivery}
        ordered = bool(one.session or one.order)
        made.append(_document("eventing.knative.dev/v1", "Trigger", one.name, target, spec, ORDERED if ordered else {}))
    return Rendered(made, notes)


def ping_sources(schedules: Iterable[tuple[str, Spec]], target: Target) -> Rendered:
    """One PingSource for each schedule whose times are a cron expression's."""
    made: list[Json] = []
    notes: list[str] = []
    for name, schedule in schedules:
        found = None if schedule.jitter else cron_of(schedule)
        if found is None:
            why = "its jitter is" if schedule.jitter else f"{schedule.said()} is"
            notes.append(f"schedule {name}: {why} nothing that a PingSource could say; the sweep finds it")
            continue
        cron, zone = found
        if len(cron.split()) == 6:
            notes.append(f"schedule {name}: it has seconds, which a PingSource takes since Knative 1.13")
        sink = {"ref": _service(target.service), "uri": f"/sweep?{TOKEN}"}
        spec: Json = {"schedule": cron, "timezone": zone, "sink": sink}
        made.append(_document("sources.knative.dev/v1", "PingSource", f"schedule-{name}", target, spec))
    return Rendered(made, notes)


def _is_expressible(filter: Mapping[str, Any]) -> bool:
    ((dialect, said),) = filter.items()
    if dialect == "not":
        return _is_expressible(said)
    if dialect in ("all", "any"):
        return all(map(_is_expressible, cast("Sequence[Mapping[str, Any]]", said)))
    return not _UNLIKE & cast("Mapping[str, str]", said).keys()


def _service(name: str) -> Json:
    return {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": name}


def _document(
    version: str, kind: str, name: str, target: Target, spec: Json, annotations: Mapping[str, str] | None = None
) -> Json:
    metadata: Json = {"name": resource_name(name)}
    metadata |= {"namespace": target.namespace} if target.namespace else {}
    metadata |= {"annotations": dict(annotations)} if annotations else {}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}


def resource_name(name: str) -> str:
    """A name that Kubernetes takes; with a digest behind it where that is not the name itself, so that no two are the
    same."""
    made = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if made == name and len(made) <= _LONGEST:
        return made
    digest = sha256(name.encode()).hexdigest()[:8]
    return f"{made[: _LONGEST - 9].rstrip('-')}-{digest}".lstrip("-")
