"""What is in files: rows, lines and values, from any page on; and what is no data."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overwinter.orchestrator.machine.datasets import content
from overwinter.orchestrator.machine.datasets.buckets import Buckets
from overwinter.orchestrator.machine.definition.states.map_data import ReaderConfig
from overwinter.state.errors import StateFailed

from .reading import LISTING, items, pages, read

CSV = ReaderConfig("CSV", "FIRST_ROW")
JSON = ReaderConfig("JSON")
JSONL = ReaderConfig("JSONL")
Where = dict[str, str]


def put(folder: Path, text: str | bytes, key: str = "a") -> tuple[Buckets, Where]:
    path = folder / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return Buckets({"data": folder}), {"Bucket": "data", "Key": key}


def refused(folder: Path, text: str | bytes, config: ReaderConfig, key: str = "a") -> str:
    buckets, where = put(folder, text, key)
    with pytest.raises(StateFailed) as failed:
        items(buckets, config, where)
    assert failed.value.error == "States.ItemReaderFailed"
    return failed.value.cause


@pytest.mark.parametrize(
    ("row", "fields"),
    [
        ("1,2", ["1", "2"]),
        ('"1,5","a\nb"', ["1,5", "a\nb"]),
        ('"a\r\nb",2', ["a\r\nb", "2"]),
        ('"say ""hi""",2', ['say "hi"', "2"]),
        ('{""k"":1},2', ['{"k":1}', "2"]),  # doubled in a field without quotation marks, as AWS's example has it
        ('"",2', ["", "2"]),
        ('"""",2', ['"', "2"]),
        ('"""a""",2', ['"a"', "2"]),
        ('a"b,2', ['a"b', "2"]),
        ('"a"b,2', ["ab", "2"]),
        (r"C:\\Program Files\\MyApp.exe,2", [r"C:\Program Files\MyApp.exe", "2"]),
        (r"a\,b,2", ["a,b", "2"]),
        (r"\"a,2", ['"a', "2"]),
        (r'"a\"b",2', ['a"b', "2"]),
        (r"C:\temp,2", ["C:temp", "2"]),  # a backslash before any other sign is taken away
        ("1\\", ["1", ""]),
        ("1", ["1", ""]),
        ("1,2,3,4", ["1", "2"]),
        (",", ["", ""]),
        ("ä,€", ["ä", "€"]),
    ],
)
def test_rows_are_read_as_step_functions_reads_them(tmp_path: Path, row: str, fields: list[str]) -> None:
    expected = [dict(zip(("x", "y"), fields, strict=True)), {"x": "8", "y": "9"}]
    for end in ("\n", "\r\n"):
        buckets, where = put(tmp_path, f"x,y{end}{row}{end}{end}8,9")
        assert items(buckets, CSV, where) == expected
        assert items(buckets, CSV, where, room=1) == expected


@pytest.mark.parametrize(
    ("name", "sign"), [("COMMA", ","), ("PIPE", "|"), ("SEMICOLON", ";"), ("SPACE", " "), ("TAB", "\t")]
)
def test_delimiters_and_given_headers(tmp_path: Path, name: str, sign: str) -> None:
    buckets, where = put(tmp_path, f'1{sign}"2{sign}3"\n')
    config = ReaderConfig("CSV", "GIVEN", ("x", "y"), name)
    assert items(buckets, config, where) == [{"x": "1", "y": f"2{sign}3"}]


_cells = st.text(st.sampled_from('ab,"\\\n\r é'), max_size=5)


@given(
    rows=st.lists(st.lists(_cells, min_size=2, max_size=2), max_size=8), room=st.integers(1, 80), packed=st.booleans()
)
def test_what_is_written_comes_back_in_pages_of_any_size(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], room: int, packed: bool
) -> None:
    quoted = [",".join('"' + cell.replace("\\", "\\\\").replace('"', '""') + '"' for cell in row) for row in rows]
    text = "\n".join(["x,y", *quoted]).encode()
    folder = tmp_path_factory.mktemp("data")
    buckets, where = put(folder, gzip.compress(text) if packed else text, "a.csv.gz" if packed else "a.csv")
    assert items(buckets, CSV, where, room=room) == [{"x": x, "y": y} for x, y in rows]


