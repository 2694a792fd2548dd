"""What an MCP tool has answered, as plain JSON or an error that the model reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from ...state.errors import ToolFailed

_ONE = ["result"]
"""How servers wrap a result that is no object."""


def value_of(result: Any) -> Any:
    """Structured content as it is, else the texts. What is neither is named, not shown. Raises ToolFailed for an
    error."""
    texts = [_text(block) for block in result.content or ()]
    if result.is_error:
        raise ToolFailed("\n".join(texts) or "the tool failed and did not say why")
    structured = result.structured_content
    if structured is not None:
        known = cast("Mapping[str, Any]", structured)
        return known["result"] if isinstance(structured, dict) and list(known) == _ONE else known
    return "\n".join(texts)


def _text(block: Any) -> str:
    kind = str(block.type)
    if kind == "text":
        return str(block.text)
    if kind in ("image", "audio"):
        return f"[{kind}: {block.mime_type}, {len(block.data) * 3 // 4:,} bytes, not shown]"
    if kind == "resource_link":
        return f"[link: {block.uri}]"
    inner: Any = getattr(block, "resource", None)
    text: Any = getattr(inner, "text", None)
    return str(text) if isinstance(text, str) else f"[{kind}: {getattr(inner, 'uri', '?')}, not shown]"
