"""``POST /subscriptions/{name}``: events that a broker brings to one subscription. A Trigger of Knative posts here, one
for each subscription, so what one can't take now is repeated for that one alone.

202: it is durable at the subscriber, or lies with the dead letters; 204: the subscription does not want it. Neither has
a body, also when a reply is asked for: a broker would publish a reply as an event of its own.
"""

from __future__ import annotations

import asyncio
import logging

from ..messages.answer import NO_CONTENT, Answer, accepted
from ..messages.problem import Refused
from .events import BATCH, read_events
from .service import Call

log = logging.getLogger("overwinter.http")


async def subscribed(call: Call) -> Answer:
    """POST /subscriptions/{name}"""
    from ..bus.arriving import arrive_for, named

    name = call.path("name")
    call.service.handshake.admit(call.headers, asyncio.get_running_loop().time())
    call.query()
    _, arrived = read_events(call.headers, await call.body())
    if len(arrived) > BATCH:
        raise Refused(413, f"the batch has {len(arrived)} events, {BATCH} are allowed; send smaller ones")
    subscription, taken = await named(call.runtime, name), 0
    for event in arrived:  # one after another, as they were brought
        wanted = await arrive_for(call.runtime, subscription, event)
        taken += wanted
        call.service.counters["events"] += 1
        if not wanted:
            call.service.counters["unwanted"] += 1
            log.info("event %s of type %s is not wanted by the subscription %s", event.id, event.type, name)
    return accepted() if taken else NO_CONTENT
