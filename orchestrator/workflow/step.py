"""``step``: call a function once, durably. Its result is recorded and never computed again.

A step may run twice only when the process dies between its effect and its record, unless ``at_most_once``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from types import FunctionType
from typing import Any, NamedTuple, ParamSpec, TypeVar, cast, overload

from ...state.codec import stored
from ...state.errors import InvalidInput
from ...state.quantities import Duration, briefly
from ..governance.approvals.changed import unless
from ..governance.approvals.proposal import CHANGED
from ..protocol.decider import ALIKE, SAME, Fact, Invoke
from ..usercode import fingerprint as fingerprints
from ..usercode import undoing
from ..usercode.fields import minded
from ..usercode.reconciling import Contract, InDoubtRule, contract
from ..usercode.resilience import Breaker, Policy, Retry
from ..usercode.undoing import Undo, undo_of
from . import arguments
from .approval import ask, standing
from .elsewhere import away_call
from .naming import named
from .operation import Operation
from .run import Run
from .scope import Scope
from .targets import Described, Wanted, approval_of, arguments_of, bare, describe, typed
from .undoable import Prepared, around, prepared

P = ParamSpec("P")
T = TypeVar("T")
Reconcile = Callable[[str, dict[str, Any]], Any]
"""Given the idempotency key and the arguments of a call, says Done, NotDone or Unknown, or an awaitable of it."""


class _Call(NamedTuple):
    """A call as the code asks for it. ``compare``: what it is called with must be the same on replay. ``undo`` undoes
    it, when it is called in a saga. ``edited``: the arguments that a person has put in the place of those given."""

    run: Run
    op: str
    fn: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    name: str | None
    policy: Policy | None
    compare: bool
    undo: Undo | None
    edited: dict[str, Any] | None = None
    approved: str = ""
    pure: bool = False


def order(
    run: Run,
    op: str,
    fn: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    name: str | None = None,
    policy: Policy | None = None,
    *,
    compare: bool = True,
    undo: Undo | None = None,
    pure: bool = False,
) -> Operation[Any]:
    """Order a call of ``fn`` under ``op``; of a tool that wants an approval, when it is given. ``compare``: what it is
    called with must be the same on replay. ``undo`` undoes it, when it is called in a saga. ``pure``: it changes
    nothing."""
    wanted = approval_of(fn, args, kwargs)
    if wanted is None and not run.sagas:  # as most are
        return _order(run, op, fn, args, kwargs, name, policy, compare=compare, pure=pure)
    called = _Call(run, op, fn, args, kwargs, name, policy, compare, undo, pure=pure)
    if wanted is None:
        return _undoable(called)
    if (lost := describe(fn).lost) and run.ahead(f"{op}.0") is None:
        raise InvalidInput(lost)
    return cast("Operation[Any]", run.loop.create_task(_asked(called, wanted)))


async def _asked(call: _Call, wanted: Wanted) -> Any:
    """Call it when it was approved. Somebody is asked once more when the tool is another one by then, unless it was
    called before it was changed."""
    run, op, tool = call.run, call.op, wanted.tool
    place, why = f"{op}.", ""
    stands = await standing(run, f"{op}.0", tool.name, tool.version, wanted.rule.role)
    while True:
        asking = ask(
            run,
            f"{place}0",
            tool.name,
            wanted.arguments,
            wanted.rule,
            wanted.within,
            version=tool.version,
            fits=wanted.misfit,
            why=why,
            since=run.began(f"{op}.1"),
            stands=stands,
        )
        await asking
        place, why = f"{place}0.", CHANGED
        stands = None if stands is None else list[Fact]()  # what was read says nothing of a later question
        changed = asking.outdated and run.ahead(f"{op}.1") is None
        if not changed and run.ahead(f"{place}0") is None:
            proposal = asking.proposal
            edited = proposal.data if proposal.edited else None
            approved = proposal.version if asking.outdated else ""
            return await _undoable(call._replace(op=f"{op}.1", edited=edited, approved=approved))


def _undoable(call: _Call) -> Operation[Any]:
    """Order it now; a saga around the code keeps what is needed to undo it."""
    run, fn = call.run, call.fn
    saga = around(run) if run.sagas else None
    about: Prepared | None = None
    if saga is not None and (undo := call.undo or describe(fn).undo) is not None:
        saga.refuse()
        known = describe(fn)
        means = call.policy or known.policy or run.policy
        name, key = call.name or known.name, f"{run.id}/{call.op}"
        if call.edited is None:
            about = prepared(fn, call.args, call.kwargs, name, undo, means, key)
        else:  # a person has put these in the place of all that were given
            about = prepared(bare(fn), (), typed(fn, call.edited), name, undo, means, key)
    made = _order(
        run, call.op, fn, call.args, call.kwargs, call.name, call.policy,
        compare=call.compare, edited=call.edited, approved=call.approved, pure=call.pure,
    )  # fmt: skip
    return made if saga is None or about is None else saga.keep(about, made)


def _order(
    run: Run,
    op: str,
    fn: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    name: str | None,
    policy: Policy | None,
    *,
    compare: bool,
    edited: dict[str, Any] | None = None,
    approved: str = "",
    pure: bool = False,
) -> Operation[Any]:
    about, asked = describe(fn), fn
    if about.lost and run.ahead(op) is None:  # what an earlier release has ordered goes on as it began
        raise InvalidInput(about.lost)
    given = _given(fn, args, kwargs) if compare else None
    call: Operation[Any] = Operation(run, op, name or about.name, about.decode, given)
    if about.minded:
        fn = minded(fn) or fn
    entry = run.open(call)
    if entry is None or entry["type"] != "step":
        branch = run.branch_of(op) if run.branches else ""
        if about.tool is not None and (elsewhere := about.tool.elsewhere) is not None:
            run.calls.order(away_call(run, call, arguments_of(asked, args, kwargs), edited, elsewhere, branch))
            return call
        policy = policy or about.policy or run.policy
        tells = policy.at_most_once and _tells(about, policy)
        made = Invoke(
            op,
            call.name,
            "step",
            _made(about.tool, fn, args, kwargs, edited),
            about.threaded,
            policy,
            {"branch": branch} if branch else {},
            write=about.write,
            args=given,
            caller=run.origin.caller if run.origin is not None else {},
            given=partial(_told, fn, args, kwargs, edited) if tells else None,
            pure=pure or (about.tool is not None and about.tool.pure),
            like=ALIKE if given or (given is not None and not _catches(asked)) else SAME,
            edited=edited,
        )
        run.calls.order(unless(made, approved, "") if approved else made)
    return call


def _made(
    tool: Any, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], edited: dict[str, Any] | None
) -> Callable[..., Any]:
    if edited is not None:
        return partial(tool.invoke, edited)
    return partial(fn, *args, **kwargs) if args or kwargs else fn


def _tells(about: Described, policy: Policy) -> bool:
    return about.tool is not None or policy.contract is not None


def _told(
    fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], edited: dict[str, Any] | None
) -> dict[str, Any]:
    """The arguments of a call, for who is to find out what came of it: of a function that is no tool those that have a
    JSON form."""
    if edited is not None:
        return edited
    if describe(fn).tool is not None:
        return arguments_of(fn, args, kwargs)[1]
    told: dict[str, Any] = {}
    for name, value in undoing.arguments_of(fn, args, kwargs).items():
        with suppress(InvalidInput):
            told[name] = stored(value)
    return told


def _given(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """The fingerprint of a call's arguments, those that are bound to the function already among them."""
    while isinstance(fn, partial):
        args, kwargs, fn = (*fn.args, *args), {**fn.keywords, **kwargs}, fn.func
    if type(fn) is FunctionType and fn.__name__ == "<lambda>" and fn.__defaults__:
        args = (*args, fn.__defaults__)  # lambda who=who: …
    return fingerprints.of(args, kwargs)


