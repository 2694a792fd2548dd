"""The agent loop: think, act, observe, and think again, as an explicit and pure state machine.

A decider: may import ``governance``, ``protocol`` and everything below, and not the engine. Every model and tool call
is an entry before it is acted on; a conversation is bounded by its limits whatever a model answers.
"""
