"""What begins functions from outside, without speaking their language: webhooks of other services, and data that
changes.

May import ``events`` and everything below; of servers and of frameworks it knows nothing. Whoever sends is known
before what was sent is read; what was acknowledged is durable; what comes again happens once. A function that is begun
so is begun as anybody begins it.
"""
