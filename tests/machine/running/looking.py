"""The look at standing approvals that goes before a question, for tests that play the engine's part themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from overwinter.orchestrator.governance.approvals.register import LOOKUP
from overwinter.orchestrator.machine.decider import MachineDecider
from overwinter.orchestrator.protocol.decider import Access, Decision


def looked(decider: MachineDecider, journal: list[Any] | None = None, found: Sequence[Any] = ()) -> Decision:
    """Decide, tell what such looks have ``found``, and decide again. All that is written goes to the ``journal``."""
    kept = [] if journal is None else journal
    decision = decider.decide()
    kept += decision.entries
    for effect in decision.perform:
        if isinstance(effect, Access) and effect.name == LOOKUP:
            fact = {"type": "step", "op": effect.op, "name": effect.name, "at": 0, "value": list(found)}
            decider.offer(fact)
            kept.append(fact)
    decision = decider.decide()
    kept += decision.entries
    return decision
