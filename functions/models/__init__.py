"""Models: one port (``port``), an adapter to the providers that litellm knows, and a scripted one that needs none.

May import nothing of ``functions``. What users need to write a model of their own is ``overwinter.functions.model``; an
adapter's library is loaded at its first call; whatever a provider says wrong has a name (``failing``).
"""
