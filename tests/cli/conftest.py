"""A store on disk filled with journals as a runtime would have written them, and the command over it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from overwinter.cli.main import cli
from overwinter.state.opening import open_store
from overwinter.state.records import Change, NewExecution, NewMail

Entry = dict[str, Any]
OWNER = "test-owner"


class Shelf:
    """A SQLite store that executions are put into."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.dsn = f"sqlite:///{path}"

    def put(
        self,
        id: str,
        entries: Sequence[Entry],
        *,
        function: str = "ticket",
        kind: str = "workflow",
        status: str = "waiting",
        awaits: str = "",
        note: str = "",
        wake: int | None = None,
        parent: str | None = None,
    ) -> None:
        """Store an execution with these entries and this head."""
        asyncio.run(self._put(id, entries, NewExecution(function, kind, parent), status, awaits, note, wake))

    async def _put(
        self,
        id: str,
        entries: Sequence[Entry],
        new: NewExecution,
        status: str,
        awaits: str,
        note: str,
        wake: int | None,
    ) -> None:
        store = open_store(self.dsn)
        await store.open()
        first, last = int(entries[0]["at"]), int(entries[-1]["at"])
        await store.beat(OWNER, last, 60_000)
        accepted = await store.accept(id, NewMail("", 1, first, "{}"), now=first, owner=OWNER, create=new)
        assert accepted.head is not None
        change = Change(
            id,
            OWNER,
            accepted.head.version,
            last,
            [json.dumps(entry) for entry in entries],
            [mail.seq for mail in accepted.mail],
            accepted.head.arrivals,
            status,
            wake,
            True,
            1,
            awaits,
            note,
            "",
        )
        await store.append(change)
        await store.retire(OWNER)
        await store.close()

    def mails(self, id: str) -> list[Entry]:
        """What waits in the mailbox of an execution."""

        async def read() -> list[Entry]:
            store = open_store(self.dsn)
            await store.open()
            _, bodies = await store.mailbox(id)
            await store.close()
            return [json.loads(body) for body in bodies]

        return asyncio.run(read())


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "store.db")


Command = Callable[..., Result]


@pytest.fixture
def overwinter(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run the command on the shelf's store: ``overwinter("show", "id").stdout``."""
    monkeypatch.setenv("OVERWINTER_STATE", shelf.dsn)
    for name in ("OVERWINTER_TOKEN", "COLUMNS", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments: str, input: str | None = None, env: dict[str, str] | None = None) -> Result:
        return CliRunner().invoke(cli, list(arguments), input=input, env=env, catch_exceptions=False)

    return call