_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=4,
)


@given(values=st.lists(_values, max_size=8), room=st.integers(1, 60), most=st.none() | st.integers(1, 9))
def test_json_and_json_lines_come_in_pages_of_any_size(
    tmp_path_factory: pytest.TempPathFactory, values: list[Any], room: int, most: int | None
) -> None:
    folder = tmp_path_factory.mktemp("data")
    lines = "".join(json.dumps(value) + "\n\n" for value in values)
    for config, text in ((JSON, json.dumps(values)), (JSONL, lines), (JSONL, lines.rstrip())):
        buckets, where = put(folder, text)
        assert items(buckets, config, where, room=room, most=most) == values[:most]


def test_an_object_has_keys_and_a_pointer_leads_to_the_items(tmp_path: Path) -> None:
    buckets, where = put(tmp_path, '{"a": 1, "b/c": {"~": [0, {"x": [7, 8]}]}}')
    assert read(buckets, JSON, where) == [("S3://data/a", "a", 1), ("S3://data/a", "b/c", {"~": [0, {"x": [7, 8]}]})]
    assert items(buckets, ReaderConfig("JSON", items_pointer="/b~1c/~0/1/x"), where) == [7, 8]
    for pointer in ("/b", "/a/0", "/b~1c/~0/2", "/b~1c/~0/01", "x"):
        with pytest.raises(StateFailed, match="ItemsPointer"):
            items(buckets, ReaderConfig("JSON", items_pointer=pointer), where)


def test_a_byte_order_mark_is_no_data(tmp_path: Path) -> None:
    for config, text, expected in ((CSV, "x\n1", [{"x": "1"}]), (JSON, "[1]", [1]), (JSONL, "1\n2", [1, 2])):
        buckets, where = put(tmp_path, f"\ufeff{text}")
        assert items(buckets, config, where) == expected


@pytest.mark.parametrize(
    ("config", "text", "cause"),
    [
        (CSV, "x,x\n1,2", "CSV headers cannot contain duplicates."),
        (CSV, 'x\n1\n"2\n3', "a: the quotation mark of line 3 has no other that closes it"),
        (CSV, b"x\n1\n\xff", "a is not UTF-8: line 3, byte 0"),
        (JSON, "5", "Attempting to map over non-iterable node."),
        (JSON, "null", "Attempting to map over non-iterable node."),
        (JSON, "[1,", "a is not JSON: "),
        (JSON, "", "a is not JSON: "),
        (JSON, "[NaN]", "a is not JSON: NaN is no number of JSON"),
        (JSON, "[" * 100_000, "a is nested too deeply"),
        (JSONL, "1\n\n{", "a, line 3 is not JSON: "),
        (JSONL, "1\n" + "9" * 5000, "a, line 2 is not JSON: "),
    ],
)
def test_what_is_no_data_is_said(tmp_path: Path, config: ReaderConfig, text: str | bytes, cause: str) -> None:
    assert refused(tmp_path, text, config).startswith(cause)


def test_what_can_not_be_unpacked_is_said(tmp_path: Path) -> None:
    assert "a.gz can't be" in refused(tmp_path, b"x\n1\n", CSV, "a.gz")
    assert "a.gz can't be unpacked" in refused(tmp_path, gzip.compress(b"x\n1\n" * 999)[:-9], CSV, "a.gz")
    assert "ZSTD" in refused(tmp_path, b"x", CSV, "a.csv.zst")


