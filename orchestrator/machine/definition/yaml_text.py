"""YAML text to a document. Plain words mean what JSON has: null, true, false and numbers; everything else is text, also
``yes``, ``on``, ``1:30`` and dates. Anchors and aliases are followed, within bounds; tags such as ``!Sub`` belong to
deployment tools and are refused by name, as are merge keys and keys that are no text.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from ....state.errors import InvalidInput
from .document import DEPTH, Document, Duplicate, Mark, Pointer, Unreadable

NODES = 200_000  # parts of a document with all its aliases followed

_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?")
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_DIGITS = 4_300


class _Node(NamedTuple):
    """A part as it was written: ``content`` is a value, a list of nodes or a list of pairs of nodes."""

    kind: str
    content: Any
    mark: Mark


def read_yaml(text: str) -> Document:
    """Raises Unreadable, and InvalidInput when PyYAML is not installed."""
    marks: dict[Pointer, Mark] = {}
    duplicates: list[Duplicate] = []
    node = _Composer(text).document()
    value = _Builder(marks, duplicates).value(node, (), node.mark)
    return Document(value, marks, duplicates, len(text.encode("utf-8", "surrogatepass")))


class _Composer:
    """Events to nodes. It keeps its own stack, so that no nesting is too deep for it to say so."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._anchors: dict[str, _Node] = {}

    def document(self) -> _Node:
        try:
            import yaml
        except ModuleNotFoundError:
            raise InvalidInput("definitions in YAML need PyYAML: pip install 'overwinter[machine]'") from None
        try:
            return self._compose(yaml.parse(self._text, Loader=yaml.SafeLoader))
        except yaml.MarkedYAMLError as error:
            at = error.problem_mark or error.context_mark
            said = " ".join(part for part in (error.context, error.problem) if part)
            mark = Mark(at.line + 1, at.column + 1) if at is not None else None
            raise Unreadable(said or "this is no YAML", mark) from None
        except (yaml.YAMLError, ValueError) as error:  # a character that YAML does not have
            raise Unreadable(f"this is no YAML: {str(error).splitlines()[0]}", None) from None

    def _compose(self, events: Any) -> _Node:
        import yaml

        stack: list[_Node] = []
        root: _Node | None = None
        for event in events:
            if isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
                stack.pop()
                continue
            if isinstance(event, yaml.DocumentStartEvent) and root is not None:
                mark = _start(event)
                raise Unreadable("there is more than one document in this text", mark, advice="One file, one machine.")
            if not isinstance(event, yaml.NodeEvent):
                continue
            node = self._node(event)
            if stack:
                stack[-1].content.append(node)
            else:
                root = node
            if node.kind in ("mapping", "sequence") and not isinstance(event, yaml.AliasEvent):
                stack.append(node)
                if len(stack) > DEPTH:
                    message = f"it is nested more than {DEPTH} levels deep"
                    raise Unreadable(message, node.mark, code="TOO_DEEPLY_NESTED")
        if root is None:
            raise Unreadable("there is nothing in this text", None, code="MISSING_DESCRIPTION")
        return root

    def _node(self, event: Any) -> _Node:
        import yaml

        mark = _start(event)
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise Unreadable(f"there is no anchor &{event.anchor} before this", mark)
            return self._anchors[event.anchor]
        tag = str(event.tag or "")
        if tag and not tag.startswith("tag:yaml.org,2002:"):
            raise Unreadable(
                f"the tag {tag} means nothing here", mark, advice="Let the tool that knows it write the file."
            )
        if isinstance(event, yaml.ScalarEvent):
            plain = bool(event.implicit[0]) and not tag
            node = _Node("scalar", _scalar(event.value, mark) if plain else event.value, mark)
            if tag and not tag.endswith(":str"):
                node = _Node("scalar", _scalar(event.value, mark), mark)
        else:
            node = _Node("mapping" if isinstance(event, yaml.MappingStartEvent) else "sequence", [], mark)
        if event.anchor:
            self._anchors[event.anchor] = node
        return node


class _Builder:
    """Nodes to plain values, aliases followed."""

    def __init__(self, marks: dict[Pointer, Mark], duplicates: list[Duplicate]) -> None:
        self._marks = marks
        self._duplicates = duplicates
        self._left = NODES

    def value(self, node: _Node, pointer: Pointer, mark: Mark) -> Any:
        self._marks[pointer] = mark
        self._left -= 1
        if self._left < 0:
            raise Unreadable(f"with its aliases followed it has more than {NODES:,} parts", mark)
        if len(pointer) > DEPTH:  # or an alias leads into itself
            raise Unreadable(f"it is nested more than {DEPTH} levels deep", mark, code="TOO_DEEPLY_NESTED")
        if node.kind == "scalar":
            return node.content
        if node.kind == "sequence":
            return [self.value(item, (*pointer, index), item.mark) for index, item in enumerate(node.content)]
        return self._mapping(node, pointer)

    def _mapping(self, node: _Node, pointer: Pointer) -> dict[str, Any]:
        found: dict[str, Any] = {}
        content: list[_Node] = node.content
        for key, value in zip(content[::2], content[1::2], strict=True):
            name = key.content
            if not isinstance(name, str):
                hint = "Put it into quotes." if key.kind == "scalar" else ""
                raise Unreadable("a key must be text", key.mark, advice=hint)
            if name == "<<":
                raise Unreadable("merge keys (<<) are not followed", key.mark, advice="Write the fields out.")
            place = (*pointer, name)
            if name in found:
                self._duplicates.append(Duplicate(place, key.mark))
            found[name] = self.value(value, place, key.mark)
        return found


def _start(event: Any) -> Mark:
    return Mark(event.start_mark.line + 1, event.start_mark.column + 1)


def _scalar(text: str, mark: Mark) -> Any:
    """The value of a plain word."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        if len(text) > _DIGITS:
            raise Unreadable(f"this number has more than {_DIGITS:,} digits", mark, advice="Put it into quotes.")
        return int(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        if number in (float("inf"), float("-inf")):
            raise Unreadable(f"{text:.40} is larger than any number", mark)
        return number
    if text.lower() in (".nan", ".inf", "-.inf", "+.inf"):
        raise Unreadable(f"{text} is no number that JSON has", mark)
    return text
