"""The tool that reads what was taken out of a long result of another tool (``Shorten``): it lies in the journal."""

from __future__ import annotations

from ...orchestrator.agent import observations
from ...orchestrator.agent.conversation import READER
from ...orchestrator.engine.performing import current_call
from ...state.errors import ModelRetry
from ..tools.tool import Tool

PAGE = 8 * 1024
"""Characters that are read at once."""


def reader(*, children: bool, most: int) -> Tool:
    """The tool. ``children``: what agents and workflows gave may be read too. What a hook looks at never is: it may
    have withheld it. Of a page ``most`` characters are read at once."""
    size = min(PAGE, most)

    async def read_result(entry: int, start: int = 0) -> str:
        """Read the whole of a tool result of this conversation that was shortened, a page at a time.

        Args:
            entry: its number, as the shortened result says it
            start: how many characters to skip
        """
        call = current_call()
        fact = None if call.shelf is None else await call.shelf.entry(call.execution, entry)
        if fact is None or fact["type"] not in ("tool", "child" if children else "tool") or "after" in fact:
            raise ModelRetry(f"entry {entry} is no result of a tool; give the number that a shortened result names.")
        text = observations.whole(fact)
        start = max(0, start)
        page = text[start : start + size]
        rest = len(text) - start - len(page)
        more = f"\n[{rest:,} more characters: {READER}(entry={entry}, start={start + len(page)})]" if rest > 0 else ""
        return page + more if page else f"[there are {len(text):,} characters]"

    return Tool(read_result, name=READER, effect="pure")