def _catches(fn: Callable[..., Any]) -> bool:
    """Whether what it is called with may lie in the function itself, where no fingerprint finds it."""
    while isinstance(fn, partial):
        fn = fn.func
    if type(fn) is not FunctionType or hasattr(fn, "__wrapped__"):
        return False
    return fn.__name__ == "<lambda>" or bool(fn.__closure__)


def policy_of(
    run: Run,
    fn: Callable[..., Any],
    retry: Retry | None,
    timeout: Duration | None = None,
    breaker: Breaker | None = None,
    at_most_once: bool = False,
    reconcile: Reconcile | None = None,
    in_doubt: InDoubtRule | None = None,
) -> Policy:
    """The policy of a call of ``fn``: what is given, else its own, else the workflow's."""
    about = describe(fn)
    base = about.policy or run.policy
    declared = base.contract
    if reconcile is not None or in_doubt is not None:
        declared = _contract(about, base, reconcile, in_doubt, at_most_once)
    once = about.tool is not None and base.at_most_once and (declared is None or declared.reconcile is None)
    if once and retry is not None and retry.attempts > 1:
        raise InvalidInput(
            f"{about.name!r} is irreversible, and attempted once; leave retry= out, or say with reconcile= how one "
            "finds out whether a call took effect"
        )
    return Policy(
        retry or base.retry,
        base.timeout if timeout is None else timeout,
        breaker or base.breaker,
        at_most_once or base.at_most_once or reconcile is not None,
        base.target,
        declared,
    )


