"""Where executions live: the Store contract, its stores, the codec and the error tree."""

from .opening import open_store
from .store import Store

__all__ = ["Store", "open_store"]
