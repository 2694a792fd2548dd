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

from ...orchestrator.usercode.resilience import Retry
from ...orchestrator.workflow.function import Workflow
from ...state.codec import mended
from ...state.errors import InvalidInput
from ..events.event import CloudEvent
from ..events.http import from_json, to_json
from ..events.intake import digest_of
from ..invocation.internal import WATCH
from .beginning import begin, given_of, whole_of
from .source import Trigger, triggers_of

if TYPE_CHECKING:
    from ...orchestrator.runtime import Runtime
    from ...orchestrator.workflow.context import Context

log = logging.getLogger("overwinter.http")
LOOKS = 50  # until a fresh history is begun
GONE = 3600.0  # seconds until a source that nobody declares any more is asked for again


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
        source, since = watched["source"], watched.get("since")
        ctx.status(source)
        for _ in range(LOOKS):
            found = await ctx.step(self._look, source, since, retry=FOR_EVER)
            if found["events"]:
                await ctx.step(self._begin, source, found["events"], retry=FOR_EVER)
            if found["receipts"]:
                await ctx.step(self._confirm, source, found["receipts"], retry=FOR_EVER)
            since = found["since"]
            if found["pause"]:
                await ctx.sleep(found["pause"])
        await ctx.checkpoint({"source": source, "since": since})

    async def _look(self, source: str, since: Any) -> dict[str, Any]:
        trigger = self._triggers.get(source)
        if trigger is None:
            return {"events": [], "since": since, "receipts": [], "pause": GONE}
        found = await trigger.source.look(since)
        return {
            "events": [mended(to_json(event)) for event in found.events],
            "since": found.since,
            "receipts": found.receipts,
            "pause": 0.0 if found.more else trigger.source.every,
        }

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
        given = trigger.input(event) if trigger.input else given_of(self._whole, event)
        session = trigger.session(event) if trigger.session else None
        key = digest_of("trigger", event.source, event.id)
        await begin(self._runtime, self._function, given, key=key, by=event.source, session=session)

    async def _confirm(self, source: str, receipts: list[str]) -> None:
        await self._triggers[source].source.confirm(receipts)


async def watch(runtime: Runtime, function: str, served: Any) -> None:
    """See to it that all sources of a function are looked at. Durable when it returns. Raises StoreError."""
    for one in triggers_of(runtime.functions[function]):
        await runtime.start(served, {"source": one.source.name}, id=id_of(function, one.source.name))
