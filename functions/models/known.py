"""The model functions that this process itself defines, by their names: asked where no route leads elsewhere."""

from __future__ import annotations

from weakref import WeakValueDictionary

from .port import Streaming

known: WeakValueDictionary[str, Streaming] = WeakValueDictionary()
