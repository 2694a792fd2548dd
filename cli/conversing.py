"""The conversation of ``overwinter chat``: a line is a message, its answer is awaited, and what waits for a person is
asked in place. At a terminal an error ends a message; in a pipe the rest is still said, and the exit code tells."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncGenerator
from typing import Any

import click

from ..state.errors import InvalidInput, OverwinterError, TimedOut
from .again import gone
from .exits import FAILED, OK, RUNNING, Exit
from .follow import FASTEST, SLOWEST
from .inputs import fitting
from .party import Asked, Party, is_over
from .stdin import Lines
from .view.command import command
from .view.talk import Talk

MESSAGE = "the message"
YES, NO = frozenset({"y", "yes"}), frozenset({"n", "no"})


class Ended(Exception):
    """Standard input is over."""


class Conversation:
    """``asks``: a person sits at the other end. ``limit``: seconds for one answer. ``begun``: there is a session."""

    def __init__(self, party: Party, talk: Talk, *, asks: bool, as_json: bool, limit: float | None) -> None:
        self._party = party
        self._talk = talk
        self._asks = asks
        self._as_json = as_json
        self._limit = limit
        self._lines = Lines()
        self._read = 0  # entries of the journal
        self._decided: set[tuple[str, str, str]] = set()
        self._code = OK
        self.begun = False

    async def hold(self) -> int:
        """Until there is nothing more to say. The exit code."""
        await self._catch_up()
        while True:
            line = await self._line("> ")
            if line is None:
                return self._code
            if line.strip():
                try:
                    await self._message(line)
                except (InvalidInput, click.BadParameter) as error:
                    if not self._asks:
                        raise
                    self._talk.note(
                        error.format_message() if isinstance(error, click.ClickException) else str(error), "red"
                    )
                except Ended:
                    return self._code

    async def _catch_up(self) -> None:
        """A session from before: what it is still at comes first."""
        state = await self._party.state()
        if state is None:
            return
        self.begun = True
        self._refuse_over(state.status)
        self._read = state.length
        if state.status != "idle":
            self._talk.note(f"{self._party.execution} is still at an earlier message ({state.awaits or state.status})")
            async with self._in_time():
                await self._until_idle()

    @contextlib.asynccontextmanager
    async def _in_time(self) -> AsyncGenerator[None]:
        """What is waited for in here has to come within the limit. Raises TimedOut."""
        try:
            async with asyncio.timeout(self._limit):
                yield
        except TimeoutError:
            if gone():
                raise TimedOut("no answer within the time; what was said was in memory and is gone") from None
            told = f"no answer within the time; what was said is kept in {self._party.execution}"
            raise TimedOut(f"{told}: {command('show', self._party.execution)} tells what it does") from None

    async def _until_idle(self) -> None:
        pause, idle = FASTEST, False
        while True:
            fresh = await self._look()
            for entry in fresh:
                if (
                    entry["type"] == "reply"
                    and (outcome := await self._party.outcome(str(entry.get("to")))) is not None
                ):
                    self._show(outcome)
            if idle:
                return
            state = await self._party.state()
            idle = state is None or state.status == "idle"
            if state is not None and not idle:
                self._refuse_over(state.status)
                await self._decide(state.awaits)
                self._talk.waits(state.awaits or "thinking")
                pause = FASTEST if fresh else min(pause * 1.5, SLOWEST)
                await asyncio.sleep(pause)

    def _refuse_over(self, status: str) -> None:
        if not is_over(status):
            return
        id = self._party.execution
        verb = {"stuck": "resume", "paused": "resume"}.get(status)
        advice = f"{command(verb, id)} goes on" if verb else "Begin another: leave --session out, or name another."
        raise Exit(f"the session {id} is {status}", code=FAILED, advice=advice)

    async def _line(self, prompt: str) -> str | None:
        if self._asks:
            self._talk.prompt(prompt)
        line = await self._lines.next()
        if line is None and self._asks:
            self._talk.gap()
        return line

    async def _message(self, text: str) -> None:
        content = fitting(text, self._party.input, MESSAGE)
        id = secrets.token_hex(8)
        await self._party.send(content, id)
        self.begun = True
        async with self._in_time():
            outcome = await self._answer(id)
        self._show(outcome)

    async def _answer(self, id: str) -> dict[str, Any]:
        """The outcome of a message, once there is one; everything on the way to it is shown."""
        pause = FASTEST
        while True:
            fresh = await self._look()
            state = await self._party.state()
            over = state is not None and is_over(state.status)
            if over or any(entry["type"] == "reply" and entry.get("to") == id for entry in fresh):
                outcome = await self._party.outcome(id)
                if outcome is not None:
                    await self._look()
                    return outcome
            if not fresh and state is not None:
                if state.status == "paused":
                    self._refuse_over(state.status)
                await self._decide(state.awaits)
            self._talk.waits(state.awaits if state is not None and state.awaits else "thinking")
            pause = FASTEST if fresh else min(pause * 1.5, SLOWEST)
            await asyncio.sleep(pause)

    async def _look(self) -> list[dict[str, Any]]:
        fresh = await self._party.entries(self._read)
        if fresh:
            self._talk.still()
        for entry in fresh:
            self._read += 1
            self._talk.take(self._read, entry)
        return fresh

    async def _decide(self, awaits: str) -> None:
        """Ask what waits for a person, when something does."""
        if "approval" not in awaits and "child" not in awaits:
            return
        for asked in await self._party.asked():
            if asked.key in self._decided:
                continue
            await self._look()  # what led to it is shown before it is asked
            if not self._asks:
                op = str(asked.approval["op"])
                told = f"{asked.execution} waits for an approval, and nobody can be asked here; nothing more was sent"
                raise Exit(told, code=RUNNING, advice="" if gone() else command("approve", asked.execution, op))
            approved = await self._ask(asked)
            try:
                await self._party.decide(asked, approved)
            except OverwinterError as error:
                self._talk.note(str(error), "yellow")
            self._decided.add(asked.key)

    async def _ask(self, asked: Asked) -> bool:
        self._talk.question(asked.execution, asked.approval)
        while True:
            said = await self._line("  approve? [y/n] ")
            if said is None:
                raise Ended
            word = said.strip().lower()
            if word in YES or word in NO:
                return word in YES
            self._talk.note("  y approves it, n denies it, Ctrl-D leaves it open")

    def _show(self, outcome: dict[str, Any]) -> None:
        failed = outcome["status"] != "completed"
        if failed:
            self._code = FAILED
        if self._as_json:
            from .view.terminal import emit

            emit(outcome, line=True)
        elif failed:
            self._talk.failed(outcome.get("error") or {"kind": "", "message": outcome["status"]})
        else:
            self._talk.answer(outcome.get("result"))
