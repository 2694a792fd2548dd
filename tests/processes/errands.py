"""Errands of random shape, and what must come of each."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from overwinter.tests.processes.shop import ASKED, Errand

KINDS = (
    *("chain", "chain", "fan", "timer", "timer", "event", "event", "approval"),
    *("family", "once", "once", "values", "flaky", "big", "ask", "rounds"),
)
BIG = 300 * 1024  # above what stays in a journal entry


def errand_of(draw: random.Random, kind: str = "", *, young: bool = False) -> Errand:
    """``young``: one for a child, without children and without anybody's help."""
    kind = kind or draw.choice([kind for kind in KINDS if not young or kind not in ("family", "event", "approval")])
    made: Errand = {"kind": kind, "value": draw.randint(0, 99), "ms": draw.choice((0, 0, 1, 5, 20, 80))}
    if kind in ("chain", "fan"):
        made["count"] = draw.randint(1, 5)
    elif kind == "rounds":
        made |= {"count": 2, "left": draw.randint(1, 3)}
    elif kind == "once":
        made["ms"] = draw.choice((20, 150, 400))
    elif kind == "timer":
        made["pauses"] = [draw.choice((10, 200, 1200)) for _ in range(draw.randint(1, 3))]
    elif kind == "event":
        made["events"] = [f"event {number}" for number in range(draw.randint(1, 3))]
    elif kind == "family":
        made["children"] = [errand_of(draw, young=True) for _ in range(draw.randint(1, 3))]
    elif kind == "flaky":
        made["failures"] = draw.randint(0, 2)
    elif kind == "big":
        made["pad"] = BIG
    return made


def data_of(name: str) -> int:
    """What is sent with the event of that name."""
    return 10 + int(name.split()[-1])


def values_of(given: Errand) -> set[int]:
    """The right results, of which the errand must give one."""
    kind, both = given["kind"], {0}
    if kind == "chain":
        both = {sum(range(given["count"]))}
    elif kind == "rounds":
        return {given["value"] + (given["left"] + 1) * sum(range(given["count"])) + 1}
    elif kind == "fan":
        both = {sum(range(given["count"])) + 2}
    elif kind == "event":
        both = {sum(map(data_of, given["events"]))}
    elif kind == "approval":
        both = {5, -5}
    elif kind == "family":
        for child in given["children"]:
            both = {one + other for one in both for other in values_of(child)}
    elif kind == "once":
        both = {0, 7}
    elif kind == "values":
        both = {given["value"]}
    elif kind == "flaky":
        both = {3}
    elif kind == "big":
        both = {4 + given["pad"]}
    elif kind == "ask":
        both = {len(answer_to(ASKED))}
    return {given["value"] + value + 1 for value in both}


def words_of(draw: random.Random, id: str) -> str:
    """A message to the agent."""
    return draw.choice((f"hello {id}", f"look a-{id} b-{id}", f"charge {id}", f"charge {id}"))


def answer_to(content: str) -> str:
    """What the agent must answer."""
    verb = content.split()[0]
    return f"{content}: {2 if verb in ('look', 'charge') else 0} results"


def needs(given: Errand) -> Iterator[tuple[str, Any]]:
    """What somebody has to do for the errand: ("event", name) or ("approval", None)."""
    if given["kind"] == "event":
        for name in given["events"]:
            yield "event", name
    elif given["kind"] == "approval":
        yield "approval", None
