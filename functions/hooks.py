"""Hooks: what is asked before a tool call is made, and about its outcome."""

from ..orchestrator.agent.spec import ToolUse
from .agents.hooks import Ask, Change, Guide, Hook, Refuse, Skip

__all__ = ["Ask", "Change", "Guide", "Hook", "Refuse", "Skip", "ToolUse"]
