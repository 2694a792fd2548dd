"""Where ``store export`` writes: never over the store it reads, and pipes, devices and links stay what they are."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

Command = Callable[..., Result]
STARTED = {"type": "start", "at": 1_700_000_000_000, "input": 1, "seed": "s"}


@pytest.fixture
def filled(shelf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    shelf.put("t-1", [STARTED])
    return shelf


@pytest.mark.parametrize("part", ["", "-wal", "-shm", "-journal"])
@pytest.mark.parametrize("how", ["absolute", "relative", "link", "folder link", "hard link", "store by link", "part"])
def test_the_store_is_never_written_over(filled: Any, overwinter: Command, how: str, part: str) -> None:
    path = Path(f"{filled.path}{part}")
    if not path.exists() and how in ("link", "hard link"):
        path.write_bytes(b"")
    store, target = filled.dsn, str(path)
    if how == "relative":
        target = f"../{path.parent.name}/./{path.name}"
    elif how == "link":
        Path("link").symlink_to(path)
        target = "link"
    elif how == "folder link":
        Path("folder").symlink_to(path.parent)
        target = f"folder/{path.name}"
    elif how == "hard link":
        Path("hard").hardlink_to(path)
        target = "hard"
    elif how == "store by link":
        Path("by-link.db").symlink_to(filled.path)
        store = "sqlite:///by-link.db"
    elif how == "part":
        if part:
            pytest.skip("the name of the store is enough")
        renamed = Path("kept.part")
        filled.path.rename(renamed)
        path, store, target = renamed, f"sqlite:///{renamed}", "kept"
    before = path.read_bytes() if path.exists() else None
    done = overwinter("store", "export", target, "--force", "--store", store)
    assert done.exit_code == 2
    assert f"{target} belongs to the store that is exported" in done.stderr
    assert (path.read_bytes() if path.exists() else None) == before


def test_a_pipe_is_written_to(filled: Any, overwinter: Command) -> None:
    os.mkfifo("pipe")
    assert overwinter("store", "export", "pipe").exit_code == 2, "it is there already"
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(Path("pipe").read_bytes()), daemon=True)
    reader.start()
    done = overwinter("store", "export", "pipe", "--force")
    assert done.exit_code == 0, done.output
    reader.join(30)
    assert b'"t-1"' in read[0]
    assert Path("pipe").is_fifo()


def test_a_device_is_written_to(filled: Any, overwinter: Command) -> None:
    Path("nothing").symlink_to("/dev/null")
    assert overwinter("store", "export", "nothing", "--force").exit_code == 0
    assert Path("nothing").is_symlink()
    assert Path("/dev/null").is_char_device()


def test_the_file_of_a_link_is_replaced(filled: Any, overwinter: Command) -> None:
    Path("deep").mkdir()
    Path("deep/kept.jsonl").write_text("old")
    Path("link").symlink_to("deep/kept.jsonl")
    assert overwinter("store", "export", "link", "--force").exit_code == 0
    assert Path("link").is_symlink()
    assert '"t-1"' in Path("deep/kept.jsonl").read_text("utf-8")
    assert sorted(path.name for path in Path("deep").iterdir()) == ["kept.jsonl"]


def test_a_link_in_a_circle_and_a_folder_are_refused(filled: Any, overwinter: Command) -> None:
    Path("circle").symlink_to("circle")
    Path("folder").mkdir()
    for name in ("circle", "folder"):
        done = overwinter("store", "export", name, "--force")
        assert done.exit_code == 2, done.output
        assert f"{name} can't be written" in done.stderr
    assert Path("circle").is_symlink()
