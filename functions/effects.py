"""What a tool may say about calls whose outcome is unknown, and about what undoes them."""

from ..orchestrator.usercode.reconciling import Done, GiveUp, NotDone, Resolve, Unknown
from ..orchestrator.usercode.undoing import Undo

__all__ = ["Done", "GiveUp", "NotDone", "Resolve", "Undo", "Unknown"]
