"""Distributed Maps: what they read, how they make batches of it, what they write, and that a crash changes nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import uuid4

import pytest

from overwinter import ExecutionFailed, InvalidInput, Runtime, StateFailed, StateMachine
from overwinter.orchestrator.machine import decider as deciding
from overwinter.orchestrator.machine.decider import MachineDecider
from overwinter.orchestrator.machine.history.replaying import replay
from overwinter.orchestrator.machine.history.telling import states
from overwinter.orchestrator.machine.running.recorder import Recorder
from overwinter.orchestrator.machine.running.states import map as mapping
from overwinter.state.memory import MemoryStore
from overwinter.state.opening import open_store
from overwinter.testing import crash_everywhere
from overwinter.tests.machine.running.functions import CustomError

FILES = {
    "people.csv": "name,age\nAda,36\nAlan,41\nGrace,85\n",
    "numbers.json": "[1, 2, 3, 4, 5]",
    "prices.json": '{"tea": 3, "cake": {"small": 4}}',
    "nested.json": '{"a": [{"b": [7, 8]}]}',
    "lines.jsonl": '{"n": 1}\n{"n": 2}\n',
    "logs/1": "[1, 2]",
    "logs/2": "[3]",
    "wide.jsonl": "".join(json.dumps({"id": number, "text": "x" * 1000}) + "\n" for number in range(600)),
}
PASS = {"Type": "Pass", "End": True}
CSV = {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"}
JSON = {"InputType": "JSON"}
WRITER = {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "data", "Prefix": "out/"}}
EXCEEDED = "The specified tolerated failure threshold was exceeded"


async def even(given: Any) -> Any:
    values = [given] if isinstance(given, int) else given["Items"]
    if any(value % 2 for value in values):
        raise CustomError("odd")
    return given


EVEN = {"Type": "Task", "Resource": "even", "End": True}


def reader(key: str, config: dict[str, Any] | None = None, action: str = "getObject") -> dict[str, Any]:
    where = {"Key": key} if action == "getObject" else {"Prefix": key}
    found: dict[str, Any] = {"Resource": f"arn:aws:states:::s3:{action}", "Parameters": {"Bucket": "data", **where}}
    return found if config is None else {**found, "ReaderConfig": config}


def each(state: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """A distributed Map that does one state with each item."""
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "I",
        "States": {"I": state or PASS},
    }
    return {"StartAt": "M", "States": {"M": {"Type": "Map", "ItemProcessor": processor, "End": True, **fields}}}


def jsonata(state: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """The same in the other query language."""
    for field in ("ItemReader", "ResultWriter"):
        if "Parameters" in fields.get(field, {}):
            fields[field] = {**fields[field], "Arguments": fields[field]["Parameters"]}
            del fields[field]["Parameters"]
    return {"QueryLanguage": "JSONata", **each(state, **fields)}


def machine(definition: Any, folder: Path) -> StateMachine:
    for key, text in FILES.items():
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return StateMachine("m", definition, [even], buckets={"data": folder})


ITEM = {"index.$": "$$.Map.Item.Index", "value.$": "$$.Map.Item.Value", "source.$": "$$.Map.Item.Source"}
PEOPLE = [{"name": "Ada", "age": "36"}, {"name": "Alan", "age": "41"}, {"name": "Grace", "age": "85"}]
LISTED = {"key.$": "$$.Map.Item.Value.Key", "size.$": "$$.Map.Item.Value.Size", "source.$": "$$.Map.Item.Source"}


def preview(transformation: str, output: str = "JSON") -> dict[str, Any]:
    return {"WriterConfig": {"Transformation": transformation, "OutputType": output}}


CASES: dict[str, tuple[dict[str, Any], Any, Any]] = {
    "rows": (each(ItemReader=reader("people.csv", CSV)), {}, PEOPLE),
    "rows, in JSONata": (jsonata(ItemReader=reader("{% $states.input.key %}", CSV)), {"key": "people.csv"}, PEOPLE),
    "lines": (each(ItemReader=reader("lines.jsonl", {"InputType": "JSONL"})), {}, [{"n": 1}, {"n": 2}]),
    "where an item comes from": (
        each(ItemReader=reader("numbers.json", {**JSON, "MaxItems": 2}), ItemSelector=ITEM),
        {},
        [{"index": index, "value": index + 1, "source": "S3://data/numbers.json"} for index in range(2)],
    ),
    "where an item comes from, in JSONata": (
        jsonata(
            ItemReader=reader("prices.json", JSON),
            ItemSelector="{% $join($states.context.Map.Item.[Source, Key, $string(Index)]) %}",
        ),
        {},
        ["S3://data/prices.jsontea0", "S3://data/prices.jsoncake1"],
    ),
    "an object": (
        each(
            ItemReader=reader("prices.json", JSON), ItemSelector={"k.$": "$$.Map.Item.Key", "v.$": "$$.Map.Item.Value"}
        ),
        {},
        [{"k": "tea", "v": 3}, {"k": "cake", "v": {"small": 4}}],
    ),
    "an object without a selector": (
        each(ItemReader=reader("prices.json", JSON)),
        {},
        [{"Key": "tea", "Value": 3}, {"Key": "cake", "Value": {"small": 4}}],
    ),
    "an object of the input": (
        each(ItemsPath="$.o", ItemSelector={"k.$": "$$.Map.Item.Key", "s.$": "$$.Map.Item.Source"}),
        {"o": {"a": 1}},
        [{"k": "a", "s": "STATE_DATA"}],
    ),
    "a pointer": (each(ItemReader=reader("nested.json", {**JSON, "ItemsPointer": "/a/0/b"})), {}, [7, 8]),
    "a listing": (
        each(ItemReader=reader("logs/", action="listObjectsV2"), ItemSelector=LISTED),
        {},
        [{"key": "logs/1", "size": 6, "source": "S3://data"}, {"key": "logs/2", "size": 3, "source": "S3://data"}],
    ),
    "what is in a listing": (
        each(
            ItemReader=reader("logs/", {**JSON, "Transformation": "LOAD_AND_FLATTEN"}, "listObjectsV2"),
            ItemSelector={"v.$": "$$.Map.Item.Value", "s.$": "$$.Map.Item.Source"},
        ),
        {},
        [{"v": v, "s": f"S3://data/logs/{key}"} for v, key in ((1, 1), (2, 1), (3, 2))],
    ),
    "nothing": (each(ItemReader=reader("none/", action="listObjectsV2")), {}, []),
    "most items by a path": (
        each(ItemReader=reader("numbers.json", {**JSON, "MaxItemsPath": "$.n"})),
        {"n": 3},
        [1, 2, 3],
    ),
    "most items by an expression": (
        jsonata(ItemReader=reader("numbers.json", {**JSON, "MaxItems": "{% 1 + 1 %}"})),
        {},
        [1, 2],
    ),
    "no most items": (
        each(ItemReader=reader("numbers.json", {**JSON, "MaxItemsPath": "$.n"})),
        {"n": 0},
        [1, 2, 3, 4, 5],
    ),
    "a reader says the items, and no path": (
        each(
            ItemReader=reader("numbers.json", JSON), ItemsPath="$.none", ItemSelector={"n.$": "$.n"}, MaxConcurrency=1
        ),
        {"n": 1},
        [{"n": 1}] * 5,
    ),
    "batches": (
        each(ItemReader=reader("numbers.json", JSON), ItemBatcher={"MaxItemsPerBatch": 2}),
        {},
        [{"Items": [1, 2]}, {"Items": [3, 4]}, {"Items": [5]}],
    ),
    "batches with an input, of selected items": (
        each(
            ItemSelector={"v.$": "$$.Map.Item.Value", "by.$": "$.by"},
            ItemsPath="$.items",
            ItemBatcher={"MaxItemsPerBatchPath": "$.n", "BatchInput": {"of.$": "$.of", "at": 1}},
        ),
        {"items": [1, 2, 3], "n": 2, "of": "x", "by": "y"},
        [
            {"BatchInput": {"of": "x", "at": 1}, "Items": [{"v": 1, "by": "y"}, {"v": 2, "by": "y"}]},
            {"BatchInput": {"of": "x", "at": 1}, "Items": [{"v": 3, "by": "y"}]},
        ],
    ),
    "batches of so many bytes": (  # {"Items":["aaaa","bbbb"]} has 25
        each(ItemBatcher={"MaxInputBytesPerBatch": 25, "MaxItemsPerBatch": 9}),
        ["aaaa", "bbbb", "cccc", "d", "e", "fff"],
        [{"Items": ["aaaa", "bbbb"]}, {"Items": ["cccc", "d"]}, {"Items": ["e", "fff"]}],
    ),
    "bytes are bytes": (
        each(ItemBatcher={"MaxInputBytesPerBatchPath": "$[3]"}),
        ["é", "é", "é", 20],
        [{"Items": ["é"]}, {"Items": ["é"]}, {"Items": ["é", 20]}],
    ),
    "batches in JSONata": (
        jsonata(
            Items="{% $states.input.items %}",
            ItemBatcher={
                "MaxItemsPerBatch": "{% $states.input.n %}",
                "MaxInputBytesPerBatch": "{% 1000 * 2 %}",
                "BatchInput": {"of": "{% $states.input.of %}"},
            },
        ),
        {"items": [1, 2, 3], "n": 2, "of": "x"},
        [{"BatchInput": {"of": "x"}, "Items": [1, 2]}, {"BatchInput": {"of": "x"}, "Items": [3]}],
    ),
    "a batch has 256 KiB, and an item that is larger its own": (
        each(
            {"Type": "Pass", "Parameters": {"n.$": "States.ArrayLength($.Items)"}, "OutputPath": "$.n", "End": True},
            ItemBatcher={"MaxItemsPerBatch": 9},
        ),
        ["x" * 100_000, "y" * 100_000, "z" * 300_000, "a"],
        [2, 1, 1],
    ),
    "compact": (each(ResultWriter=preview("COMPACT")), [[1, 2], 3], [[1, 2], 3]),
    "flat": (each(ResultWriter=preview("FLATTEN")), [[1, [2]], 3, []], [1, [2], 3]),
    "flat lines": (each(ResultWriter=preview("FLATTEN", "JSONL")), [[1, [2]], {"é": 3}], '1\n[2]\n{"é":3}'),
    "flat, in JSONata": (
        jsonata(Items="{% [[1], [2, 3]] %}", ResultWriter=preview("FLATTEN"), Output="{% $sum($states.result) %}"),
        {},
        6,
    ),
    "an item is an execution of its own": (
        each(
            {"Type": "Pass", "Parameters": {"i.$": "$$.Execution.Input", "m.$": "$$.StateMachine.Name"}, "End": True},
            Label="l",
        ),
        [1],
        [{"i": 1, "m": "m/l"}],
    ),
    "as many failures as are tolerated": (
        each(
            EVEN, ToleratedFailureCountPath="$[0]", ResultSelector={"s.$": "$[?(@.Status)].Status", "e.$": "$[1].Error"}
        ),
        [2, 1, 3, 4],
        {"s": ["FAILED", "FAILED"], "e": "CustomError"},
    ),
    "as large a share of failures as is tolerated": (
        each(EVEN, ToleratedFailurePercentage=50, ResultSelector={"last.$": "$[3]"}),
        [2, 1, 3, 4],
        {"last": 4},
    ),
    "what can't be read is caught": (
        {
            "StartAt": "M",
            "States": {
                "M": {
                    **each(ItemReader=reader("none", JSON))["States"]["M"],
                    "Catch": [{"ErrorEquals": ["States.ItemReaderFailed"], "Next": "C"}],
                },
                "C": {"Type": "Pass", "Parameters": {"e.$": "$.Error"}, "End": True},
            },
        },
        {},
        {"e": "States.ItemReaderFailed"},
    ),
}


@pytest.mark.parametrize("id", CASES)
def test_it_comes_to_what_it_should(id: str, tmp_path: Path) -> None:
    definition, given, expected = CASES[id]
    report = crash_everywhere(machine(definition, tmp_path), given)
    assert json.dumps(report.outcome.value) == json.dumps(expected), report.outcome


FAILURES: dict[str, tuple[dict[str, Any], Any, str, str]] = {
    "no file": (
        each(ItemReader=reader("none", JSON)),
        {},
        "States.ItemReaderFailed",
        "The specified key does not exist. (Service: S3, Status Code: 404)",
    ),
    "no list": (
        each(ItemReader=reader("nested.json", {**JSON, "ItemsPointer": "/a/0/b/0"})),
        {},
        "States.ItemReaderFailed",
        "Attempting to map over non-iterable node.",
    ),
    "less than no items": (
        each(ItemReader=reader("numbers.json", {**JSON, "MaxItemsPath": "$.n"})),
        {"n": -1},
        "States.ItemReaderFailed",
        "field MaxItems must be positive",
    ),
    "no number of items": (
        each(ItemReader=reader("numbers.json", {**JSON, "MaxItemsPath": "$.n"})),
        {"n": "a"},
        "States.ItemReaderFailed",
        "The MaxItemsPath field refers to value '\"a\"' which is not a valid integer: $.n",
    ),
    "no tolerance": (each(EVEN), [2, 1], "States.ExceedToleratedFailureThreshold", EXCEEDED),
    "too many failures": (
        each(EVEN, ToleratedFailureCount=1),
        [1, 1, 2],
        "States.ExceedToleratedFailureThreshold",
        EXCEEDED,
    ),
    "too large a share of failures": (
        each(EVEN, ToleratedFailurePercentage=49, ToleratedFailureCount=9),
        [1, 1, 2, 2],
        "States.ExceedToleratedFailureThreshold",
        EXCEEDED,
    ),
    "the items of a batch count": (
        each(EVEN, ToleratedFailureCount=2, ItemBatcher={"MaxItemsPerBatch": 3}),
        [2, 2, 2, 1, 2, 2],
        "States.ExceedToleratedFailureThreshold",
        EXCEEDED,
    ),
    "a tolerance below nothing": (
        each(ToleratedFailureCountPath="$[0]"),
        [-1],
        "States.ExceedToleratedFailureThreshold",
        "ToleratedFailureCount cannot be negative.",
    ),
    "a share above all": (
        each(ToleratedFailurePercentagePath="$[0]"),
        [101],
        "States.ExceedToleratedFailureThreshold",
        "ToleratedFailurePercentage must be between 0 and 100.",
    ),
    "an item too large for a batch": (
        each(ItemBatcher={"MaxInputBytesPerBatch": 20}),
        ["a", "b" * 20],
        "States.ItemReaderFailed",
        "An error occurred while executing the state 'M' (entered at the event id #2). The item 1 alone makes a batch "
        "of 34 bytes, and MaxInputBytesPerBatch is 20; make the item smaller with ItemSelector, or the limit larger.",
    ),
    "no bucket to write to": (
        each(ResultWriter={**WRITER, "Parameters": {"Prefix": "x"}}),
        [1],
        "States.Runtime",
        "An error occurred while executing the state 'M' (entered at the event id #2). The field 'Bucket' is required "
        "but was missing",
    ),
    "nowhere to write to": (
        each(ResultWriter={**WRITER, "Parameters": {"Bucket": "data", "Prefix": "../out"}}),
        [1],
        "States.ResultWriterFailed",
        "",
    ),
}


@pytest.mark.parametrize("id", FAILURES)
def test_it_fails_as_it_should(id: str, tmp_path: Path) -> None:
    definition, given, error, cause = FAILURES[id]
    served = machine(definition, tmp_path)

    async def main() -> StateFailed:
        async with Runtime([served], "memory://") as runtime:
            with pytest.raises(ExecutionFailed) as failed:
                await (await runtime.start(served, given)).result()
        assert isinstance(failed.value.__cause__, StateFailed)
        return failed.value.__cause__

    found = asyncio.run(main())
    assert (found.error, found.cause) == (error, cause or found.cause)
    crash_everywhere(served, given)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[1, "\\ud800"]', "surrogates not allowed"),
        ("[1, 1e400]", "inf is no number in JSON"),
        ("[1, " + "[" * 130 + "]" * 130 + "]", "nested more than 128 levels"),
        ('[1, "' + "x" * (17 << 20) + '"]', "the limit is 16,777,216"),
    ],
    ids=["surrogate", "infinity", "depth", "size"],
)
def test_an_item_that_can_not_be_kept_is_named(text: str, said: str, tmp_path: Path) -> None:
    served = machine(each(ItemReader=reader("odd.json", JSON)), tmp_path)
    (tmp_path / "odd.json").write_text(text)

    async def main() -> None:
        async with Runtime([served], "memory://") as runtime:
            with pytest.raises(ExecutionFailed) as failed:
                await (await runtime.start(served)).result()
        cause = failed.value.__cause__
        assert isinstance(cause, StateFailed) and cause.error == "States.ItemReaderFailed"
        assert cause.cause.startswith("an item of S3://data/odd.json (") and said in cause.cause

    asyncio.run(main())


# -- writing ---------------------------------------------------------------------------------------


def written(folder: Path) -> dict[str, str]:
    """What lies in the folder, by the name of the file."""
    return {path.name: path.read_text() for path in folder.rglob("out/**/*") if path.is_file()}


def test_results_are_written_with_a_manifest(tmp_path: Path) -> None:
    served = machine(
        each(EVEN, ItemReader=reader("numbers.json", JSON), ResultWriter=WRITER, ToleratedFailureCount=3, Label="l"),
        tmp_path,
    )
    result = crash_everywhere(served, {}).outcome.value
    run = result["MapRunArn"].rpartition(":")[2]
    assert result == {
        "MapRunArn": f"arn:aws:states:::mapRun:m/l:{run}",
        "ResultWriterDetails": {"Bucket": "data", "Key": f"out/{run}/manifest.json"},
    }
    found = written(tmp_path)
    manifest = json.loads(found.pop("manifest.json"))
    assert manifest["DestinationBucket"] == "data" and manifest["MapRunArn"] == result["MapRunArn"]
    keys = {status: [(one["Key"], one["Size"]) for one in files] for status, files in manifest["ResultFiles"].items()}
    assert keys == {
        "FAILED": [(f"out/{run}/FAILED_0.json", len(found["FAILED_0.json"]))],
        "PENDING": [],
        "SUCCEEDED": [(f"out/{run}/SUCCEEDED_0.json", len(found["SUCCEEDED_0.json"]))],
    }
    well, bad = (json.loads(found[name]) for name in ("SUCCEEDED_0.json", "FAILED_0.json"))
    assert [one["Output"] for one in well] == ["2", "4"] and [one["Input"] for one in bad] == ["1", "3", "5"]
    assert {one["Error"] for one in bad} == {"CustomError"} and len({one["Name"] for one in well + bad}) == 5
    assert list(well[0]) == sorted(well[0]) and set(well[0]) == {
        "ExecutionArn", "Input", "InputDetails", "Name", "Output", "OutputDetails", "RedriveCount", "RedriveStatus",
        "RedriveStatusReason", "StartDate", "StateMachineArn", "Status", "StopDate",
    }  # fmt: skip
    assert well[0]["ExecutionArn"] == f"arn:aws:states:::execution:m/l:{well[0]['Name']}"


@pytest.mark.parametrize(
    ("config", "name", "content"),
    [
        (("COMPACT", "JSON"), "SUCCEEDED_0.json", '[[1,"é"],2]'),
        (("FLATTEN", "JSON"), "SUCCEEDED_0.json", '[1,"é",2]'),
        (("FLATTEN", "JSONL"), "SUCCEEDED_0.jsonl", '1\n"é"\n2\n'),
    ],
)
def test_results_are_written_in_the_form_that_is_asked_for(
    config: tuple[str, str], name: str, content: str, tmp_path: Path
) -> None:
    fields: dict[str, Any] = {"Items": '{% [[1, "é"], 2] %}', "ResultWriter": {**WRITER, **preview(*config)}}
    crash_everywhere(machine(jsonata(**fields), tmp_path), {}, kills=5)
    assert written(tmp_path)[name] == content


def test_a_run_that_fails_leaves_what_was_done_and_what_was_not(tmp_path: Path) -> None:
    served = machine(
        each(
            EVEN,
            ItemReader=reader("numbers.json", JSON),
            ResultWriter=WRITER,
            MaxConcurrency=1,
            ItemSelector={"Items.$": "States.Array($$.Map.Item.Value)"},
            ToleratedFailureCount=1,
        ),
        tmp_path,
    )
    report = crash_everywhere(served, {})
    assert EXCEEDED in report.outcome.error
    found = {name: json.loads(text) for name, text in written(tmp_path).items()}
    told = {name.partition("_")[0]: [one["Input"] for one in found[name]] for name in found if "_" in name}
    assert told == {
        "SUCCEEDED": ['{"Items":[2]}'],
        "FAILED": ['{"Items":[1]}', '{"Items":[3]}'],
        "PENDING": ['{"Items":[4]}', '{"Items":[5]}'],
    }


def test_what_goes_on_when_a_run_fails_is_told_as_aborted(tmp_path: Path) -> None:
    waits = {"Type": "Choice", "Choices": [{"Variable": "$", "NumericEquals": 1, "Next": "F"}], "Default": "W"}
    definition = each(waits, ItemReader=reader("numbers.json", JSON), ResultWriter=WRITER)
    definition["States"]["M"]["ItemProcessor"]["States"] |= {
        "F": {"Type": "Fail", "Error": "E"},
        "W": {"Type": "Wait", "Seconds": 60, "End": True},
    }
    crash_everywhere(machine(definition, tmp_path), {})
    bad = json.loads(written(tmp_path)["FAILED_0.json"])
    assert [one["Status"] for one in bad] == ["FAILED", *["ABORTED"] * 4]


def test_whatever_dies_the_same_is_written(tmp_path: Path) -> None:
    """Files have names and contents that follow from the journal."""
    served = machine(each(EVEN, ItemsPath="$.items", ResultWriter=WRITER, ToleratedFailureCount=9), tmp_path)
    seen: set[str] = set()

    def look() -> None:
        if found := written(tmp_path):
            seen.add(json.dumps({name: text for name, text in sorted(found.items())}))
        for path in tmp_path.rglob("out/**/*"):
            if path.is_file():
                path.unlink()

    crash_everywhere(served, {"items": [1, 2]}, fresh=look)
    look()
    assert len({_without_times(text) for text in seen}) == 1


def _without_times(text: str) -> str:
    import re

    return re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "", text)


# -- durability ------------------------------------------------------------------------------------


@pytest.mark.parametrize("fresh", [2, 5, 400])
def test_many_pages_and_many_checkpoints(fresh: int, tmp_path: Path) -> None:
    definition = each(
        EVEN,
        ItemReader=reader("numbers.json", JSON),
        ResultWriter=WRITER,
        ItemBatcher={"MaxItemsPerBatch": 2},
        ToleratedFailureCount=9,
        MaxConcurrency=2,
    )
    served = machine(definition, tmp_path)
    with mock.patch.object(deciding, "FRESH", fresh), mock.patch.object(mapping, "PAGE", 1):
        report = crash_everywhere(served, {})
    assert report.outcome.value["ResultWriterDetails"]["Bucket"] == "data"
    assert len(json.loads(written(tmp_path)["FAILED_0.json"])) == 3


def test_no_page_brings_more_than_is_wanted(tmp_path: Path) -> None:
    served = machine(each(ItemReader=reader("numbers.json", {**JSON, "MaxItems": 3})), tmp_path)
    with mock.patch.object(mapping, "PAGE", 1):
        assert crash_everywhere(served, {}, kills=3).outcome.value == [1, 2, 3]


def _sqlite(folder: Path, _: pytest.FixtureRequest) -> str:
    return f"sqlite:///{folder / uuid4().hex}.db"


def _redis(_: Path, request: pytest.FixtureRequest) -> str:
    server: Any = request.getfixturevalue("redis_server")
    return str(server.dsn(prefix=uuid4().hex[:8]))


def _dynamodb(_: Path, request: pytest.FixtureRequest) -> str:
    return dynamodb(request, bucket=f"b-{uuid4().hex[:12]}")


def dynamodb(request: pytest.FixtureRequest, **options: str) -> str:
    pytest.importorskip("moto", reason="moto[dynamodb,s3,server] is not installed")
    dsn: str = request.getfixturevalue("moto").dsn(**options)
    asyncio.run(open_store(dsn).create())
    return dsn


def wide(folder: Path) -> StateMachine:
    first = {"Type": "Pass", "Parameters": {"id.$": "$.Items[0].id"}, "End": True}
    fields = {"ItemBatcher": {"MaxItemsPerBatch": 200}, "ResultWriter": {**WRITER, **preview("COMPACT")}}
    return machine(each(first, ItemReader=reader("wide.jsonl", {"InputType": "JSONL"}), **fields), folder)


@pytest.mark.parametrize("place", [_sqlite, _redis, _dynamodb], ids=["sqlite", "redis", "dynamodb"])
def test_on_every_store(
    place: Callable[[Path, pytest.FixtureRequest], str], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    crash_everywhere(wide(tmp_path), {}, kills=3, store=lambda: place(tmp_path, request))
    assert written(tmp_path)["SUCCEEDED_0.json"] == '[{"id":0},{"id":200},{"id":400}]'


def test_a_store_that_takes_less_has_smaller_pages(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    dsn = dynamodb(request)  # without a bucket it takes no more than one of its items has
    served = wide(tmp_path)

    async def main() -> None:
        async with Runtime([served], dsn) as runtime:
            await (await runtime.start(served, id="x")).result(timeout=60)
            pages = [entry async for entry in runtime.entries("x") if entry.get("name") == "s3:getObject"]
            assert len(pages) > 2

    asyncio.run(main())
    assert written(tmp_path)["SUCCEEDED_0.json"] == '[{"id":0},{"id":200},{"id":400}]'


def test_what_was_read_is_not_read_again(tmp_path: Path) -> None:
    wait = {"Type": "Wait", "Seconds": 1, "End": True}
    served = machine(each(wait, ItemReader=reader("numbers.json", JSON)), tmp_path)
    store = MemoryStore()

    async def main() -> None:
        async with Runtime([served], store) as runtime:
            await runtime.start(served, id="x")
            while (await runtime.show("x")).status != "waiting":  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        (tmp_path / "numbers.json").unlink()
        async with Runtime([served], store) as runtime:
            assert await runtime.result("x", timeout=20) == [1, 2, 3, 4, 5]

    asyncio.run(main())


def test_reading_is_tried_again(tmp_path: Path) -> None:
    retry = [{"ErrorEquals": ["States.ItemReaderFailed"], "IntervalSeconds": 1, "MaxAttempts": 1}]
    served = machine(each(ItemReader=reader("late.json", JSON), Retry=retry), tmp_path)

    async def main() -> None:
        async with Runtime([served], "memory://") as runtime:
            handle = await runtime.start(served, id="x")
            while (await runtime.show("x")).status != "waiting":  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            (tmp_path / "late.json").write_text("[1]")
            assert await handle.result(timeout=20) == [1]

    asyncio.run(main())


def test_a_data_set_may_be_larger_than_an_entry(tmp_path: Path) -> None:
    (tmp_path / "big.jsonl").write_text("".join(f'{{"n": {n}, "x": "{"x" * 1000}"}}\n' for n in range(12_000)))
    last = {"Type": "Pass", "Parameters": {"n.$": "$.Items[0].n"}, "End": True}
    batches = {"MaxItemsPerBatch": 200}
    served = machine(each(last, ItemReader=reader("big.jsonl", {"InputType": "JSONL"}), ItemBatcher=batches), tmp_path)

    async def main() -> None:
        async with Runtime([served], f"sqlite:///{tmp_path}/s.db") as runtime:
            assert await (await runtime.start(served, id="x")).result() == [{"n": n} for n in range(0, 12_000, 200)]
            pages = [entry async for entry in runtime.entries("x") if entry.get("name") == "s3:getObject"]
            assert len(pages) == 3

    asyncio.run(main())


@pytest.mark.parametrize(
    ("fields", "given", "history"),
    [
        ({}, [2], ["MapRunSucceeded", "MapStateSucceeded", "MapStateExited", "ExecutionSucceeded"]),
        ({}, [1], ["MapRunFailed", "MapStateFailed", "ExecutionFailed"]),
        ({"ItemReader": reader("none", JSON)}, [], ["MapRunFailed", "MapStateFailed", "ExecutionFailed"]),
        (
            {"ResultWriter": WRITER},
            [2],
            ["MapRunSucceeded", "MapStateSucceeded", "MapStateExited", "ExecutionSucceeded"],
        ),
    ],
)
def test_the_history_has_the_run_and_nothing_of_its_items(
    fields: dict[str, Any], given: Any, history: list[str], tmp_path: Path
) -> None:
    served = machine(each(EVEN, **fields), tmp_path)

    async def main() -> list[Any]:
        async with Runtime([served], "memory://") as runtime:
            await (await runtime.start(served, given, id="x")).result() if history[0].endswith("Succeeded") else None
            if history[0].endswith("Failed"):
                with pytest.raises(ExecutionFailed):
                    await (await runtime.start(served, given, id="x")).result()
            return [entry async for entry in runtime.entries("x")]

    recorder = Recorder()
    MachineDecider(served, "x", recorder).replay("", 1, asyncio.run(main()), 0)
    began = ["ExecutionStarted", "MapStateEntered", "MapStateStarted", "MapRunStarted"]
    assert [event["type"] for event in recorder.events] == [*began, *history]


def test_what_a_reader_found_is_counted_for_people(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("[1, 2, 3]")
    served = machine(each(ItemReader=reader("a", JSON)), tmp_path)

    async def main() -> list[dict[str, Any]]:
        async with Runtime([served], MemoryStore()) as runtime:
            await (await runtime.start(served, {}, id="x")).result()
            return [entry async for entry in runtime.entries("x")]

    assert states(replay("x", served.name, asyncio.run(main()))).visits[0].length == 3


def test_items_see_nothing_of_what_is_around_them(tmp_path: Path) -> None:
    gives = {"Type": "Pass", "Parameters": {"m.$": "$$.Map.Item.Index"}, "End": True}
    inner = each(gives)  # an item of it has no item around it
    outer = {"StartAt": "O", "States": {"O": {"Type": "Map", "ItemProcessor": inner, "End": True}}}
    report = crash_everywhere(machine(outer, tmp_path), [[1]], kills=2)
    assert EXCEEDED in report.outcome.error


def test_what_ends_an_item_ends_that_item_alone_however_deep_it_happens(tmp_path: Path) -> None:
    absent = {"Type": "Pass", "InputPath": "$.absent", "End": True}
    flow = {"StartAt": "A", "States": {"A": absent}}
    beside = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 60, "End": True}}}
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "N"}]
    for deep in (
        {"Type": "Parallel", "Branches": [flow, beside], "End": True, "Catch": catch},
        {"Type": "Map", "ItemsPath": "$.l", "ItemProcessor": flow, "End": True, "Catch": catch},
    ):
        tolerant = each(ToleratedFailurePercentage=100)
        states = {"D": deep, "N": {"Type": "Succeed"}}
        tolerant["States"]["M"]["ItemProcessor"] |= {"StartAt": "D", "States": states}
        report = crash_everywhere(machine(tolerant, tmp_path), [{"l": [1]}, {"l": [2]}], kills=1)
        assert [one["Error"] for one in report.outcome.value] == ["States.Runtime"] * 2


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"ItemReader": reader("a", {"InputType": "PARQUET"})}, "PARQUET is not read here"),
        ({"ItemReader": reader("a", {"InputType": "CSV"})}, "CSVHeaderLocation"),
        ({"ItemReader": reader("a")}, "ItemReader needs InputType"),
        ({"ItemReader": {**reader("a", JSON), "Resource": "even"}}, "ItemReader reads buckets"),
        ({"ItemReader": reader("a", JSON, "listObjectsV2")}, "LOAD_AND_FLATTEN go together"),
        ({"ItemReader": reader("a", {"Transformation": "LOAD_AND_FLATTEN"}, "listObjectsV2")}, "go together"),
        ({"ItemReader": reader("a", {"InputType": "MANIFEST"}, "listObjectsV2")}, "a manifest is read by s3:getObject"),
        ({"ItemReader": reader("a", {**JSON, "ManifestType": "ATHENA_DATA"})}, "needs InputType CSV or JSONL"),
        ({"ItemReader": reader("a", {**JSON, "ManifestType": "S3_INVENTORY"})}, "has no InputType"),
        ({"ItemReader": reader("a", {"InputType": "JSONL", "ItemsPointer": "/a"})}, "ItemsPointer goes with"),
        (
            {"ItemReader": reader("a", {"InputType": "CSV", "CSVHeaderLocation": "GIVEN", "CSVHeaders": ["a", "a"]})},
            "cannot contain duplicates",
        ),
        ({"ResultWriter": {**WRITER, "Resource": "even"}}, "ResultWriter writes to buckets"),
    ],
)
def test_what_can_not_be_read_is_refused_when_it_is_made(fields: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=said):
        machine(each(EVEN, **fields), tmp_path)
