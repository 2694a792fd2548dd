"""A durable queue in front of a function: one execution, whose mailbox is the queue, and which starts what is delivered
to it within bounds: so many at a time, so many in a time, one of a key at a time, again when it fails, and set aside at
last.

A third decider over the same engine, pure like the others. Nothing that is delivered is lost or run twice, and what
fails holds up nobody but those of its own key, and only for its attempts. May import what is below the engine.
"""
