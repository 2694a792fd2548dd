"""Publish and subscribe: which functions want which events, and who takes events to them.

Promises: an event that was taken in is taken by every subscription that matches it, once for each (by the event's
source and id), however often it comes and whoever dies meanwhile; one that can't be taken lies with the dead letters
and holds nothing up. A subscription is data, so that a broker of any kind can be told of it. May import ``events`` and
what is below it; knows nothing of HTTP.
"""
