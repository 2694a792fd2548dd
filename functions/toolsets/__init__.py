"""Toolsets: tools that come together, from functions, an object, a document, a folder or a server, and their changes.

Each way to get tools and each way to change them is a file of its own over the one port in ``source``. Nothing here is
imported by an agent that has none. What a server lists is asked for in a step that is recorded (``listing``) and never
at any other time, so which tools an agent has is the same in every replay. May import ``tools`` and what is below.
"""
