"""The items of a Map, as each is begun: selected, and put together to batches. A frame's ``doing`` has them:

``items``; ``keys`` of those of an object; ``sources``, where those from an index on come from; ``next``, the first that
was not begun; ``value``, what ``$`` is for ItemSelector; ``batch``, what makes one.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

from ..definition.states.map import Map
from ..language.failure import QueryError
from ..language.numbers import json_text
from .execution import Execution
from .failure import READER_FAILED
from .frame import Frame

STATE_DATA = "STATE_DATA"


def extend(doing: dict[str, Any], items: list[Any], keys: list[str] | None, source: str) -> None:
    """More items."""
    known: list[Any] = doing["items"]
    if not doing["sources"] or doing["sources"][-1][1] != source:
        doing["sources"].append([len(known), source])
    if keys is not None:
        doing["keys"] += [None] * (len(known) - len(doing["keys"])) + keys
    known += items


def described(doing: dict[str, Any], index: int) -> dict[str, Any]:
    """``$$.Map.Item``."""
    sources: list[Any] = doing["sources"]
    source = sources[bisect_right(sources, index, key=lambda one: one[0]) - 1][1]
    key = _key(doing, index)
    named = {} if key is None else {"Key": key}
    return {"Index": index, **named, "Value": doing["items"][index], "Source": source}


def selected(run: Execution, frame: Frame, state: Map, index: int) -> Any:
    """What an item becomes by ItemSelector. Raises QueryError."""
    doing = frame.doing
    if state.selector is not None:
        seen = Frame(f"{frame.op}.{index}", state.processor, frame, index)
        seen.top = frame.top  # the item is not an execution of its own yet
        seen.state, seen.entered, seen.input = frame.state, frame.entered, frame.input
        seen.event, seen.attempts, seen.item = frame.event, frame.attempts, described(doing, index)
        return run.scope(seen, doing["value"]).template(state.selector, "ItemSelector")
    key = _key(doing, index)
    return doing["items"][index] if key is None else {"Key": key, "Value": doing["items"][index]}


def following(run: Execution, frame: Frame, state: Map) -> tuple[Any, int]:
    """The input of what is to be begun next, and of how many items it is. Raises QueryError."""
    doing = frame.doing
    index: int = doing["next"]
    first = selected(run, frame, state, index)
    if state.batcher is None:
        doing["next"] += 1
        return first, 1
    batch: dict[str, Any] = doing["batch"]
    whole: dict[str, Any] = {"BatchInput": batch["input"]} if "input" in batch else {}
    items = whole["Items"] = [first]
    size = _size(whole)
    if batch["bound"] and size > batch["bytes"]:
        cause = (
            f"The item {index} alone makes a batch of {size:,} bytes, and MaxInputBytesPerBatch is {batch['bytes']:,}"
        )
        raise QueryError(READER_FAILED, f"{cause}; make the item smaller with ItemSelector, or the limit larger.")
    end = len(doing["items"]) if batch["items"] is None else min(index + batch["items"], len(doing["items"]))
    while index + len(items) < end:
        one = selected(run, frame, state, index + len(items))
        size += _size(one) + 1
        if size > batch["bytes"]:
            break
        items.append(one)
    doing["next"] += len(items)
    return whole, len(items)


def _size(value: Any) -> int:
    return len(json_text(value).encode("utf-8", "surrogatepass"))


def _key(doing: dict[str, Any], index: int) -> str | None:
    keys: list[str | None] = doing["keys"]
    return keys[index] if index < len(keys) else None
