"""Which of many tools a model is offered: ``Agent(tools=…, selection=Selection(most=16))``.

A model that is shown a thousand tools reads all their schemas with every call, and picks badly. With more than
``most``, it is offered those that fit what the turn is about, and a tool, ``find_tools``, that finds others.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, cast

from ...orchestrator.agent.turn import FINDER
from ...orchestrator.usercode.calling import judged
from ...state.codec import copied, dumps
from ...state.errors import InvalidInput
from ...state.quantities import count
from .tool import Tool

FOUND = 8
"""How many tools one search of the model finds."""
_WORD = re.compile(r"[^\W_]+")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NAMED = 3
"""A word of a tool's name counts as so many of its description."""


class ToolInfo(NamedTuple):
    """A tool as a rule sees it."""

    name: str
    description: str
    tags: frozenset[str]


Rule = Callable[[Any, Sequence[ToolInfo]], Iterable[str]]
"""A pure function of what the turn is about, as plain JSON, and of all tools; it gives the names of those to offer."""


class Selection:
    """With more than ``most`` tools, at most so many are offered in a turn: those of ``always``; some that were called
    last; then those that ``by`` names, a pure function of what the turn is about and the tools; or those with one of
    the ``tags``; or, without both, those whose names and descriptions have most words with what the turn is about.
    ``find``: beside them ``find_tools``, by which the model finds others. Raises InvalidInput."""

    def __init__(
        self,
        most: int = 16,
        *,
        always: Collection[str] = (),
        by: Rule | None = None,
        tags: Collection[str] = (),
        find: bool = True,
    ) -> None:
        try:
            self.most = count(most, 1, "most")
        except ValueError as error:
            raise InvalidInput(f"Selection: {error}") from None
        if isinstance(always, str) or isinstance(tags, str):
            raise InvalidInput("Selection takes always= and tags= as lists of texts")
        if by is not None and (tags or not callable(by)):
            raise InvalidInput("Selection takes by=, a function of what a turn is about and the tools, or tags=")
        if len(set(always)) > most:
            raise InvalidInput(f"Selection(most={most}) has no room for the {len(set(always))} tools of always=")
        self.always = tuple(dict.fromkeys(always))
        self.by = by
        self.tags = frozenset(tags)
        self.find = find


class Selected:
    """The selection of one agent from its tools. Raises InvalidInput for names that are none of them, if these are the
    ``whole`` of them; else such a name is passed over."""

    def __init__(self, agent: str, selection: Selection, tools: Mapping[str, Any], *, whole: bool = True) -> None:
        self._selection = selection
        self._tools = [
            ToolInfo(name, tool.description, frozenset(getattr(tool, "tags", ()))) for name, tool in tools.items()
        ]
        self._names = frozenset(tools)
        self._index = Index(self._tools)
        self.needed = len(tools) > selection.most
        self._always = tuple(name for name in selection.always if name in self._names)
        if whole and (missing := [name for name in selection.always if name not in self._names]):
            raise InvalidInput(f"agent {agent!r}: Selection(always=…) names {missing[0]!r}, which is no tool of it")
        if selection.find and FINDER in tools:  # also while it is not needed: what a skill allows goes by the name
            raise InvalidInput(f"agent {agent!r}: {FINDER!r} is the tool that finds others; rename yours")

    def select(self, content: Any, called: Sequence[str]) -> tuple[tuple[str, ...], str]:
        """The names to offer, and why. Raises InvalidInput for what the rule raises, and for names it makes up."""
        selection = self._selection
        if selection.by is not None:
            how, found = "the rule", self._ruled(selection.by, content)
        elif selection.tags:
            how, found = "tags", [tool.name for tool in self._tools if tool.tags & selection.tags]
        else:
            how, found = "search", self._index.search(content if isinstance(content, str) else dumps(content))
        before = [name for name in called if name in self._names]
        latest = list(dict.fromkeys(before))[: max(1, selection.most // 4)]  # "yes, do that" has no word of any tool
        chosen = list(dict.fromkeys((*self._always, *latest, *found, *before)))[: selection.most]
        return tuple(chosen), f"{len(chosen)} of {len(self._tools):,} by {how}"

    def _ruled(self, rule: Rule, content: Any) -> list[str]:
        asked = partial(rule, copied(content), list(self._tools))
        told: object = judged(asked, "the rule of the agent's Selection failed")
        if isinstance(told, str) or not hasattr(told, "__iter__"):
            raise InvalidInput(f"the rule of the agent's Selection returned {told!r:.80}; return the names of tools")
        names = list(cast("Iterable[object]", told))
        if wrong := [name for name in names if name not in self._names]:
            raise InvalidInput(f"the rule of the agent's Selection chose {wrong[0]!r:.80}, which is no tool of it")
        return cast("list[str]", names)

    def finder(self) -> dict[str, Tool]:
        """The tool that finds others, where it is wanted."""
        index = self._index

        async def find_tools(query: str) -> list[str]:
            """Find further tools. They can be called from your next answer on.

            Args:
                query: what the tool should do, in a few words
            """
            return index.search(query)[:FOUND]

        wanted = self.needed and self._selection.find
        return {FINDER: Tool(find_tools, name=FINDER, effect="pure")} if wanted else {}


class Index:
    """Tools by the words of their names and descriptions. Rare words count more."""

    def __init__(self, tools: Sequence[ToolInfo]) -> None:
        self._names = [tool.name for tool in tools]
        self._places: dict[str, list[tuple[int, int]]] = {}
        for number, tool in enumerate(tools):
            weights = Counter({word: _NAMED for word in words(tool.name)})
            weights.update(set(words(tool.description)) | {word for tag in tool.tags for word in words(tag)})
            for word, weight in weights.items():
                self._places.setdefault(word, []).append((number, weight))

    def search(self, text: str) -> list[str]:
        """Names of the tools that have words with the text, the most fitting first."""
        scores: dict[int, float] = {}
        for word in set(words(text)):
            places = self._places.get(word, ())
            rare = math.log(1 + len(self._names) / len(places)) if places else 0.0
            for number, weight in places:
                scores[number] = scores.get(number, 0.0) + weight * rare
        return [self._names[number] for number in sorted(scores, key=lambda number: (-scores[number], number))]


def words(text: str) -> list[str]:
    """The words of a text or a name, in small letters and without a plural's s: ``lookupOrders`` has lookup, order."""
    found = _WORD.findall(_HUMP.sub(" ", text).lower())
    return [word[:-1] if len(word) > 3 and word.endswith("s") else word for word in found]
