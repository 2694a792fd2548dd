"""``Control`` of an open store for who runs nothing: it knows the integrations of state machines."""

from __future__ import annotations

from ..orchestrator import control
from ..orchestrator.machine.integrations import Integrations
from .integrations.retold import Retold


class Control(control.Control):
    __doc__ = control.Control.__doc__

    @property
    def integrations(self) -> Integrations:
        return Retold()
