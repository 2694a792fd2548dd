"""A step that kills its process, on real processes: it is quarantined by name, and everybody else completes."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from overwinter.cli.main import cli
from overwinter.state.records import Head
from overwinter.state.sqlite import SqliteStore
from overwinter.tests.processes.poisoned import INNOCENTS

PROGRAM = Path(__file__).with_name("poisoned.py")
RESTARTS = 30


def test_what_kills_is_quarantined_and_the_innocent_complete(tmp_path: Path) -> None:
    dsn = f"sqlite:///{tmp_path / 'store.db'}"
    codes: list[int] = []
    while not codes or codes[-1] != 0:  # as systemd with Restart=always
        codes.append(subprocess.run([sys.executable, PROGRAM, dsn, "3"], check=False, timeout=120).returncode)
        assert len(codes) < RESTARTS, codes
    assert set(codes[:-1]) == {-signal.SIGKILL}
    assert len(codes) == 4

    async def look() -> list[Head]:
        store = SqliteStore(dsn)
        await store.open()
        heads = list((await store.executions(limit=100)).heads)
        await store.close()
        return heads

    heads = {head.id: head for head in asyncio.run(look())}
    culprit = heads.pop("culprit")
    assert len(heads) == INNOCENTS
    assert {head.status for head in heads.values()} == {"completed"}
    assert culprit.status == "stuck"
    assert "quarantined in step kill (1): 3 processes in a row died with it" in culprit.awaits
    for command in (["ps"], ["show", "culprit"], ["doctor"]):
        shown = " ".join(CliRunner().invoke(cli, [*command, "--store", dsn], env={"COLUMNS": "200"}).output.split())
        assert "quarantined" in shown, f"{command}: {shown}"
        assert command == ["doctor"] or "step kill (1)" in shown, f"{command}: {shown}"
