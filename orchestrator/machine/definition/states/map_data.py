"""What a Map reads its items from, how it batches them, and where it writes results."""

from __future__ import annotations

from dataclasses import dataclass

from ..fields import Fields, Malformed
from ..resource import Resource, parse
from ..values import Number, Template

INPUTS = ("CSV", "JSON", "JSONL", "MANIFEST", "PARQUET")


@dataclass(frozen=True, slots=True)
class ReaderConfig:
    """How a source is read. ``input_type`` is empty for a listing of objects."""

    input_type: str = ""
    csv_header_location: str = ""
    csv_headers: tuple[str, ...] = ()
    csv_delimiter: str = "COMMA"
    max_items: Number | None = None
    manifest_type: str = ""
    transformation: str = "NONE"
    items_pointer: str = ""


@dataclass(frozen=True, slots=True)
class ItemReader:
    """``arguments`` are Parameters or Arguments, as the language calls them."""

    resource: Resource
    arguments: Template | None
    config: ReaderConfig


@dataclass(frozen=True, slots=True)
class ItemBatcher:
    """How many items make a batch, by number or by bytes, and what goes with each."""

    max_items: Number | None
    max_bytes: Number | None
    batch_input: Template | None


@dataclass(frozen=True, slots=True)
class ResultWriter:
    """``resource`` is None when results are shaped and go nowhere."""

    resource: Resource | None
    arguments: Template | None
    transformation: str = ""
    output_type: str = ""


def item_reader(fields: Fields) -> ItemReader:
    nested = fields.nested("ReaderConfig")
    made = ItemReader(
        _resource(fields), _arguments(fields), ReaderConfig() if nested is None else _reader_config(nested)
    )
    fields.done()
    return made


def item_batcher(fields: Fields) -> ItemBatcher:
    made = ItemBatcher(
        fields.dynamic_number("MaxItemsPerBatch"),
        fields.dynamic_number("MaxInputBytesPerBatch"),
        fields.maybe_template("BatchInput"),
    )
    fields.done()
    return made


def result_writer(fields: Fields) -> ResultWriter:
    resource = _resource(fields) if fields.has("Resource") else None
    arguments, config = _arguments(fields), fields.nested("WriterConfig")
    made = ResultWriter(resource, arguments)
    if config is not None:
        made = ResultWriter(
            resource, arguments, config.maybe_text("Transformation") or "", config.maybe_text("OutputType") or ""
        )
        config.done()
    fields.done()
    return made


def _reader_config(fields: Fields) -> ReaderConfig:
    headers = fields.maybe_items("CSVHeaders")
    if not all(isinstance(header, str) for header in headers):
        raise Malformed("names of columns should stand", fields.at("CSVHeaders"))
    made = ReaderConfig(
        fields.maybe_text("InputType") or "",
        fields.maybe_text("CSVHeaderLocation") or "",
        tuple(headers),
        fields.maybe_text("CSVDelimiter") or "COMMA",
        fields.dynamic_number("MaxItems"),
        fields.maybe_text("ManifestType") or "",
        fields.maybe_text("Transformation") or "NONE",
        fields.maybe_text("ItemsPointer") or "",
    )
    fields.done()
    return made


def _arguments(fields: Fields) -> Template | None:
    return fields.maybe_template("Arguments" if fields.language == "JSONata" else "Parameters")


def _resource(fields: Fields) -> Resource:
    try:
        return parse(fields.text("Resource"))
    except Malformed:
        raise
    except ValueError as error:
        raise Malformed(str(error), fields.at("Resource")) from None
