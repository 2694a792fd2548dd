"""Validation: everything that is wrong with a definition, before anything of it runs.

``checking.check`` says all of it at once: each mistake with its place, the rule that it breaks and what to do. It never
raises, whatever it is given. Codes and places are those of AWS's ValidateStateMachineDefinition where it has one, so
that what passes here with ``aws=True`` is what can be deployed there. ``compiling`` gives the model of what is sound.
"""
