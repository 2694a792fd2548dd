"""Tools that a person must approve."""

from __future__ import annotations

from ...state.quantities import Duration
from ..tools.tool import APPROVAL_WITHIN, Approves, Tool
from .changed import Changed
from .source import Source


class Approved(Changed):
    """All of them, by a role or a pure function of the arguments that gives one. A tool that is declared with an
    approval of its own keeps it."""

    def __init__(self, inner: Source, approval: Approves, within: Duration = APPROVAL_WITHIN) -> None:
        super().__init__(inner)
        self._approval = approval
        self._within = within

    def change(self, tool: Tool) -> Tool:
        return tool if tool.approval is not None else tool.but(approval=self._approval, approval_within=self._within)
