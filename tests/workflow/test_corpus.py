"""Every shape, under several orders of completion: the journal replays from each of its prefixes."""

from __future__ import annotations

import json
import random

import pytest

from .shapes import SHAPES
from .world import FINAL, World, replay, replayed_from_every_prefix


@pytest.mark.parametrize("seed", [None, 1, 2, 3])
@pytest.mark.parametrize("name", SHAPES)
def test_replays_from_every_prefix(name: str, seed: int | None) -> None:
    fn, input, script = SHAPES[name]
    world = World(fn, input, draw=None if seed is None else random.Random(seed))
    script(world)
    assert world.status in FINAL, (world.status, world.last.error, world.last.awaits)
    replayed_from_every_prefix(world)
    world.close()


@pytest.mark.parametrize("name", SHAPES)
def test_late_and_repeated_facts_change_nothing(name: str) -> None:
    """After the end, and while it runs, every fact that was taken once is offered again."""
    fn, input, script = SHAPES[name]
    world = World(fn, input)
    script(world)
    facts = [entry for entry in world.journal if entry["type"] not in ("event", "beat", "completed", "failed")]
    verdicts = world.mail(*facts)
    assert {verdict.value for verdict in verdicts} == {"ignored"}
    assert world.journal[-1]["type"] in FINAL
    decider = replay(world.workflow, world.id, world.journal[:2])
    decider.decide()
    again = json.loads(json.dumps(world.journal[:1]))
    assert decider.offer(again[0]).value == "ignored"
    decider.close()
