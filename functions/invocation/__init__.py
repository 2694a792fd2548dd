"""Which functions there are: those of a user's file or module, found without a registry, looked over before they run.

May import nothing of ``functions``. What can't work is said at once, with file and line; nobody is asked over a
network.
"""
