"""Whether anybody takes the calls of a function that go by events, as far as the broker can tell."""

from __future__ import annotations

import time

from ...state.errors import BrokerUnavailable, InvalidInput
from .exchange import calls_of
from .redis_partitions import RIGHT
from .redis_place import read


async def takers(dsn: str, function: str) -> int:
    """How many processes take its calls now. Raises InvalidInput when this broker does not tell, BrokerUnavailable."""
    scheme = dsn.partition("://")[0]
    if dsn in ("", "store"):
        raise InvalidInput("the broker is the store, which carries no calls; set OVERWINTER_BROKER")
    if scheme not in ("redis", "rediss"):
        raise InvalidInput(f"a broker by {scheme[:20]}: does not tell who takes calls")
    from redis.exceptions import RedisError

    place = read(dsn)
    redis = place.client()
    try:
        since = int((time.time() - RIGHT) * 1000)
        return int(await redis.zcount(place.readers(calls_of(function)), since, "+inf"))
    except (RedisError, OSError) as error:
        raise BrokerUnavailable(f"Redis is out of reach: {error}") from None
    finally:
        await redis.aclose()
