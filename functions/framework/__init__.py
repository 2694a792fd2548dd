"""A function behind a platform's own server: Functions Framework calls it with a request, plain code as it was written.

May import ``http`` and everything below. One runtime a process, opened at the first request that needs it.
"""
