"""``overwinter audit``: who did what is listed and exported, and what was changed is found."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from getpass import getuser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from overwinter.cli.main import cli
from overwinter.state.opening import open_store
from overwinter.state.sealing.keys import new_key
from overwinter.tests.audit.desk import one_order, working


class Desk:
    """A store in which an order was approved and an account frozen."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "a.db"
        asyncio.run(self._fill())
        self.run("freeze", "user:ana", "--by", "dora", "--reason", "a leak", group="budget")

    async def _fill(self) -> None:
        async with working(open_store(f"sqlite:///{self.path}")) as runtime:
            await one_order(runtime)

    def run(self, *arguments: str, code: int = 0, group: str = "audit") -> str:
        result = CliRunner().invoke(cli, [group, *arguments, "--store", f"sqlite:///{self.path}"])
        assert result.exit_code == code, result.output
        return result.output

    def json(self, *arguments: str, code: int = 0) -> Any:
        return json.loads(self.run(*arguments, "--json", code=code))

    def lie(self) -> None:
        """Somebody edits the store itself."""
        with sqlite3.connect(self.path) as db:
            db.execute("UPDATE journal SET body = replace(body, 'it is paid', 'it is free')")
        db.close()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_acts_are_listed_oldest_first_and_chosen(desk: Desk) -> None:
    acts = desk.json("list")["acts"]
    reader = (getuser(), "audit.list", "store")
    assert [(act["by"], act["what"], act["on"]) for act in acts if not act["what"].startswith("audit")] == [
        ("ana", "start", "o-1"),
        ("ben", "approve", "o-1"),
        ("cara", "signal", "o-1"),
        ("dora", "budget.freeze", "user:ana"),
    ]
    assert [(act["by"], act["what"], act["on"]) for act in acts if act["what"].startswith("audit")] == [reader]
    assert [act["what"] for act in desk.json("list", "--limit", "2")["acts"]] == ["budget.freeze", "audit.list"]
    assert [act["by"] for act in desk.json("list", "o-1", "--what", "approve")["acts"]] == ["ben"]
    assert desk.json("list", "--by", "ana", "--since", "2999-01-01")["acts"] == []
    shown = desk.run("list", "--function", "order")
    assert "it is paid" in shown and "dora" not in shown
    assert "nobody" in desk.run("list", "--by", "zoe")
    assert "no day or time" in desk.run("list", "--since", "yesterday", code=2)


def test_what_was_changed_is_found_and_named(desk: Desk) -> None:
    told = desk.json("verify")
    assert told["ok"] and told["chains"] == 2 and told["findings"] == [] and told["unlinked"] == 0
    assert "all of them hold" in desk.run("verify", "o-1")
    desk.lie()
    told = desk.json("verify", code=1)
    (finding,) = told["findings"]
    (approval,) = desk.json("list", "--what", "approve")["acts"]
    assert (finding["chain"], finding["n"]) == ("o-1", approval["n"])
    assert f"o-1 entry {approval['n']}" in desk.run("verify", "o-1", code=1)
    assert "no execution" in desk.run("verify", "o-9", code=3)


