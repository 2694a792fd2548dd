"""Several models of one agent: what is tried next when one can't answer, and a rule that chooses for each call.

    Agent("desk", ["openai/gpt-5-mini", "anthropic/claude-haiku-4-5"])
    Agent("desk", Route({"cheap": "openai/gpt-5-mini", "strong": ["openai/gpt-5", "anthropic/claude-opus-4-5"]}, by))

Who is asked, and why, is journaled before the call (``orchestrator/agent/routing.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from inspect import iscoroutinefunction
from typing import Any, cast

from ...orchestrator.agent.routing import Choice, Question
from ...orchestrator.errors.failures import Failure, decode
from ...orchestrator.errors.groups import said
from ...orchestrator.governance.budgets.bound import Bound
from ...orchestrator.usercode.calling import judged
from ...orchestrator.usercode.resilience import Policy, retry_after
from ...state.errors import CircuitOpen, InvalidInput, Retryable
from ...state.quantities import seconds
from .choosing import choose
from .port import Model

Named = str | Model
Rule = Callable[[Question], str | tuple[str, str]]
HASTY = 3
"""Attempts at a model that another one can stand in for."""
_WHY = 300


class Route:
    """Models under names, and a rule that says which name answers: a pure function of a ``Question`` that returns a
    name, or a name and why. What stands under a name is one model or several, of which the next is tried when one
    can't.

    The rule is asked once for each model call, and never again for the same. Raises InvalidInput for what can't work.
    """

    def __init__(self, models: Mapping[str, Named | Sequence[Named]], by: Rule) -> None:
        if not isinstance(models, Mapping) or not models:  # pyright: ignore[reportUnnecessaryIsInstance]  # as users may give it
            raise InvalidInput('Route takes models under names: Route({"cheap": "openai/gpt-5-mini", …}, by=rule)')
        if not callable(by) or iscoroutinefunction(by):
            raise InvalidInput("by= is a plain function of a Question that returns a name of the route")
        if wrong := [name for name in models if not isinstance(name, str) or not name]:  # pyright: ignore[reportUnnecessaryIsInstance]  # as users may give it
            raise InvalidInput(f"{wrong[0]!r} is no name of a route; a text is")
        self.models = dict(models)
        self.by = by


class Routing:
    """The models of one agent. ``first`` is asked when nothing was chosen."""

    def __init__(self, given: Named | Sequence[Named] | Route) -> None:
        self.by = given.by if isinstance(given, Route) else None
        chains = given.models if isinstance(given, Route) else {"": given}
        self.models: dict[str, Model] = {}
        self.chains = {label: tuple(map(self._add, _several(label, chain))) for label, chain in chains.items()}
        self.first = next(iter(self.models))

    def _add(self, given: Named) -> str:
        model = choose(given)
        known = self.models.setdefault(model.name, model)
        if known is not model and not isinstance(given, str):
            raise InvalidInput(f"two models are named {model.name!r}; the journal could not tell them apart")
        return model.name

    def know(self, bounds: Iterable[Bound]) -> tuple[Bound, ...]:
        """The cheaper models of budgets may be asked too; the budgets, with the names that these go by."""
        return tuple(bound._replace(model=self._add(bound.model)) if bound.model else bound for bound in bounds)

    def named(self, name: str) -> str:
        return name if name in self.models else self.first

    def choose(self, question: Question) -> Choice:
        """What the rule says. Raises InvalidInput for what it raises, and for a name that the route has not."""
        assert self.by is not None
        rule = self.by
        told: object = judged(lambda: rule(question), "the rule of the agent's Route failed")
        both = cast("tuple[object, ...]", told if isinstance(told, tuple) else (told, ""))
        label, why = both if len(both) == 2 else (told, "")
        if not isinstance(label, str) or label not in self.chains:
            known = ", ".join(self.chains)
            raise InvalidInput(f"the rule of the agent's Route chose {str(label)[:80]!r}; the route has: {known}")
        return Choice(self.chains[label][0], label, str(why)[:_WHY] or f"the rule chose {label}")

    def instead(self, failure: Failure, name: str, label: str) -> Choice | None:
        """The next model of the chain, for an error that it may heal; the same with a shorter past, for one that was
        too long for it."""
        error = decode(failure)
        after = self._after(name, label)
        why = f"{name}: {said(error)}"[:_WHY]
        if after and elsewhere(error):
            return Choice(after, label, why)
        if getattr(type(error), "shorter", False):
            return Choice(name, label, why, shorter=True)
        return None

    def last(self, name: str, label: str) -> bool:
        """Whether nobody stands in for that model."""
        return not self._after(name, label)

    def _after(self, name: str, label: str) -> str:
        chain = self.chains.get(label, ())
        return chain[chain.index(name) + 1] if name in chain[:-1] else ""


def _several(label: str, given: Any) -> Sequence[Named]:
    """One model, or several in a list or tuple."""
    if not isinstance(given, (list, tuple)):
        return [given]
    several = cast("Sequence[Named]", given)
    names = [one if isinstance(one, str) else id(one) for one in several]
    if not names or len(set(names)) < len(names):
        where = f"route {label!r}" if label else "model="
        raise InvalidInput(f"{where}: {'no model is' if not names else 'a model is twice'} in the list")
    return several


def elsewhere(error: Exception) -> bool:
    """Whether another provider may heal it: what its class says (``elsewhere``), else whether it is one that passes."""
    said_so: object = getattr(type(error), "elsewhere", None)
    if isinstance(said_so, bool):
        return said_so
    return isinstance(error, (TimeoutError, ConnectionError, CircuitOpen, Retryable))


def hasty(policy: Policy) -> Policy:
    """How a model is called that another one can stand in for: nothing is waited for that is longer than a pause within
    the process, neither a provider's Retry-After nor an open circuit."""
    retry = policy.retry
    bound, own = seconds(retry.in_process), retry.when

    def when(error: BaseException, failed: int) -> bool | None:
        if isinstance(error, CircuitOpen) or (retry_after(error) or 0.0) > bound:
            return False
        return None if own is None else own(error, failed)

    most = min(seconds(retry.most), bound)
    return replace(policy, retry=replace(retry, attempts=min(HASTY, retry.attempts), most=most, when=when))
