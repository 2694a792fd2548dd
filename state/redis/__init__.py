"""The store for many machines: Redis 6.2 to 8 and Valkey, single, with Sentinel or as a cluster."""

from .store import RedisStore

__all__ = ["RedisStore"]
