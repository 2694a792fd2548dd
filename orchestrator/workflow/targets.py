"""What is known about a function that a workflow calls: its name, whether it blocks, what it returns.

Found out once per function and kept as long as the function lives.
"""

from __future__ import annotations

import functools
import inspect
import types
import typing
import weakref
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ...state import codec
from ...state.errors import InvalidArgument, InvalidInput
from ...state.formless import FORMLESS, INSTEAD, reason
from ...state.quantities import briefly
from ..errors.attributes import attempted
from ..governance.approvals.rule import Approval
from ..usercode.annotations import annotation, name_of
from ..usercode.fields import minded
from ..usercode.resilience import Policy
from ..usercode.served import served
from ..usercode.undoing import Undo

__all__ = [
    "NOTHING",
    "Body",
    "Described",
    "Served",
    "Wanted",
    "acceptor",
    "annotation",
    "applied",
    "approval_of",
    "decoder",
    "describe",
    "durable_name",
    "losses",
    "mender",
    "served",
    "writer",
]

T = typing.TypeVar("T")
T_co = typing.TypeVar("T_co", covariant=True)
Body = Callable[typing.Concatenate[Any, ...], Awaitable[T]]
"""An async function whose first parameter is a context, as a decorated workflow is."""


class Served(typing.Protocol[T_co]):
    """What declares the type of its output, as an agent does."""

    @property
    def output(self) -> type[T_co]: ...


class Described:
    """``policy`` is the function's own, if it brings one; ``branch``: its first parameter is a Context; ``minded``: it
    has parameters with a Field, and is to be called by ``fields.minded``."""

    __slots__ = ("branch", "decode", "lost", "minded", "name", "policy", "threaded", "tool", "undo", "write")

    def __init__(self, fn: Callable[..., Any]) -> None:
        inner, tool = _inner(fn)
        asynchronous = inspect.iscoroutinefunction(inner) or inspect.iscoroutinefunction(
            getattr(inner, "__call__", None)  # noqa: B004  # the method itself is looked at, not whether it is there
        )
        self.name = str(getattr(tool, "name", "")) or name_of(inner)
        self.threaded = not asynchronous
        returned = annotation(inner, "return")
        what = f"what {name_of(inner)} returns"
        self.decode = decoder(returned, what)
        self.write = writer(returned, what)
        self.lost = losses(returned, what)
        policy = getattr(tool, "policy", None)
        self.policy = policy if isinstance(policy, Policy) else None
        self.branch = asynchronous and _takes_context(inner)
        undo = getattr(tool, "undo", None)
        self.undo = undo if isinstance(undo, Undo) else None  # what undoes it, if it names that itself
        self.tool: Any = tool  # the tool that it is; None for any other function
        self.minded = tool is None and minded(fn) is not None  # a decorated one minds them itself


_known: weakref.WeakKeyDictionary[Callable[..., Any], Described] = weakref.WeakKeyDictionary()


def describe(fn: Callable[..., Any]) -> Described:
    """Raises TypeError when ``fn`` can't be called, or its return annotation can't be used."""
    if isinstance(fn, functools.partial):
        fn = _whole_tool(fn)  # pyright: ignore[reportUnknownArgumentType]  # it may return anything
    try:
        known = _known.get(fn)
    except TypeError:
        return Described(_callable(fn))  # neither hashable nor weakly referable
    if known is None:
        known = Described(_callable(fn))
        _known[fn] = known
    return known


class Wanted(typing.NamedTuple):
    """An approval that a tool wants before it is called with ``arguments``; ``within`` in milliseconds."""

    tool: Any
    arguments: dict[str, Any]
    rule: Approval
    within: int

    def misfit(self, edited: Any) -> str:
        """Why arguments that a person has edited are none for the call; "" when they are. An edit changes neither the
        tool nor who is asked."""
        try:
            self.tool.check(edited)
            wanted: Approval | None = self.tool.rule(edited)
        except InvalidInput as error:
            return f"the arguments do not fit: {error}"
        same = wanted is None or wanted.role == self.rule.role
        return "" if same else f"such a call is for {wanted.role if wanted else ''} to approve"


