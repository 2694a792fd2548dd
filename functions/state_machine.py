"""``StateMachine`` as people make it: that of ``orchestrator``, with the integrations that reach out of the process."""

from __future__ import annotations

from ..orchestrator.machine import function
from ..orchestrator.machine.integrations import Integrations


class StateMachine(function.StateMachine):
    __doc__ = function.StateMachine.__doc__

    def integrations(self) -> Integrations:
        from .integrations.reaching import Reaching

        return Reaching()
