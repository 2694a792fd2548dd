"""Agents together: a conversation that goes on with another agent."""

from .agents.handoff import Handoff

__all__ = ["Handoff"]
