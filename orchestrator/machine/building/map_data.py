"""What a distributed Map reads its items from, how it batches them, and where it writes results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict, Unpack

from .expressions import Expression, Reference
from .fields import Number, pascal

_ARGUMENTS = ("parameters", "arguments")


class Reading(TypedDict, total=False):
    """Of an ItemReader, with those of its ReaderConfig."""

    parameters: Mapping[str, object]
    arguments: object
    input_type: Literal["CSV", "JSON", "JSONL", "MANIFEST", "PARQUET"]
    csv_header_location: Literal["FIRST_ROW", "GIVEN"]
    csv_headers: Sequence[str]
    csv_delimiter: Literal["COMMA", "PIPE", "SEMICOLON", "SPACE", "TAB"]
    max_items: Number
    manifest_type: Literal["ATHENA_DATA", "S3_INVENTORY"]
    transformation: Literal["NONE", "LOAD_AND_FLATTEN"]
    items_pointer: str


class Writing(TypedDict, total=False):
    """Of a ResultWriter, with those of its WriterConfig."""

    parameters: Mapping[str, object]
    arguments: object
    transformation: Literal["NONE", "COMPACT", "FLATTEN"]
    output_type: Literal["JSON", "JSONL"]


def item_reader(resource: str, **fields: Unpack[Reading]) -> Mapping[str, object]:
    """``item_reader("arn:aws:states:::s3:getObject", input_type="CSV", parameters={"Bucket": …, "Key": …})``."""
    return {"Resource": resource, **_configured(fields, "ReaderConfig")}


def item_batcher(
    *,
    max_items_per_batch: Number | None = None,
    max_input_bytes_per_batch: Number | None = None,
    batch_input: object = None,
) -> Mapping[str, object]:
    """How many items make a batch, by number or by bytes, and what goes with each."""
    given = {"max_items_per_batch": max_items_per_batch, "max_input_bytes_per_batch": max_input_bytes_per_batch}
    made = _written({name: value for name, value in given.items() if value is not None})
    return made if batch_input is None else {**made, "BatchInput": batch_input}


def result_writer(resource: str | None = None, **fields: Unpack[Writing]) -> Mapping[str, object]:
    """``result_writer("arn:aws:states:::s3:putObject", parameters={"Bucket": …, "Prefix": …})``; without a resource,
    results are shaped and go nowhere."""
    return {**({} if resource is None else {"Resource": resource}), **_configured(fields, "WriterConfig")}


def _configured(fields: Mapping[str, object], name: str) -> dict[str, object]:
    for field in fields:
        if field not in {*Reading.__optional_keys__, *Writing.__optional_keys__}:
            raise TypeError(f"there is no field {field!r}")
    config = _written({field: value for field, value in fields.items() if field not in _ARGUMENTS})
    beside = {pascal(field): value for field, value in fields.items() if field in _ARGUMENTS}
    return {**({name: config} if config else {}), **beside}


def _written(fields: Mapping[str, object]) -> dict[str, object]:
    made: dict[str, object] = {}
    for field, value in fields.items():
        if isinstance(value, Reference):
            made[f"{pascal(field)}Path"] = value.text
        else:
            made[pascal(field)] = str(value) if isinstance(value, Expression) else value
    return made
