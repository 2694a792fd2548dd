"""What people see of executions from outside: traces, and what else is derived from the journal's records.

Ground floor beside ``security``: it may import that and the codec, ids and errors of ``state``, nothing above. Journal
entries are plain mappings, as docs/journal.md says. Nothing here is imported while it is switched off.
"""
