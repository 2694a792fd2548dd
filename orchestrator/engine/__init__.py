"""The engine: who owns an execution, what is committed, what is done in the world afterwards.

May import ``upkeep``, ``protocol`` and everything below, and no decider. Nothing is acknowledged before it is stored,
nothing is sent before it is ordered, no result is recorded twice, nothing sleeps without a wake condition. Only
``engine`` and ``activation`` know leases and commits; what is new is a decider's entry, an effect, an extension or a
reader, and no branch in those two. What a part needs of those above it, it says as a protocol of its own (``hosts``).
"""
