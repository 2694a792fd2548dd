"""One file a command, imported when it is named, so that ``--help`` starts fast.

May import the rest of ``cli``; nothing imports a command but ``main``, by its name.
"""
