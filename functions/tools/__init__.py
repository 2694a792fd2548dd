"""Tools: a function, its docstring and its annotations become a contract that a model can call.

May import ``framework`` and everything below. Arguments are checked before a tool runs, and it never sees anything
that its schema does not allow.
"""