def test_nothing_of_any_size_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "LONGEST", 100)
    monkeypatch.setattr(content, "WHOLE", 100)
    monkeypatch.setattr(content, "BLOCK", 10)
    assert "a line of more than 100 bytes" in refused(tmp_path, "x" * 200, JSONL)
    assert "more than 100 bytes" in refused(tmp_path, "[" + "1," * 200 + "1]", JSON)
    buckets, where = put(tmp_path, "1\n" * 300)
    assert items(buckets, JSONL, where) == [1] * 300


def test_no_more_is_read_than_wanted(tmp_path: Path) -> None:
    buckets, where = put(tmp_path, "1\n2\nno JSON\n")
    assert items(buckets, JSONL, where, most=2) == [1, 2]


def test_a_file_that_changes_between_two_pages_is_refused(tmp_path: Path) -> None:
    buckets, where = put(tmp_path, "1\n2\n3\n")
    first, *_ = pages(buckets, JSONL, where, room=1)
    put(tmp_path, "1\n22\n3\n")
    from overwinter.orchestrator.machine.datasets.page import read_page
    from overwinter.orchestrator.machine.running.resources import Reading

    with pytest.raises(StateFailed, match="was changed while it was read"):
        read_page(buckets, Reading("s3:getObject", where, JSONL, first["next"], None, 100))


# -- several files ---------------------------------------------------------------------------------


@pytest.fixture
def logs(tmp_path: Path) -> Buckets:
    for key, text in (("logs/a.jsonl", "1\n2\n"), ("logs/b/c.jsonl", "3\n"), ("logs2/d.jsonl", "4\n"), ("z.jsonl", "")):
        put(tmp_path, text, key)
    return Buckets({"data": tmp_path})


@pytest.mark.parametrize("room", [1, 300, 1 << 20])
def test_objects_are_listed(logs: Buckets, room: int) -> None:
    config = ReaderConfig()
    found = read(logs, config, {"Bucket": "data"}, action=LISTING, room=room)
    assert [item["Key"] for _, _, item in found] == ["logs/a.jsonl", "logs/b/c.jsonl", "logs2/d.jsonl", "z.jsonl"]
    assert list(found[0][2]) == ["Etag", "Key", "LastModified", "Size", "StorageClass"]
    assert found[0][0] == "S3://data" and found[0][2]["Size"] == 4 and found[0][2]["StorageClass"] == "STANDARD"
    given = {"Bucket": "data", "Prefix": "logs", "StartAfter": "logs/a.jsonl"}
    assert [item["Key"] for item in items(logs, config, given, action=LISTING, room=room, most=1)] == ["logs/b/c.jsonl"]
    assert items(logs, config, {"Bucket": "data", "Prefix": "nothing/"}, action=LISTING, room=room) == []


@pytest.mark.parametrize("room", [1, 3, 1 << 20])
def test_what_is_in_the_objects_of_a_listing(logs: Buckets, room: int) -> None:
    config = ReaderConfig("JSONL", transformation="LOAD_AND_FLATTEN")
    found = read(logs, config, {"Bucket": "data", "Prefix": "logs"}, action=LISTING, room=room)
    a, c, d = (f"S3://data/{key}" for key in ("logs/a.jsonl", "logs/b/c.jsonl", "logs2/d.jsonl"))
    assert found == [(a, None, 1), (a, None, 2), (c, None, 3), (d, None, 4)]
    assert items(logs, config, {"Bucket": "data"}, action=LISTING, room=room, most=3) == [1, 2, 3]


INVENTORY = {
    "sourceBucket": "shop",
    "destinationBucket": "arn:aws:s3:::data",
    "version": "2016-11-30",
    "fileFormat": "CSV",
    "fileSchema": "Bucket, Key, Size",
    "files": [{"key": "i/1.csv.gz", "size": 1}, {"key": "i/2.csv.gz", "size": 1}],
}


