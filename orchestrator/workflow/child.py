"""``child``: start another workflow or agent as an execution of its own, attached or detached."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from ...state.codec import plain, stored
from ...state.errors import InvalidArgument, InvalidInput
from ...state.ids import check_id, child_id
from ...state.quantities import briefly
from ..protocol import keys
from ..protocol.callers import handed_on
from ..protocol.decider import Fact, Post, Spawn
from ..usercode import fingerprint as fingerprints
from . import arguments
from .operation import Decode, Operation
from .run import Run
from .scope import Scope
from .targets import NOTHING, annotation, decoder, durable_name, served

if TYPE_CHECKING:
    from .targets import Body, Served

T = TypeVar("T")
OUTPUT = "output is the type of what an attached child gives that is called by its name; anything else declares its own"


class Child(Operation[T]):
    """A child execution. Awaiting an attached one gives its output, typed as the target declares; ``cancel``
    asks it to clean up and end. ``id`` is its execution id. Raises ExecutionFailed, ExecutionCancelled or
    ExecutionTerminated with the child's error as cause."""

    __slots__ = ("detached", "id")
    kind = "child"

    def __init__(
        self, run: Run, op: str, name: str, decode: Decode | None, args: str | None, id: str, detached: bool
    ) -> None:
        super().__init__(run, op, name, decode, args)
        self.id = id
        self.detached = detached

    def sent(self) -> None:
        """The start is confirmed."""
        if self.detached:
            self.run.settle(self.op)
            self.run.children.pop(self.id, None)
            self.take(self.id)

    def give_up(self) -> None:
        run, op = self.run, self.op
        if op in run.own and op not in run.recorded:
            for table in (run.own, run.fresh, run.unsent):
                table.pop(op, None)
            run.children.pop(self.id, None)
        elif self.detached:
            pass  # it is started all the same; nobody waits for that any more
        elif op in run.unsent:
            run.leaving[op] = None
        else:
            run.children.pop(self.id, None)
            tell_to_cancel(run, op, self.id)

    def leave(self) -> None:
        if not self.detached:
            self.give_up()


def tell_to_cancel(run: Run, op: str, id: str) -> None:
    """Ask a started child to end."""
    fact: Fact = {"type": "cancel", "at": run.timers.now, "reason": f"{run.id} has ended or cancelled it", "by": run.id}
    run.effect(Post(f"{op}.cancel", id, keys.ending("cancel", run.id), fact))


def begin(
    run: Run,
    op: str,
    target: object,
    input: Any,
    id: str | None = None,
    detached: bool = False,
    *,
    compare: bool = True,
    output: Any = NOTHING,
) -> Child[Any]:
    """Order a child under ``op``; ``output`` is the type of what it gives, where it does not say so itself.

    Raises InvalidArgument when the target can't be one, InvalidInput for the input."""
    name = durable_name(target)
    if name is None:
        raise InvalidArgument(
            f"a child is a workflow, an agent or the name of one, not {briefly(target)}; use ctx.step for functions"
        )
    if output is not NOTHING and (detached or not isinstance(target, str)):
        raise InvalidInput(OUTPUT)
    thing = served(target)
    value = None if input is NOTHING else input
    try:
        value = thing.check(value) if hasattr(thing, "check") else stored(value)
    except InvalidInput:
        if op not in run.recorded:
            raise
        value = plain(value)  # it was accepted when it was ordered
    renewed = run.renewed.get(op)
    if id is not None and not isinstance(id, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # as users may give it
        raise arguments.wrong("ctx.child(id=…)", "a text or None", id)
    chosen = child_id(run.id, op) if id is None else check_id(id, "the id of a child")
    whole = chosen + (f"~{renewed[1]}" if renewed else "")
    ahead = run.recorded.get(op)
    if ahead is not None and id is None:
        whole = ahead.get("id", whole)  # a release that made ids in another way may have ordered it
    if whole in run.children:
        raise InvalidInput(f"{whole!r} is the id of a child that is open already; give each child its own")
    args = fingerprints.of(() if value is None else (value,), {} if id is None else {"id": id}) if compare else None
    declared = decoder(output, f"the output of {name!r}") if output is not NOTHING else output_decoder(thing, name)
    decode = None if detached else declared
    child: Child[Any] = Child(run, op, name, decode, args, whole, detached)
    run.open(child)
    run.children[whole] = op
    run.own[op] = {"type": "ordered", "op": op, "at": run.began(op), "kind": "child", "name": name}
    run.own[op] |= {"id": whole, "detached": detached}
    if args:
        run.own[op]["args"] = args
    depth, caller = (0, {}) if run.origin is None else (run.origin.depth, handed_on(run.origin.caller))
    if lent := run.lending.order(op, ahead):
        run.own[op]["budget"] = lent
        caller = {**caller, "budget": lent}
    run.effect(Spawn(op, whole, name, value, detached, depth, str(getattr(thing, "kind", "")), caller))
    return child


def output_decoder(thing: Any, name: str) -> Decode | None:
    """What types the output, as far as the target declares it."""
    output = getattr(thing, "outputs", None) or getattr(thing, "output", Any)
    if isinstance(output, str):
        output = annotation(thing, "return") if callable(thing) else Any
    return decoder(output, f"the output of {name!r}")


class Parenting(Scope):
    """The part of a context that starts children."""

    __slots__ = ()

    @overload
    def child(
        self,
        target: object,
        input: Any = ...,
        *,
        id: str | None = ...,
        detached: Literal[True],
        fingerprint: bool = ...,
    ) -> Child[str]: ...
    @overload
    def child(
        self, target: str, input: Any = ..., *, output: type[T], id: str | None = ..., fingerprint: bool = ...
    ) -> Child[T]: ...
    @overload
    def child(
        self, target: Served[T], input: Any = ..., *, id: str | None = ..., fingerprint: bool = ...
    ) -> Child[T]: ...
    @overload
    def child(
        self, target: Body[T], input: Any = ..., *, id: str | None = ..., fingerprint: bool = ...
    ) -> Child[T]: ...
    @overload
    def child(
        self, target: object, input: Any = ..., *, id: str | None = ..., fingerprint: bool = ...
    ) -> Child[Any]: ...
    def child(
        self,
        target: Any,
        input: Any = NOTHING,
        *,
        id: str | None = None,
        detached: bool = False,
        fingerprint: bool = True,
        output: Any = NOTHING,
    ) -> Child[Any]:
        """Start ``target`` (a workflow, an agent, or the name of one) with ``input``.

        Attached: awaiting the child gives its output, typed as the target declares it, or as ``output`` where only its
        name is given; when this execution ends first, the child is cancelled.
        Detached: awaiting gives its id as soon as its start is durable; it lives on by itself. ``id`` defaults
        to ``<this execution>/<operation>``, shortened where that is long; an id that exists already joins that
        execution, which must have been started with the same input. A replay must pass the same input and id, unless
        ``fingerprint`` is False.
        """
        op = self._next()
        arguments.flag(detached, "ctx.child(detached=…)")
        arguments.flag(fingerprint, "ctx.child(fingerprint=…)")
        return begin(self._run, op, target, input, id, detached, compare=fingerprint, output=output)