def approval_of(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Wanted | None:
    """The approval that a call needs; None when it needs none. Raises InvalidInput when that can't be told."""
    if getattr(getattr(bare(fn), "__overwinter__", None), "approval", None) is None:
        return None
    tool, arguments = arguments_of(fn, args, kwargs)
    rule: Approval | None = tool.rule(arguments)
    return None if rule is None else Wanted(tool, arguments, rule, tool.approval_within)


def arguments_of(fn: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The tool that a function is, and the object of the arguments that it is called with. Raises InvalidInput."""
    called: Any = fn
    while isinstance(called, functools.partial):
        args, kwargs = (*called.args, *args), {**called.keywords, **kwargs}
        called = called.func
    tool: Any = getattr(called, "__overwinter__")  # noqa: B009  # functions carry what they serve
    try:
        bound = inspect.signature(called).bind(*args, **kwargs)
    except TypeError as error:
        raise InvalidInput(f"{tool.name} can't be called like that: {error}") from None
    given: dict[str, Any] = {}
    for name, value in bound.arguments.items():  # what is caught by **name is a parameter each, as in a JSON object
        caught = bound.signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD
        given |= value if caught else {name: value}
    return tool, codec.stored(given)


def bare(fn: Any) -> Any:
    """A function without the arguments that are bound to it."""
    while isinstance(fn, functools.partial):
        fn = fn.func
    return fn


def typed(fn: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    """A tool's arguments as its function gets them; as they are, when they are none for the tool as it is now."""
    read: dict[str, Any] | None = attempted(lambda: bare(fn).__overwinter__.read(arguments))
    return arguments if read is None else read


def durable_name(target: object) -> str | None:
    """The name under which a workflow or an agent is served; None when the target is neither."""
    if isinstance(target, str):
        return target
    thing = served(target)
    return str(thing.name) if hasattr(thing, "decider") and hasattr(thing, "name") else None


def applied(fn: Callable[..., Any], input: Any) -> Callable[[], Any]:
    """``fn`` with one input: as its only argument, or spread when it takes several and the input is a mapping."""
    if input is NOTHING:
        return fn
    inner, _ = _inner(fn)
    if isinstance(input, Mapping) and _several(inner, input):  # pyright: ignore[reportUnknownArgumentType]  # any mapping
        return functools.partial(fn, **input)
    return functools.partial(fn, input)


NOTHING: Any = object()
"""No input was given."""


def _several(fn: Callable[..., Any], input: Mapping[str, Any]) -> bool:
    parameters = inspect.signature(fn).parameters.values()
    named = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    takes_all = any(p.kind is p.VAR_KEYWORD for p in parameters)
    if len(named) == 1 and not takes_all:
        return list(input) == named
    return takes_all or set(input) <= set(named)


def decoder(annotated: Any, what: str) -> Callable[[Any], Any] | None:
    """``codec.decoder`` with an error that says where the annotation stands."""
    return _known_as(codec.decoder, annotated, what)


def acceptor(annotated: Any, what: str) -> Callable[[Any], Any] | None:
    """``codec.acceptor`` with such an error. What is None when it is returned may be anything; what comes from outside
    as None must be it."""
    return _known_as(codec.acceptor, typing.Literal[None] if annotated is type(None) else annotated, what)


def writer(annotated: Any, what: str) -> codec.Writer:
    """``codec.writer`` with such an error."""
    return _known_as(codec.writer, annotated, what)


def mender(annotated: Any, what: str) -> codec.Writer:
    """``codec.mender`` with such an error."""
    return _known_as(codec.mender, annotated, what)


def losses(annotated: Any, what: str) -> str:
    """Why values of the annotation can't be recorded, and what to do; "" when they can."""
    lost = _known_as(codec.losses, annotated, what)
    return f"{what} can't be recorded and read back as it is: {lost}" if lost else ""


def _known_as(use: Callable[[Any], T], annotated: Any, what: str) -> T:
    if isinstance(annotated, typing.TypeVar) or annotated is typing.NoReturn or annotated is typing.Never:
        annotated = Any
    try:
        return use(annotated)
    except FORMLESS as error:
        raise InvalidInput(
            f"{what} is annotated as {annotated!r}, which has no JSON form ({reason(error)}); {INSTEAD}"
        ) from None
    except Exception as error:  # pydantic takes apart whatever is given as a type
        raise InvalidArgument(
            f"the type of {what} is {briefly(annotated)}, which is none ({type(error).__name__}); {INSTEAD}"
        ) from error


def _callable(fn: Any) -> Callable[..., Any]:
    if not callable(fn):
        hint = "; call it with ctx.call or ctx.child" if durable_name(fn) else ""
        raise InvalidArgument(f"a step needs a function, not {type(fn).__name__}{hint}")
    if durable_name(fn) is not None:
        raise InvalidArgument(f"{durable_name(fn)!r} is a workflow or an agent; call it with ctx.call or ctx.child")
    if inspect.iscoroutine(fn):
        raise InvalidArgument(
            "a step needs a function and its arguments, not a call: ctx.step(f, x), not ctx.step(f(x))"
        )
    return fn  # type: ignore[no-any-return]  # checked above


def _inner(fn: Callable[..., Any]) -> tuple[Callable[..., Any], object]:
    """The function as it was written, and the tool that it became. One that an agent merely named as a tool of its own
    (the note is on the function itself) is called as what it is, whether that agent was made here or not."""
    tool = getattr(fn, "__overwinter__", None)
    if tool is None or (type(fn) is types.FunctionType and not hasattr(fn, "__wrapped__")):
        return fn, None
    return getattr(fn, "__wrapped__", fn), tool


def _whole_tool(fn: functools.partial[Any]) -> Callable[..., Any]:
    """The tool that some arguments are bound to, whose policy and name hold; any other function as it is given."""
    called: Any = fn
    while isinstance(called, functools.partial):
        called = called.func
    return called if _inner(called)[1] is not None else fn


def _takes_context(fn: Callable[..., Any]) -> bool:
    while isinstance(fn, functools.partial):
        if fn.args:
            return False
        fn = fn.func
    code: types.CodeType | None = getattr(fn, "__code__", None)
    if code is None or code.co_argcount == 0:
        return False
    first = code.co_varnames[1 if inspect.ismethod(fn) and code.co_argcount > 1 else 0]
    if first == "ctx":
        return True
    try:
        found = getattr(fn, "__annotations__", {}).get(first)
    except NameError:
        return False
    return getattr(found, "__name__", found) in ("Context", "overwinter.Context")
