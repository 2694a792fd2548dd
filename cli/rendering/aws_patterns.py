"""The filters of subscriptions as AWS compares them: filter policies of SNS (on the body), patterns of EventBridge.

What is made lets through every event that a filter means, and perhaps others: AWS compares values of JSON where we
compare texts, and knows no "and" of two conditions on one attribute. Only what is certain is left to it.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast

from ...functions.bus.subscription import Subscription

Pattern = dict[str, Any]
MOST = 64
"""Alternatives that are written down; of more, everything is let through."""
_TEXTS = ("id", "source", "type", "subject")
"""Attributes that are always texts; an event without a subject has none."""
_ALWAYS = frozenset({"id", "source", "type"})
_LEFT = frozenset({"time", "datacontenttype", "dataschema", "specversion"})
_NUMBER = re.compile(r"0|-?[1-9]\d{0,8}")
_MAYBE_NUMBER = re.compile(r"-?\d*")


class Literal(NamedTuple):
    """``attribute`` is, begins or ends (``how``) with ``value``, or does not."""

    attribute: str
    how: str
    value: str
    holds: bool


def conjunctions(subscription: Subscription) -> list[list[Literal]] | None:
    """The alternatives of which one must hold, in each of which all must. None: too many."""
    return _together([_alternatives(one, holds=True) for one in subscription.filters])


def _alternatives(filter: Mapping[str, Any], *, holds: bool) -> list[list[Literal]] | None:
    ((dialect, said),) = filter.items()
    if dialect == "not":
        return _alternatives(said, holds=not holds)
    if dialect in ("all", "any"):
        parts = [_alternatives(one, holds=holds) for one in cast("Sequence[Mapping[str, Any]]", said)]
        return _together(parts) if (dialect == "all") == holds else _either(parts)
    literals = [Literal(name, dialect, value, holds) for name, value in cast("Mapping[str, str]", said).items()]
    return [literals] if holds else [[one] for one in literals]


def _together(parts: Sequence[list[list[Literal]] | None]) -> list[list[Literal]] | None:
    found: list[list[Literal]] = [[]]
    for part in parts:
        if part is None or len(found) * len(part) > MOST:
            return None
        found = [[*one, *other] for one, other in itertools.product(found, part)]
    return found


def _either(parts: Sequence[list[list[Literal]] | None]) -> list[list[Literal]] | None:
    found: list[list[Literal]] = []
    for part in parts:
        if part is None or len(found) + len(part) > MOST:
            return None
        found += part
    return found


def pattern_of(literals: Iterable[Literal], *, suffixes: bool) -> Pattern | None:
    """One alternative; {} for everything, None for nothing. ``suffixes``: whether "does not end with" is understood."""
    by_attribute: dict[str, list[Literal]] = {}
    for literal in literals:
        if literal.attribute not in _LEFT:
            by_attribute.setdefault(literal.attribute, []).append(literal)
    pattern: Pattern = {}
    for attribute, wanted in by_attribute.items():
        found = _compared(attribute, wanted, suffixes=suffixes)
        if found is None:
            return None
        if found:
            pattern[attribute] = found
    return pattern


def _compared(attribute: str, wanted: Sequence[Literal], *, suffixes: bool) -> list[Any] | None:
    """What one attribute may be; [] for anything, None for nothing."""
    exact = {one.value for one in wanted if one.holds and one.how == "exact"}
    if exact:
        value = min(exact)
        return _value(attribute, value) if all(_fits(value, one) for one in wanted) else None
    for how in ("prefix", "suffix"):
        values = [one.value for one in wanted if one.holds and one.how == how]
        if values:
            longest = max(values, key=len)
            fit = all(longest.startswith(one) if how == "prefix" else longest.endswith(one) for one in values)
            if not fit:
                return None
            return [{how: longest}] if attribute in _TEXTS or not _may_be_none(longest, how) else []
    if attribute not in _TEXTS:
        return []
    absent: list[Any] = [] if attribute in _ALWAYS else [{"exists": False}]
    refused = sorted({one.value for one in wanted if one.how == "exact"})
    if refused:
        return [*absent, {"anything-but": refused}]
    other = next((one for one in wanted if one.how == "prefix" or suffixes), None)
    return [] if other is None else [*absent, {"anything-but": {other.how: other.value}}]


def _fits(value: str, literal: Literal) -> bool:
    if literal.how == "exact":
        return (value == literal.value) == literal.holds
    compared = value.startswith if literal.how == "prefix" else value.endswith
    return compared(literal.value) == literal.holds


def _value(attribute: str, value: str) -> list[Any]:
    """A text, and what an extension that is no text is written as."""
    found: list[Any] = [value]
    if attribute not in _TEXTS:
        found += [value == "true"] if value in ("true", "false") else []
        found += [{"numeric": ["=", int(value)]}] if _NUMBER.fullmatch(value) else []
    return found


def _may_be_none(part: str, how: str) -> bool:
    """Whether a number or a boolean, written as text, may begin or end so: AWS compares only texts."""
    words = ("true", "false")
    return bool(_MAYBE_NUMBER.fullmatch(part)) or any(
        word.startswith(part) if how == "prefix" else word.endswith(part) for word in words
    )


def alternatives(patterns: Iterable[Pattern]) -> list[Pattern]:
    """The same in fewer: those that differ in one attribute are one."""
    found = list({json.dumps(one, sort_keys=True): one for one in patterns}.values())
    merged = len(found) <= MOST
    while merged:
        merged = False
        for one, other in itertools.combinations(found, 2):
            both = _merged(one, other)
            if both is not None:
                found = [both, *(rest for rest in found if rest is not one and rest is not other)]
                merged = True
                break
    return found


def _merged(one: Pattern, other: Pattern) -> Pattern | None:
    if not one or not other:
        return {}
    different = [name for name in {*one, *other} if one.get(name) != other.get(name)]
    if not different:
        return one
    if one.keys() != other.keys() or len(different) > 1:
        return None
    (name,) = different
    return {**one, name: [*one[name], *(item for item in other[name] if item not in one[name])]}


def either(patterns: Sequence[Pattern]) -> Pattern:
    """All of them in one; {} for everything."""
    return patterns[0] if len(patterns) == 1 else {"$or": list(patterns)}


def wanted(subscription: Subscription, *, suffixes: bool) -> list[Pattern]:
    """The alternatives of a subscription; [{}] for everything."""
    found = conjunctions(subscription)
    if found is None:
        return [{}]
    made = (pattern_of(literals, suffixes=suffixes) for literals in found)
    return alternatives([pattern for pattern in made if pattern is not None])


def foreign(subscription: Subscription) -> Iterator[Pattern]:
    """Events of EventBridge that are no CloudEvents: their type is the ``detail-type``. They have no extensions, and as
    their subject what they name as the one resource."""
    for literals in conjunctions(subscription) or [[]]:
        if any(one.holds and one.attribute not in (*_TEXTS, *_LEFT) for one in literals):
            continue
        pattern = pattern_of([one for one in literals if one.attribute in ("id", "source", "type")], suffixes=True)
        if pattern is None:
            continue
        if "type" in pattern:
            pattern["detail-type"] = pattern.pop("type")
        yield pattern
