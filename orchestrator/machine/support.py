"""What a definition may say and this release does not run: it is refused by name before anything begins."""

from __future__ import annotations

from collections.abc import Iterator

from .definition.flow import Flow
from .definition.states.map import Map
from .definition.states.map_data import ItemReader, ReaderConfig
from .definition.states.parallel import Parallel
from .definition.states.task import Task
from .resolving import Table

_FORMATS = ("CSV", "JSON", "JSONL", "PARQUET")


def unsupported(flow: Flow, table: Table) -> Iterator[str]:
    """Sentences, one for each state of the flow and those within it."""
    for name, state in flow.states.items():
        if isinstance(state, Task):
            if why := table.refusal(state.resource):
                yield f"{name!r}: {why}; or say what {state.resource.text} means in resources="
        elif isinstance(state, Parallel):
            for branch in state.branches:
                yield from unsupported(branch, table)
        elif isinstance(state, Map):
            yield from (f"{name!r}: {problem}" for problem in _unread(state.reader))
            written = state.writer.resource if state.writer is not None else None
            if written is not None and written.kind != "integration":
                yield f"{name!r}: ResultWriter writes to buckets, by arn:aws:states:::s3:putObject"
            yield from unsupported(state.processor, table)


def _unread(reader: ItemReader | None) -> Iterator[str]:
    """What of a reader can't be read here, or can't be read at all."""
    if reader is None:
        return
    config, listing = reader.config, reader.resource.name == "s3:listObjectsV2"
    if reader.resource.kind != "integration":
        yield "ItemReader reads buckets, by arn:aws:states:::s3:getObject or s3:listObjectsV2"
    if config.input_type == "PARQUET":
        yield "the InputType PARQUET is not read here; write the data as JSONL or CSV"
    if listing and (config.transformation == "LOAD_AND_FLATTEN") != (config.input_type in _FORMATS):
        yield "InputType and the Transformation LOAD_AND_FLATTEN go together in a listing of objects"
    if listing and (config.manifest_type or config.input_type == "MANIFEST"):
        yield "a manifest is read by s3:getObject"
    if not listing and config.input_type not in _FORMATS and not _inventory(config):
        yield "ItemReader needs InputType: CSV, JSON, JSONL or MANIFEST"
    if config.manifest_type == "ATHENA_DATA" and config.input_type not in ("CSV", "JSONL"):
        yield "ManifestType ATHENA_DATA needs InputType CSV or JSONL"
    if config.manifest_type == "S3_INVENTORY" and config.input_type:
        yield "ManifestType S3_INVENTORY has no InputType: it is CSV"
    if config.input_type == "CSV" and not config.csv_header_location:
        yield "CSV needs CSVHeaderLocation: FIRST_ROW or GIVEN"
    if len(set(config.csv_headers)) < len(config.csv_headers):
        yield "CSV headers cannot contain duplicates"
    if config.items_pointer and config.input_type != "JSON":
        yield "ItemsPointer goes with InputType JSON"


def _inventory(config: ReaderConfig) -> bool:
    """Whether a manifest of S3 Inventory is meant."""
    return config.manifest_type == "S3_INVENTORY" or (config.input_type == "MANIFEST" and not config.manifest_type)
