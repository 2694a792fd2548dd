"""A folder as a bucket: nothing outside of it can be reached, and what is written appears whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from overwinter.orchestrator.machine.datasets.bucket import Bucket, Refused
from overwinter.orchestrator.machine.datasets.buckets import VARIABLE, Buckets
from overwinter.orchestrator.machine.datasets.folder import Folder
from overwinter.state.errors import InvalidInput

OUTSIDE = [
    "../secret",
    "a/../../secret",
    "/etc/passwd",
    "",
    ".",
    "..",
    "a//b",
    "a/./b",
    "a\0b",
    "link",
    "way/secret",
    "x" * 300,
]


def content(bucket: Bucket, key: str) -> bytes:
    stream = bucket.open(key).stream
    try:
        return stream.read(99)
    finally:
        stream.close()


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    (tmp_path / "secret").write_text("secret")
    inside = tmp_path / "data"
    inside.mkdir()
    (inside / "a").mkdir()
    (inside / "a" / "b").write_text("mine")
    (inside / "link").symlink_to(tmp_path / "secret")
    (inside / "way").symlink_to(tmp_path)
    (inside / "same").symlink_to(inside / "a" / "b")
    (inside / "circle").symlink_to(inside / "circle")
    os.mkfifo(inside / "pipe")
    return Folder(inside)


@pytest.mark.parametrize("key", [*OUTSIDE, "circle", "a", "pipe", "nothing"])
def test_nothing_outside_of_it_is_read(folder: Folder, key: str) -> None:
    with pytest.raises(Refused):
        folder.open(key)


@pytest.mark.parametrize("key", [*OUTSIDE, "way/new", "way/new/new", "circle/x", "a/b/c", "a"])
def test_nothing_outside_of_it_is_written(folder: Folder, key: str, tmp_path: Path) -> None:
    with pytest.raises(Refused):
        folder.put(key, b"overwritten")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "secret"]
    assert (tmp_path / "secret").read_text() == "secret" and (tmp_path / "data" / "a" / "b").read_text() == "mine"
    assert not [name for _, _, names in os.walk(tmp_path) for name in names if "part" in name]


@pytest.mark.parametrize("prefix", ["", "a", "a/", "a/b"])
def test_a_listing_has_what_can_be_read(folder: Folder, prefix: str) -> None:
    keys = [found.key for found in folder.list(prefix)]
    assert keys == [key for key in ("a/b", "same") if key.startswith(prefix)]
    assert all(content(folder, key) == b"mine" for key in keys)


@pytest.mark.parametrize("prefix", ["../", "/", "way/", "a/../", "\0", "nothing/", "./"])
def test_a_listing_has_nothing_else(folder: Folder, prefix: str) -> None:
    assert list(folder.list(prefix)) == []


def test_keys_come_in_the_order_of_s3(tmp_path: Path) -> None:
    for key in ("b", "a/z", "a.txt", "a-b", "é", "Z", "a/é"):
        Folder(tmp_path).put(key, b"")
    keys = [found.key for found in Folder(tmp_path).list("")]
    assert keys == sorted(keys, key=str.encode) and len(keys) == 7
    for number, key in enumerate(keys):
        assert [found.key for found in Folder(tmp_path).list("", key)] == keys[number + 1 :]


def test_what_is_written_appears_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Folder(tmp_path)
    folder.put("a/b", b"old")

    def dies(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", dies)
    with pytest.raises(Refused, match="No space left"):
        folder.put("a/b", b"new")
    monkeypatch.undo()
    assert [path.read_text() for path in tmp_path.rglob("*") if path.is_file()] == ["old"]
    folder.put("a/b", b"new")
    assert content(folder, "a/b") == b"new"


@pytest.mark.parametrize("place", ["", "a\0b", "ftp://x", "s3://", 5])
def test_a_place_that_is_none_is_refused(place: str) -> None:
    with pytest.raises(InvalidInput, match="'data'"):
        Buckets({"data": place})


def test_the_environment_names_buckets_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x").write_text("mine")
    monkeypatch.setenv(VARIABLE, f"data={tmp_path}, other=/nowhere")
    assert content(Buckets().get("data"), "x") == b"mine"
    with pytest.raises(Refused, match="no folder /nowhere"):
        Buckets().get("other").put("x", b"")
    assert content(Buckets({"other": tmp_path}).get("other"), "x") == b"mine"
    monkeypatch.setenv(VARIABLE, "data")
    with pytest.raises(InvalidInput, match=VARIABLE):
        Buckets()