def test_an_export_is_held_against_the_store(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDIT_SECRET", "a secret of the tests")
    kept, signed = str(tmp_path / "kept.jsonl"), ("--secret", "env:AUDIT_SECRET")
    assert desk.json("export", kept, *signed) == {"file": kept, "acts": 5, "chains": 2}
    assert "exists already" in desk.run("export", kept, code=2)
    desk.run("verify", "--against", kept, *signed)
    monkeypatch.setenv("OTHER", "another")
    assert "another secret" in desk.run("verify", "--against", kept, "--secret", "env:OTHER", code=2)
    assert "by where it lies" in desk.run("verify", "--against", kept, "--secret", "s3cret", code=2)
    assert "no file, and no link" in desk.run("verify", "--against", str(tmp_path / "none"), code=2)
    assert "no export of an audit" in desk.run("verify", "--against", str(desk.path), code=2)
    assert "--against" in desk.run("verify", *signed, code=2)
    assert "signature of" in desk.run("verify", "--against", kept)
    assert "signature of" not in desk.run("verify", "--against", kept, *signed)
    unsigned = str(tmp_path / "unsigned.jsonl")
    desk.run("export", unsigned)
    assert "is not signed" in desk.run("verify", "--against", unsigned)
    for given, told in (((kept,), "not checked"), ((kept, *signed), "checked"), ((unsigned,), "unsigned")):
        assert desk.json("verify", "--against", *given)["signature"] == told
    assert desk.json("verify")["signature"] == ""
    (anchor,) = [json.loads(line) for line in Path(kept).read_text().splitlines() if '"chain":"o-1","n"' in line[:40]]
    desk.run("verify", "o-1", "--against", anchor["link"])
    assert not desk.json("verify", "--against", anchor["link"][::-1], code=1)["ok"]
    with sqlite3.connect(desk.path) as db:
        for table in ("execution", "journal", "mail"):
            db.execute(f"DELETE FROM {table}")
    db.close()
    desk.run("verify")  # what is left holds in itself
    assert "no record says that it was deleted" in desk.run("verify", "--against", kept, code=1)


def test_an_export_that_fails_leaves_nothing_in_the_way_of_the_next(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "acts.jsonl"
    assert "env:AUDIT_SECRET" in desk.run("export", str(kept), "--secret", "env:AUDIT_SECRET", code=2)
    assert not kept.exists()
    monkeypatch.setenv("AUDIT_SECRET", "long and secret")
    desk.run("export", str(kept), "--secret", "env:AUDIT_SECRET")
    assert "exists already" in desk.run("export", str(kept), code=2) and kept.stat().st_size > 0


def test_what_is_exported_for_others_is_one_event_a_line(desk: Desk, tmp_path: Path) -> None:
    lines = desk.run("export", "-", "--ocsf").splitlines()
    events = [json.loads(line) for line in lines if line.startswith("{")]
    assert {event["class_uid"] for event in events} == {6003} and len(events) == 5
    assert "name a file" in desk.run("export", "-", "--json", code=2)
    unsigned = str(tmp_path / "events.jsonl")  # whoever gives a secret expects a signature
    assert "not signed" in desk.run("export", unsigned, "--ocsf", "--secret", "env:HOME", code=2)
    assert not Path(unsigned).exists()


def test_what_is_pruned_is_in_the_audit(desk: Desk) -> None:
    desk.run("prune", "--older-than", "1ms", "--yes", group="store")
    (act,) = desk.json("list", "--what", "store.delete")["acts"]
    (gone,) = act["details"]["deleted"]
    assert gone["id"] == "o-1" and gone["link"] and desk.json("verify")["ok"]


def test_who_takes_data_away_is_in_the_audit_and_who_is_refused_is_not(desk: Desk, tmp_path: Path) -> None:
    def told() -> list[tuple[str, str]]:
        acts = desk.json("list", "--by", getuser())["acts"]
        return [(act["what"], act["on"]) for act in acts if act["what"] != "audit.list"]

    out = tmp_path / "out"
    out.write_text("")
    desk.run("export", str(out), code=2)
    desk.run("export", str(tmp_path / "a"), "--secret", "env:NOTHING_IS_THERE", code=2)
    desk.run("verify", "o-9", code=3)
    desk.run("export", str(out), group="store", code=2)
    assert told() == []
    desk.run("export", str(tmp_path / "a"), "--what", "approve")
    desk.run("verify", "o-1")
    desk.run("export", str(tmp_path / "b"), "--where", "function=order", group="store")
    assert told() == [("audit.export", "store"), ("audit.verify", "o-1"), ("store.export", "store")]
    (taken,) = desk.json("list", "--what", "store.export")["acts"]
    assert taken["details"]["executions"] == 1 and taken["details"]["of"] == {"function": "order"}
    assert taken["details"]["to"] == str(tmp_path / "b") and desk.json("verify")["ok"]


def test_the_audit_is_keyed_from_here_on(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "OVERWINTER_AUDIT_KEY" in desk.run("key", code=2)
    monkeypatch.setenv("AUDIT_KEY", new_key())
    monkeypatch.setenv("OVERWINTER_AUDIT_KEY", "env:AUDIT_KEY")
    assert {one["chain"] for one in desk.json("verify", code=1)["findings"]} >= {"o-1"}
    assert "overwinter audit key" in desk.run("verify", "o-1", code=1)
    told = desk.json("key")
    assert told["chains"] == 2 and told["older"] == 2 and told["left"] == []
    desk.run("freeze", "user:ben", "--by", "dora", group="budget")
    assert desk.json("verify")["unchecked"] == {}
    monkeypatch.delenv("OVERWINTER_AUDIT_KEY")
    told = desk.json("verify")
    (act,) = desk.json("list", "--what", "store.keyed")["acts"]
    assert told["ok"] and list(told["unchecked"]) == [act["details"]["key"][:6]]
    assert "not checked" in desk.run("verify") and "not checked" not in desk.run("verify", "o-1")
    desk.lie()
    monkeypatch.setenv("OVERWINTER_AUDIT_KEY", "env:AUDIT_KEY")
    assert [one["chain"] for one in desk.json("key", code=1)["left"]][:1] == ["o-1"]


def test_a_copy_that_can_only_be_read_is_listed_and_verified_and_stays_as_it_is(desk: Desk, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    folder.mkdir()
    kept, copy = str(tmp_path / "kept.jsonl"), folder / "a %3F copy.db"
    desk.run("export", kept)
    with sqlite3.connect(desk.path) as db:
        db.execute("VACUUM INTO ?", (str(copy),))
    db.close()
    before = copy.read_bytes()
    desk.path = Path(f"{copy}?mode=ro")
    assert [act["what"] for act in desk.json("list")["acts"]][-2:] == ["budget.freeze", "audit.export"]
    assert desk.json("verify")["ok"] and desk.json("verify", "--against", kept)["ok"]
    desk.run("export", str(tmp_path / "again.jsonl"))
    assert "can't be written" in desk.run("freeze", "user:ben", group="budget", code=4)
    assert copy.read_bytes() == before and [one.name for one in folder.iterdir()] == [copy.name]
    (folder / f"{copy.name}-wal").write_text("a log")
    assert "has a log beside it" in desk.run("verify", code=4)
