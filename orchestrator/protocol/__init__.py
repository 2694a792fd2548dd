"""What deciders, engine and stores agree on: facts, decisions, effects, how they are written down and read again.

May import ``usercode`` and ``errors``. docs/journal.md is its prose. Everything here is a function of its arguments but
for the clock; keys are made so that what arrives twice counts once.
"""
