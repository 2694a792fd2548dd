"""Map: what it goes through, how, and what belongs to distributed Maps only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..definition.plain import members_of
from ..definition.resource import parse
from ..definition.states.map_data import INPUTS
from . import kinds
from .evaluated import evaluated
from .place import Place
from .shape import Shape, both, exclusive, jsonata, look, paths

DISTRIBUTED = (
    "ItemReader",
    "ItemBatcher",
    "ResultWriter",
    "Label",
    "ToleratedFailureCount",
    "ToleratedFailurePercentage",
)
READERS = ("s3:getObject", "s3:listObjectsV2")
LONGEST_LABEL = 40
_LABEL = re.compile(r"[^\s?*<>{}\[\]:;,\\|^~$#%&`\"\x00-\x1f\x7f-\x9f]+")

number = kinds.number


def label(place: Place, value: Any) -> None:
    kinds.text(place, value)
    if not isinstance(value, str):
        return
    if not _LABEL.fullmatch(value):
        place.error(
            "map",
            f"{value!r:.80} can't be a label",
            code="INVALID_LABEL_NAME",
            advice="Letters, digits, - and _ make one.",
        )
    elif len(value) > LONGEST_LABEL:
        place.error(
            "map", f"this label has {len(value)} characters, and {LONGEST_LABEL} is the most", code="INVALID_LABEL_NAME"
        )
    elif value in place.ledger.labels:
        place.error("map", f"the label {value!r} stands twice", code="DUPLICATE_LABEL_NAME")
    else:
        place.ledger.labels[value] = place.pointer


def items(place: Place, value: Any) -> None:
    """Items: a list or an object, or an expression that gives one."""
    if isinstance(value, (list, dict)):
        return evaluated(place, value)
    return kinds.expression(place, value)


def processor_config(place: Place, value: Any) -> None:
    found = look(place, value, _PROCESSOR_CONFIG, "a ProcessorConfig")
    if found and found.get("Mode") == "DISTRIBUTED" and "ExecutionType" not in found:
        place.strict("map", "a distributed Map needs ExecutionType", advice="STANDARD or EXPRESS.")
    if found and found.get("Mode", "INLINE") == "INLINE" and "ExecutionType" in found:
        place.at("ExecutionType").strict("map", "an inline Map has no ExecutionType", at=place.pointer)


def reader(place: Place, value: Any) -> None:
    look(place, value, _READER, "an ItemReader", required=("Resource",))


def batcher(place: Place, value: Any) -> None:
    found = look(place, value, _BATCHER, "an ItemBatcher")
    exclusive(place, found, "MaxItemsPerBatch", "MaxItemsPerBatchPath", noun="an ItemBatcher")
    exclusive(place, found, "MaxInputBytesPerBatch", "MaxInputBytesPerBatchPath", noun="an ItemBatcher")
    if found is not None and not any(name.startswith("Max") for name in found):
        place.error("required", "an ItemBatcher needs MaxItemsPerBatch or MaxInputBytesPerBatch")


def writer(place: Place, value: Any) -> None:
    found = look(place, value, _WRITER, "a ResultWriter")
    arguments = "Arguments" if place.jsonata else "Parameters"
    if found is None:
        return
    if "Resource" not in found and "WriterConfig" not in found:
        place.error("required", f"a ResultWriter needs a Resource with {arguments}, or a WriterConfig")
    if ("Resource" in found) != (arguments in found):
        place.error("required", f"in a ResultWriter, Resource and {arguments} go together")


def mapping(place: Place, members: Mapping[str, Any]) -> None:
    """What the fields of a Map say together."""
    exclusive(place, members, "ItemProcessor", "Iterator", one=True, noun="a Map")
    exclusive(place, members, "ItemSelector", "Parameters", noun="a Map")
    for name in ("MaxConcurrency", "ToleratedFailureCount", "ToleratedFailurePercentage"):
        exclusive(place, members, name, f"{name}Path", noun="a Map")
    if not is_distributed(members):
        for name in (one for one in members if one.removesuffix("Path") in DISTRIBUTED):
            advice = 'Give its ItemProcessor a ProcessorConfig with "Mode": "DISTRIBUTED".'
            place.at(name).strict("map", f"{name} belongs to distributed Maps", at=place.pointer, advice=advice)
    for name in ("ItemsPath", "Items"):
        if name in members and "ItemReader" in members:
            place.at(name).warning("exclusive", f"the items come from ItemReader, so {name} says nothing")


def is_distributed(members: Mapping[str, Any]) -> bool:
    """Whether a Map is one."""
    return _config(members).get("Mode") == "DISTRIBUTED"


def express_inside(members: Mapping[str, Any]) -> bool:
    """Whether what it does with each item runs as an EXPRESS machine."""
    return is_distributed(members) and _config(members).get("ExecutionType") == "EXPRESS"


def _config(members: Mapping[str, Any]) -> Mapping[str, Any]:
    return members_of(members_of(members.get("ItemProcessor")).get("ProcessorConfig"))


def _source(*names: str) -> kinds.Check:
    def check(place: Place, value: Any) -> None:
        if not isinstance(value, str):
            return kinds.wrong_type(place, value, "a string")
        try:
            known = parse(value).kind == "function" or parse(value).name in names
        except ValueError:
            known = False
        if not known:
            advice = " or ".join(f"arn:aws:states:::{name}" for name in names)
            place.error("resource", f"{value!r:.80} can't be read or written by a Map", advice=f"Write {advice}.")
        return None

    return check


def _reader_config(place: Place, value: Any) -> None:
    found = look(place, value, _READER_CONFIG, "a ReaderConfig")
    exclusive(place, found, "MaxItems", "MaxItemsPath", noun="a ReaderConfig")
    if found and found.get("CSVHeaderLocation") == "GIVEN" and "CSVHeaders" not in found:
        place.error("required", "CSVHeaderLocation GIVEN needs CSVHeaders")


def _writer_config(place: Place, value: Any) -> None:
    look(place, value, _WRITER_CONFIG, "a WriterConfig", required=("Transformation", "OutputType"))


_PROCESSOR_CONFIG: Shape = both(
    Mode=kinds.one_of("INLINE", "DISTRIBUTED"), ExecutionType=kinds.one_of("STANDARD", "EXPRESS")
)
_READER: Shape = {
    **both(Resource=_source(*READERS), ReaderConfig=_reader_config),
    **paths(Parameters=evaluated),
    **jsonata(Arguments=evaluated),
}
_READER_CONFIG: Shape = {
    **both(
        InputType=kinds.one_of(*INPUTS),
        CSVHeaderLocation=kinds.one_of("FIRST_ROW", "GIVEN"),
        CSVHeaders=kinds.texts,
        CSVDelimiter=kinds.one_of("COMMA", "PIPE", "SEMICOLON", "SPACE", "TAB"),
        MaxItems=number(1, 100_000_000),
        ManifestType=kinds.one_of("ATHENA_DATA", "S3_INVENTORY"),
        Transformation=kinds.one_of("NONE", "LOAD_AND_FLATTEN"),
        ItemsPointer=kinds.text,
    ),
    **paths(MaxItemsPath=kinds.path),
}
_BATCHER: Shape = {
    **both(
        MaxItemsPerBatch=number(1),
        MaxInputBytesPerBatch=number(1),
        BatchInput=evaluated,
    ),
    **paths(MaxItemsPerBatchPath=kinds.path, MaxInputBytesPerBatchPath=kinds.path),
}
_WRITER: Shape = {
    **both(Resource=_source("s3:putObject"), WriterConfig=_writer_config),
    **paths(Parameters=evaluated),
    **jsonata(Arguments=evaluated),
}
_WRITER_CONFIG: Shape = both(
    Transformation=kinds.one_of("NONE", "COMPACT", "FLATTEN"), OutputType=kinds.one_of("JSON", "JSONL")
)
