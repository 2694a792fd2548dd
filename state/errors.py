"""Every error overwinter raises, one tree on the ground floor so that any room may raise and catch it::

    OverwinterError
    ├── InvalidInput                 the caller must change something; never retried
    │   ├── InvalidArgument          an operation of a workflow was given something that its parameter does not take
    │   ├── InvalidEvent             a CloudEvent that breaks the specification
    │   ├── UnknownFunction          no agent, tool or workflow of that name is served here
    │   ├── UnknownExecution         no execution under that id
    │   ├── AlreadyExists            the id is taken by an execution of another function or input
    │   │   └── BegunBefore          by one of the same function, which somebody else has begun
    │   ├── AlreadyFinished          the execution has ended; nothing more can be sent to it
    │   ├── Unfit                    an event or a completion of another type than the execution waits for
    │   └── PayloadTooLarge          a value over the limit; terminal, never retried
    ├── StoreError                   the store could not do what was asked
    │   ├── StoreUnavailable         locked, unreachable or slow; trying again may help
    │   ├── StoreReadOnly · StoreFull · StoreCorrupt · SchemaMismatch
    │   ├── StoreLost                what was opened was deleted, replaced or emptied since
    │   ├── StoreMoved               the store's executions were moved to another store
    │   ├── StoreSealed              the payloads are sealed with a key that is not here
    │   ├── Conflict                 another owner moved the execution on; stop and publish nothing
    │   └── EtagMismatch             a key-value write lost against a newer one
    ├── BrokerUnavailable            the broker of events is out of reach; what is published is kept and sent again
    ├── ModelError                   a language model did not answer; what can be done about it is the class
    │   ├── ModelUnavailable         overloaded, broken, out of reach; tried again (also Retryable)
    │   │   ├── RateLimited          asked too often; ``retry_after`` says when to come again
    │   │   └── Unreadable           what came is no answer; it may have been paid for
    │   └── ContextTooLong · ContentRefused · KeyRefused · UnknownModel · QuotaUsedUp · RequestRefused (InvalidInputs)
    ├── FunctionUnavailable          a function of another process could not be reached (also Retryable)
    ├── ExecutionError               how an execution ended, when it did not complete
    │   ├── ExecutionFailed · ExecutionCancelled · ExecutionTerminated
    │   └── ExecutionStuck           the code no longer matches the journal; resumable after a fix
    └── OperationError               how one durable operation ended; a workflow may catch it
        ├── StepFailed               the function raised an error whose class is not known here
        ├── TimedOut                 the operation's timeout passed
        ├── InDoubt                  an at-most-once call began and its outcome is unknown
        ├── EffectBlocked            a fork has no effects, and nothing is recorded of this call
        ├── Denied                   an approval was denied or expired
        ├── CallbackFailed           the outside system completed a callback with an error
        ├── CompletionFailed         a map or parallel missed its completion rule
        ├── CompensationFailed       of a saga that failed, not all could be undone
        ├── CircuitOpen              the circuit breaker of the target is open
        ├── LimitExceeded            an agent ran out of iterations, tokens, cost or time
        │   └── BudgetExceeded       an account that it shares with others did
        └── Refused                  the model declined to give an answer of the required type

``Retryable`` may be raised by user code inside a step to say when to try again, ``Final`` to say never, and
``ModelRetry``, a Final, by tools and output validators to make the model try again.
"""

from __future__ import annotations

from typing import Any

from .undone import NotUndone


class OverwinterError(Exception):
    """Root of all errors of this package. ``str(error)`` says what happened and what to do."""


class InvalidInput(OverwinterError):
    """The caller must change something; trying the same again can't help."""


class InvalidArgument(InvalidInput, ValueError, TypeError):
    """An operation was given what its parameter does not take: raised at the line that gives it, as Python's are."""


class InvalidEvent(InvalidInput):
    """The CloudEvent breaks the specification. ``attribute`` names the culprit, ``status`` the HTTP answer."""

    def __init__(self, message: str, *, attribute: str = "", status: int = 400) -> None:
        super().__init__(message)
        self.attribute = attribute
        self.status = status


class UnknownFunction(InvalidInput):
    """No agent, tool or workflow of that name is served here."""


class UnknownExecution(InvalidInput):
    """No execution is stored under that id."""


class AlreadyExists(InvalidInput):
    """The id belongs to an execution of another function, or one started with another input."""


class BegunBefore(AlreadyExists):
    """The id belongs to an execution of the same function that somebody else has begun."""


