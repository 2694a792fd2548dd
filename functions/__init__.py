"""Functions: what users declare, and every way in which the world calls it.

``model``, ``func`` and ``workflow`` are what people import besides the face of the package. The rooms, in the order in
which they may import: ``messages``, ``invocation`` and ``models``; ``events``; ``http``; ``aws`` and ``framework``;
``tools``; ``agents``. No import goes up.
"""
