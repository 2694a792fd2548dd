"""What goes over the HTTP API as JSON, strictly: unknown fields and wrong types are refused. The OpenAPI
document is made from these models.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from ...orchestrator.governance.approvals.standing import Standing
from ...orchestrator.governance.usage import used_by
from ...orchestrator.machine.version import definition_of
from ...orchestrator.searching import Sought, words_of
from ...orchestrator.workflow.takes import taken
from ...state.records import Filter, Head

ACTIONS = ("cancel", "terminate", "pause", "resume", "retry")
Status = Literal[
    "pending",
    "running",
    "waiting",
    "in-doubt",
    "idle",
    "paused",
    "stuck",
    "cancelled",
    "completed",
    "failed",
    "terminated",
]


_OBJECT: dict[str, Any] = {"type": "object", "additionalProperties": True}


def said(value: Any) -> Any:
    """What is left out is left out: null would be taken for that by some, and for something else by others."""
    if value is None:
        raise ValueError("null are no arguments; leave the field out to approve the call with its own")
    return value


class Asked(BaseModel):
    """A request's body."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Part(Asked):
    """A piece of a message: a text, or an image, a sound or a file by its bytes, an image also by its address."""

    type: Literal["text", "image", "audio", "file"]
    text: str | None = None
    data: str | None = Field(default=None, description="the bytes as base64")
    url: str | None = Field(default=None, description="of an image, at a host that the agent names")
    media_type: str | None = Field(default=None, description="such as image/png; what the bytes tell goes before it")
    name: str | None = Field(default=None, description="of the file")


class Message(Asked):
    """A message to a session. ``id`` makes it arrive once, however often it is sent."""

    content: Any = Field(description="what the agent takes as its input; for most of them a text")
    id: str | None = Field(default=None, min_length=1, max_length=200)
    by: str = Field(default="", max_length=200, description="who says it")


class Signal(Asked):
    """An external event for ``wait_for``."""

    name: str = Field(min_length=1, max_length=200)
    data: Any = None
    id: str = Field(default="", min_length=1, max_length=200, description="makes it arrive once, together with source")
    source: str = Field(default="", max_length=1000)


class StandingTerms(Asked):
    """What is said beside an approval, of later calls of the tool: for how long, and within what."""

    lasts: str = Field(min_length=1, max_length=100, description='"session", or a time within it like "1d"')
    exactly: bool = Field(default=False, description="only with exactly these arguments")
    up_to: dict[str, float | str] | None = Field(default=None, description="arguments by name, and the most of each")
    for_all: bool = Field(default=False, description="in all executions of the agent, for a time")

    def meant(self) -> Standing:
        """Raises InvalidInput."""
        return Standing(self.lasts, self.exactly, self.up_to, self.for_all)


class Decision(Asked):
    """A decision on an approval. Without ``op`` there must be exactly one that waits."""

    approved: bool
    op: str | None = Field(default=None, min_length=1, max_length=200)
    by: str = Field(default="", max_length=200)
    reason: str = Field(default="", max_length=2000)
    digest: str = Field(default="", min_length=1, max_length=200, description="of what was shown to the person")
    role: str = Field(default="", min_length=1, max_length=10_000, description="as whom; the one that is asked")
    arguments: Annotated[dict[str, Any] | None, WithJsonSchema(_OBJECT), BeforeValidator(said)] = Field(
        default=None, description="with which the call is approved in the place of its own; left out: its own"
    )
    standing: StandingTerms | None = None


class Revocation(Asked):
    """Which standing approval ends."""

    standing: str = Field(min_length=1, max_length=200, description="its id")
    by: str = Field(default="", max_length=200)
    reason: str = Field(default="", max_length=2000)


class Delegation(Asked):
    """What is asked is for another role, or for one person, to decide. Without ``op`` there must be exactly one."""

    op: str | None = Field(default=None, min_length=1, max_length=200)
    by: str = Field(default="", max_length=200)
    role: str = Field(default="", min_length=1, max_length=10_000)
    to: str = Field(default="", min_length=1, max_length=200, description="the person")
    reason: str = Field(default="", max_length=2000)
    digest: str = Field(default="", min_length=1, max_length=200, description="of what was shown to the person")


class Resolution(Asked):
    """What came of a call in doubt. Without ``op`` there must be exactly one."""

    verdict: Literal["done", "not-done", "give-up"]
    value: Any = Field(default=None, description='with "done": the result of the call')
    op: str | None = Field(default=None, min_length=1, max_length=200)
    by: str = Field(default="", max_length=200)
    reason: str = Field(default="", max_length=2000)

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        """Who tells a result has seen one, so the call is not made again by their word."""
        if self.value is not None and self.verdict != "done":
            raise ValueError(f"a value is the result of a call that is done, and the verdict is {self.verdict!r}")
        return self


