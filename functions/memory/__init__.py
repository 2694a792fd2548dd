"""Long-term memory: what an agent keeps across sessions, by agent, user and tenant.

What was remembered is durable when ``remember`` returns, and is remembered once, however often the call is made again.
Memories lie in the store's key-value entries, sealed where the store is; what finds them, by words and by meaning, is
made in the process that asks and stored nowhere. May import the models beside it and the orchestrator. From the ground
up: ``scope`` whose they are, ``stored`` how they lie in a store, ``words`` and ``vectors`` the two searches, ``index``
one scope in this process, ``memory`` what users declare, ``looking`` what people ask.
"""
