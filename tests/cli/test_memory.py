"""``overwinter memory``: what is remembered is listed, searched, exported and erased, of all or of one user."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from overwinter import Memory
from overwinter.cli.main import cli
from overwinter.state.opening import open_store


class Remembered:
    """Three memories of two users, one of them by another agent."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = f"sqlite:///{folder}/m.db"
        self.ids = asyncio.run(self._fill())

    async def _fill(self) -> list[str]:
        store = open_store(self.store)
        await store.open()
        support, sales = Memory("support", embedding="scripted:echo"), Memory("sales")
        ids = [
            await support.of("ana", store=store).remember("Ana likes green tea"),
            await support.of("ben", tenant="acme", store=store).remember("Ben likes coffee"),
            await sales.of("ana", store=store).remember("Ana bought a lamp\x1b[31m"),
        ]
        await store.close()
        return ids

    def run(self, *arguments: str, code: int = 0) -> str:
        result = CliRunner().invoke(cli, ["memory", *arguments, "--store", self.store])
        assert result.exit_code == code, result.output
        return result.output

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json"))

    def texts(self, *arguments: str) -> list[str]:
        return sorted(one["text"] for one in self.json(*arguments))


@pytest.fixture
def remembered(tmp_path: Path) -> Remembered:
    return Remembered(tmp_path)


def test_who_is_remembered_is_listed(remembered: Remembered) -> None:
    found = {(one["agent"], one["tenant"], one["user"]): one["memories"] for one in remembered.json("list")}
    assert found == {("support", "", "ana"): 1, ("support", "acme", "ben"): 1, ("sales", "", "ana"): 1}
    said = remembered.run("list", "--user", "ana")
    assert "support" in said and "sales" in said and "ben" not in said
    assert "nothing is remembered" in remembered.run("list", "--user", "nobody")


def test_everything_about_a_user_is_shown_found_and_exported(remembered: Remembered) -> None:
    lamp = "Ana bought a lamp\x1b[31m"
    assert remembered.texts("show", "--user", "ana") == [lamp, "Ana likes green tea"]
    assert remembered.texts("show", "--user", "ana", "--agent", "support") == ["Ana likes green tea"]
    assert remembered.texts("show", "--tenant", "acme") == ["Ben likes coffee"]
    assert remembered.texts("search", "who likes tea?") == ["Ana likes green tea", "Ben likes coffee"]
    assert remembered.texts("search", "lamps", "--user", "ben") == []
    assert "\x1b[31m" not in remembered.run("show") and "Ben likes coffee" in remembered.run("show")
    file = remembered.folder / "ana.jsonl"
    assert remembered.json("export", str(file), "--user", "ana") == {"file": str(file), "memories": 2}
    assert file.stat().st_mode & 0o777 == 0o600
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert sorted(line["text"] for line in lines) == [lamp, "Ana likes green tea"]
    assert set(lines[0]) == {"agent", "tenant", "user", "id", "at", "text", "by"}
    assert remembered.run("export", "-", "--user", "ben").count("\n") == 1
    remembered.run("export", str(remembered.folder / "none" / "x"), code=1)


def test_what_is_erased_is_gone_and_nothing_else(remembered: Remembered) -> None:
    assert "There is nobody to ask" in remembered.run("erase", "--user", "ana", code=2)
    remembered.run("erase", "--yes", code=2)  # whose?
    assert len(remembered.json("show")) == 3
    assert remembered.json("erase", "--id", remembered.ids[0], "--yes") == {"erased": 1}
    assert remembered.json("erase", "--id", remembered.ids[0], "--yes") == {"erased": 0}
    assert "erased 1 memory" in remembered.run("erase", "--user", "ana", "--yes")
    assert remembered.texts("show") == ["Ben likes coffee"]
    assert remembered.json("erase", "--all", "--yes") == {"erased": 1}
    assert remembered.json("list") == []
    assert remembered.json("search", "tea coffee lamp") == []


def test_a_store_that_is_exported_carries_memories_along(remembered: Remembered) -> None:
    file, other = remembered.folder / "all.jsonl", f"sqlite:///{remembered.folder}/other.db"
    for command in (["store", "export", str(file)], ["store", "import", str(file)]):
        store = remembered.store if command[1] == "export" else other
        result = CliRunner().invoke(cli, [*command, "--store", store])
        assert result.exit_code == 0, result.output
    before = remembered.json("show")
    remembered.store = other
    assert remembered.json("show") == before and remembered.texts("search", "tea") == ["Ana likes green tea"]
