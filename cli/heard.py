"""Server-sent events of a running server, across its restarts: who is cut off comes again with the id of the last."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from .exits import UNAVAILABLE, Exit
from .server import PATIENCE, PAUSE, Server


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
    while until is None or time.monotonic() < until:
        within = PATIENCE if until is None else min(PATIENCE, max(until - time.monotonic(), 0.05))
        with server.listen(method, place, body, query=query, last=last, within=within) as answer:
            if answer is not None:
                if answer.status_code == 204:
                    return
                if answer.headers.get("location"):
                    method, place, body, query = "GET", answer.headers["location"], None, None
                for event in _events(answer.iter_lines()):
                    silent = time.monotonic()
                    last = event.id or last
                    if event.event == "error":
                        raise Exit(str(event.data.get("detail", "the server could not go on")), code=UNAVAILABLE)
                    yield event
                    if event.event in last_of:
                        return
        if time.monotonic() - silent > PATIENCE:
            raise server.gone()
        time.sleep(PAUSE)


def _events(lines: Iterator[str]) -> Iterator[Heard]:
    """As the server writes them: one line of data each. A part that was cut off is none."""
    import httpx

    id = event = data = ""
    try:
        for line in lines:
            name, _, value = line.partition(": ")
            if name == "id":
                id = value
            elif name == "event":
                event = value
            elif name == "data":
                data = value
            elif not line and data:
                yield Heard(id, event, json.loads(data))
                id = event = data = ""
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
        for heard in hear(server, "POST", place, body, query=query, until=until, last_of=frozenset({last, "end"})):
            if as_json:
                emit({"id": heard.id, "event": heard.event, "data": heard.data}, line=True)
            else:
                speech.take(heard.event, heard.data)
            if heard.event in (last, "end"):
                outcome = {
                    **known,
                    "status": heard.data.get("status", "failed" if "error" in heard.data else "completed"),
                }
                if not as_json and "result" in heard.data:
                    speech.result(heard.data["result"])
                return outcome | {name: heard.data[name] for name in ("result", "error") if name in heard.data}
        speech.over()
        return {**known, "status": "running"}

    return show
