"""Metrics: what is counted in the process, and how Prometheus and OTLP are told of it.

``catalogue`` lists what exists, ``instruments`` holds the numbers, ``feed`` makes them of the journal's entries,
``prometheus`` and ``otlp`` tell them. Nothing here knows an engine or a server: whoever does, feeds it.
"""
