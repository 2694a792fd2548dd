"""``Toolset``: tools that come together, and what can be made of them in one line.

``Toolset(lookup, refund).approved("desk").prefixed("shop")``: each of these gives another toolset, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from ...state.quantities import Duration
from ..tools.tool import APPROVAL_WITHIN, Approves, Tool
from .approved import Approved
from .combined import Combined
from .filtered import Filtered
from .given import Given
from .methods import methods
from .prefixed import Prefixed
from .renamed import Renamed
from .source import UNASKED, Listed, Server, Source


class Toolset:
    """Functions, tools, methods of objects and other toolsets, as one: ``Agent(tools=[Toolset(…), …])``.

    Raises InvalidInput for what is none of that. Two tools of one name are refused by the agent that would have them.
    """

    def __init__(self, *things: object) -> None:
        self._source: Source = Combined(things)

    @classmethod
    def of(cls, thing: object) -> Toolset:
        """The methods of an object: those decorated with ``@tool``, or, when none is, all without a ``_`` in front."""
        return _from(Combined(methods(thing)))

    @property
    def servers(self) -> Sequence[Server]:
        """Who must be asked before the tools are known."""
        return self._source.servers

    def tools(self, listed: Listed = UNASKED) -> Sequence[Tool]:
        """Its tools, of those that servers list the ones that were recorded."""
        return self._source.tools(listed)

    def prefixed(self, prefix: str) -> Toolset:
        """With ``prefix_`` before every name."""
        return _from(Prefixed(self, prefix))

    def renamed(self, **names: str) -> Toolset:
        """Under other names: ``renamed(lookup="find_order")``."""
        return _from(Renamed(self, names))

    def filtered(
        self, only: Collection[str] | Callable[[Tool], bool] | None = None, *, without: Collection[str] = ()
    ) -> Toolset:
        """Only those that are named, or of which a pure function of the Tool says True; not those ``without``."""
        return _from(Filtered(self, only, without))

    def approved(self, approval: Approves, within: Duration = APPROVAL_WITHIN) -> Toolset:
        """Every call waits for a person of that role. Tools with an approval of their own keep it."""
        return _from(Approved(self, approval, within))

    def given(self, **values: Any) -> Toolset:
        """What functions need and the model does not see: parameters of these names are filled in."""
        return _from(Given(self, values))


def _from(source: Source) -> Toolset:
    made = Toolset()
    made._source = source  # pyright: ignore[reportPrivateUsage]  # of this file
    return made
