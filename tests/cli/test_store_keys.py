"""Keys at the command line: made, changed and given up; a secret is printed where it was asked for and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Callable
from getpass import getuser
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from overwinter.state.sealing.keys import read_keys

Command = Callable[..., Result]


def made(overwinter: Command, path: Path) -> str:
    """A key in a file; its id."""
    done = overwinter("store", "new-key", "--file", str(path), "--json")
    assert done.exit_code == 0, done.output
    id: str = json.loads(done.stdout)["id"]
    return id


def test_a_key_is_what_reading_keys_takes(overwinter: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = overwinter("store", "new-key")
    monkeypatch.setenv("SHOP_KEY", done.stdout.strip())
    keys = read_keys("env:SHOP_KEY")
    assert keys is not None and f"key {keys.first.id};" in done.stderr
    assert done.stdout.strip() not in done.stderr


def test_in_a_file_it_is_its_owners_and_never_over_another(overwinter: Command, tmp_path: Path) -> None:
    path = tmp_path / "key"
    id = made(overwinter, path)
    assert path.stat().st_mode & 0o077 == 0
    keys = read_keys(f"file:{path}")
    assert keys is not None and keys.first.id == id
    before = path.read_bytes()
    again = overwinter("store", "new-key", "--file", str(path))
    assert again.exit_code == 2 and "exists already" in again.stderr and path.read_bytes() == before
    assert overwinter("store", "new-key", "--file", str(tmp_path / "no" / "key")).exit_code == 2


@pytest.fixture
def sealed(shelf: Any, overwinter: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A store with one sealed execution."""
    shelf.first = made(overwinter, tmp_path / "first")
    monkeypatch.setenv("OVERWINTER_KEYS", f"file:{tmp_path / 'first'}")
    entries = [{"type": "start", "at": 1, "input": "4111"}, {"type": "completed", "at": 2}]
    shelf.put("order-7", entries, status="completed")
    return shelf


def test_reseal_counts_what_is_left_and_retires_when_nothing_is(
    sealed: Any, overwinter: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = made(overwinter, tmp_path / "second")
    monkeypatch.setenv("OVERWINTER_KEYS", f"file:{tmp_path / 'second'} file:{tmp_path / 'first'}")
    done = json.loads(overwinter("store", "reseal", "--json").stdout)
    assert done["left"][sealed.first] > 0 and done["retired"] == [] and second not in done["left"]
    assert f"still sealed with key {sealed.first}" in overwinter("store", "reseal").stderr
    assert overwinter("store", "prune", "--older-than", "1s", "--yes").exit_code == 0
    done = json.loads(overwinter("store", "reseal", "--json").stdout)
    assert done == {"values": 0, "left": {}, "retired": [sealed.first]}
    monkeypatch.setenv("OVERWINTER_KEYS", f"file:{tmp_path / 'second'}")
    assert overwinter("ps").exit_code == 0, "nobody needs the first any more"


def test_without_keys_there_is_nothing_to_seal_with(shelf: Any, overwinter: Command) -> None:
    shelf.put("plain", [{"type": "start", "at": 1, "input": 1}])
    done = overwinter("store", "reseal")
    assert done.exit_code == 2 and "OVERWINTER_KEYS=" in done.stderr


def test_a_lost_key_is_given_up_as_the_refusal_says(
    sealed: Any, overwinter: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(overwinter, tmp_path / "other")
    monkeypatch.setenv("OVERWINTER_KEYS", f"file:{tmp_path / 'other'}")
    refused = overwinter("ps")
    assert refused.exit_code == 4 and f"overwinter store forget-key {sealed.first}" in refused.stderr
    unsure = overwinter("store", "forget-key", sealed.first)
    assert unsure.exit_code == 2 and "--yes" in unsure.stderr and overwinter("ps").exit_code == 4, "nothing happened"
    done = overwinter("store", "forget-key", sealed.first, "--yes", "--json")
    assert json.loads(done.stdout) == {"key": sealed.first, "keys": [sealed.first], "forgotten": True}
    assert overwinter("ps").exit_code == 0
    (act,) = json.loads(overwinter("audit", "list", "--what", "store.forget-key", "--json").stdout)["acts"]
    assert act["by"] == getuser() and act["details"] == {"keys": [sealed.first]}
    unknown = overwinter("store", "forget-key", sealed.first, "--yes")
    assert unknown.exit_code == 3 and "it is sealed with" in unknown.stderr, "the record is"


def test_who_gives_a_key_up_is_written_down_sealed_or_nothing_is_given_up(
    sealed: Any, overwinter: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = made(overwinter, tmp_path / "other")
    monkeypatch.setenv("OVERWINTER_KEYS", f"file:{tmp_path / 'other'} file:{tmp_path / 'first'}")
    assert overwinter("store", "reseal").exit_code == 0
    monkeypatch.delenv("OVERWINTER_KEYS")
    refused = overwinter("store", "forget-key", sealed.first, "--yes")
    assert refused.exit_code == 2 and other in refused.stderr and "name the other keys" in refused.stderr
    both = overwinter("store", "forget-key", sealed.first, other, "--yes")
    assert both.exit_code == 0 and overwinter("ps").exit_code == 0


def test_no_store_is_made_by_giving_a_key_up(overwinter: Command, tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/absent.db"
    assert overwinter("store", "forget-key", "0" * 16, "--yes", "--store", store).exit_code == 4
    assert not (tmp_path / "absent.db").exists()
