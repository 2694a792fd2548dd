"""What a tool may say about calls whose outcome is unknown."""

from ..orchestrator.usercode.reconciling import Done, GiveUp, NotDone, Resolve, Unknown

__all__ = ["Done", "GiveUp", "NotDone", "Resolve", "Unknown"]