def _contract(
    about: Described, base: Policy, reconcile: Reconcile | None, in_doubt: InDoubtRule | None, at_most_once: bool
) -> Contract | None:
    """What a step says about the case that nobody knows whether its call took effect. Raises InvalidInput."""
    if reconcile is not None and not callable(reconcile):
        raise InvalidInput(
            f"reconcile= is a function of the idempotency key and the arguments, not {briefly(reconcile)}"
        )
    if about.tool is not None and about.tool.elsewhere is not None:
        raise InvalidInput(f"{about.name!r} lives in another process; declare there what a doubt means (@tool)")
    if reconcile is None and not (at_most_once or base.at_most_once):
        raise InvalidInput("in_doubt= is said of a call that must not be made twice: at_most_once=True, or reconcile=")
    if reconcile is None and base.contract is not None:
        reconcile = base.contract.reconcile
    return contract(reconcile, "ask" if in_doubt is None else in_doubt, about.name)


class Stepping(Scope):
    """The part of a context that calls functions."""

    __slots__ = ()

    @overload
    def step(self, fn: Callable[..., Awaitable[T]], *args: Any, name: str, **options: Any) -> Operation[T]: ...
    @overload
    def step(self, fn: Callable[..., T], *args: Any, name: str, **options: Any) -> Operation[T]: ...
    @overload
    def step(self, fn: Callable[..., Awaitable[T]], *args: Any, retry: Retry, **options: Any) -> Operation[T]: ...
    @overload
    def step(self, fn: Callable[..., T], *args: Any, retry: Retry, **options: Any) -> Operation[T]: ...
    @overload
    def step(self, fn: Callable[..., Awaitable[T]], *args: Any, timeout: Duration, **options: Any) -> Operation[T]: ...
    @overload
    def step(self, fn: Callable[..., T], *args: Any, timeout: Duration, **options: Any) -> Operation[T]: ...
    @overload
    def step(self, fn: Callable[..., Awaitable[T]], *args: Any, at_most_once: bool, **options: Any) -> Operation[T]: ...
    @overload
    def step(self, fn: Callable[..., T], *args: Any, at_most_once: bool, **options: Any) -> Operation[T]: ...
    @overload
    def step(self, fn: Callable[..., Awaitable[T]], *args: Any, breaker: Breaker, **options: Any) -> Operation[T]: ...
    @overload
    def step(self, fn: Callable[..., T], *args: Any, breaker: Breaker, **options: Any) -> Operation[T]: ...
    @overload
    def step(self, fn: Callable[..., Awaitable[T]], *args: Any, fingerprint: bool, **options: Any) -> Operation[T]: ...
    @overload
    def step(self, fn: Callable[..., T], *args: Any, fingerprint: bool, **options: Any) -> Operation[T]: ...
    @overload
    def step(
        self, fn: Callable[..., Awaitable[T]], *args: Any, reconcile: Reconcile, **options: Any
    ) -> Operation[T]: ...
    @overload
    def step(self, fn: Callable[..., T], *args: Any, reconcile: Reconcile, **options: Any) -> Operation[T]: ...
    @overload
    def step(
        self, fn: Callable[..., Awaitable[T]], *args: Any, in_doubt: InDoubtRule, **options: Any
    ) -> Operation[T]: ...
    @overload
    def step(self, fn: Callable[..., T], *args: Any, in_doubt: InDoubtRule, **options: Any) -> Operation[T]: ...
    @overload
    def step(
        self, fn: Callable[..., Awaitable[T]], *args: Any, undo: Undo | Callable[..., Any], **options: Any
    ) -> Operation[T]: ...
    @overload
    def step(
        self, fn: Callable[..., T], *args: Any, undo: Undo | Callable[..., Any], **options: Any
    ) -> Operation[T]: ...
    @overload
    def step(self, fn: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> Operation[T]: ...
    @overload
    def step(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Operation[T]: ...
    def step(  # type: ignore[misc]  # a function's own parameters of these names go through partial
        self,
        fn: Callable[..., Any],
        *args: Any,
        name: str | None = None,
        retry: Retry | None = None,
        timeout: Duration | None = None,
        at_most_once: bool = False,
        breaker: Breaker | None = None,
        fingerprint: bool = True,
        reconcile: Reconcile | None = None,
        in_doubt: InDoubtRule | None = None,
        undo: Undo | Callable[..., Any] | None = None,
        **kwargs: Any,
    ) -> Operation[Any]:
        """Call ``fn(*args, **kwargs)`` and await its result, typed by its return annotation.

        A plain ``def`` runs in a thread, an ``async def`` on the event loop; both outside of the workflow, so
        they may do anything. ``name`` (default: the function's) identifies the step on replay. ``retry``,
        ``timeout`` (of one attempt) and ``breaker`` override the workflow's. With ``at_most_once`` the
        beginning of each attempt is recorded first, and an attempt that may have happened raises InDoubt
        instead of being made again; with ``in_doubt`` somebody is asked first. ``reconcile`` says whether an attempt
        took effect, as that of a tool does: it is asked before the call is made again. In a saga, ``undo`` (a function,
        a tool or an ``Undo``) undoes it. A replay must pass the same arguments; with ``fingerprint`` False they may
        differ. Arguments for ``fn`` of these same names go through ``functools.partial``.

        A tool that is declared with an approval is called when somebody has approved exactly these arguments.

        Raises what ``fn`` raises, as its own class; StepFailed when that is not known here; Denied.
        """
        if name is not None:
            name = named(name, "a step's name (None: the function's)")
        policy: Policy | None = None
        declared = reconcile is not None or in_doubt is not None
        if retry is not None or timeout is not None or at_most_once or breaker is not None or declared:
            with arguments.named_by("ctx.step"):
                policy = policy_of(self._run, fn, retry, timeout, breaker, at_most_once, reconcile, in_doubt)
            arguments.flag(at_most_once, "ctx.step(at_most_once=…)")
        if fingerprint is not True:
            arguments.flag(fingerprint, "ctx.step(fingerprint=…)")
        undone: Undo | None = None
        if undo is not None:
            undone = undo_of(undo, "ctx.step")
            if around(self._run) is None:
                raise InvalidInput("ctx.step(undo=…) has a meaning in a saga: async with ctx.saga(): …")
        return order(self._run, self._next(), fn, args, kwargs, name, policy, compare=fingerprint, undo=undone)
