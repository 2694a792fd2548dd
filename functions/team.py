"""Agents together: a conversation that goes on with another agent, tasks that are given to others, a list of what is to
be done, and work that goes on until it is accepted."""

from .agents.handoff import Handoff
from .agents.looping import Attempt, NotAccepted, Verdict, loop_until
from .agents.subagents import subagents
from .agents.todo import todo_list

__all__ = ["Attempt", "Handoff", "NotAccepted", "Verdict", "loop_until", "subagents", "todo_list"]
