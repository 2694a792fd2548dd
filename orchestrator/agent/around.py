"""What hooks see of a run and of a model call, and how far they are at one place of a turn. Data that entries change.

A place is a ``Gate``: before the run (hooks ``tn.b1``, ``tn.b2`` …), before a model call (``tn.mk.b1``), about its
answer (``tn.mk.a1``) and about the output of the run (``tn.mk.e1``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from ..governance.budgets.account import Account
from ..governance.budgets.amount import Amount
from ..governance.budgets.hold import Hold
from ..protocol.decider import Fact
from .call import Call, Stage
from .conversation import Message, ToolCall


class RunUse(NamedTuple):
    """A run, or a session's answer to a message: of which agent, what it is about (plain JSON), and the so-manieth."""

    agent: str
    content: Any
    number: int


class ModelUse(NamedTuple):
    """What is about to be asked of a model: which of the agent's ``models``, the messages with the instructions first,
    the names of the tools that it is shown, the settings for its provider. ``step`` is 1 for a run's first
    call; ``choice`` says which tool it must call: auto, required, none or a name."""

    model: str
    models: tuple[str, ...]
    messages: tuple[Message, ...]
    tools: tuple[str, ...]
    settings: Mapping[str, Any]
    step: int
    choice: str = "auto"


class ModelReply(NamedTuple):
    """What a model has answered: its text, the tools that it calls, or why it declines."""

    text: str
    calls: tuple[ToolCall, ...]
    refusal: str
    model: str


class Asked(NamedTuple):
    """How one model call differs from what the agent says. ``tools`` are the only ones that are shown; None: as
    always. ``choice`` and ``parallel``: whether it must call one, and may call several at once. ``called`` are those
    that it has called in this turn, ``within`` those that it may call; None: all. ``hold`` is what budgets set aside
    for the call; None: nothing limits it. ``accounts`` are those that it is charged to, if they are
    counted, ``lost`` what calls in its place may have taken before. So many ``deaths`` may each have cut off one, of
    which no entry tells."""

    instructions: str = ""
    tools: tuple[str, ...] | None = None
    settings: Mapping[str, Any] = {}
    choice: str = ""
    parallel: bool | None = None
    called: Collection[str] = ()
    within: Collection[str] | None = None
    hold: Hold | None = None
    accounts: tuple[Account, ...] = ()
    lost: Amount | None = None
    deaths: int = 0


AS_ALWAYS = Asked()


class Gate:
    """One place at which hooks are asked, one after the other. ``value`` is what they have made of what they look at,
    once it is ``changed``; ``review`` is the approval that one of them wants."""

    __slots__ = ("again", "asks", "beside", "changed", "heard", "letter", "op", "review", "value", "verdict")

    def __init__(self, op: str, letter: str) -> None:
        self.op = op
        self.letter = letter
        self.again = 0  # how often they were asked anew, because a person wanted that
        self.heard = 0  # hooks that have spoken
        self.changed = False
        self.value: Any = None
        self.beside: Fact = {}  # what an answer has taken, for those who are told of it
        self.asks = ""  # the role that must approve
        self.review: Call | None = None
        self.verdict: Fact | None = None  # of the one after which no other is asked

    def hook(self) -> str:
        """Op of the hook that is due."""
        return f"{self.op}.{self.letter}{self.heard + 1}{self._more()}"

    def approval(self) -> str:
        """Op of the approval that it may want."""
        return f"{self.op}.{self.letter}.ask{self._more()}"

    def waiting(self) -> Call | None:
        """The approval, while it is open."""
        return self.review if self.review is not None and self.review.stage is Stage.APPROVAL else None

    def merged(self, changes: Mapping[str, Any]) -> None:
        """Before a model call: what one hook changes comes to what those before it have changed."""
        known: dict[str, Any] = self.value if self.changed else {}
        more = dict(changes)
        if "instructions" in known and "instructions" in more:
            more["instructions"] = f"{known['instructions']}\n\n{more['instructions']}"
        if "messages" in more:
            more["messages"] = [*known.get("messages", ()), *more["messages"]]
        if "settings" in more:
            more["settings"] = {**known.get("settings", {}), **more["settings"]}
        self.value, self.changed = known | more, True

    def change(self, name: str, otherwise: Any = None) -> Any:
        """One of these changes."""
        return self.value.get(name, otherwise) if self.changed and isinstance(self.value, dict) else otherwise  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # JSON

    def asked(self, called: Collection[str], within: Collection[str] | None) -> Asked:
        """Before a model call: how the model is asked, given what it has called and what it may call."""
        if not self.changed:
            return Asked(called=called, within=within) if called or within is not None else AS_ALWAYS
        tools = self.change("tools")
        return Asked(
            self.change("instructions", ""),
            None if tools is None else tuple(tools),
            self.change("settings", {}),
            self.change("tool_choice", ""),
            self.change("parallel_calls"),
            called,
            within,
        )

    def stopped(self) -> bool:
        """Whether a hook or a person has said that it goes no further."""
        denied = self.review is not None and self.review.stage is Stage.DONE
        return denied or bool((self.verdict or {}).keys() & {"end", "refuse"})

    def retried(self) -> None:
        """A person wants the turn tried again: hooks that have stopped it are asked once more."""
        if "end" in (self.verdict or {}):
            self.verdict = None
        elif self.stopped():
            more = self.again + 1
            self.__init__(self.op, self.letter)  # type: ignore[misc]  # as new
            self.again = more

    def _more(self) -> str:
        return f".r{self.again}" if self.again else ""


class Around:
    """What hooks make of the turn of that number. ``held`` is its last answer, while they look at it (op, value, name
    of the model), ``taken`` the output that they look at, ``closed`` the op of the answer that is told to those who
    follow."""

    __slots__ = ("asked", "asks", "begins", "closed", "ends", "hears", "held", "taken")

    def __init__(self, number: int) -> None:
        self.begins = Gate(f"t{number}", "b")
        self.asks = Gate("", "b")
        self.asked = self.asks  # before the call that gave the last answer
        self.hears = Gate("", "a")
        self.ends = Gate("", "e")
        self.held: tuple[str, Any, str] | None = None
        self.taken: Any = None
        self.closed = ""
