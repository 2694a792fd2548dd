"""What ``overwinter dev`` says while it serves: a line for each start, end and failure, and for what came and was not
wanted. It looks on at the commits of this process, after them, and at what the HTTP door refuses."""

from __future__ import annotations

import json
import logging
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from ..orchestrator.workflow.takes import EVENT, waits
from ..security.chain import without
from ..security.redaction import redact_logs
from ..state.quantities import span
from .again import again, gone
from .logs import asked_for_levels
from .view.command import command
from .view.doubts import ways
from .view.lines import complaint, places
from .view.story import signalling
from .view.terminal import say
from .view.text import clean, excerpt

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from ..functions.messages.answer import Receive, Scope, Send
    from ..orchestrator.runtime import Runtime
    from ..state.records import Change

Entry = dict[str, Any]
BEGUN, WELL, ASKING, ODD, WRONG = "▸", "✓", "?", "!", "✗"
STYLES = {BEGUN: "dim", WELL: "green", ASKING: "yellow", ODD: "yellow", WRONG: "red"}
ENDS = {"completed": "completed", "cancelled": "was cancelled", "terminated": "was terminated", "failed": "failed"}
CALLS = frozenset({"step", "tool", "model", "check", "listed", "summary", "hook", "retrying"})
REMEMBERED = 10_000
"""Starts and messages whose times are kept for the line of their end."""


class Line(NamedTuple):
    mark: str
    said: str


class Teller:
    """Makes lines of what is committed. ``quiet``: only of what went wrong."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._since: dict[str, int] = {}
        self._asked: dict[str, list[str]] = {}

    def look_on(self, runtime: Runtime) -> None:
        """Hear of every commit of the runtime's engine once it is durable."""
        runtime.extensions.hear(self.committed)

    def say(self, line: Line) -> None:
        if not self._quiet or line.mark == WRONG:
            say(f"{line.mark} {line.said}", style=STYLES[line.mark])

    def _ask(self, change: Change, thing: str, suggested: str) -> None:
        how = "" if gone() else f"  → {again(suggested)}"
        self.say(Line(ASKING, f"{clean(change.id)} waits for {clean(thing)}{how}"))

    def committed(self, change: Change, _: object) -> None:
        for text in change.entries:
            line = self.line(change.id, json.loads(without(text)))
            if line is not None:
                self.say(line)
        if change.status == "stuck":
            if change.awaits not in self._asked.get(change.id, ()):
                self.say(Line(WRONG, f"{clean(change.id)} is stuck: {excerpt(change.awaits, 300)}"))
            things = [change.awaits]
        else:
            things = waits(change.state, change.awaits)
            for thing in things:
                if thing not in self._asked.get(change.id, ()):
                    self._waits(change, thing)
        self._asked.pop(change.id, None)
        if things and len(self._asked) < REMEMBERED:
            self._asked[change.id] = things

    def _waits(self, change: Change, thing: str) -> None:
        """Something that a person can do."""
        if thing.startswith("doubt "):
            how = ways(command("resolve", change.id))
            self._ask(change, f"somebody who knows what came of {thing.removeprefix('doubt ')}", how)
        elif thing.startswith("approval "):
            self._ask(change, thing, command("approve", change.id))
        elif thing.startswith(EVENT):
            self._ask(change, thing, signalling(change.id, thing.removeprefix(EVENT), change.state))

    def line(self, id: str, entry: Entry) -> Line | None:
        """What there is to say of a journal entry."""
        kind, at, shown = str(entry.get("type")), int(entry.get("at") or 0), clean(id)
        if kind == "start":
            self._begin(id, at)
            return Line(BEGUN, f"{shown} starts")
        if kind == "message":
            self._begin(f"{id} {entry.get('id')}", at)
            return Line(BEGUN, f"{shown} is asked: {excerpt(entry.get('content'), 60)}")
        if kind == "reply":
            took = self._took(f"{id} {entry.get('to')}", at)
            return (
                _failed(f"{shown} could not answer{took}", entry)
                if "error" in entry
                else Line(WELL, f"{shown} has answered{took}")
            )
        if kind in ENDS:
            said = f"{shown} {ENDS[kind]}{self._took(id, at)}"
            return _failed(said, entry) if kind == "failed" else Line(WELL if kind == "completed" else ODD, said)
        if kind in CALLS and entry.get("error"):
            return _failed(f"{shown} {_call(entry, at)}", entry)
        if kind == "saga" and "why" in entry:
            return Line(ODD, f"{shown} undoes what it did: {excerpt(entry['why'], 200)}")
        if kind == "skipped":
            return Line(ODD, f"{shown} passes event {str(entry.get('name'))!r} over: {excerpt(entry.get('why'), 200)}")
        return None

    def _begin(self, key: str, at: int) -> None:
        if len(self._since) < REMEMBERED:
            self._since[key] = at

    def _took(self, key: str, at: int) -> str:
        since = self._since.pop(key, None)
        return "" if since is None else f" after {span(at - since)}"


def _call(entry: Entry, at: int) -> str:
    name = clean(str(entry.get("name") or entry.get("op") or ""))
    if entry["type"] != "retrying":
        return f"{entry['type']} {name} failed"
    until = entry.get("until")
    return f"{name} failed, attempt {entry.get('n', 1)}" + (f", again in {span(int(until) - at)}" if until else "")


def _failed(said: str, entry: Entry) -> Line:
    """With what went wrong, and the last line of the user's own code that it came through."""
    found = entry.get("error")
    if not isinstance(found, dict):
        return Line(WRONG, said)
    error = cast("Entry", found)
    place = next(iter(places(error)), "")
    return Line(WRONG, f"{said}: {complaint(error)}" + (f"  ({place})" if place else ""))


class Door:
    """The app, with a line for each request that it refuses."""

    def __init__(self, app: Starlette, teller: Teller) -> None:
        self._app = app
        self._teller = teller
        self.state = app.state  # where the connection finds the health of what it serves

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        refused: list[int] = []

        async def heard(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start" and message["status"] >= 400:
                refused.append(message["status"])
            elif refused and message.get("body"):
                detail = _detail(message["body"])
                self._teller.say(
                    Line(ODD, f"refused {scope['method']} {clean(scope['path'])} ({refused[0]}): {detail}")
                )
            await send(message)

        await self._app(scope, receive, heard)


def _detail(body: bytes) -> str:
    try:
        problem: Any = json.loads(body)
        return excerpt(problem["detail"], 300)
    except (ValueError, TypeError, KeyError):
        return ""


class Unwanted(logging.Handler):
    """Lines of the HTTP door's log at the level below a warning: events that nobody waits for."""

    def __init__(self, teller: Teller) -> None:
        super().__init__(logging.INFO)
        self._teller = teller

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno < logging.WARNING:
            self._teller.say(Line(ODD, record.getMessage()))


def hear_the_log(teller: Teller) -> None:
    log = logging.getLogger("overwinter.http")
    if not asked_for_levels():
        for handler in logging.getLogger().handlers:
            handler.setLevel(max(handler.level, logging.WARNING))  # what is below is said here, and once
        log.addHandler(Unwanted(teller))
        log.setLevel(logging.INFO)
    redact_logs(log)
