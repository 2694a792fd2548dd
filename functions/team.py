"""Agents together: a conversation that goes on with another agent, and work that goes on until it is accepted."""

from .agents.handoff import Handoff
from .agents.looping import Attempt, NotAccepted, Verdict, loop_until

__all__ = ["Attempt", "Handoff", "NotAccepted", "Verdict", "loop_until"]