class AlreadyFinished(InvalidInput):
    """The execution has ended; nothing more can be sent to it."""


class Unfit(InvalidInput):
    """The execution waits for this with data of another type. Nothing was sent."""


class PayloadTooLarge(InvalidInput):
    """A value exceeds the limit. Store it elsewhere and pass a reference."""


class StoreError(OverwinterError):
    """The store could not do what was asked."""


class StoreUnavailable(StoreError):
    """The store is locked, unreachable or too slow. Trying again may help."""


class StoreReadOnly(StoreError):
    """The store may be read but not written. Check the file's and folder's permissions."""


class StoreFull(StoreError):
    """The disk or the store's quota is full. Free space; nothing acknowledged is lost."""


class StoreCorrupt(StoreError):
    """The store's data can't be read as what it should be."""


class SchemaMismatch(StoreError):
    """The store was written by a newer release. Upgrade this process; nothing was changed."""


class StoreSealed(StoreError):
    """The payloads are sealed with a key that this process does not have. Nothing was changed, nothing is lost:
    give the process the key (OVERWINTER_KEYS) and start it again."""


class StoreLost(StoreError):
    """What this process has opened is not there any more: it was deleted, replaced, moved away or emptied. Nothing is
    taken in meanwhile. Put it back, or start the process again on what is there now."""


class StoreMoved(StoreError):
    """What was in this store lies in another one now, or is on its way there. Use that one."""


class Conflict(StoreError):
    """Another owner has moved the execution on. Stop, publish nothing: that owner goes on with it."""


class EtagMismatch(StoreError):
    """The key was changed by somebody else since it was read. Read it again."""


