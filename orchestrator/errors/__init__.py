"""Errors as data: recorded bounded and redacted, raised again as their own class, with the user's lines they came from.

May import ``state`` and ``security``. An error that comes back is equal to what went in as far as JSON can hold it;
what could not be held is said, never dropped; nothing here executes what it reads.
"""
