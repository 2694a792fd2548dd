"""Agents: instructions, a model and tools as one durable function, and agents and workflows as tools of agents.

May import all of ``functions``. What can't be asked of a model is refused when the agent is made, not in its first
turn.
"""
