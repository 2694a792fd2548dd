"""Buckets of S3, on moto's server over HTTP."""

from __future__ import annotations

import gzip
import uuid
from typing import Any

import pytest

from overwinter.orchestrator.machine.datasets import s3
from overwinter.orchestrator.machine.datasets.buckets import Buckets
from overwinter.orchestrator.machine.datasets.export import write_results
from overwinter.orchestrator.machine.definition.states.map_data import ReaderConfig
from overwinter.orchestrator.machine.running.resources import Export
from overwinter.state.errors import InvalidInput, StateFailed
from overwinter.tests.servers.moto import credentials

from .reading import LISTING, items, read

pytest.importorskip("moto", reason="moto[s3,server] is not installed")
CSV, JSONL = ReaderConfig("CSV", "FIRST_ROW"), ReaderConfig("JSONL")


@pytest.fixture
def client(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    server: Any = request.getfixturevalue("moto_server")
    for name, value in credentials().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    return s3.make_client()


@pytest.fixture
def bucket(client: Any) -> str:
    name = f"b-{uuid.uuid4().hex[:12]}"
    client.create_bucket(Bucket=name)
    return name


@pytest.mark.parametrize("room", [1, 8, 1 << 20])
def test_an_object_is_read(client: Any, bucket: str, room: int) -> None:
    client.put_object(Bucket=bucket, Key="a/b.csv", Body=b'x,y\n1,"2\n3"\n4\n')
    client.put_object(Bucket=bucket, Key="a/c.jsonl.gz", Body=gzip.compress(b"1\n2\n3\n"))
    csv = {"Bucket": bucket, "Key": "a/b.csv"}
    assert items(Buckets(), CSV, csv, room=room) == [{"x": "1", "y": "2\n3"}, {"x": "4", "y": ""}]
    lines = {"Bucket": bucket, "Key": "a/c.jsonl.gz"}
    assert read(Buckets(), JSONL, lines, room=room) == [(f"S3://{bucket}/a/c.jsonl.gz", None, n) for n in (1, 2, 3)]


def test_a_page_that_ends_where_the_object_does(client: Any, bucket: str) -> None:
    client.put_object(Bucket=bucket, Key="a", Body=b"1\n")
    assert items(Buckets(), JSONL, {"Bucket": bucket, "Key": "a"}, room=1) == [1]


def test_a_version_is_read(client: Any, bucket: str) -> None:
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = client.put_object(Bucket=bucket, Key="a", Body=b"1\n")["VersionId"]
    client.put_object(Bucket=bucket, Key="a", Body=b"2\n")
    where = {"Bucket": bucket, "Key": "a"}
    assert items(Buckets(), JSONL, where) == [2]
    assert items(Buckets(), JSONL, {**where, "VersionId": first}) == [1]


@pytest.mark.parametrize("room", [1, 1 << 20])
def test_objects_are_listed_and_read(client: Any, bucket: str, room: int) -> None:
    for number in range(3):
        client.put_object(Bucket=bucket, Key=f"logs/{number}", Body=f"{number}\n{number}\n".encode())
    client.put_object(Bucket=bucket, Key="logs/", Body=b"")  # as the console makes a folder
    given = {"Bucket": bucket, "Prefix": "logs/"}
    found = items(Buckets(), ReaderConfig(), given, action=LISTING, room=room)
    assert [one["Key"] for one in found] == ["logs/", "logs/0", "logs/1", "logs/2"]
    assert found[1]["Size"] == 4 and isinstance(found[1]["LastModified"], int) and found[1]["Etag"].startswith('"')
    flat = ReaderConfig("JSONL", transformation="LOAD_AND_FLATTEN")
    assert items(Buckets(), flat, given, action=LISTING, room=room) == [0, 0, 1, 1, 2, 2]


def test_a_name_may_stand_for_a_folder_of_a_bucket(client: Any, bucket: str) -> None:
    buckets = Buckets({"data": f"s3://{bucket}/deep"})
    export = Export("data", "run/", "", "arn", {"SUCCEEDED": [1, {"é": 2}], "FAILED": [], "PENDING": [3]}, True)
    assert write_results(buckets, export) == {"Bucket": "data", "Key": "run/manifest.json"}
    keys = [one["Key"] for one in client.list_objects_v2(Bucket=bucket)["Contents"]]
    assert keys == ["deep/run/PENDING_0.jsonl", "deep/run/SUCCEEDED_0.jsonl", "deep/run/manifest.json"]
    assert items(buckets, JSONL, {"Bucket": "data", "Key": "run/SUCCEEDED_0.jsonl"}) == [1, {"é": 2}]
    found = items(buckets, ReaderConfig(), {"Bucket": "data", "Prefix": "run/P"}, action=LISTING)
    assert [one["Key"] for one in found] == ["run/PENDING_0.jsonl"]


def test_what_s3_refuses_is_said(client: Any, bucket: str) -> None:
    for given, cause in (
        ({"Bucket": bucket, "Key": "none"}, "The specified key does not exist. (Service: S3, Status Code: 404"),
        (
            {"Bucket": f"{bucket}-none", "Key": "a"},
            "The specified bucket does not exist (Service: S3, Status Code: 404",
        ),
    ):
        with pytest.raises(StateFailed) as failed:
            items(Buckets(), JSONL, given)
        assert failed.value.cause.startswith(cause) and failed.value.error == "States.ItemReaderFailed"
    with pytest.raises(StateFailed) as failed:
        write_results(Buckets(), Export(f"{bucket}-none", "", "", "arn", {"SUCCEEDED": [1]}, False))
    assert failed.value.error == "States.ResultWriterFailed"


def test_an_object_that_changes_between_two_pages_is_refused(client: Any, bucket: str) -> None:
    from overwinter.orchestrator.machine.datasets.page import read_page
    from overwinter.orchestrator.machine.running.resources import Reading

    where = {"Bucket": bucket, "Key": "a"}
    client.put_object(**where, Body=b"1\n2\n")
    first = read_page(Buckets(), Reading("s3:getObject", where, JSONL, None, None, 1))
    client.put_object(**where, Body=b"1\n3\n")
    with pytest.raises(StateFailed, match="was changed while it was read"):
        read_page(Buckets(), Reading("s3:getObject", where, JSONL, first["next"], None, 1))


def test_without_boto3_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "botocore.config", None)
    with pytest.raises(InvalidInput, match=r"overwinter\[aws\]"):
        Buckets().get("data")
