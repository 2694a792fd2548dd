"""The way in over HTTP: one ASGI app. ``app.create_app`` makes it; only this package imports Starlette.

May import ``events`` and everything below. What is answered with 2xx is durable; a request waits for an outcome no
longer than it was allowed to, and the execution goes on without it.
"""
