"""An agent or a workflow as a tool of another agent: a call of it starts an attached child execution."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from ...orchestrator.governance.approvals.version import version_of
from ...orchestrator.protocol.decider import Function
from ...orchestrator.usercode.resilience import DEFAULT
from ...state.codec import Writer, adapter, stored
from ...state.errors import InvalidInput
from ...state.formless import FORMLESS, INSTEAD, reason
from ...state.ids import check_name
from ...state.quantities import milliseconds
from ..tools.docstring import read
from ..tools.parameters import Schema
from ..tools.tool import APPROVAL_WITHIN


class ChildTool:
    """The tool that starts ``function``. When its input type is an object, the object's fields are the
    parameters; any other input goes into one parameter named ``input``."""

    approval_within = milliseconds(APPROVAL_WITHIN)
    most = None
    threaded = False
    pure = False
    policy = DEFAULT

    def __init__(self, function: Function) -> None:
        self.function = function
        self.name = check_name(function.name, function.kind, for_models=True)
        self.child = function.name
        self._schema: Schema | None = None

    @property
    def functions(self) -> tuple[object, ...]:
        return (self.function,)

    @property
    def description(self) -> str:
        """What the function says of itself: its ``description``, else the docstring behind it."""
        said: object = getattr(self.function, "description", None)
        if not said:
            workflow: object = getattr(self.function, "fn", None)
            said = read(getattr(workflow, "__doc__", None), ()).text  # whose parameters are not this tool's
        return str(said) or f"Start the {self.function.kind} {self.name} and wait for its result."

    @property
    def parameters(self) -> Schema:
        """JSON schema of the arguments object."""
        if self._schema is None:
            try:
                schema = adapter(getattr(self.function, "input", Any)).json_schema()
            except FORMLESS as error:
                raise InvalidInput(
                    f"the input of {self.name!r} can't be described to a model ({reason(error)}); {INSTEAD}"
                ) from None
            self._whole = schema.get("type") == "object" and "properties" in schema
            if not self._whole:
                definitions = schema.pop("$defs", None)
                schema = {"type": "object", "properties": {"input": schema}, "required": ["input"]}
                if definitions:
                    schema["$defs"] = definitions
            self._schema = schema
        return self._schema

    @property
    def lost(self) -> str:
        """Why it can't be called; "" when it can be."""
        try:
            self.parameters  # noqa: B018  # made when it is first asked for
        except InvalidInput as error:
            return str(error)
        return ""

    def check(self, arguments: dict[str, Any]) -> None:
        """Raises InvalidInput that names the fields."""
        self.input(arguments)

    @property
    def version(self) -> str:
        """What an approval is bound to that a hook wants for a call."""
        return version_of(self.name, self.parameters, self.child, None)

    def rule(self, arguments: dict[str, Any]) -> None:
        return None

    def starts(self, arguments: dict[str, Any]) -> str:
        return self.child

    def input(self, arguments: dict[str, Any]) -> Any:
        """The child's input as plain JSON. Raises InvalidInput."""
        properties = cast("Mapping[str, Any]", self.parameters["properties"])
        if not self._whole and set(arguments) != {"input"}:
            raise InvalidInput(f"{self.name} takes one parameter, input")
        unknown = set(arguments) - set(properties)
        if unknown and self._schema is not None and self._schema.get("additionalProperties") is False:
            raise InvalidInput(f"there is no parameter {sorted(unknown)[0]!r}; there are {', '.join(properties)}")
        return self.function.check(arguments if self._whole else arguments["input"])

    @property
    def write(self) -> Writer:
        return stored

    elsewhere = None  # its child is, and the runtime knows where

    async def send(self, arguments: dict[str, Any]) -> Any:
        raise InvalidInput(f"{self.name} is an {self.function.kind}: it is started, not called")

    def invoke(self, arguments: dict[str, Any]) -> Any:
        raise InvalidInput(f"{self.name} is an {self.function.kind}: it is started, not called")
