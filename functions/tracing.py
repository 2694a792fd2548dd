"""Traces of a runtime: switched on by the environment or by code, and what a process that died may not have told.

Each traced process leaves a mark in the store while it lives. Whoever opens a runtime later and finds the mark of one
that is dead tells once more what ended shortly before: the spans of its last commits may not have gone out. They have
the same ids and content as those that did.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from ..orchestrator.reading import Reading
from ..security.address import shown
from ..state.codec import dumps, loads
from ..state.errors import InvalidInput, StoreCorrupt, StoreError, StoreSealed
from ..state.ids import TRACES
from ..state.records import EVERYTHING, FINAL

if TYPE_CHECKING:
    from ..orchestrator.engine.engine import Engine
    from ..state.store import Store
    from ..telemetry.spans.batch import Exporter
    from ..telemetry.spans.tracing import Tracing

log = logging.getLogger("overwinter")
FLUSH = 5.0
"""Seconds that the last spans of a process may take. What does not arrive in them is dropped, and told."""
MARKS = TRACES
"""Scope of the marks in the store, by process."""
_HOST = r"[^\s/?#@]+"
_COLD = 8
"""Spans with which processes began cold, that a mark names at the most."""
_LOOKED_AT = 200
"""Executions that are looked at after a death at the most, the newest first."""
_ON, _OFF = ("1", "true", "yes", "on", "otlp", "xray"), ("0", "false", "no", "off", "none")


def from_environment(environment: Mapping[str, str] = os.environ) -> Tracing | None:
    """As OVERWINTER_TRACES and OpenTelemetry's own variables say; None, and nothing is imported, when they say
    nothing. Raises InvalidInput."""
    said = _said(environment)
    if said is None:
        return None
    if said.lower() not in ("", *_ON) and not said.startswith(("http://", "https://")):
        raise InvalidInput(
            f"OVERWINTER_TRACES={said[:80]!r}: write on, off, xray or the address of a collector (http://…)"
        )
    try:
        return _made(environment, said if said.startswith("http") else None, xray=said.lower() == "xray")
    except InvalidInput as error:
        if said or not isinstance(error.__cause__, ImportError):
            raise
        log.warning("OTEL_EXPORTER_OTLP_ENDPOINT is set, and there will be no traces: %s", error)
        return None


def to_collector(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether spans are to go elsewhere than to X-Ray."""
    said = _said(environment)
    return said is not None and said.lower() != "xray"


def _said(environment: Mapping[str, str]) -> str | None:
    """What OVERWINTER_TRACES says, "" where others have switched traces on; None: they are off."""
    said = environment.get("OVERWINTER_TRACES", "").strip()
    given = any(environment.get(f"OTEL_EXPORTER_OTLP_{name}ENDPOINT", "").strip() for name in ("", "TRACES_"))
    off = environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    if off or said.lower() in _OFF or not (said or given):
        return None
    if not said and environment.get("OTEL_TRACES_EXPORTER", "otlp").strip().lower() not in ("", "otlp"):
        return None
    return said


