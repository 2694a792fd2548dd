"""CloudEvents: what an event may hold, how it is read and written, and what it means here.

May import ``messages`` and ``invocation``. Reading takes what the ecosystem really sends, writing is strict; an event
that was acknowledged is stored, and one that comes again happens once (``intake``).
"""
