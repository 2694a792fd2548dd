"""One tool call that a model asked for, and how far it is. Data that entries change."""

from __future__ import annotations

from enum import Enum
from typing import Any

from ...state.codec import dumps
from ..governance.approvals.proposal import Proposal
from ..governance.budgets.amount import NOTHING
from ..protocol.decider import Fact
from ..protocol.media import Part


class Stage(Enum):
    """How far a tool call is."""

    ASKED = "asked"
    APPROVAL = "approval"  # waits for a person
    READY = "ready"  # to be invoked
    OPEN = "open"  # invoked
    CHILD = "child"  # a child execution works on it
    LOOKED = "looked"  # it has an outcome, which hooks look at
    DONE = "done"


EDITED = "A person changed the arguments of this call before approving it. It was made with"
INVOKED = (Stage.ASKED, Stage.READY, Stage.OPEN)
"""Stages of a call that nobody else works on. Which of them is not journaled: a replay finds it ASKED."""


class Call:
    """One tool call. ``content`` is what the model reads as its outcome, once it is DONE."""

    __slots__ = (
        "after",
        "approved",
        "arguments",
        "asks",
        "changed",
        "child",
        "content",
        "edited",
        "entry",
        "heard",
        "id",
        "lent",
        "name",
        "nth",
        "op",
        "parts",
        "problem",
        "proposal",
        "raw",
        "stage",
        "stands",
        "verdict",
        "viewed",
    )

    def __init__(self, op: str, id: str, name: str, raw: str, arguments: dict[str, Any] | None, problem: str) -> None:
        self.op = op
        self.id = id
        self.name = name
        self.raw = raw
        self.arguments = arguments
        self.problem = problem
        self.nth = 1  # of its name in the turn, as the model asked for them
        self.stage = Stage.ASKED
        self.approved = False
        self.child = ""  # id of the child execution
        self.lent = NOTHING  # what it may take
        self.stands: list[Fact] | None = None  # standing approvals for all executions; None: not read yet
        self.proposal: Proposal | None = None  # by which a person was asked
        self.edited = False  # by a person
        self.content = ""
        self.parts: tuple[Part, ...] = ()  # images, sounds and files among the outcome
        self.entry = 0  # which has the result
        self.heard = 0  # hooks that have looked at the call
        self.viewed = 0  # those that have looked at its outcome
        self.after = 0  # how many are to do that
        self.changed = False  # by a hook
        self.asks = ""  # the role that a hook wants to approve it
        self.verdict: Fact | None = None  # of the hook that lets it go no further

    def hook(self) -> str:
        """Op of the hook that is due."""
        return f"{self.op}.a{self.viewed + 1}" if self.stage is Stage.LOOKED else f"{self.op}.b{self.heard + 1}"

    def looking(self) -> str:
        """Op of the reading of standing approvals for all executions."""
        return f"{self.op}.s"

    def told_of(self, outcome: str) -> str:
        """What the model reads of its outcome: where a person has changed the arguments, with which it was made."""
        return f"{EDITED} {dumps(self.arguments)}\n\n{outcome}" if self.edited else outcome

    def told(self, text: str) -> Fact:
        """The entry that ends it with what the model is told in place of a result."""
        return {"type": "observed", "op": self.op, "call": self.id, "name": self.name, "text": text}

    def end(self, content: str, entry: int = 0) -> None:
        self.stage = Stage.DONE
        self.content, self.entry = content, entry
