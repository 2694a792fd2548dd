"""Results in a bucket: the manifest comes last, and twice is once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from overwinter.orchestrator.machine.datasets.bucket import Refused
from overwinter.orchestrator.machine.datasets.buckets import Buckets
from overwinter.orchestrator.machine.datasets.export import write_results
from overwinter.orchestrator.machine.datasets.folder import Folder
from overwinter.orchestrator.machine.running.resources import Export
from overwinter.state.errors import StateFailed

EXPORT = Export("data", "run/", "", "arn", {"FAILED": [{"é": 1}], "PENDING": [], "SUCCEEDED": [1, [2]]}, False)


def test_the_manifest_comes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put, keys, full = Folder.put, [], ["run/SUCCEEDED_0.json"]

    def counted(self: Folder, key: str, content: bytes, **options: Any) -> None:
        if key in full:
            raise Refused("the disk is full")
        keys.append(key)
        put(self, key, content, **options)

    monkeypatch.setattr(Folder, "put", counted)
    with pytest.raises(StateFailed, match="the disk is full") as failed:
        write_results(Buckets({"data": tmp_path}), EXPORT)
    assert failed.value.error == "States.ResultWriterFailed" and "run/manifest.json" not in keys
    full.clear()
    assert write_results(Buckets({"data": tmp_path}), EXPORT) == {"Bucket": "data", "Key": "run/manifest.json"}
    assert keys[-1] == "run/manifest.json"


def test_what_is_written_twice_is_the_same(tmp_path: Path) -> None:
    found: list[dict[str, bytes]] = []
    for _ in range(2):
        write_results(Buckets({"data": tmp_path}), EXPORT)
        found.append({path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()})
    assert found[0] == found[1] and found[0]["FAILED_0.json"] == '[{"é":1}]'.encode()
    manifest = json.loads(found[0]["manifest.json"])
    assert manifest["ResultFiles"]["FAILED"] == [{"Key": "run/FAILED_0.json", "Size": 10}]
    assert manifest["ResultFiles"]["PENDING"] == [] and sorted(found[0]) == [
        "FAILED_0.json",
        "SUCCEEDED_0.json",
        "manifest.json",
    ]
