"""A state machine as the engine sees it: a workflow like any other, started, called and shown by its name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from ...state.codec import stored
from ...state.errors import InvalidInput
from ...state.ids import check_name
from .datasets.buckets import Buckets, Place
from .decider import MachineDecider
from .definition.document import Unreadable
from .definition.reading import read
from .resolving import Table
from .running.compiled import Compiled
from .running.resources import Resources
from .support import unsupported
from .validation.compiling import InvalidDefinition, compiled


class StateMachine:
    """A workflow that is written in Amazon States Language: ``StateMachine("order", definition, [pay, ship])``.

    ``definition`` is JSON or YAML text, or the plain value of one. ``uses``: what its Tasks call by name: tools,
    workflows, agents, other machines, and plain functions that take a Task's input. ``resources``: what other names and
    ARNs mean, ``{"arn:aws:lambda:…:function:pay": pay}``; a text is the name of a function that is served anywhere.
    ``buckets``: what its Maps mean by the name of a bucket, ``{"data": "./folder", "results": "s3://bucket/folder"}``;
    any other is a bucket of S3.

    Raises InvalidInput for a definition that can't be run, with everything that is wrong with it.
    """

    kind = "workflow"
    input: Any = Any
    output: Any = Any

    def __init__(
        self,
        name: str,
        definition: str | Mapping[str, Any],
        uses: Iterable[object] = (),
        *,
        resources: Mapping[str, str | object] | None = None,
        buckets: Mapping[str, Place] | None = None,
    ) -> None:
        self.name = check_name(name, "state machine", for_models=False)
        try:
            self.source: Any = read(definition).value if isinstance(definition, str) else stored(dict(definition))
            self.compiled = Compiled(compiled(definition if isinstance(definition, str) else self.source))
        except (Unreadable, InvalidDefinition) as error:
            raise InvalidInput(f"the definition of {name!r} can't be run: {error}") from None
        self._table = Table(uses, resources or {}, Buckets(buckets))
        if refused := list(unsupported(self.compiled.machine.flow, self._table)):
            raise InvalidInput(f"the definition of {name!r} can't be run: {'; '.join(refused[:5])}")
        self.__doc__ = self.description = self.compiled.machine.flow.comment or ""

    @property
    def resources(self) -> Resources:
        return self._table

    @cached_property
    def tools(self) -> tuple[object, ...]:
        """What its Tasks call, as far as that is a function of its own right."""
        return self._table.uses

    def check(self, value: Any) -> Any:
        """The input as plain JSON; an empty object stands for none, as on AWS."""
        return {} if value is None else stored(value)

    def decider(self, id: str) -> MachineDecider:
        return MachineDecider(self, id)
