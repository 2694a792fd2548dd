"""Every metric there is: name, kind, unit, labels and what it says. docs/metrics.md shows this list.

Names and labels that begin with ``gen_ai`` are those of OpenTelemetry's semantic conventions for generative AI; their
buckets too.
"""

from __future__ import annotations

from .instruments import Definition

_QUICK = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_LONG = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
_MODEL = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_TOKENS = tuple(float(4**power) for power in range(14))
BATCHES = tuple(float(2**power - 1) for power in range(1, 11))
"""1, 3, 7 … 1023 changes in one transaction: as ``int.bit_length`` sorts them."""

# -- executions, as this process has moved them ----------------------------------------------------
STARTED = Definition("overwinter.executions.started", "counter", "Executions begun", ("function",), "{execution}")
ENDED = Definition(
    "overwinter.executions.ended", "counter", "Executions ended, by how", ("function", "status"), "{execution}"
)
TURNS = Definition(
    "overwinter.turns", "counter", "Messages that sessions have answered", ("function", "status"), "{turn}"
)
STUCK = Definition("overwinter.stuck", "counter", "Executions that got stuck", ("function",), "{execution}")
DOUBTS = Definition("overwinter.doubts", "counter", "Calls that came in doubt", ("function",), "{call}")
RETRIES = Definition(
    "overwinter.retries", "counter", "Attempts that failed and are followed by another", ("function",), "{attempt}"
)
STEPS = Definition("overwinter.steps", "counter", "Steps that have ended", ("status",), "{step}")
OPERATIONS = Definition(
    "overwinter.operation.duration",
    "histogram",
    "Last attempts of calls that are no steps, by their kind",
    ("kind", "status"),
    "s",
    _LONG,
)
TOOLS = Definition(
    "overwinter.tool.duration", "histogram", "Last attempts of tools of agents", ("tool", "status"), "s", _LONG
)
ASKED = Definition("overwinter.approvals.asked", "counter", "Approvals asked for", ("function",), "{approval}")
DECIDED = Definition(
    "overwinter.approvals.decided", "counter", "Decisions on approvals", ("function", "decision"), "{decision}"
)

# -- models ----------------------------------------------------------------------------------------
TOKENS = Definition(
    "overwinter.tokens",
    "counter",
    "Tokens used, in parts that do not overlap",
    ("function", "model", "type"),
    "{token}",
)
COST = Definition("overwinter.cost.dollars", "counter", "US dollars spent on models", ("function", "model"), "{USD}")
UNPRICED = Definition(
    "overwinter.answers.unpriced", "counter", "Answers of which nobody knows the price", ("model",), "{answer}"
)
_GEN_AI = ("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model")
GEN_AI_TOKENS = Definition(
    "gen_ai.client.token.usage",
    "histogram",
    "Tokens read and written by a call of a model",
    (*_GEN_AI, "gen_ai.token.type"),
    "{token}",
    _TOKENS,
)
GEN_AI_DURATION = Definition(
    "gen_ai.client.operation.duration", "histogram", "Calls of models", (*_GEN_AI, "error.type"), "s", _MODEL
)

# -- the store, as this process uses it ------------------------------------------------------------
TRANSITIONS = Definition("overwinter.transitions", "counter", "Transitions committed", ("store",), "{transition}")
COMMITS = Definition(
    "overwinter.commit.duration",
    "histogram",
    "Commits from handed over to durable; of plain steps every eighth",
    ("store",),
    "s",
    _QUICK,
)
FAILURES = Definition(
    "overwinter.commit.failures", "counter", "Commits that the store did not take", ("store", "error"), "{commit}"
)
BATCH = Definition(
    "overwinter.commit.batch.size",
    "histogram",
    "What a store is given at once: changes in a transaction, calls in a write, items in a commit",
    ("store",),
    "{change}",
    BATCHES,
)
REQUESTED = Definition(
    "overwinter.store.requests",
    "counter",
    "Requests sent to the store, also those that were sent again",
    ("store", "operation"),
    "{request}",
)
ACTIVATIONS = Definition(
    "overwinter.activation.duration",
    "histogram",
    "Times that an execution was leased here until it was released: warm from memory, or cold from the journal",
    ("start",),
    "s",
    _LONG,
)

# -- this process now ------------------------------------------------------------------------------
ACTIVE = Definition("overwinter.active", "gauge", "Executions leased and active here", (), "{execution}")
ROOM = Definition("overwinter.active.limit", "gauge", "How many may be active here", (), "{execution}")
CACHED = Definition("overwinter.cached", "gauge", "Executions at rest in memory", (), "{execution}")
MAIL = Definition("overwinter.mail.waiting", "gauge", "Mail for executions active here, not taken yet", (), "{mail}")
THREADS = Definition("overwinter.threads", "gauge", "Threads for plain functions", ("state",), "{thread}")
OPEN = Definition(
    "overwinter.circuit.open", "gauge", "1 for a target that is left alone for now", ("target",), "{circuit}"
)
STALLS = Definition("overwinter.loop.stalls", "counter", "Times that something held the event loop", (), "{stall}")
REQUESTS = Definition("overwinter.http.requests.open", "gauge", "Requests that are open", (), "{request}")

# -- the whole store, asked at most every few seconds ----------------------------------------------
UP = Definition("overwinter.store.up", "gauge", "1 when the store has answered what is asked below", (), "{store}")
EXECUTIONS = Definition("overwinter.executions", "gauge", "Executions in the store", ("status",), "{execution}")
DUE = Definition(
    "overwinter.due.depth", "gauge", "Executions that are due and not leased, at most 1000", (), "{execution}"
)
LAG = Definition("overwinter.due.lag", "gauge", "For how long the earliest of them is due", (), "s")
PROCESSES = Definition("overwinter.processes", "gauge", "Processes that live on this store", (), "{process}")
LEASES = Definition("overwinter.leases", "gauge", "Executions that they hold", (), "{execution}")
APPROVALS = Definition(
    "overwinter.approvals.open", "gauge", "Executions that wait for an approval, at most 500", (), "{execution}"
)
AGE = Definition("overwinter.approvals.age", "gauge", "For how long the longest of them has not moved", (), "s")
DEAD = Definition(
    "overwinter.dead_letters", "gauge", "Dead letters that lie there, at most 1000", ("subscription",), "{letter}"
)
BUDGET = Definition(
    "overwinter.budget.used",
    "gauge",
    "Share of a budget that is used or held, the tightest bound",
    ("account", "window"),
)

ALL: tuple[Definition, ...] = (
    STARTED, ENDED, TURNS, STUCK, DOUBTS, RETRIES, STEPS, OPERATIONS, TOOLS, ASKED, DECIDED, TOKENS, COST, UNPRICED,
    GEN_AI_TOKENS, GEN_AI_DURATION, TRANSITIONS, COMMITS, FAILURES, BATCH, REQUESTED, ACTIVATIONS, ACTIVE, ROOM, CACHED,
    MAIL, THREADS, OPEN, STALLS, REQUESTS, UP, EXECUTIONS, DUE, LAG, PROCESSES, LEASES, APPROVALS, AGE, DEAD, BUDGET,
)  # fmt: skip