class BrokerUnavailable(OverwinterError):
    """The broker of events is out of reach or refuses for now. What was to be published is kept and sent again, not
    before ``retry_after`` seconds when the broker has asked for that."""

    def __init__(self, message: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ExecutionError(OverwinterError):
    """An execution did not complete. ``execution`` is its id, ``cause`` the recorded error, if any."""

    def __init__(self, message: str, *, execution: str = "", cause: BaseException | None = None) -> None:
        super().__init__(message)
        self.execution = execution
        self.cause = cause


class ExecutionFailed(ExecutionError):
    """The execution ended with an error. ``overwinter retry ID`` runs it again from the failed step."""


class ExecutionCancelled(ExecutionError):
    """The execution was cancelled and has cleaned up."""


class ExecutionTerminated(ExecutionError):
    """The execution was ended at once, without clean-up."""


class ExecutionStuck(ExecutionError):
    """The code asks for other operations than the journal holds. Fix the code, then resume."""


class OperationError(OverwinterError):
    """One durable operation did not succeed. A workflow may catch it and go on."""


class StepFailed(OperationError):
    """A function failed with an error whose class can't be found here. ``kind`` is the recorded class name."""

    def __init__(self, message: str, *, kind: str = "", data: Any = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.data = data


class StateFailed(OperationError):
    """A state machine failed. ``error`` is the name that its definition knows, ``cause`` says more; both may be ""."""

    def __init__(self, error: str, cause: str = "") -> None:
        super().__init__(error, cause)
        self.error = error
        self.cause = cause

    def __str__(self) -> str:
        return ": ".join(filter(None, (self.error, self.cause))) or "it failed, and does not say why"


class TimedOut(OperationError, TimeoutError):
    """The operation's timeout passed before it had a result."""


class HeartbeatLost(TimedOut):
    """The outside system that was to complete a callback has not been heard of for its ``heartbeat``."""


class InDoubt(OperationError):
    """An at-most-once call began, the process died or its time was over, and nobody knows whether it took effect."""


class EffectBlocked(OperationError):
    """The call was not made: a fork has no effects, and who it comes from has recorded no such call."""


class Denied(OperationError):
    """An approval was denied or has expired. ``reason`` is what the approver wrote."""

    def __init__(self, message: str, *, reason: str = "", by: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.by = by


class CallbackFailed(OperationError):
    """The outside system completed the callback with an error. ``kind`` is the type it gave that error, "" for none."""

    def __init__(self, message: str, *, kind: str = "") -> None:
        super().__init__(message)
        self.kind = kind


class CompletionFailed(OperationError):
    """A map or parallel missed its completion rule. ``results`` holds what was reached, in order."""

    def __init__(self, message: str, *, results: Any = None) -> None:
        super().__init__(message)
        self.results = results


class CompensationFailed(OperationError):
    """A saga failed or was cancelled, and not all it had done could be undone: ``calls`` says what. ``__cause__`` is
    what it failed with. ``overwinter retry ID`` tries again what failed of the undoing, and nothing else."""

    def __init__(self, message: str, *, calls: list[NotUndone] | None = None) -> None:
        super().__init__(message)
        self.calls = calls or []


class CircuitOpen(OperationError):
    """Too many calls in a row failed; the target is left alone for ``retry_after`` seconds."""

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class LimitExceeded(OperationError):
    """An agent reached a limit. ``limit`` is iterations, tokens, cost, time, repairs, repeats or handoffs."""

    def __init__(self, message: str, *, limit: str = "") -> None:
        super().__init__(message)
        self.limit = limit


class BudgetExceeded(LimitExceeded):
    """An account that executions share has not enough left, or is frozen (``limit`` is then ``frozen``). ``account`` is
    its name, ``window`` hour, day, month or "" (for ever); ``used`` and ``allowed`` are in the unit that ``limit``
    names (cost as decimal text); ``ends`` is when the window does, in ms, None for never."""

    account: str = ""
    window: str = ""
    used: int | str = 0
    allowed: int | str = 0
    ends: int | None = None

    def __init__(self, message: str, *, limit: str = "", **about: Any) -> None:
        super().__init__(message, limit=limit)
        for name, value in about.items():
            setattr(self, name, value)


class Refused(OperationError):
    """The model declined twice to give an answer of the required type; the message is what it said."""


class Retryable(OverwinterError):
    """Raised by user code: try this call again, not before ``retry_after`` seconds (default: the policy's). A class of
    it whose errors are not worth the policy's ``attempts`` says how many are enough."""

    attempts: int | None = None

    def __init__(self, message: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class FunctionUnavailable(Retryable):
    """A function that lives elsewhere could not be reached, or its server is broken or full. It is tried again, not
    before ``retry_after`` seconds if its server gave them."""


class Final(OverwinterError):
    """Raised by user code: do not try this call again."""


class ToolFailed(Final):
    """A tool that another server has answered with an error. The model reads it; the call is not made again."""


class ModelRetry(Final):
    """Raised by a tool or an output validator: the model is told why, and is to try again. The call itself is never
    repeated, whatever its ``Retry`` says."""


class ModelError(OverwinterError):
    """A language model did not answer. ``model`` is its name; ``status`` the provider's HTTP status, None when there
    was none; ``billed`` what was paid for it all the same, as the journal holds it (``{"usage", "cost"}``), else None.

    Of each class is known whether the same request may be answered ``elsewhere``, by another model or provider, and
    whether one of a ``shorter`` conversation may be answered here."""

    elsewhere: bool = False
    shorter: bool = False
    billed: dict[str, Any] | None = None

    def __init__(self, message: str = "", *, model: str = "", status: int | None = None) -> None:
        super().__init__(message)
        self.model = model
        self.status = status


class ModelUnavailable(ModelError, Retryable):
    """The provider is overloaded, broken or out of reach. Trying again may help, not before ``retry_after`` seconds if
    the provider gave them."""

    elsewhere = True

    def __init__(
        self, message: str = "", *, retry_after: float | None = None, status: int | None = None, model: str = ""
    ) -> None:
        super().__init__(message, model=model, status=status)
        self.retry_after = retry_after


class RateLimited(ModelUnavailable):
    """The model was asked too often, or for too much at a time. It passes by itself."""


class Unreadable(ModelUnavailable):
    """The provider answered, and its answer can't be read. It may have been paid for, and the next may be no better:
    the third attempt is the last, unless ``Retry(retry=…)`` names this class."""

    attempts = 3


class ContextTooLong(ModelError, InvalidInput):
    """The conversation, with the answer's room, does not fit into the model."""

    elsewhere = True
    shorter = True


class ContentRefused(ModelError, InvalidInput):
    """The provider's policy forbids what it was asked. (A model that declines in its answer raises nothing.)"""

    elsewhere = True


class KeyRefused(ModelError, InvalidInput):
    """The provider's key is missing, wrong or not allowed to do this."""

    elsewhere = True


class UnknownModel(ModelError, InvalidInput):
    """The provider has no model of that name, or none for this account, or no provider can be told from it."""

    elsewhere = True


class QuotaUsedUp(ModelError, InvalidInput):
    """The account has no credit left, or its budget is spent. Unlike a rate limit it does not pass by itself."""

    elsewhere = True


class RequestRefused(ModelError, InvalidInput):
    """The provider finds the request wrong: a setting, a tool's schema. Another one would be asked the same."""