class Failure(Asked):
    """The error that an outside system completes a callback with."""

    message: str = Field(min_length=1, max_length=8000)
    error: str = Field(
        default="", min_length=1, max_length=256, description="its name, which Retry and Catch of a state machine know"
    )


class Reason(Asked):
    """Who does it, and why; it goes into the journal."""

    by: str = Field(default="", max_length=200)
    reason: str = Field(default="", max_length=2000)


class Retrying(Reason):
    """Of a retry."""

    repeat: bool = Field(default=False, description="also when a call that may have taken effect would be made again")


COST = r"^[0-9]{1,12}(\.[0-9]{1,12})?$"


class Where(Asked):
    """Which executions; what is left out matches all. An empty text is refused: it was meant to narrow."""

    status: list[Status] = []
    function: str = Field(default="", min_length=1, max_length=200)
    prefix: str = Field(default="", min_length=1, max_length=1000, description="start of the id")
    parent: str | None = Field(default=None, min_length=1, max_length=1000)
    awaits: str = Field(
        default="", min_length=1, max_length=1000, description='start of what it waits for, like "approval"'
    )

    kind: Literal["", "workflow", "agent"] = ""
    text: str = Field(default="", min_length=1, max_length=1000, description="words in id, function, awaits and note")
    session: str = Field(default="", min_length=1, max_length=200, description="start of a session's key")
    since: int = Field(default=0, ge=0, le=2**53, description="created then or later, in ms since the epoch")
    before: int = Field(default=0, ge=0, le=2**53, description="created earlier than that")
    cost: str | None = Field(default=None, pattern=COST, description="dollars that it has cost at the least")

    def sought(self) -> Sought:
        where = Filter(tuple(self.status), self.function, self.prefix, self.parent, self.awaits, kind=self.kind)
        where = where._replace(since=self.since, until=self.before)
        return Sought(where, words_of(self.text), None if self.cost is None else Decimal(self.cost), self.session)


class Bulk(Reason):
    """An action on many executions. An empty ``where`` needs ``all``."""

    where: Where = Where()
    all: bool = Field(default=False, description="really every execution")
    preview: bool = Field(default=False, description="only tell what it would touch")


class BulkSignal(Signal):
    """An event for many executions. An empty ``where`` needs ``all``."""

    by: str = Field(default="", max_length=200)
    where: Where = Where()
    all: bool = Field(default=False, description="really every execution")
    preview: bool = Field(default=False, description="only tell what it would touch")


class Swept(BaseModel):
    """What came of a sweep."""

    taken: int = Field(description="executions that were seen at work meanwhile")
    active: int = Field(description="those that still are, because the time was over")
    next: int | None = Field(description="earliest wake time, in ms since the epoch; in the past: more is due")


class Outcome(BaseModel):
    """How far an execution or a message is. ``result`` when completed, ``error`` when it ended otherwise."""

    id: str
    status: Literal["running", "completed", "failed", "cancelled", "terminated", "stuck"]
    message: str | None = None
    result: Any = None
    error: dict[str, Any] | None = None


class Execution(BaseModel):
    """The head of an execution. Times are milliseconds since the epoch."""

    id: str
    function: str
    kind: str
    status: str
    version: int
    length: int
    created: int
    updated: int
    wake: int | None
    parent: str | None
    awaits: str
    takes: str = Field(description="JSON that what it awaits takes, by an example; empty when none is known")
    note: str
    owner: str | None
    deaths: int
    definition: str = Field(description="of a state machine: the digest of the definition that it goes by")
    tokens: int | None = Field(default=None, description="of an agent: what it has used, with its children")
    cost: str | None = Field(default=None, description="of an agent: in dollars, as decimal text")

    @staticmethod
    def of(head: Head) -> dict[str, Any]:
        known: dict[str, Any] = {"takes": taken(head.state, head.awaits), "definition": definition_of(head.state)}
        used = used_by(head.state)
        known["tokens"] = None if used is None else used.amount.tokens
        known["cost"] = None if used is None else format(used.amount.cost, "f")
        return {name: known[name] if name in known else getattr(head, name) for name in Execution.model_fields}


