"""The template ``desk``: an agent with two tools, one of which a person must approve, and a workflow that asks it."""

from __future__ import annotations

ABOUT = "An agent (`clerk`), two tools and a workflow (`answer_letter`) in `{{module}}.py`, on overwinter."
FIRST = "overwinter chat clerk {{module}}.py"

APP = '''"""A mail-order shop's clerk: an agent, its tools, and a workflow, durable at every step.

It runs offline on a scripted model. For a real one: name it in .env, see .env.example.
"""

from __future__ import annotations

import os
import re

from overwinter import Agent, Context, Limits, Scripted, call, tool, workflow

ORDERS = {"A-1": "on its way, with you on Friday", "A-2": "waiting for payment"}
REFUNDS: list[str] = []  # stands in for the shop's books

SCRIPT = Scripted(
    {
        r"where is order a-1": call("lookup_order", order_id="A-1"),
        r"where is order a-2": call("lookup_order", order_id="A-2"),
        r"refund order a-1": call("refund", order_id="A-1", amount="12.50"),
        r"on its way|waiting for payment": "I looked it up: your order is in our books, and all is well.",
        r"refunded": "The money is on its way back to you.",
        r"denied|nobody approved": "I am sorry, the refund was not approved.",
        r"outcome of this call is unknown": "I can't tell whether the money was sent; a colleague will look into it.",
        r".*": "Ask me where order A-1 or A-2 is, or to refund order A-1.",
    },
    "clerk",
)


@tool(effect="pure")
def lookup_order(order_id: str) -> str:
    """Look up where an order is.

    Args:
        order_id: the order's id, like A-1
    """
    return ORDERS.get(order_id, "unknown")


@tool(effect="irreversible", approval="shopkeeper")
def refund(order_id: str, amount: str) -> str:
    """Give the money for an order back. A person must approve it, and it happens once at the most.

    Args:
        order_id: the order's id, like A-1
        amount: how much, like 12.50
    """
    REFUNDS.append(order_id)
    return f"{amount} refunded for {order_id}"


clerk = Agent(
    name="clerk",
    model=os.environ.get("OVERWINTER_MODEL") or SCRIPT,
    instructions="You are the clerk of a mail-order shop. Look orders up before you answer. Be brief and kind.",
    tools=[lookup_order, refund],
    limits=Limits(iterations=8, tokens=20_000, time="2m"),
)


def find_orders(letter: str) -> list[str]:
    """The ids of orders that a letter names."""
    return sorted(set(re.findall(r"A-\\d+", letter)))


@workflow
async def answer_letter(ctx: Context, letter: str) -> str:
    """Answer a letter: one question to the clerk for each order that it names."""
    orders = await ctx.step(find_orders, letter)
    answers = [await ctx.call(clerk, f"Where is order {order}?") for order in orders]
    return "\\n".join(["Dear customer,", *answers, "Yours, the shop"])
'''

TEST = '''"""The workflow and the agent do the same whatever happens to the process."""

from __future__ import annotations

import os

from overwinter.testing import World, crash_everywhere

os.environ.pop("OVERWINTER_MODEL", None)  # tests run on the script, whatever the environment says

from {{module}} import REFUNDS, answer_letter, clerk, find_orders  # noqa: E402


def test_orders_are_found() -> None:
    assert find_orders("about A-2 and A-1, and A-2 again") == ["A-1", "A-2"]


def test_a_letter_is_answered_though_the_process_dies_anywhere() -> None:
    report = crash_everywhere(answer_letter, "Where are A-1 and A-2?")
    assert report.outcome.value.count("I looked it up") == 2


async def ask_for_a_refund(world: World) -> str:
    message = await world.send(clerk, "me", "Please refund order A-1")
    await world.approve("clerk/me", by="the shopkeeper")
    reply: str = await message.reply()
    return reply


def same_or_in_doubt(calm: str, crashed: str) -> bool:
    """When the process dies during the refund nobody knows whether it was made; it is not made again."""
    assert len(REFUNDS) <= 1
    return crashed == calm or "a colleague will look" in crashed


def test_a_refund_waits_for_the_shopkeeper_and_is_never_made_twice() -> None:
    report = crash_everywhere(ask_for_a_refund, functions=[clerk], fresh=REFUNDS.clear, same=same_or_in_doubt)
    assert "on its way back" in report.outcome.value
'''

COMMANDS = """Talk to the clerk; it asks you to approve the refund:

```
overwinter chat clerk {{module}}.py
> Where is order A-1?
> Please refund order A-1
```

Run the workflow, in one process, resumable under its id:

```
overwinter run {{module}}.py answer_letter "Where are A-1 and A-2?" --id letter-1
overwinter show letter-1
```

Serve it all, and try it from a second terminal:

```
overwinter dev {{module}}.py
```

```
overwinter invoke clerk --session me "Please refund order A-1" --no-wait
overwinter approvals
overwinter approve clerk/me --reason "it was late"
overwinter show clerk/me
```
"""
