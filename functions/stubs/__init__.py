"""Typed stubs of functions that live elsewhere: a module of Python, made of what their server says of them.

What a server says is somebody else's text. It is read within bounds, and it becomes code only as names that were made
of it and as literals. May import ``tools`` and everything below.
"""