class Executions(BaseModel):
    """One page, newest first. Give ``cursor`` back to read on; null at the end. ``scanned`` executions were looked at
    for it: where few fit, a page ends before it is full, and goes on by its cursor."""

    executions: list[Execution]
    cursor: str | None
    scanned: int


class Count(BaseModel):
    """How many executions an action has reached, or with ``preview`` would; then some of them, newest first, and
    ``more``: not all have been looked at."""

    count: int
    examples: list[Execution] | None = None
    more: bool | None = None


class History(BaseModel):
    """Journal entries (docs/journal.md): at most 4 MB of them, but one at the least. ``next`` is the ``after`` to read
    on with; null at the end."""

    entries: list[dict[str, Any]]
    next: int | None


class Events(BaseModel):
    """Events of a state machine's execution (docs/state-machines.md), in the shape of AWS's GetExecutionHistory.
    ``next`` is the ``after`` to read on with; null at the end."""

    events: list[dict[str, Any]]
    next: int | None


class Stats(BaseModel):
    """What one process has answered since it started, and in groups what it holds now and its limits."""

    model_config = ConfigDict(extra="allow")
    events: int = 0
    unwanted: int = 0
    engine: dict[str, Any] = Field(default={}, description="active, max_active, cached, cache, taken, waiters")
    requests: dict[str, Any] = Field(default={}, description="open, max_open, held_bytes, max_held_bytes")
    doubts: dict[str, Any] = Field(default={}, description="executions with a call in doubt, in the whole store")
    door: dict[str, Any] = Field(default={}, description="connections by stage, what they hold, who was sent away")


class Approval(BaseModel):
    """An approval that waits for a decision. ``digest`` stands for exactly what is proposed."""

    model_config = ConfigDict(extra="allow")
    op: str


class Approvals(BaseModel):
    """Open approvals of an execution, at most 4 MB, but one at the least. ``next`` is the ``after`` to read on with;
    null at the end."""

    approvals: list[Approval]
    next: str | None


class Waiting(BaseModel):
    """Open approvals of all executions, oldest first, each with its ``execution`` and ``function``. ``more``: how many
    there are beside them. By pages (``limit``) the oldest executions come first, and ``cursor`` goes on; null at the
    end."""

    approvals: list[Approval]
    more: int
    cursor: str | None = None


class StandingApproval(BaseModel):
    """Good for later calls of the tool ``what`` in that version. Times are milliseconds since the epoch."""

    model_config = ConfigDict(extra="allow")
    id: str
    what: str
    role: str | None
    by: str
    until: int | None = Field(default=None, description="absent: until the execution ends")
    up_to: dict[str, str] | None = Field(default=None, description="absent: for any amount")
    for_all: bool = Field(default=False, description="in all executions of the agent")


class StandingApprovals(BaseModel):
    """Those that are good now. ``more``: how many there are beside them."""

    standing: list[StandingApproval]
    more: int


DECIDING = (Decision, Delegation, Approvals, Waiting, StandingTerms, Revocation, StandingApproval, StandingApprovals)
"""What is asked of people, and what they say."""


class Doubt(BaseModel):
    """A call of which nobody knows whether it took effect. Times are milliseconds since the epoch."""

    model_config = ConfigDict(extra="allow")
    op: str
    name: str
    since: int
    key: str = Field(default="", description="the idempotency key that it was made under")
    arguments: dict[str, Any] | None = Field(default=None, description="absent when they are large or not known")
    why: str = Field(default="", description="why the one who was asked can't tell")
    until: int | None = Field(default=None, description="when it is looked at again")
    rule: dict[str, Any] | None = Field(default=None, description="what is taken for true when nobody resolves it")


class Doubts(BaseModel):
    """The calls in doubt of an execution, at most 4 MB, but one at the least."""

    doubts: list[Doubt]


class Function(BaseModel):
    """Something that is served here. ``input`` and ``output`` are the JSON schemas of what it takes and gives; {} says
    nothing. Of a tool also what a second call would do, and the role that must approve each call."""

    name: str
    kind: Literal["agent", "tool", "workflow", "model"]
    description: str
    input: dict[str, Any]
    output: dict[str, Any]
    effect: Literal["pure", "idempotent", "reconcilable", "irreversible"] | None = None
    approval: str | None = None


class Functions(BaseModel):
    """All functions that are served here."""

    functions: list[Function]


class Problem(BaseModel):
    """An error, as RFC 9457 writes it. ``detail`` says what to do."""

    type: str
    title: str
    status: int
    detail: str
    attribute: str | None = None
    reasons: dict[str, str] | None = Field(default=None, description="of /readyz: what speaks against it, by check")
