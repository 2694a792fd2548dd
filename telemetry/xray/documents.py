"""Spans as X-Ray's segment documents (schema 1.0.0). Pure.

A span that is an execution's or a turn's and was begun from outside, or by nobody, is a *segment*: a node of the
service map, named after the function. Every other span is a *subsegment* that is sent on its own, under its parent's
id. What people search by is an annotation; all else a span says is metadata under ``overwinter``.

X-Ray keeps no links that are sent to it. So what came with a request or an event that has a trace of its own leaves a
subsegment in that trace too, and each of the two has the id of the other's trace among its annotations.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from importlib.metadata import version
from typing import Any

from ...state.codec import dumps
from ..spans.span import Attribute, Link, Span
from .header import trace_id

LARGEST = 60_000
"""Bytes of a document: X-Ray takes 64 kB, and a datagram holds less than that."""
_NAME, _USER, _TEXT, _MESSAGE, _SHORT = 200, 250, 1000, 4000, 250
_SYMBOLS = frozenset("_.:/%&#=+\\-@")
_SEARCHED = (
    *("overwinter.execution", "overwinter.function", "overwinter.operation", "overwinter.tenant", "overwinter.status"),
    *("overwinter.cost", "overwinter.message", "gen_ai.operation.name", "gen_ai.request.model", "gen_ai.tool.name"),
    *("faas.trigger", "faas.coldstart", "error.type"),
)
"""Attributes that become annotations. X-Ray keeps 50 of a trace, so only what one searches by."""
_ORIGINS = ("request", "event")
"""Links to what something came with."""
_REMOTE = frozenset({"client", "producer"})


def document(span: Span) -> dict[str, Any]:
    """The document of one span, small enough to be sent."""
    made = _document(span)
    for cut in (_TEXT, 100, 0):
        if len(dumps(made).encode()) <= LARGEST:
            break
        made["metadata"] = {"overwinter": _metadata(span, cut) | {"cut": True}}
        if not cut:  # the rest alone is too much
            made["annotations"] = _annotations(span, _SHORT)
            made |= {"cause": {"exceptions": [_exception(span, _SHORT)]}} if span.error else {}
    return made


def tied(span: Span) -> list[dict[str, Any]]:
    """What it leaves in the traces of the request or event that it came with: under that one's own segment, when and
    as what it was, and where it is found. The id follows from the span's."""
    said = ("overwinter.execution", "overwinter.function", "overwinter.message", "overwinter.status", "error.type")
    found = _annotations(span, _TEXT, said) | {"overwinter_trace": trace_id(span.trace_id)}
    return [
        {
            "name": named(str(span.attributes.get("overwinter.function", span.name))),
            "id": blake2b(f"{span.trace_id}{span.span_id}{link.trace_id}".encode(), digest_size=8).hexdigest(),
            "trace_id": trace_id(link.trace_id),
            "parent_id": link.span_id,
            "type": "subsegment",
            "start_time": span.start / 1000,
            "end_time": max(span.start, span.end) / 1000,
            **({"fault": True} if span.error else {}),
            "annotations": found,
        }
        for link in _origins(span)
    ]


def _origins(span: Span) -> list[Link]:
    return [link for link in span.links if link.attributes.get("overwinter.link") in _ORIGINS]


def is_segment(span: Span) -> bool:
    """Whether it is a node of its own: what serves a request or an event, or has no parent."""
    return span.kind in ("server", "consumer") or not span.parent_id


def _document(span: Span) -> dict[str, Any]:
    function = span.attributes.get("faas.name")
    segment = is_segment(span)
    made: dict[str, Any] = {
        "name": named(str(function) if segment and function else span.name),
        "id": span.span_id,
        "trace_id": trace_id(span.trace_id),
        "start_time": span.start / 1000,
        "end_time": max(span.start, span.end) / 1000,
    }
    if span.parent_id:
        made["parent_id"] = span.parent_id
    if segment:
        made |= {"service": {"version": version("overwinter")}}
        user = span.attributes.get("user.id")
        made |= {"user": str(user)[:_USER]} if user else {}
    else:
        made["type"] = "subsegment"
        made |= {"namespace": "remote"} if span.kind in _REMOTE else {}
    if span.error:
        made |= {"fault": True, "cause": {"exceptions": [_exception(span)]}}
    annotations = _annotations(span, _TEXT)
    made |= {"annotations": annotations} if annotations else {}
    return made | {"metadata": {"overwinter": _metadata(span, None)}}


def _annotations(span: Span, most: int, names: Iterable[str] = _SEARCHED) -> dict[str, str | int | float | bool]:
    found = {
        re.sub(r"[^A-Za-z0-9_]", "_", name): _annotation(span.attributes[name], most)
        for name in names
        if name in span.attributes
    }
    for link in _origins(span):
        found["overwinter_origin"] = trace_id(link.trace_id)
    return found


def named(text: str) -> str:
    """A name of the characters that X-Ray takes: letters, numbers, spaces and a few symbols, at most 200."""
    fit = "".join(one if one in _SYMBOLS or unicodedata.category(one)[0] in "LNZ" else "_" for one in text)
    return fit[:_NAME] or "overwinter"


def _exception(span: Span, most: int = _MESSAGE) -> dict[str, Any]:
    """What went wrong. Its id follows from the span's, so that the same document is made again."""
    id = blake2b(f"{span.trace_id}{span.span_id}".encode(), digest_size=8).hexdigest()
    kind = span.attributes.get("error.type")
    return {"id": id, "message": span.error[:most], **({"type": str(kind)[:_NAME]} if kind else {})}


def _annotation(value: Attribute, most: int) -> str | int | float | bool:
    return value if isinstance(value, (bool, int, float)) else str(value)[:most]


def _metadata(span: Span, cut: int | None) -> dict[str, Any]:
    """What a span says, its texts at most ``cut`` characters; 0: its name, its kind and how much there was."""
    told: dict[str, Any] = {"name": span.name if cut is None else span.name[:_TEXT], "kind": span.kind}
    if cut == 0:
        return told | {"events": len(span.events), "links": len(span.links)}
    told["attributes"] = _plain(span.attributes, cut)
    if span.events:
        events = span.events if cut is None else span.events[:50]
        told["events"] = [{"name": e.name, "at": e.at, "attributes": _plain(e.attributes, cut)} for e in events]
    if span.links:
        links = span.links if cut is None else span.links[:50]
        told["links"] = [{"trace_id": trace_id(link.trace_id), "id": link.span_id} for link in links]
    return told


def _plain(attributes: Mapping[str, Attribute], cut: int | None) -> dict[str, Any]:
    def plain(value: Attribute) -> Any:
        if isinstance(value, tuple):
            return [one if cut is None else one[:cut] for one in value]
        return value[:cut] if isinstance(value, str) and cut is not None else value

    return {name: plain(value) for name, value in attributes.items()}
