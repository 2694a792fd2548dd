"""A workflow of the runtime's own, which works on what functions have ordered. It is served in every process, and made
when it is first needed: workflows take some milliseconds to import, and most processes never run one of these.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...orchestrator.protocol.decider import Decider
from ...state.codec import stored

if TYPE_CHECKING:
    from ...orchestrator.workflow.function import Workflow

TELLER = "overwinter.answer"
"""The one that tells callers that what they have ordered is done (``events.telling``)."""
WATCH = "overwinter.watch."
"""What the ones that look at the sources of a function are called, with its name behind (``triggers.watching``)."""


class Internal:
    """The workflow that ``make`` gives, served as ``name``. Nobody outside starts it: it is handed in unnamed."""

    kind = "workflow"
    internal = True

    def __init__(self, name: str, make: Callable[[], Workflow]) -> None:
        self.name = name
        self._make = make
        self._made: Workflow | None = None

    def check(self, value: Any) -> Any:
        return stored(value)

    def decider(self, id: str) -> Decider:
        if self._made is None:
            self._made = self._make()
        return self._made.decider(id)
