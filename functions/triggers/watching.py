"""The execution that looks at a source, begins what is found, sleeps, and looks again: durable, so it lives through
every process, and at zero it is rows in the store like all others.

A look is recorded before anything of it begins, and each event begins under an id made of its source and id: so nothing
is lost when a process dies between, and nothing begins twice. What a function can't take is told in the log and in the
history, and does not keep the next from beginning. There is one such execution for a function and a source. It can be
paused and resumed; one that was cancelled stays so.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...orchestrator.errors.groups import text
from ...orchestrator.usercode.resilience import Retry
from ...orchestrator.workflow.function import Workflow
from ...security.redaction import redacted
from ...state.codec import mended
from ...state.errors import InvalidInput
from ..events.event import CloudEvent
from ..events.http import from_json, to_json
from ..events.intake import digest_of
from ..invocation.internal import WATCH
from .beginning import begin, given_of, whole_of
from .source import Found, Trigger, triggers_of

if TYPE_CHECKING:
    from ...orchestrator.runtime import Runtime
    from ...orchestrator.workflow.context import Context

log = logging.getLogger("overwinter.http")
LOOKS = 50  # until a fresh history is begun
NAP = 3600.0  # seconds until it is asked again how often to look, and for a source that nobody declares any more
SLACK = 100_000  # bytes of what is recorded of a look beside its events
TOO_EARLY = 1.0  # seconds; a look that is due so soon is not put off


def _always(error: BaseException, failed: int) -> bool:
    return True


FOR_EVER = Retry(attempts=2**31, most="5m", when=_always)
"""A source that can't be read now can be read again: a disk is mounted, a server comes back."""


def id_of(function: str, source: str) -> str:
    """The execution that looks at a source for a function."""
    return f"watch-{function}-{digest_of('watch', function, source)[:16]}"


class Watcher:
    """What one function is begun by, in one runtime."""

    def __init__(self, runtime: Runtime, function: str) -> None:
        self._runtime = runtime
        self._function = function
        served: Any = runtime.functions[function]
        self._whole = whole_of(served)
        self._triggers: Mapping[str, Trigger] = {one.source.name: one for one in triggers_of(served)}
        self.workflow = Workflow(self._watch, WATCH + function)

    async def _watch(self, ctx: Context, watched: dict[str, Any]) -> str:
        """Looks, begins, sleeps."""
        source, since, looked = watched["source"], watched.get("since"), watched.get("looked")
        ctx.status(source)
        for _ in range(LOOKS):
            when = () if looked is None else (looked,)  # earlier releases, whose journals are read, did not say it
            found = await ctx.step(self._look, source, since, *when, retry=FOR_EVER)
            if found["events"]:
                await ctx.step(self._begin, source, found["events"], retry=FOR_EVER)
            if found["receipts"]:
                await ctx.step(self._confirm, source, found["receipts"], retry=FOR_EVER)
            since, looked = found["since"], found.get("looked")
            if found["pause"]:
                await ctx.sleep(found["pause"])
        await ctx.checkpoint({"source": source, "since": since, "looked": looked})

    async def _look(self, source: str, since: Any, looked: int | None = None) -> dict[str, Any]:
        """What is new, and when that was looked for, in milliseconds. Nobody sleeps longer than NAP: where a process
        starts with a shorter ``every``, that holds after a nap at the latest."""
        trigger, now = self._triggers.get(source), self._runtime.clock()
        if trigger is None:
            return {"events": [], "since": since, "receipts": [], "pause": NAP, "looked": looked}
        left = 0.0 if looked is None or looked > now else trigger.source.every - (now - looked) / 1000
        if left > TOO_EARLY:
            return {"events": [], "since": since, "receipts": [], "pause": min(left, NAP), "looked": looked}
        try:
            found = await trigger.source.look(since)
        except Exception as error:
            log.warning("%s can't be read for %s and is tried again: %s", source, self._function, _said(error))
            raise
        taken, refused = self._sorted(found)
        return {
            "events": taken,
            "since": found.since,
            "receipts": found.receipts,
            "pause": 0.0 if found.more else min(trigger.source.every, NAP),
            "looked": None if found.more else now,
            "refused": refused,
        }

    def _sorted(self, found: Found) -> tuple[list[Any], list[dict[str, str]]]:
        """The events as they are recorded, and what can't be: it is told, and does not stand in the way."""
        taken: list[Any] = []
        refused = list(found.refused)
        for event in found.events:
            try:
                taken.append(mended(to_json(event), self._runtime.store.payload_limit - SLACK))
            except InvalidInput as error:
                refused.append((event.id, str(error)))
        for id, why in refused:
            log.warning("what was found for %s can't be taken: %s: %s", self._function, id[:200], why[:500])
        return taken, [{"id": id[:200], "why": why[:500]} for id, why in refused]

    async def _begin(self, source: str, events: list[dict[str, Any]]) -> dict[str, Any]:
        """How many have begun something, and why others have not."""
        refused: list[dict[str, str]] = []
        for item in events:
            event = from_json(item)
            try:
                await self._begin_one(self._triggers[source], event)
            except InvalidInput as error:
                log.warning("%s can't take the event %s of %s: %s", self._function, event.id, event.source, error)
                refused.append({"id": event.id, "why": str(error)[:500]})
        return {"begun": len(events) - len(refused), "refused": refused}

    async def _begin_one(self, trigger: Trigger, event: CloudEvent) -> None:
        try:
            given = trigger.input(event) if trigger.input else given_of(self._whole, event)
            session = trigger.session(event) if trigger.session else None
        except Exception as error:
            raise InvalidInput(f"its rule raised {_said(error)}") from error
        key = digest_of("trigger", event.source, event.id)
        await begin(self._runtime, self._function, given, key=key, by=event.source, session=session)

    async def _confirm(self, source: str, receipts: list[str]) -> None:
        await self._triggers[source].source.confirm(receipts)


def _said(error: Exception) -> str:
    return redacted(f"{type(error).__name__}: {text(error)}")[:500]


async def watch(runtime: Runtime, function: str, served: Any) -> None:
    """See to it that all sources of a function are looked at. Durable when it returns. Raises StoreError."""
    for one in triggers_of(runtime.functions[function]):
        await runtime.start(served, {"source": one.source.name}, id=id_of(function, one.source.name))
