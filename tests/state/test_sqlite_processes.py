"""Several processes on one file, and their sudden death. Real processes, real signals."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from overwinter.state.records import Answer, Change, NewExecution
from overwinter.state.sqlite import SqliteStore
from overwinter.state.sqlite.leases import HUNG

NOW = 1_790_000_000_000
PROGRAMS = Path(__file__).parent / "programs"


class Started:
    """The child processes of one test; whatever still runs at its end is killed."""

    def __init__(self) -> None:
        self.children: list[subprocess.Popen[str]] = []

    def __call__(self, program: str, *arguments: object) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, str(PROGRAMS / program), *map(str, arguments)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        self.children.append(child)
        return child


@pytest.fixture
def start() -> Iterator[Started]:
    started = Started()
    yield started
    for child in started.children:
        child.kill()
        child.communicate()


def line(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline()


def kill(child: subprocess.Popen[str]) -> None:
    child.send_signal(signal.SIGKILL)
    child.wait()


def test_processes_share_a_file_and_nothing_is_lost(tmp_path: Path, start: Started) -> None:
    path, count = tmp_path / "store.db", 40
    children = [start("share.py", path, f"owner{number}", count) for number in range(3)]
    for child in children:
        output, _ = child.communicate(timeout=60)
        assert child.returncode == 0
        assert output == ""

    async def check() -> None:
        store = SqliteStore(f"sqlite:///{path}")
        await store.open()
        expected = sorted(list(range(count)) * 3)
        for id in ("a", "b", "c"):
            head = await store.head(id)
            assert head is not None
            entries = list(map(json.loads, await store.history(id)))
            waiting = list(map(json.loads, (await store.mailbox(id, 1000))[1]))
            assert sorted(entries + waiting) == expected
            assert json.loads(head.state) == sum(entries)
            assert head.arrivals == 3 * count
        await store.close()

    asyncio.run(check())


def test_the_death_of_an_owner_is_known_at_once(tmp_path: Path, start: Started) -> None:
    async def scenario() -> None:
        store = SqliteStore(f"sqlite:///{tmp_path / 'store.db'}")
        await store.open()
        await store.beat("heir", NOW, 2000)
        victim = start("hold.py", store.path, NOW)
        assert await asyncio.to_thread(line, victim) == "held\n"
        assert (await store.accept("x", None, now=NOW, owner="heir")).answer is Answer.BUSY
        assert await store.due(NOW) == []
        kill(victim)
        assert await store.due(NOW) == ["x"]  # at the same moment: the lease itself would run for an hour
        accepted = await store.accept("x", None, now=NOW, owner="heir")
        assert accepted.answer is Answer.GRANTED
        assert [mail.body for mail in accepted.mail] == ["{}"]
        await store.close()

    asyncio.run(scenario())


def test_mail_after_the_death_of_an_owner_is_granted_at_once(tmp_path: Path, start: Started) -> None:
    async def scenario() -> None:
        store = SqliteStore(f"sqlite:///{tmp_path / 'store.db'}")
        await store.open()
        await store.beat("heir", NOW, 2000)
        victim = start("hold.py", store.path, NOW)
        assert await asyncio.to_thread(line, victim) == "held\n"
        kill(victim)
        assert (await store.accept("x", None, now=NOW, owner="heir")).answer is Answer.GRANTED
        await store.close()

    asyncio.run(scenario())


def test_everything_acknowledged_survives_a_kill(tmp_path: Path, start: Started) -> None:
    path = tmp_path / "store.db"
    victim = start("flood.py", path, NOW)
    acknowledged: dict[str, int] = {}
    for _ in range(400):
        id, number = line(victim).split()
        acknowledged[id] = int(number)
    kill(victim)
    assert victim.stdout is not None
    for rest in victim.stdout.read().splitlines(keepends=True):
        if rest.endswith("\n"):
            id, number = rest.split()
            acknowledged[id] = int(number)

    async def check() -> None:
        store = SqliteStore(f"sqlite:///{path}")
        await store.open()
        assert len(acknowledged) == 8
        await store.beat("heir", NOW, 2000)
        for id, last in acknowledged.items():
            head = await store.head(id)
            assert head is not None
            entries = await store.history(id, limit=1_000_000)
            assert list(entries) == [f"{id} {number}" for number in range(head.length)]
            assert last < head.length == head.version
            assert head.state == str(head.version - 1)
            accepted = await store.accept(id, None, now=NOW, owner="heir")
            assert accepted.answer is Answer.GRANTED
            assert len(accepted.entries or ()) == head.length
        await store.close()

    asyncio.run(check())


def test_an_owner_that_was_replaced_while_it_stood_still_writes_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        first = SqliteStore(f"sqlite:///{tmp_path / 'store.db'}")
        second = SqliteStore(first.dsn)
        await first.open()
        await second.open()
        # As on another machine: no lock can be seen, only that the time is over.
        first._leases.machine = second._leases.machine = ""
        await first.beat("slow", NOW, 2000)
        await first.accept("x", None, now=NOW, owner="slow", create=NewExecution("f", "workflow"))
        await second.beat("quick", NOW + 1999, 2000)
        assert (await second.accept("x", None, now=NOW + 1999, owner="quick")).answer is Answer.BUSY
        assert await second.due(NOW + 1999) == []
        assert await second.due(NOW + 2001) == ["x"]
        assert (await second.accept("x", None, now=NOW + 2001, owner="quick")).answer is Answer.GRANTED
        stale = Change("x", "slow", 0, NOW, ["late"], (), 0, "running", None, False, 1, "", "", "")
        with pytest.raises(Exception, match="another owner"):
            await first.append(stale)
        await second.close()
        await first.close()

    asyncio.run(scenario())


def test_the_traces_of_dead_owners_are_removed(tmp_path: Path, start: Started) -> None:
    async def scenario() -> None:
        store = SqliteStore(f"sqlite:///{tmp_path / 'store.db'}")
        await store.open()
        victim = start("hold.py", store.path, NOW)
        assert await asyncio.to_thread(line, victim) == "held\n"
        folder = tmp_path / "store.db-lock"
        assert len(list(folder.iterdir())) == 1
        kill(victim)
        await store.beat("heir", NOW, 2000)
        assert len(list(folder.iterdir())) == 1  # the heir's own
        await store.close()

    asyncio.run(scenario())
    assert [path.name for path in tmp_path.iterdir()] == ["store.db"]


def test_a_process_that_hangs_is_replaced_after_a_while_though_it_lives(tmp_path: Path) -> None:
    async def check() -> None:
        hung, other = SqliteStore(f"sqlite:///{tmp_path / 's.db'}"), SqliteStore(f"sqlite:///{tmp_path / 's.db'}")
        await hung.open()
        await other.open()
        await hung.beat("hung", NOW, 2000)
        await hung.accept("x", None, now=NOW, owner="hung", create=NewExecution("f", "workflow"))
        for later in (1999, 2001, 2000 + HUNG - 1):  # it may be merely slow
            assert dict(await other.owners(NOW + later)) == {"hung": 1}
            assert await other.due(NOW + later) == []
        assert dict(await other.owners(NOW + 2000 + HUNG)) == {}
        assert await other.due(NOW + 2000 + HUNG) == ["x"]
        await hung.close()
        await other.close()

    asyncio.run(check())
