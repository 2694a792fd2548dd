"""The window of a conversation: what the model reads of it, and what is done when it is more."""

from ..orchestrator.agent.leaving import Leaving
from .agents.compacting import Drop, Shorten, Summarize
from .agents.limits import History

__all__ = ["Drop", "History", "Leaving", "Shorten", "Summarize"]
