"""Parts of a message in OpenAI's chat protocol, which litellm takes for every provider."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from ...orchestrator.protocol.media import Part

_FORMATS = {"mpeg": "mp3", "mp3": "mp3", "wav": "wav", "x-wav": "wav", "wave": "wav"}
"""Names of sounds in this protocol; of all others the subtype is."""


def pieces(parts: Sequence[Part]) -> list[dict[str, Any]]:
    """The content of a message. Before each image, sound and file stands in words what it is: what a provider does not
    take, litellm leaves out silently, and the model would not know that there was something."""
    told: list[dict[str, Any]] = []
    for part in parts:
        if part.text or part.kind != "text":
            told.append({"type": "text", "text": part.label()})
        if (piece := _piece(part)) is not None:
            told.append(piece)
    return told


def _piece(part: Part) -> dict[str, Any] | None:
    if part.kind == "image":
        return {"type": "image_url", "image_url": {"url": part.url or _data_url(part)}}
    if part.kind == "audio":
        subtype = part.media_type.rpartition("/")[2]
        sound = {"data": base64.b64encode(part.data).decode(), "format": _FORMATS.get(subtype, subtype)}
        return {"type": "input_audio", "input_audio": sound}
    if part.kind == "file":
        return {"type": "file", "file": {"filename": part.name or "file", "file_data": _data_url(part)}}
    return None


def _data_url(part: Part) -> str:
    return f"data:{part.media_type};base64,{base64.b64encode(part.data).decode()}"