def _made(environment: Mapping[str, str], endpoint: str | None, *, xray: bool) -> Tracing:
    protocol = next(
        (found for name in ("TRACES_", "") if (found := environment.get(f"OTEL_EXPORTER_OTLP_{name}PROTOCOL", ""))), ""
    )
    if protocol not in ("", "http/protobuf") and not xray:
        raise InvalidInput(
            f"OTEL_EXPORTER_OTLP_PROTOCOL={protocol[:40]!r}: traces go out by http/protobuf (a collector's port 4318)"
        )
    from ..telemetry.spans.batch import limits_of
    from ..telemetry.spans.conventions import Conventions
    from ..telemetry.spans.sampling import sampling_of
    from ..telemetry.spans.tracing import Tracing

    events = environment.get("OVERWINTER_TRACE_EVENTS", "").strip().lower() or "link"
    if events not in ("link", "parent"):
        raise InvalidInput(f"OVERWINTER_TRACE_EVENTS={events[:40]!r}: write link or parent")
    content = environment.get("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "").strip().lower()
    conventions = Conventions(content not in ("", *_OFF), "parent" if events == "parent" else "link")
    if not xray:
        _check_endpoints(environment, endpoint)
    if endpoint is not None and not endpoint.rstrip("/").endswith("/v1/traces"):
        endpoint = endpoint.rstrip("/") + "/v1/traces"
    exporter = _to_xray() if xray else _to_collector(endpoint)
    return Tracing(exporter, sampling_of(environment), conventions, limits=limits_of(environment))


def _check_endpoints(environment: Mapping[str, str], endpoint: str | None) -> None:
    """A slip in an address would cost every span, minutes later and far from where it was made. Raises InvalidInput."""
    names = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    given = {name: environment.get(name, "").strip() for name in names}
    if endpoint is not None:
        given = {"OVERWINTER_TRACES": endpoint}
    for name, address in given.items():
        if address and not _is_address(address):
            raise InvalidInput(f"{name} is no address of a collector ({shown(address)[:80]}); write http://HOST:4318")


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return (
            parts.scheme in ("http", "https")
            and re.fullmatch(_HOST, parts.hostname or "") is not None
            and (parts.port is None or parts.port > 0)
        )
    except ValueError:
        return False


def _to_collector(endpoint: str | None) -> Exporter:
    from ..telemetry.spans.otlp import Otlp

    return Otlp(endpoint=endpoint)


def _to_xray() -> Exporter:
    from ..telemetry.xray.daemon import Xray

    return Xray()


def join(tracing: Tracing, engine: Engine) -> None:
    """Trace what this engine does."""
    tracing.reads(engine.store.history)
    engine.performer.tracing = engine.delivery.tracing = tracing


async def last_words(tracing: Tracing, left: float) -> None:
    """Send what waits, of so many seconds that are left for FLUSH at the most: a collector that is away keeps nobody
    from ending in order."""
    await tracing.close(min(FLUSH, max(0.5, left)))


async def begin(tracing: Tracing, engine: Engine) -> None:
    """Leave the mark, and tell what those that have died may not have told. Tracing costs nobody a start."""
    since = engine.clock()

    async def leave(*first: str) -> None:
        cold = [*first, *tracing.colds][:_COLD]  # those of others may be told a third time
        await engine.store.put(MARKS, engine.owner, dumps({"since": since, "cold": cold}))

    async def told(first: str) -> None:
        try:
            await leave(first)
        except StoreError as error:
            log.warning("telemetry: what this process began with can't be kept (%s)", error)

    try:
        await _look_back(tracing, engine)
        since = engine.clock()
        await leave()
        tracing.tells(told)
    except StoreError as error:
        log.warning("telemetry: what a process that died has not told can't be looked for (%s)", error)


async def end(engine: Engine) -> None:
    """The process ends in order, and has told everything."""
    try:
        await engine.store.remove(MARKS, engine.owner)
    except StoreError as error:
        log.warning("telemetry: the mark of this process stays (%s)", error)


async def _look_back(tracing: Tracing, engine: Engine) -> None:
    store, now = engine.store, engine.clock()
    marks = await store.keys(MARKS)
    if not marks:
        return
    living, since = await store.owners(now), now + 1
    for owner in marks:
        if owner not in living and owner != engine.owner:
            began, cold = await _mark(store, owner, since)
            since = min(since, began)
            tracing.colds.update(cold)
            await store.remove(MARKS, owner)
    if since > now:
        return
    tracing.lost = (since, now)
    reading = Reading(store)
    for head in (await reading.page(EVERYTHING, limit=_LOOKED_AT)).heads:
        over = head.owner is None or head.status in FINAL  # the others are taken up, by somebody who looks at that
        if over and head.updated >= since:
            tracing.again(head, await reading.history(head.id, head.base - 1, head.length - head.base + 1))


async def _mark(store: Store, owner: str, unsaid: int) -> tuple[int, list[str]]:
    """Since when somebody was at work, and the spans with which it and others began cold. 0, which is all that may be,
    when the mark says nothing that can be read."""
    try:
        found = await store.get(MARKS, owner)
        mark = loads(found.value) if found is not None else {"since": unsaid}
    except (ValueError, StoreCorrupt, StoreSealed):
        return 0, []
    said: Mapping[str, Any] = cast("Mapping[str, Any]", mark) if isinstance(mark, dict) else {}
    since, cold = said.get("since"), said.get("cold")
    ids: Iterable[Any] = cast("Iterable[Any]", cold) if isinstance(cold, list) else ()
    return since if isinstance(since, int) else 0, [str(one) for one in ids]
