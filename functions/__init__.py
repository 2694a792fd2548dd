"""Functions: what users declare, and every way in which the world calls it.

``model``, ``event`` and ``func`` are what people import besides the face of the package. The rooms, each of which
may import those of the groups before it: ``messages``, ``invocation``, ``models``; ``events``; ``http``; ``aws``,
``framework``; ``tools``; ``agents``.
"""
