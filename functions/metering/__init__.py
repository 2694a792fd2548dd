"""Metrics of a runtime: switched on by the environment, fed by its commits, told at ``GET /metrics`` and by OTLP.

What is counted and how it is written down is of ``telemetry.metrics``; here it is joined to an engine and its store.
"""
