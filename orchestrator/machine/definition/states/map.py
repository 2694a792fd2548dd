"""Map: does the same with each item of a list or of a data set."""

from __future__ import annotations

from dataclasses import dataclass

from ..fields import Fields, Malformed
from ..flow import BuildFlow, Flow
from ..retrying import Catcher, Retrier, catchers, retriers
from ..values import Number, Path, Template, template
from .map_data import ItemBatcher, ItemReader, ResultWriter, item_batcher, item_reader, result_writer
from .state import WHOLE, State, led, resulting


@dataclass(frozen=True, slots=True, kw_only=True)
class Map(State):
    """``items`` is a path (JSONPath) or a template (JSONata); ``selector`` is ItemSelector, or Parameters as it was
    called once. ``distributed`` only says how AWS would run it."""

    processor: Flow
    distributed: bool = False
    execution_type: str = "STANDARD"
    items: Path | Template = WHOLE
    selector: Template | None = None
    reader: ItemReader | None = None
    batcher: ItemBatcher | None = None
    writer: ResultWriter | None = None
    max_concurrency: Number | None = None
    tolerated_count: Number | None = None
    tolerated_percentage: Number | None = None
    label: str | None = None
    result_selector: Template | None = None
    result_path: Path | None = WHOLE
    retry: tuple[Retrier, ...] = ()
    catch: tuple[Catcher, ...] = ()


def mapping(name: str, fields: Fields, build: BuildFlow) -> Map:
    flow, distributed, execution_type = _processor(fields, build)
    reader, batcher, writer = (fields.nested(one) for one in ("ItemReader", "ItemBatcher", "ResultWriter"))
    jsonata = fields.language == "JSONata"
    made = Map(
        **led(name, fields),
        **resulting(fields),
        processor=flow,
        distributed=distributed,
        execution_type=execution_type,
        items=_items(fields),
        selector=fields.maybe_template("ItemSelector") if jsonata else fields.either("ItemSelector", "Parameters"),
        reader=item_reader(reader) if reader is not None else None,
        batcher=item_batcher(batcher) if batcher is not None else None,
        writer=result_writer(writer) if writer is not None else None,
        max_concurrency=fields.dynamic_number("MaxConcurrency"),
        tolerated_count=fields.dynamic_number("ToleratedFailureCount"),
        tolerated_percentage=fields.dynamic_number("ToleratedFailurePercentage"),
        label=fields.maybe_text("Label"),
        retry=retriers(fields),
        catch=catchers(fields),
    )
    fields.done()
    return made


def _processor(fields: Fields, build: BuildFlow) -> tuple[Flow, bool, str]:
    if fields.has("ItemProcessor") == fields.has("Iterator"):
        raise Malformed("an ItemProcessor should stand", fields.pointer)
    inner = fields.nested("ItemProcessor" if fields.has("ItemProcessor") else "Iterator")
    if inner is None:
        raise Malformed("an ItemProcessor should stand", fields.pointer)
    flow = build(inner)
    config = inner.nested("ProcessorConfig")
    inner.done()
    if config is None:
        return flow, False, "STANDARD"
    mode = config.one_of("Mode", ("INLINE", "DISTRIBUTED"), "INLINE")
    kind = config.one_of("ExecutionType", ("STANDARD", "EXPRESS"), "STANDARD")
    config.done()
    return flow, mode == "DISTRIBUTED", kind


def _items(fields: Fields) -> Path | Template:
    if fields.language == "JSONata":
        return template(fields.raw("Items"), "JSONata") if fields.has("Items") else INPUT
    found = fields.path("ItemsPath", "$")
    if found is None:
        raise Malformed("a path should stand", fields.at("ItemsPath"))
    return found


INPUT = Template("{% $states.input %}", "JSONata", dynamic=True)
"""The items of a JSONata Map that names none."""
