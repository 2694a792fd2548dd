"""Data sets read page by page, as a Map has it done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from overwinter.orchestrator.machine.datasets.buckets import Buckets
from overwinter.orchestrator.machine.datasets.page import read_page
from overwinter.orchestrator.machine.definition.states.map_data import ReaderConfig
from overwinter.orchestrator.machine.running.resources import Reading

OBJECT = "s3:getObject"
LISTING = "s3:listObjectsV2"
WHOLE = 1 << 30


def pages(
    buckets: Buckets,
    config: ReaderConfig,
    given: Mapping[str, Any],
    *,
    action: str = OBJECT,
    most: int | None = None,
    room: int = WHOLE,
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = read_page(buckets, Reading(action, given, config, cursor, most, room))
        found.append(page)
        if most is not None:
            most -= sum(len(part["items"]) for part in page["parts"])
        if (cursor := page["next"]) is None:
            return found


def read(*args: Any, **options: Any) -> list[tuple[str, str | None, Any]]:
    """Every item with its source and key."""
    found: list[tuple[str, str | None, Any]] = []
    for page in pages(*args, **options):
        for part in page["parts"]:
            keys = part.get("keys") or [None] * len(part["items"])
            found += [(part["source"], key, item) for key, item in zip(keys, part["items"], strict=True)]
    return found


def items(*args: Any, **options: Any) -> list[Any]:
    return [item for _, _, item in read(*args, **options)]
