"""The way in over HTTP: one ASGI app. ``app.create_app`` makes it; only this package imports Starlette."""
