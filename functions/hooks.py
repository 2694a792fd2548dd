"""Hooks: what is asked before something is done, and about what came of it."""

from ..orchestrator.agent.around import ModelReply, ModelUse, RunUse
from ..orchestrator.agent.spec import ToolUse
from .agents.hooks import Hook
from .agents.verdicts import Ask, Change, Guide, Refuse, Skip

__all__ = ["Ask", "Change", "Guide", "Hook", "ModelReply", "ModelUse", "Refuse", "RunUse", "Skip", "ToolUse"]
