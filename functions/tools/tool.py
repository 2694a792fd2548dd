"""``@tool``: a function with a contract that a model can call and the runtime can keep.

The decorated function stays a plain function. The Tool behind it knows its JSON schema (from type hints and
docstring), what a repetition would do (``effect``), who must approve a call, and how it is retried.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Collection, Mapping
from functools import cached_property, partial
from types import MethodType
from typing import Any, Literal, ParamSpec, TypeVar, get_args, overload

from ...orchestrator.governance.approvals.rule import Approval, rule_of
from ...orchestrator.governance.approvals.version import version_of
from ...orchestrator.usercode.calling import judged
from ...orchestrator.usercode.reconciling import InDoubtRule, contract
from ...orchestrator.usercode.resilience import ONCE, Breaker, Policy, Retry
from ...orchestrator.usercode.undoing import Undo, parameters, undo_of
from ...orchestrator.workflow.targets import annotation, losses, mender
from ...state.codec import Writer
from ...state.errors import InvalidInput
from ...state.ids import check_name
from ...state.quantities import Duration, count, milliseconds
from ..framework.target import target
from ..invocation.leading import leads
from .docstring import read
from .keyed import keyed, without
from .methods import one_for, owner
from .parameters import Parameters, Schema
from .schema_parameters import SchemaParameters

P = ParamSpec("P")
R = TypeVar("R")

Effect = Literal["pure", "idempotent", "reconcilable", "irreversible"]
"""What calling twice does. pure: nothing at all · idempotent: the same as once · reconcilable: it happens twice, and
one can find out whether it has happened · irreversible: it happens twice, so it is begun at most once and never
repeated blindly."""

Reconcile = Callable[[str, dict[str, Any]], Any]
"""Given the idempotency key and the arguments of a call, says whether it took effect: Done, NotDone or Unknown, or an
awaitable of it."""

Approves = str | Approval | Callable[..., str | Approval | None] | None
"""Who must approve a call before it is made: a role, an Approval, or a pure function of the arguments for it."""

EFFECTS: tuple[str, ...] = get_args(Effect)
APPROVAL_WITHIN: Duration = "7d"
WITHIN: Duration = "5m"
"""How long an attempt may take where nothing else is said."""
_NUMBERS = itertools.count(1)


def _parameters(function: Callable[..., Any]) -> Collection[str]:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):  # of some built-in functions nothing is known
        return ()


def _asynchronous(function: Callable[..., Any]) -> bool:
    inner = inspect.unwrap(function)
    return inspect.iscoroutinefunction(inner) or inspect.iscoroutinefunction(
        getattr(inner, "__call__", None)  # noqa: B004  # the method itself is looked at, not whether it is there
    )


def _check_effect(effect: object, reconcile: object) -> None:
    if effect not in EFFECTS:
        raise InvalidInput(f"effect {effect!r} is unknown; it is one of {', '.join(EFFECTS)}")
    if (effect == "reconcilable") != (reconcile is not None):
        raise InvalidInput(
            'effect="reconcilable" and reconcile= go together: a function of the idempotency key and the arguments '
            "that says Done(result), NotDone() or Unknown(why)"
        )
    if reconcile is not None and not callable(reconcile):
        raise InvalidInput(f"reconcile= is a function of the idempotency key and the arguments, not {reconcile!r:.80}")


def _undo(given: object, tool: Tool) -> Undo | None:
    undo = undo_of(given, tool.name)
    if undo is None:
        return None
    if tool.effect == "pure":
        raise InvalidInput(f"tool {tool.name!r} is pure: it changes nothing, so there is nothing for undo= to undo")
    known = parameters(tool.function)
    if known is not None and not known.all:
        undo.check([*known.named, *filter(None, [tool.key])], tool.name)
    return undo


class Tool:
    """A function that a model may call. ``kind`` is "tool"; see ``tool`` for the meaning of the options."""

    kind = "tool"
    child = ""

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        description: str | None = None,
        effect: Effect = "idempotent",
        reconcile: Reconcile | None = None,
        in_doubt: InDoubtRule = "ask",
        key: str = "",
        undo: Undo | Callable[..., Any] | None = None,
        approval: Approves = None,
        approval_within: Duration = APPROVAL_WITHIN,
        retry: Retry | None = None,
        timeout: Duration | None = WITHIN,
        breaker: Breaker | None = None,
        schema: Mapping[str, Any] | None = None,
        most: int | None = None,
        tags: Collection[str] = (),
    ) -> None:
        if not callable(function):
            raise InvalidInput(f"{function!r:.80} is no function; write @classmethod above @tool, not below it")
        _check_effect(effect, reconcile)
        if effect == "irreversible" and retry is not None and retry.attempts > 1:
            raise InvalidInput("an irreversible tool is attempted once; leave retry out, or declare another effect")
        self.owner = owner(function)
        documented = read(function.__doc__, _parameters(function))
        self._written = function
        self.function = keyed(function, key) if key else function
        name = str(getattr(function, "__name__", "")) if name is None else name
        self.name = check_name(name, "tool", for_models=True)
        self.description = description or documented.text or self.name.replace("_", " ")
        self.effect: Effect = effect
        self.key = key
        self.undo = _undo(undo, self)
        if isinstance(tags, str):
            raise InvalidInput(f"tags= of tool {self.name!r} takes texts in a list: [{tags!r}]")
        self.tags = frozenset(tags)
        if not callable(approval):
            rule_of(approval, f"approval= of tool {self.name!r}")
        self.approval = approval
        self.approval_within = milliseconds(approval_within)
        self.most = None if most is None else count(most, 1, f"most= of tool {self.name!r}")
        self.threaded = not _asynchronous(function)
        once, begun = effect == "irreversible", effect in ("irreversible", "reconcilable")
        declared = contract(reconcile, in_doubt, self.name)
        self.policy = Policy(
            ONCE if once else retry or Retry(), timeout, breaker, at_most_once=begun, target=next(_NUMBERS),
            contract=declared if begun else None,
        )  # fmt: skip
        self._options: dict[str, Any] = {
            "effect": effect, "reconcile": reconcile, "in_doubt": in_doubt, "key": key, "undo": undo,
            "approval": approval, "approval_within": approval_within, "retry": retry,
            "timeout": timeout, "breaker": breaker, "schema": schema, "most": most, "tags": self.tags,
        }  # fmt: skip
        self._parameters: Parameters | SchemaParameters = (
            Parameters(self.function, self.name, documented.parameters, method=bool(self.owner))
            if schema is None
            else SchemaParameters(without(schema, key), self.name)
        )

    @property
    def pure(self) -> bool:
        """It changes nothing."""
        return self.effect == "pure"

    def __repr__(self) -> str:
        return f"Tool({self.name!r}, effect={self.effect!r})"

    @property
    def parameters(self) -> Schema:
        """JSON schema of the arguments object."""
        return self._parameters.schema

    @property
    def core_schema(self) -> Any:
        """How pydantic reads the arguments."""
        return self._parameters.core_schema

    @cached_property
    def output(self) -> Any:
        """The annotation of what it returns; Any when there is none."""
        return annotation(self.function, "return")

    @cached_property
    def lost(self) -> str:
        """Why it can't be called: what it takes can't be described, or what it returns not be recorded. "": it can."""
        return self.unbound or self._parameters.wrong or losses(self.output, f"what {self.name!r} returns")

    @property
    def write(self) -> Writer:
        """Makes plain JSON of what the function returned. Its texts are made storable, because no model that reads
        them could correct them. Raises InvalidInput when it does not fit, or would not come back as it is."""
        return self._write

    @cached_property
    def _write(self) -> Writer:
        return mender(self.output, f"what {self.name!r} returns")

    @property
    def unbound(self) -> str:
        """Why it can't be called though all is known of it: it is the method of no object. "": it can."""
        if not self.owner:
            return ""
        return (
            f"tool {self.name!r} is a method of {self.owner}, and nobody says of which object; "
            f"give the method of one: tools=[{self.owner}(…).{self.function.__name__}]"
        )

    def bound(self, method: MethodType) -> Tool:
        """The tool that this one is as the method of an object, the same one for the same object."""
        if not self.owner:
            return self
        call = MethodType(self._written, method.__self__)
        made = partial(Tool, call, name=self.name, description=self.description, **self._options)
        return one_for(method, made)

    def but(self, function: Callable[..., Any] | None = None, /, **options: Any) -> Tool:
        """Another tool, which is this one but for these options."""
        own: dict[str, Any] = {"name": self.name, "description": self.description, **self._options}
        return Tool(function or self._written, **(own | options))

    def check(self, arguments: dict[str, Any]) -> None:
        """Raises InvalidInput that says which parameter is wrong and how."""
        self._parameters.read(arguments)

    def read(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Plain JSON arguments as the function gets them. Raises InvalidInput."""
        return self._parameters.read(arguments)

    def role(self, arguments: dict[str, Any]) -> str | None:
        """Who must approve this call first; None: nobody. Raises InvalidInput when that can't be told."""
        rule = self.rule(arguments)
        return None if rule is None else rule.role

    def rule(self, arguments: dict[str, Any]) -> Approval | None:
        """The same with how many of them, and all else that an Approval says. Raises InvalidInput."""
        if not callable(self.approval):
            return rule_of(self.approval, f"approval= of tool {self.name!r}")
        given = self._parameters.read(arguments)
        ask = partial(self.approval, **given)
        said: object = judged(ask, f"whether {self.name!r} needs an approval can't be told")
        return rule_of(said, f"what approval= of {self.name!r} returned")

    @property
    def version(self) -> str:
        """What an approval of a call is bound to: the digest of its name, what it takes, what a second call does, and
        who must approve it, as far as that does not depend on the arguments."""
        return self._version

    @cached_property
    def _version(self) -> str:
        rule = None if callable(self.approval) else self.rule({})
        return version_of(self.name, self.parameters, self.effect, rule)

    def starts(self, arguments: dict[str, Any]) -> str:
        return self.child

    def input(self, arguments: dict[str, Any]) -> Any:
        return arguments

    @property
    def elsewhere(self) -> Policy | None:
        """How it is reached where the routes say that it lives in another process; None: here."""
        if not leads(self.name):
            return None
        from ..invocation.sending import policy

        return policy(self.policy.target, self.policy.contract)

    async def send(self, arguments: dict[str, Any]) -> Any:
        """Have the current durable call made where it lives; see ``invocation.sending``."""
        from ..invocation.sending import send

        return await send(self.name, arguments, irreversible=self.policy.at_most_once)

    def invoke(self, arguments: dict[str, Any]) -> Any:
        """Call the function with plain JSON arguments; its result, or an awaitable of it."""
        if self.owner:
            raise InvalidInput(self.unbound)
        return self.function(**self._parameters.read(arguments))


@overload
def tool(function: Callable[P, R], /) -> Callable[P, R]: ...


@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    effect: Effect = "idempotent",
    reconcile: Reconcile | None = None,
    in_doubt: InDoubtRule = "ask",
    key: str = "",
    undo: Undo | Callable[..., Any] | None = None,
    approval: Approves = None,
    approval_within: Duration = APPROVAL_WITHIN,
    retry: Retry | None = None,
    timeout: Duration | None = WITHIN,
    breaker: Breaker | None = None,
    schema: Mapping[str, Any] | None = None,
    most: int | None = None,
    tags: Collection[str] = (),
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...


def tool(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a function a tool.

    - ``name``, ``description``: what the model reads; by default the function's name and docstring. The
      parameters' descriptions come from the docstring too (Google, numpy or reST style).
    - ``effect``: what calling it twice does. "irreversible" is never repeated by itself.
    - ``reconcile``: of a "reconcilable" tool, who says whether a call took effect: a function of its idempotency key
      and its arguments that returns ``Done(result)``, ``NotDone()`` or ``Unknown(why)``. It is asked before anything is
      repeated.
    - ``in_doubt``: what happens when nobody knows: "ask" (a person resolves it, for a week), a ``Resolve`` that says
      for how long and what then, or "fail": InDoubt at once, and a model is told so.
    - ``key``: the parameter that gets the call's idempotency key. Models don't see it.
    - ``undo``: the function or tool that undoes a call, or an ``Undo`` that says more; it is given what the call was
      given and its ``result``, and is called by a saga (``ctx.saga()``) that fails.
    - ``approval``: a role that must approve each call, an ``Approval`` that says more, or a pure function of the
      arguments that returns one of these or None. ``approval_within``: how long a decision may take;
      after that it counts as denied.
    - ``retry``, ``timeout``, ``breaker``: how a call is made (see ``Retry``, ``Breaker``). An attempt may take five
      minutes where nothing is said; ``timeout=None``: as long as it likes. An irreversible one whose time is over is
      in doubt, as if the process had died.
    - ``most``: how many calls a model may ask for in one turn. What is beyond that is not made, and it is told so.
    - ``schema``: the JSON schema of the arguments object, for a function whose parameters say nothing: one that is made
      at run time, or calls another service. The function is called with the arguments by name as they came, when they
      fit the schema. A method of an object is a tool as it is: ``tools=[shop.lookup]``.

    - ``tags``: words by which agents with many tools select some (``Selection``).

    Raises InvalidInput for a name or effect that can't be.
    """

    def decorate(original: Callable[..., Any]) -> Callable[..., Any]:
        made = Tool(original, **options)
        return target(made.function, made)

    return decorate if function is None else decorate(function)
