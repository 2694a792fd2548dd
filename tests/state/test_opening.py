"""From a DSN to a store, and what must not be loaded on the way."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from overwinter.state import open_store
from overwinter.state.errors import InvalidInput
from overwinter.state.memory import MemoryStore
from overwinter.state.sqlite import SqliteStore


def test_the_scheme_chooses_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(open_store("memory://"), MemoryStore)
    store = open_store("sqlite:////tmp/x.db")
    assert isinstance(store, SqliteStore)
    assert store.dsn == "sqlite:////tmp/x.db"


def test_the_environment_chooses_when_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERWINTER_STATE", "memory://")
    assert isinstance(open_store(), MemoryStore)
    assert isinstance(open_store("sqlite:///x.db"), SqliteStore)
    monkeypatch.delenv("OVERWINTER_STATE")
    assert open_store().dsn == "sqlite:///overwinter.db"


@pytest.mark.parametrize("dsn", ["mongodb://x", "overwinter.db", "sqlite", "/tmp/x.db", "redis:localhost"])
def test_another_scheme_is_refused_with_what_there_is(dsn: str) -> None:
    with pytest.raises(InvalidInput, match=r"sqlite:///relative\.db.*redis://.*dynamodb://.*memory://"):
        open_store(dsn)


def test_a_refusal_shows_no_password() -> None:
    with pytest.raises(InvalidInput) as refused:
        open_store("postgres://me:hunter2@db.example/x")
    assert "hunter2" not in str(refused.value)
    assert "postgres://me:***@db.example/x" in str(refused.value)


@pytest.mark.parametrize(
    ("dsn", "package", "extra"),
    [("redis://127.0.0.1", "redis", "redis"), ("dynamodb://table", "botocore", "dynamodb")],
)
def test_a_store_whose_library_is_missing_says_what_to_install(dsn: str, package: str, extra: str) -> None:
    script = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "from overwinter.state import open_store\n"
        "from overwinter.state.errors import InvalidInput\n"
        f"try: open_store({dsn!r})\n"
        "except InvalidInput as error: print(error)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    said = subprocess.run([sys.executable, "-c", script], env=environment, check=True, capture_output=True, text=True)
    assert f"pip install 'overwinter[{extra}]'" in said.stdout


def test_a_store_loads_only_what_it_needs() -> None:
    script = (
        "import sys; from overwinter.state import open_store; open_store('memory://'); "
        "assert 'sqlite3' not in sys.modules; assert 'overwinter.state.contract' not in sys.modules; "
        "open_store('sqlite:///x.db'); assert 'overwinter.state.sqlite' in sys.modules"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)
