"""Agents that are made elsewhere: any callable, an HTTP endpoint, and agents of other frameworks, as functions of
overwinter, with sessions, a recorded conversation and a place among the tools of agents.

``port`` is what one has to be; ``agent`` makes a function of it. Each library has one file, which alone imports it.
Model and tool calls go by the two seams of a ``Turn``, so what was recorded is never called again.
"""
