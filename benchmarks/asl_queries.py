"""What one expression of a state machine costs, in microseconds: a path, a template, an intrinsic function, a choice
rule, JSONata. One process, no store, the data of an order with twenty items.

Floor of the reference path: the same look-ups written out in Python. Floor of JSONata: the same question as a
reference path (``asl.jsonata.us``, a chain that needs the engine) and as JSONPath (``asl.jsonata.filter.us``).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from overwinter.benchmarks.measure import Run, interleave, main, median
from overwinter.orchestrator.machine.language.chance import Chance
from overwinter.orchestrator.machine.language.choice import compile_rule
from overwinter.orchestrator.machine.language.intrinsics.call import compile_intrinsic
from overwinter.orchestrator.machine.language.jsonata import compile_expression
from overwinter.orchestrator.machine.language.paths import compile_path, read
from overwinter.orchestrator.machine.language.scope import Scope
from overwinter.orchestrator.machine.language.template import compile_payload

ITEMS = [{"sku": f"A-{number}", "price": number + 0.5, "quantity": number % 4} for number in range(20)]
ORDER: dict[str, Any] = {"order": {"id": "A-1", "customer": {"name": "Zoë", "city": "Bern"}, "items": ITEMS}}
SCOPE = Scope(data=ORDER, states={"input": ORDER, "context": {}}, chance=Chance(1))

ROUNDS, CALLS = 9, 4000


def timed(evaluate: Callable[[], object], calls: int) -> Callable[[], float]:
    """A round: microseconds of one call."""

    def once() -> float:
        started = time.perf_counter()
        for _ in range(calls):
            evaluate()
        return (time.perf_counter() - started) / calls * 1e6

    return once


def measure(run: Run) -> None:
    place = compile_path("$.order.customer.city")
    lookups: Callable[[], object] = lambda: SCOPE.data["order"]["customer"]["city"]  # noqa: E731
    path: Callable[[], object] = lambda: read(place, SCOPE)  # noqa: E731
    many = compile_path("$.order.items[?(@.quantity > 2)].sku")
    jsonpath: Callable[[], object] = lambda: read(many, SCOPE)  # noqa: E731
    chain = compile_expression("$states.input.order.customer.city")
    engine = compile_expression("$states.input.(order.customer.city)")
    filtered = compile_expression("$states.input.order.items[quantity > 2].sku")
    template = compile_payload({"id.$": "$.order.id", "to": {"city.$": "$.order.customer.city"}, "kind": "order"})
    call = compile_intrinsic("States.Format('{} of {}', $.order.id, $.order.customer.name)")
    rule = compile_rule({"Variable": "$.order.customer.city", "StringEquals": "Bern"})
    pairs: list[tuple[str, Callable[[], object] | None, Callable[[], object], int]] = [
        ("asl.path.us", lookups, path, CALLS),
        ("asl.jsonpath.us", None, jsonpath, CALLS // 20),
        ("asl.template.us", None, lambda: template.render(SCOPE), CALLS),
        ("asl.intrinsic.us", None, lambda: call.evaluate(SCOPE), CALLS),
        ("asl.choice.us", None, lambda: rule.holds(SCOPE), CALLS),
        ("asl.jsonata.chain.us", path, lambda: chain.evaluate(SCOPE), CALLS),
        ("asl.jsonata.us", path, lambda: engine.evaluate(SCOPE), CALLS),
        ("asl.jsonata.filter.us", jsonpath, lambda: filtered.evaluate(SCOPE), CALLS // 20),
    ]
    for id, floor, ours, calls in pairs:
        rounds = 3 if run.quick else ROUNDS
        least, taken = interleave(rounds, timed(floor or ours, calls), timed(ours, calls))
        run.report(id, median(taken), "µs", median(least) if floor else None)


if __name__ == "__main__":
    main(measure)
