"""What a serving process is to serve, from where and under which bounds: handed from command to watcher to server."""

from __future__ import annotations

from typing import NamedTuple

from .door import Bounds
from .options import Load


class Place(NamedTuple):
    """Where and from what to serve. ``fd`` is a socket handed over by a watching parent."""

    file: str
    host: str
    port: int
    store: str
    token: str
    fd: int | None = None
    again: bool = False  # a reload: say less
    load: Load = Load(1000, 32, "15s", None)
    delivery_token: str = ""
    wait: str = "60s"  # the longest time that a request is held open
    bounds: Bounds = Bounds()
    desk: bool = False  # a person looks on: say what happens, and stand in for a file that does not load
    quiet: bool = False
    models: tuple[str, ...] = ()  # in place of a file: NAME=MODEL each
    media_hosts: tuple[str, ...] = ()  # of those models
    console: bool = True  # pages for people, beside the API
