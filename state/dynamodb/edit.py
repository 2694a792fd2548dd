"""One conditional change of one item, said once and used three ways: as an UpdateItem, as part of a transaction, and
applied to the item as it was read, so that nobody has to read it again to know what it is now.

Attributes are in DynamoDB's own form, ``{"S": "text"}``; ``S``, ``N``, ``B`` and ``T`` make them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..compression import MARK, pack, unpack

Attribute = dict[str, Any]
Item = dict[str, Attribute]

ZERO: Attribute = {"N": "0"}


def S(text: str) -> Attribute:
    return {"S": text}


def T(text: str, above: int) -> Attribute:
    """A text, compressed when it has ``above`` bytes or more (0: never)."""
    content = pack(text, above) if above and len(text) * 4 >= above else b""
    return {"B": content} if content.startswith(MARK) else {"S": text}


def N(number: int) -> Attribute:
    return {"N": str(number)}


def B(content: bytes) -> Attribute:
    return {"B": content}


def number(item: Mapping[str, Attribute], name: str, default: int = 0) -> int:
    return int(item[name]["N"]) if name in item else default


def text(item: Mapping[str, Attribute], name: str) -> str:
    return text_of(item[name]) if name in item else ""


def text_of(attribute: Attribute) -> str:
    """Of one that ``T`` has made, or ``S``. Raises StoreCorrupt when it is compressed and damaged."""
    return unpack(attribute["B"]) if "B" in attribute else str(attribute["S"])


class Edit:
    """What is to be changed of the item under ``key``, and what must hold for it."""

    def __init__(self, key: Item) -> None:
        self.key = key
        self._names: dict[str, str] = {}
        self._values: list[Attribute] = []
        self._sets: dict[str, tuple[str, Attribute, str]] = {}  # by name: how, value, source; the last word holds
        self._removes: dict[str, None] = {}
        self._needs: list[str] = []

    # -- words of an expression -------------------------------------------------------------------

    def name(self, name: str) -> str:
        return self._names.setdefault(name, f"#{len(self._names)}")

    def value(self, value: Attribute) -> str:
        if value not in self._values:
            self._values.append(value)
        return f":{self._values.index(value)}"

    # -- what changes -----------------------------------------------------------------------------

    def set(self, name: str, value: Attribute) -> None:
        self._change(name, "set", value, "")

    def default(self, name: str, value: Attribute) -> None:
        """Set it unless it is there."""
        self._change(name, "default", value, name)

    def count(self, name: str, by: int = 1, *, of: str = "") -> None:
        """``name`` becomes the number under ``of`` (itself), or 0, plus ``by``."""
        self._change(name, "count", N(by), of or name)

    def copy(self, name: str, of: str) -> None:
        """``name`` becomes what stands under ``of`` before the change, or 0."""
        self._change(name, "copy", ZERO, of)

    def _change(self, name: str, how: str, value: Attribute, source: str) -> None:
        self._removes.pop(name, None)
        self._sets[name] = how, value, source

    def remove(self, *names: str) -> None:
        for name in names:
            self._sets.pop(name, None)
            self._removes[name] = None

    def put(self, name: str, value: Attribute | None) -> None:
        """Set it, or remove it when there is no value."""
        if value is None:
            self.remove(name)
        else:
            self.set(name, value)

    # -- what must hold -----------------------------------------------------------------------------

    def need(self, condition: str) -> None:
        self._needs.append(condition)

    def absent(self, name: str) -> str:
        return f"attribute_not_exists({self.name(name)})"

    def is_(self, name: str, relation: str, value: Attribute) -> str:
        return f"{self.name(name)} {relation} {self.value(value)}"

    def need_same(self, name: str, value: Attribute | None) -> None:
        self.need(self.absent(name) if value is None else self.is_(name, "=", value))

    def need_absent_or(self, name: str, relation: str, value: Attribute) -> None:
        self.need(f"({self.absent(name)} OR {self.is_(name, relation, value)})")

    # -- the three uses -------------------------------------------------------------------------------

    def request(self, table: str) -> dict[str, Any]:
        """Parameters of an UpdateItem, or of the Update in a transaction; the old item comes back when it fails."""
        expression = self._expression()
        request: dict[str, Any] = {
            "TableName": table,
            "Key": self.key,
            "UpdateExpression": expression,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        return {**request, **self._conditions()}

    def deletion(self, table: str) -> dict[str, Any]:
        """The same conditions, but the item goes away."""
        request = {"TableName": table, "Key": self.key, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        return {**request, **self._conditions()}

    def _conditions(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if self._needs:
            found["ConditionExpression"] = " AND ".join(self._needs)
        if self._names:
            found["ExpressionAttributeNames"] = {placeholder: name for name, placeholder in self._names.items()}
        if self._values:
            found["ExpressionAttributeValues"] = {f":{n}": value for n, value in enumerate(self._values)}
        return found

    def _expression(self) -> str:
        parts: list[str] = []
        for name, (how, value, source) in self._sets.items():
            if how == "set":
                right = self.value(value)
            else:
                start = self.value(value if how == "default" else ZERO)
                right = f"if_not_exists({self.name(source)}, {start})"
                if how == "count":
                    right += f" + {self.value(value)}"
            parts.append(f"{self.name(name)} = {right}")
        expression = f"SET {', '.join(parts)}" if parts else ""
        if self._removes:
            expression += f" REMOVE {', '.join(self.name(name) for name in self._removes)}"
        return expression.strip()

    def apply(self, item: Mapping[str, Attribute] | None) -> Item:
        """The item after the change, when its conditions held."""
        old = item or {}
        new: Item = {**old, **self.key}
        for name, (how, value, source) in self._sets.items():
            if how == "set":
                new[name] = value
            elif how == "count":
                new[name] = N(number(old, source) + int(value["N"]))
            else:
                new[name] = old.get(source, value)
        for name in self._removes:
            new.pop(name, None)
        return new
