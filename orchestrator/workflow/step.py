"""``step``: call a function once, durably. Its result is recorded and never computed again.

A step may run twice only when the process dies between its effect and its record, unless ``at_most_once``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from types import FunctionType
from typing import Any, ParamSpec, TypeVar, cast, overload

from ...state.errors import InvalidInput
from ...state.quantities import Duration
from ..governance.approvals.proposal import CHANGED
from ..protocol.decider import Away, Invoke
from ..usercode import fingerprint as fingerprints
from ..usercode.fields import minded
from ..usercode.resilience import Breaker, Policy, Retry
from . import arguments
from .approval import ask
from .naming import named
from .operation import Operation
from .run import Run
from .scope import Scope
from .targets import Wanted, approval_of, arguments_of, describe

P = ParamSpec("P")
T = TypeVar("T")


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
) -> Operation[Any]:
    """Order a call of ``fn`` under ``op``; of a tool that wants an approval, when it is given. ``compare``: what it is
    called with must be the same on replay."""
    wanted = approval_of(fn, args, kwargs)
    if wanted is None:
        return _order(run, op, fn, args, kwargs, name, policy, compare=compare)
    if (lost := describe(fn).lost) and f"{op}.0" not in run.recorded:
        raise InvalidInput(lost)
    call = partial(_order, run, f"{op}.1", fn, args, kwargs, name, policy, compare=compare)
    return cast("Operation[Any]", run.loop.create_task(_asked(run, op, wanted, call)))


async def _asked(run: Run, op: str, wanted: Wanted, call: Callable[..., Operation[Any]]) -> Any:
    """Call it when it was approved. Somebody is asked once more when the tool is another one by then, unless it was
    called before it was changed."""
    tool, place, why = wanted.tool, f"{op}.", ""
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
        )
        await asking
        place, why = f"{place}0.", CHANGED
        changed = asking.outdated and f"{op}.1" not in run.recorded
        if not changed and f"{place}0" not in run.recorded:
            proposal = asking.proposal
            return await call(edited=proposal.data if proposal.edited else None)


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
) -> Operation[Any]:
    """``edited``: the arguments that a person has put in the place of those that are given."""
    about = describe(fn)
    if about.lost and op not in run.recorded:  # what an earlier release has ordered goes on as it began
        raise InvalidInput(about.lost)
    given = _given(fn, args, kwargs) if compare else None
    call: Operation[Any] = Operation(run, op, name or about.name, about.decode, given)
    if about.minded:
        fn = minded(fn) or fn
    entry = run.open(call)
    if entry is None or entry["type"] != "step":
        branch = run.branch_of(op) if run.branches else ""
        if about.tool is not None and (elsewhere := about.tool.elsewhere) is not None:
            run.calls.order(_away(run, call, fn, args, kwargs, elsewhere, branch, given, edited))
            return call
        policy = policy or about.policy or run.policy
        run.calls.order(
            Invoke(
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
                given=partial(_told, fn, args, kwargs, edited) if about.tool and policy.at_most_once else None,
            )
        )
    return call


def _made(
    tool: Any, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], edited: dict[str, Any] | None
) -> Callable[..., Any]:
    if edited is not None:
        return partial(tool.invoke, edited)
    return partial(fn, *args, **kwargs) if args or kwargs else fn


def _away(
    run: Run,
    call: Operation[Any],
    fn: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    policy: Policy,
    branch: str,
    given: str | None,
    edited: dict[str, Any] | None,
) -> Invoke:
    """The call of a tool that lives elsewhere. Its own policy is minded there; ``policy`` says how it is reached."""
    tool, arguments = arguments_of(fn, args, kwargs)
    caller: Mapping[str, Any] = run.origin.caller if run.origin is not None else {}
    approved = call.op.endswith(".1") and tool.approval is not None
    mark, renewed = getattr(tool, "mark", ""), run.renewed.get(call.op)
    if mark and renewed is not None:
        mark = f"{mark}~{renewed[1]}"  # after a ``retry`` it is another call
    away = Away(getattr(tool, "caller", run.function), caller.get("deadline"), approved, mark)
    more = {"branch": branch} if branch else {}
    made = arguments if edited is None else edited
    send, tell = partial(tool.send, made), partial(dict[str, Any], made)
    return Invoke(
        call.op, call.name, "step", send, False, policy, more, args=given, caller=caller, away=away, given=tell
    )


def _told(
    fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], edited: dict[str, Any] | None
) -> dict[str, Any]:
    """The arguments of a tool, for who is to find out what came of a call."""
    return arguments_of(fn, args, kwargs)[1] if edited is None else edited


def _given(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """The fingerprint of a call's arguments, those that are bound to the function already among them."""
    while isinstance(fn, partial):
        args, kwargs, fn = (*fn.args, *args), {**fn.keywords, **kwargs}, fn.func
    if type(fn) is FunctionType and fn.__name__ == "<lambda>" and fn.__defaults__:
        args = (*args, fn.__defaults__)  # lambda who=who: …
    return fingerprints.of(args, kwargs)


def policy_of(
    run: Run,
    fn: Callable[..., Any],
    retry: Retry | None,
    timeout: Duration | None = None,
    breaker: Breaker | None = None,
    at_most_once: bool = False,
) -> Policy:
    """The policy of a call of ``fn``: what is given, else its own, else the workflow's."""
    base = describe(fn).policy or run.policy
    return Policy(
        retry or base.retry,
        base.timeout if timeout is None else timeout,
        breaker or base.breaker,
        at_most_once or base.at_most_once,
        base.target,
        base.contract,
    )


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
        **kwargs: Any,
    ) -> Operation[Any]:
        """Call ``fn(*args, **kwargs)`` and await its result, typed by its return annotation.

        A plain ``def`` runs in a thread, an ``async def`` on the event loop; both outside of the workflow, so
        they may do anything. ``name`` (default: the function's) identifies the step on replay. ``retry``,
        ``timeout`` (of one attempt) and ``breaker`` override the workflow's. With ``at_most_once`` the
        beginning of each attempt is recorded first, and an attempt that may have happened raises InDoubt
        instead of being made again. A replay must pass the same arguments; with ``fingerprint`` False they may
        differ. Arguments for ``fn`` of these same names go through ``functools.partial``.

        A tool that is declared with an approval is called when somebody has approved exactly these arguments.

        Raises what ``fn`` raises, as its own class; StepFailed when that is not known here; Denied.
        """
        if name is not None:
            name = named(name, "a step's name (None: the function's)")
        policy: Policy | None = None
        if retry is not None or timeout is not None or at_most_once or breaker is not None:
            with arguments.named_by("ctx.step"):
                policy = policy_of(self._run, fn, retry, timeout, breaker, at_most_once)
            arguments.flag(at_most_once, "ctx.step(at_most_once=…)")
        if fingerprint is not True:
            arguments.flag(fingerprint, "ctx.step(fingerprint=…)")
        return order(self._run, self._next(), fn, args, kwargs, name, policy, compare=fingerprint)
