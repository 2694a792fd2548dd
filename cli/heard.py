"""Server-sent events of a running server, across its restarts: who is cut off comes again with the id of the last."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from .exits import UNAVAILABLE, Exit
from .server import PATIENCE, PAUSE, Server

_BRIEF = 2.0
"""Seconds without a word after which somebody who has no time to lose looks at the clock, and comes again."""


class Heard(NamedTuple):
    """One event."""

    id: str
    event: str
    data: dict[str, Any]


def hear(
    server: Server,
    method: str,
    place: str,
    body: Any = None,
    *,
    query: Mapping[str, str] | None = None,
    until: float | None = None,
    last_of: frozenset[str] = frozenset({"end"}),
) -> Iterator[Heard]:
    """The events that the server answers with, up to one of ``last_of``, or until that moment of the monotonic clock.
    The rest is asked for where its answer's Location says, or at the same place. Raises Exit."""
    last, silent = "", time.monotonic()
    while not _over(until):
        within = PATIENCE if until is None else min(_BRIEF, max(until - time.monotonic(), 0.05))
        with server.listen(method, place, body, query=query, last=last, within=within) as answer:
            if answer is not None:
                silent = time.monotonic()
                if answer.status_code == 204:
                    return
                if answer.headers.get("location"):
                    method, place, body, query = "GET", answer.headers["location"], None, None
                for event in _events(answer.iter_bytes()):
                    silent = time.monotonic()
                    if event is not None:
                        last = event.id or last
                        if event.event == "error":
                            raise Exit(str(event.data.get("detail", "the server could not go on")), code=UNAVAILABLE)
                        yield event
                        if event.event in last_of:
                            return
                    if _over(until):
                        return
        if time.monotonic() - silent > PATIENCE:
            raise server.gone()
        if not _over(until):
            time.sleep(PAUSE)


def _over(until: float | None) -> bool:
    return until is not None and time.monotonic() >= until


def _events(parts: Iterator[bytes]) -> Iterator[Heard | None]:
    """As the server writes them: one line of data each, and None for a sign of life. A part that was cut off is none.
    Lines end with a line feed and nowhere else: what a model says may hold what others take for one."""
    import httpx

    fields: dict[str, str] = {}
    rest = b""
    try:
        for part in parts:
            *lines, rest = (rest + part).split(b"\n")
            for line in lines:
                name, _, value = line.decode("utf-8", "replace").partition(": ")
                if line and name:
                    fields[name] = value
                elif "data" in fields:
                    yield Heard(fields.get("id", ""), fields.get("event", ""), json.loads(fields["data"]))
                    fields = {}
                else:
                    yield None
                    fields = {}
    except httpx.TransportError:
        return


Shown = Callable[[Server, str, Any, dict[str, Any], "Mapping[str, str] | None", "float | None"], dict[str, Any]]
"""Posts something and shows what becomes of it: server, place, body, what is known of it, query, until when. Gives the
outcome, or ``{"status": "running"}``."""


def shown(*, as_json: bool) -> Shown:
    """For people, or each event on a line of JSON: ``{"id", "event", "data"}``."""

    def show(
        server: Server,
        place: str,
        body: Any,
        known: dict[str, Any],
        query: Mapping[str, str] | None,
        until: float | None,
    ) -> dict[str, Any]:
        from .view.speech import Speech
        from .view.terminal import console, emit

        last = "reply" if "message" in known else "end"
        speech = Speech(console(stderr=True), known["id"], live=sys.stdout.isatty())
        outcome = {**known, "status": "running"}
        try:
            for heard in hear(server, "POST", place, body, query=query, until=until, last_of=frozenset({last, "end"})):
                if as_json:
                    emit({"id": heard.id, "event": heard.event, "data": heard.data}, line=True)
                else:
                    speech.take(heard.event, heard.data)
                if heard.event in (last, "end"):
                    status = "failed" if "error" in heard.data else "completed"
                    outcome["status"] = heard.data.get("status", status)
                    outcome |= {name: heard.data[name] for name in ("result", "error") if name in heard.data}
        finally:
            speech.over()  # the line of an answer that was cut off ends
        if not as_json and "result" in outcome:
            speech.result(outcome["result"])
        return outcome

    return show
