"""Budgets of agents: how much they may use, for what, and what happens at the limit."""

from .agents.budget import Ask, Budget, Cheaper

__all__ = ["Ask", "Budget", "Cheaper"]
