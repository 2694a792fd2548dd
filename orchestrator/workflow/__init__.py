"""Workflows in code: a function asks for durable operations, and replay of its journal brings it back to where it was.

A decider: may import ``governance``, ``protocol`` and everything below, and not the engine. What the code asks for is
identified by its position, so replay is exact or the execution is stuck by name; code runs on a loop of its own that
reaches nothing outside. ``run`` holds one life, ``operation`` what is asked for, a file each kind of it.
"""
