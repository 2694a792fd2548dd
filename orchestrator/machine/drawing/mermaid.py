"""A machine as a state diagram of Mermaid: an arrow for each way, labelled with when it is taken; Parallel and Map are
states with what is inside of them. An execution shows in classes: what came of each state, and how often and how long
below its name; ways that were taken often say so."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .labels import visible
from .sketch import END, START, Box, Line, Sketch, boxes

LONGEST = 60
_ESCAPES = {ord(char): f"#{ord(char)};" for char in '#;"<>{}:\\`'}
_ORDER = re.compile(r"(d)(irection)(?=\s)", re.IGNORECASE)
_STYLES = {
    "succeeded": "fill:#dff3e4,stroke:#1a7f37,color:#0b3d1a",
    "running": "fill:#ddeeff,stroke:#0969da,color:#0a3069,stroke-width:3px",
    "caught": "fill:#fff3d6,stroke:#9a6700,color:#4d3300",
    "failed": "fill:#ffe3e0,stroke:#cf222e,color:#6e0b14,stroke-width:3px",
    "stopped": "fill:#eeeeee,stroke:#656d76,color:#24292f,stroke-dasharray:4",
}


def mermaid(drawn: Sketch) -> str:
    """The diagram's text."""
    lines = ["stateDiagram-v2", *_flow(drawn, "    ")]
    marked = {status: [box.id for box in boxes(drawn) if box.mark and box.mark.status == status] for status in _STYLES}
    lines += [f"    classDef {status} {_STYLES[status]}" for status, ids in marked.items() if ids]
    lines += [f"    class {','.join(ids)} {status}" for status, ids in marked.items() if ids]
    return "\n".join(lines) + "\n"


def _flow(drawn: Sketch, indent: str) -> Iterator[str]:
    for box in drawn.boxes:
        yield f'{indent}state "{_name(box)}" as {box.id}'
        yield from _inside(box, indent)
    for line in drawn.lines:
        ends = ("[*]" if end in (START, END) else end for end in (line.source, line.target))
        told = _told(line)
        yield f"{indent}{' --> '.join(ends)}" + (f" : {told}" if told else "")


def _inside(box: Box, indent: str) -> Iterator[str]:
    if not box.flows:
        return
    yield f"{indent}state {box.id} {{"
    for index, flow in enumerate(box.flows):
        if index:
            yield f"{indent}    --"
        yield from _flow(flow, indent + "    ")
    yield f"{indent}}}"


def _name(box: Box) -> str:
    return "<br/>".join(map(_label, (box.name, *(box.mark.lines if box.mark else ()))))


def _told(line: Line) -> str:
    often = f"{line.times}×" if line.times is not None and line.times > 1 else ""
    return " ".join(part for part in (_label(line.label), often) if part)


def _label(text: str) -> str:
    """A text that Mermaid takes as one, whatever it says: ``direction LR`` would be an order to it anywhere in a
    line."""
    return _ORDER.sub(lambda found: f"#{ord(found[1])};{found[2]}", visible(text, LONGEST).translate(_ESCAPES))