@pytest.mark.parametrize("room", [1, 60, 1 << 20])
@pytest.mark.parametrize("config", [ReaderConfig("MANIFEST"), ReaderConfig(manifest_type="S3_INVENTORY")])
def test_an_inventory_of_s3(tmp_path: Path, room: int, config: ReaderConfig) -> None:
    put(tmp_path, gzip.compress(b'"shop","a/","0"\n"shop","a/b","12"\n'), "i/1.csv.gz")
    put(tmp_path, gzip.compress(b'"shop","c","7"\n'), "i/2.csv.gz")
    buckets, where = put(tmp_path, json.dumps(INVENTORY), "i/manifest.json")
    found = read(buckets, config, where, room=room)
    assert [item for _, _, item in found] == [
        {"Bucket": "shop", "Key": "a/", "Size": "0"},
        {"Bucket": "shop", "Key": "a/b", "Size": "12"},
        {"Bucket": "shop", "Key": "c", "Size": "7"},
    ]
    assert found[2][0] == "S3://data/i/2.csv.gz"


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("5", "no manifest of an inventory"),
        ("no", "no manifest of an inventory"),
        ('{"files": []}', "no manifest of an inventory"),
        (json.dumps({**INVENTORY, "files": [1]}), "no manifest of an inventory"),
        (json.dumps({**INVENTORY, "fileFormat": "ORC"}), "only CSV can be read"),
    ],
)
def test_what_is_no_inventory_is_said(tmp_path: Path, text: str, cause: str) -> None:
    assert cause in refused(tmp_path, text, ReaderConfig("MANIFEST"))


@pytest.mark.parametrize("room", [1, 12, 1 << 20])
def test_a_manifest_of_athena(tmp_path: Path, room: int) -> None:
    put(tmp_path, gzip.compress(b'{"n": 1}\n{"n": 2}\n'), "q/1.gz")
    other = tmp_path / "other"
    put(other, '{"n": 3}\n', "2")
    buckets, where = put(tmp_path, "s3://data/q/1.gz\ns3://more/2\n", "q/x-manifest.csv")
    buckets = Buckets({"data": tmp_path, "more": other})
    config = ReaderConfig("JSONL", manifest_type="ATHENA_DATA")
    found = read(buckets, config, where, room=room)
    assert [item["n"] for _, _, item in found] == [1, 2, 3] and found[2][0] == "S3://more/2"
    assert "no manifest of Athena" in refused(tmp_path, "s3://x\n", config)


@pytest.mark.parametrize(
    ("given", "action", "cause"),
    [
        ({"Key": "a"}, "s3:getObject", "The field 'Bucket' is required but was missing"),
        ({"Bucket": "data"}, "s3:getObject", "The field 'Key' is required but was missing"),
        ({"Bucket": "data", "Key": 5}, "s3:getObject", "Key of s3:getObject is a text, not 5"),
        ({"Bucket": "data", "Delimiter": "/"}, LISTING, "takes Bucket, ExpectedBucketOwner, Prefix, StartAfter"),
        ({"Bucket": "data", "Key": "a", "VersionId": "1"}, "s3:getObject", "leave VersionId out"),
        ({"Bucket": "data", "Key": "none"}, "s3:getObject", "The specified key does not exist. (Service: S3, Status"),
        ({"Bucket": "gone", "Key": "a"}, "s3:getObject", "The specified bucket does not exist"),
        ({"Bucket": "gone"}, LISTING, "The specified bucket does not exist"),
    ],
)
def test_arguments_that_lead_nowhere_are_said(tmp_path: Path, given: Where, action: str, cause: str) -> None:
    put(tmp_path, "[]")
    buckets = Buckets({"data": tmp_path, "gone": tmp_path / "gone"})
    with pytest.raises(StateFailed) as failed:
        items(buckets, ReaderConfig() if action == LISTING else JSON, given, action=action)
    assert cause in failed.value.cause and failed.value.error == "States.ItemReaderFailed"
