"""The scripted model of the support desk: no language model, just rules that always answer the same.

It stands in where no key is set, so that the example runs offline; every answer is labelled ``scripted/…``.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence

from overwinter.functions.model import Message, Scripted, ToolCall, ToolSchema, call

DELAY = os.environ.get("SCRIPTED_DELAY", "20ms")


def desk_script() -> Scripted:
    """The desk's model: looks up, refunds, changes addresses, hands hard tickets on."""
    return Scripted(_desk, "support-desk", delay=DELAY)


def specialist_script(field: str) -> Scripted:
    """The model of one specialist."""
    return Scripted([f"The {field} side of this is in order; tell the customer so."], f"{field}-desk", delay=DELAY)


def _desk(messages: Sequence[Message], tools: Sequence[ToolSchema]) -> str | ToolCall:
    last = messages[-1]
    if last.role == "tool":
        return _report(last.content)
    said = last.content
    order = re.search(r"\bo-\d+\b", said)
    customer = re.search(r"\bc-\d+\b", said)
    amount = re.search(r"\d+\.\d\d", said)
    if "refund" in said and order and amount:
        return call("refund", order_id=order[0], amount=amount[0])
    if "address" in said and order:
        return call("change_address", order_id=order[0], address=said.partition(" to ")[2] or "unknown")
    if "everything" in said:
        return call("hard_ticket", customer=customer[0] if customer else "unknown", question=said)
    if order:
        return call("lookup_order", order_id=order[0])
    return "Hello! Tell me your order's number (like o-17) and what I can do for you."


def _report(observation: str) -> str:
    try:
        seen = json.loads(observation)
    except ValueError:
        return f"Done: {observation}"
    if isinstance(seen, dict) and "status" in seen:
        return f"Your {seen['item']} ({seen['id']}) is {seen['status']}; it goes to {seen['address']}."
    if isinstance(seen, dict) and "refunded_in_all" in seen:
        return f"I have refunded {seen['amount']} for {seen['order_id']}."
    if isinstance(seen, list):
        return "Our specialists say: " + " ".join(str(opinion.get("advice", "")) for opinion in seen)
    return f"Done: {observation}"
