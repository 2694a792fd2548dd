"""Traces: spans are derived from the records of journals, never from running code.

Ids are hashes of what the records say and times are theirs, so a crash, a replay or another process gives the same span
again and never another one. A span is handed on once its record is stored.
"""
