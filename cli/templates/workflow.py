"""The template ``workflow``: steps, and an event that is waited for. No model anywhere."""

from __future__ import annotations

ABOUT = "A workflow (`order`) in `{{module}}.py`, on overwinter: steps, a wait for days, an end either way."
FIRST = """overwinter run {{module}}.py order '{"item": "lamp", "count": 2}' --id order-1 --timeout 1s"""

APP = '''"""An order: it is reserved, its payment is waited for, and then it is sent. Durable at every step.

Kill the process whenever you like and run it again under the same id: what was recorded is not done a second time.
"""

from __future__ import annotations

from overwinter import Context, TimedOut, workflow
from pydantic import BaseModel, Field

STOCK = {"lamp": 3, "chair": 1}


class Order(BaseModel):
    item: str
    count: int = Field(gt=0)


def reserve(order: Order) -> str:
    """Stands in for the warehouse. Its error ends the order; after a fix `overwinter retry` goes on."""
    if STOCK.get(order.item, 0) < order.count:
        raise ValueError(f"there are not {order.count} of {order.item!r}")
    return f"{order.count} x {order.item}"


def send(parcel: str) -> str:
    return f"sent {parcel}"


def release(parcel: str) -> str:
    return f"released {parcel}"


@workflow
async def order(ctx: Context, order: Order) -> str:
    """Reserve, wait for the payment, send."""
    parcel = await ctx.step(reserve, order)
    ctx.status(f"{parcel} reserved, waiting for the payment")
    try:
        paid = await ctx.wait_for("paid", type=bool, timeout="3d")
    except TimedOut:
        paid = False
    return await ctx.step(send if paid else release, parcel)
'''

TEST = '''"""The order ends as it should, whatever happens to the process; days pass in no time."""

from __future__ import annotations

import pytest
from overwinter.testing import World, crash_everywhere

from {{module}} import Order, order, reserve


def test_what_is_not_there_is_not_reserved() -> None:
    with pytest.raises(ValueError, match="there are not 2"):
        reserve(Order(item="chair", count=2))


async def paid(world: World) -> str:
    run = await world.start(order, {"item": "lamp", "count": 2}, id="o-1")
    await world.signal("o-1", "paid", True)
    value: str = await run.result()
    return value


def test_a_paid_order_is_sent_though_the_process_dies_anywhere() -> None:
    report = crash_everywhere(paid, functions=[order])
    assert report.outcome.value == "sent 2 x lamp"


def test_one_that_nobody_pays_is_released_after_three_days() -> None:
    report = crash_everywhere(order, {"item": "chair", "count": 1})
    assert report.outcome.value == "released 1 x chair"
'''

COMMANDS = """Start an order. It waits for the payment (exit code 5: it goes on), and the same id goes on with it:

```
overwinter run {{module}}.py order '{"item": "lamp", "count": 2}' --id order-1 --timeout 1s
overwinter ps
overwinter signal order-1 paid true
overwinter run {{module}}.py order --id order-1
overwinter show order-1
```

Serve it, and start one from a second terminal:

```
overwinter dev {{module}}.py
```

```
overwinter invoke order '{"item": "chair", "count": 1}' --id order-2 --no-wait
overwinter signal order-2 paid true
overwinter show order-2
```
"""
