"""A class for each kind of state. The first arguments say what it is about, keywords are the fields of the language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Unpack

from ....state.errors import InvalidInput
from .chains import Chain, Place, State, Target
from .conditions import Condition
from .errors import Catcher, Retrier
from .expressions import Expression, named, template
from .fields import (
    Calling,
    Ending,
    Failing,
    Iterating,
    Passing,
    Shaping,
    Timing,
    Waiting,
    known,
    written,
)
from .layout import flow


class _State(State):
    """What all of them do with their fields."""

    def __init__(self, name: str, shape: Any, given: Mapping[str, Any]) -> None:
        known(self.kind, shape, given)
        super().__init__(name, given.get("next"), given.get("end", False))
        self.given = given
        self.retry: tuple[Retrier, ...] = tuple(given.get("retry", ()))
        self.catch: tuple[Catcher, ...] = tuple(given.get("catch", ()))

    def targets(self) -> Iterable[Target]:
        if self.next is not None:
            yield self.next
        yield from (one.then for one in self.catch if one.then is not None)

    def written(self, place: Place) -> dict[str, Any]:
        try:
            made = {"Type": self.kind, **self.own(place), **written(self.given, place.note)}
        except InvalidInput as error:
            raise InvalidInput(f"{self.name!r}: {error}") from None
        if self.retry:
            made["Retry"] = [dict(one.fields) for one in self.retry]
        if self.catch:
            made["Catch"] = [one.written(place) for one in self.catch]
        if self.leads:
            made.update({"End": True} if place.follow is None else {"Next": place.follow})
        return made

    def own(self, place: Place) -> dict[str, Any]:
        """What it is about."""
        return {}


class Pass(_State):
    """Hands on its input, what it makes of it, or a fixed ``result``."""

    kind = "Pass"

    def __init__(self, name: str, **fields: Unpack[Passing]) -> None:
        super().__init__(name, Passing, fields)


class Task(_State):
    """Calls ``resource``: a function, or a name or ARN."""

    kind = "Task"

    def __init__(self, name: str, resource: object, **fields: Unpack[Timing]) -> None:
        super().__init__(name, Timing, fields)
        self.resource = resource

    def own(self, place: Place) -> dict[str, Any]:
        named_by = self.resource
        return {"Resource": named_by if isinstance(named_by, str) else named(named_by, place.note)}


@dataclass(frozen=True)
class Rule:
    """Made by ``when``. Without ``then``, the flow goes on with what follows the Choice."""

    condition: Condition | str | bool
    then: Target | None
    output: object
    assign: Mapping[str, object] | None
    comment: str | None

    def written(self, place: Place) -> dict[str, Any]:
        asked = self.condition
        if isinstance(asked, Condition):
            made = dict(asked.fields)
        else:
            made = {"Condition": str(asked) if isinstance(asked, str) else asked}
        if self.comment is not None:
            made["Comment"] = self.comment
        if self.output is not None:
            made["Output"] = template(self.output, place.note)
        if self.assign is not None:
            made["Assign"] = template(self.assign, place.note)
        return {**made, "Next": place.entry(self.then)}


def when(
    condition: Condition | Expression | bool,
    then: Target | None = None,
    *,
    output: object = None,
    assign: Mapping[str, object] | None = None,
    comment: str | None = None,
) -> Rule:
    """A rule of a Choice: ``when(var("$.amount") > 500, ask)``, in JSONata ``when(jsonata("$amount > 500"), ask)``."""
    return Rule(condition, then, output, assign, comment)


class Choice(_State):
    """Goes where the first rule leads that holds, or to ``otherwise``; without one, on with what follows it. With
    ``exhaustive``, that no rule holds is an error, States.NoChoiceMatched; so it is when nothing follows."""

    kind = "Choice"
    leads = False

    def __init__(
        self,
        name: str,
        *rules: Rule,
        otherwise: Target | None = None,
        exhaustive: bool = False,
        **fields: Unpack[Shaping],
    ) -> None:
        super().__init__(name, Shaping, fields)
        if exhaustive and otherwise is not None:
            raise InvalidInput(f"{name!r} is exhaustive and has otherwise=; leave out one of them")
        self.rules = rules
        self.otherwise = otherwise
        self.exhaustive = exhaustive

    def targets(self) -> Iterable[Target]:
        yield from (one.then for one in self.rules if one.then is not None)
        if self.otherwise is not None:
            yield self.otherwise

    def own(self, place: Place) -> dict[str, Any]:
        made: dict[str, Any] = {"Choices": [one.written(place) for one in self.rules]}
        if not self.exhaustive and (self.otherwise is not None or place.follow is not None):
            made["Default"] = place.entry(self.otherwise)
        return made


class Wait(_State):
    """Waits for ``seconds``, or until ``timestamp``."""

    kind = "Wait"

    def __init__(self, name: str, **fields: Unpack[Waiting]) -> None:
        super().__init__(name, Waiting, fields)


class Succeed(_State):
    """Ends its flow well."""

    kind = "Succeed"
    leads = False

    def __init__(self, name: str, **fields: Unpack[Ending]) -> None:
        super().__init__(name, Ending, fields)


class Fail(_State):
    """Ends its flow with an error."""

    kind = "Fail"
    leads = False

    def __init__(self, name: str, **fields: Unpack[Failing]) -> None:
        super().__init__(name, Failing, fields)


class Parallel(_State):
    """Runs branches beside each other, each with the same input; the result is the list of theirs."""

    kind = "Parallel"

    def __init__(self, name: str, *branches: State | Chain, **fields: Unpack[Calling]) -> None:
        super().__init__(name, Calling, fields)
        self.branches = branches

    def own(self, place: Place) -> dict[str, Any]:
        return {"Branches": [flow(one, place.note) for one in self.branches]}


class Map(_State):
    """Does ``each`` with every item; the result is the list of what comes of them. ``mode`` and ``execution_type`` are
    the ProcessorConfig."""

    kind = "Map"

    def __init__(
        self,
        name: str,
        each: State | Chain,
        *,
        mode: Literal["INLINE", "DISTRIBUTED"] | None = None,
        execution_type: Literal["STANDARD", "EXPRESS"] | None = None,
        **fields: Unpack[Iterating],
    ) -> None:
        super().__init__(name, Iterating, fields)
        self.each = each
        config = {"Mode": mode, "ExecutionType": execution_type}
        self.config = {key: value for key, value in config.items() if value is not None}

    def own(self, place: Place) -> dict[str, Any]:
        config = {"ProcessorConfig": dict(self.config)} if self.config else {}
        return {"ItemProcessor": {**config, **flow(self.each, place.note)}}
