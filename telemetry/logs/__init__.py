"""Log lines for programs and for people: one JSON object a line, or text, both with the execution they belong to, at
levels by room, and without secrets.

It is Python's ``logging`` throughout: what a library or a user's own step says gets the same ids.
"""
