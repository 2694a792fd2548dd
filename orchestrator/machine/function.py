"""A state machine as the engine sees it: a workflow like any other, started, called and shown by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any

from ...state.codec import complaints, decoder, stored, taker, writer
from ...state.errors import InvalidInput
from ...state.ids import check_name
from .built import Definition
from .datasets.buckets import Buckets, Place
from .decider import MachineDecider
from .definition.document import Unreadable
from .definition.reading import read
from .integrations import NONE, Integrations
from .resolving import Table
from .running.compiled import Compiled
from .running.limits import LIMITS, Limits, Name
from .running.resources import Resources
from .support import unsupported
from .validation.compiling import InvalidDefinition, compiled


class StateMachine:
    """A workflow that is written in Amazon States Language: ``StateMachine("order", definition, [pay, ship])``.

    ``definition`` is JSON or YAML text, the plain value of one, or what ``asl.machine`` makes. ``uses``: what its Tasks
    call by name: tools, workflows, agents, other machines, and plain functions that take a Task's input. ``resources``:
    what other names and ARNs mean, ``{"arn:aws:lambda:…:function:pay": pay}``; a text is the name of a function that is
    served anywhere. ``buckets``: what its Maps mean by the name of a bucket, ``{"data": "./folder", "results":
    "s3://bucket/folder"}``; any other is a bucket of S3.

    ``input`` and ``output`` are types: an execution begins only with an input of its type, and a model that has the
    machine as a tool sees them; the output is what callers are told. ``limits="aws"`` enforces what AWS Step Functions
    does not allow: 25,000 events, 256 KiB from state to state, a year.

    Raises InvalidInput for a definition that can't be run, with everything that is wrong with it.
    """

    kind = "workflow"

    def __init__(
        self,
        name: str,
        definition: str | Mapping[str, Any] | Definition,
        uses: Iterable[object] = (),
        *,
        resources: Mapping[str, str | object] | None = None,
        buckets: Mapping[str, Place] | None = None,
        input: Any = Any,
        output: Any = Any,
        limits: Name = "",
    ) -> None:
        self.name = check_name(name, "state machine", for_models=False)
        self.input, self.output = input, output
        if limits not in LIMITS:
            raise InvalidInput(f"there are no limits {limits!r:.40}; 'aws' are those of Step Functions")
        self.limits: Limits = LIMITS[limits]
        if isinstance(definition, Definition):
            uses = (*uses, *definition.uses)
            definition = definition.definition
        try:
            self.source: Any = read(definition).value if isinstance(definition, str) else stored(dict(definition))
            self.compiled = Compiled(compiled(definition if isinstance(definition, str) else self.source))
        except (Unreadable, InvalidDefinition) as error:
            raise InvalidInput(f"the definition of {name!r} can't be run: {error}") from None
        self._table = Table(uses, resources or {}, self.integrations(), Buckets(buckets))
        if refused := list(unsupported(self.compiled.machine.flow, self._table)):
            raise InvalidInput(f"the definition of {name!r} can't be run: {'; '.join(refused[:5])}")
        self.__doc__ = self.description = self.compiled.machine.flow.comment or ""

    def integrations(self) -> Integrations:
        """What reaches out of the process, as it is configured now. Raises InvalidInput."""
        return NONE

    @property
    def resources(self) -> Resources:
        return self._table

    @cached_property
    def tools(self) -> tuple[object, ...]:
        """What its Tasks call, as far as that is a function of its own right."""
        return self._table.uses

    @property
    def version(self) -> str:
        """``sha256:…`` of the definition; an execution says in ``ps`` and ``show`` which one it goes by."""
        return self.compiled.machine.digest

    @cached_property
    def _take(self) -> Callable[[Any], Any]:
        """From what is given to plain JSON of the input's type, with the defaults that it has."""
        take, typed = taker(self.input), decoder(self.input)
        return take if typed is None else lambda value: writer(self.input)(typed(take(value)))

    def check(self, value: Any) -> Any:
        """The input as plain JSON; an empty object stands for none, as on AWS. Raises InvalidInput."""
        try:
            found = self._take({} if value is None else value)
        except InvalidInput as error:
            cause = error.__cause__
            wrong = complaints(cause, "input") if isinstance(cause, ValueError) else error
            raise type(error)(f"the input of {self.name} is not valid: {wrong}") from None
        if self.limits.too_large(self.name, found) is not None:
            raise InvalidInput(f"the input of {self.name} has more than {self.limits.payload:,} bytes, AWS's limit")
        return found

    def decider(self, id: str) -> MachineDecider:
        return MachineDecider(self, id)
