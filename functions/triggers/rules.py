"""How an attribute of an event is made of a delivery: a text with places in it, or a function of the delivery.

``"{data.order.id}"`` is a place in the payload (a number is an index of a list), ``"{headers.X-Request-Id}"`` a header,
``"{digest}"`` stands for the body. A text that is one place and nothing else gives what stands there, whatever it is.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from typing import Any, cast

from ...state.errors import InvalidInput, OverwinterError
from ..events.attributes import text, uri_reference
from ..messages.problem import Refused
from .delivery import Delivery

log = logging.getLogger("overwinter.http")
Rule = str | Callable[[Delivery], Any]
_NOTHING: Any = object()
_PLACE = re.compile(r"\{([^{}]*)\}")
_KNOWN = re.compile(r"data(?:\.[^.{}]+)*|headers\.[!-~]+|digest")


def rule(given: Rule | None, what: str) -> Callable[[Delivery], Any] | None:
    """The function that ``given`` stands for; None for None. Raises InvalidInput when it is no rule."""
    if given is None:
        return None
    if not isinstance(given, str):
        if not callable(given):
            raise InvalidInput(f'{what} is no rule; give a text like "{{data.id}}", or a function of the delivery')
        return lambda delivery: _called(given, delivery, what)
    wrong = next((place for place in _PLACE.findall(given) if not _KNOWN.fullmatch(place)), None)
    if wrong is not None or re.sub(_PLACE, "", given).strip("{}") != re.sub(_PLACE, "", given):
        raise InvalidInput(f"{what}={given[:80]!r}: places are {{data.NAME}}, {{headers.NAME}} and {{digest}}")
    if not _PLACE.search(given):
        _check(given, what)
    return lambda delivery: _filled(given, delivery)


def _check(given: str, what: str) -> None:
    """Raise InvalidInput for a text that is the same for every delivery and good for none, or for one alone."""
    if what == "id":
        raise InvalidInput(f"id={given[:80]!r} is the same for all, so only the first would count; write '{{data.id}}'")
    if what == "type":
        text(what, given)
    if what == "source":
        uri_reference(what, given)


def _called(made: Callable[[Delivery], Any], delivery: Delivery, what: str) -> Any:
    """What a function makes of a delivery. Its defect is for the log of the receiver; the sender may come again."""
    try:
        return made(delivery)
    except OverwinterError:
        raise
    except Exception as error:
        log.exception("the rule for %s of the webhook %s failed", what, delivery.path)
        raise Refused(500, f"the webhook's rule for {what} failed; see the log of the receiver") from error


def _filled(given: str, delivery: Delivery) -> Any:
    whole = _PLACE.fullmatch(given)
    if whole is not None:
        return _at(whole[1], delivery)
    return _PLACE.sub(lambda match: written(_at(match[1], delivery), match[0]), given)


def written(value: Any, what: str) -> str:
    """A text or a whole number as text. Raises InvalidInput for anything else, which is none."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise InvalidInput(f"{what} of the delivery is no text; the webhook's rule needs one")


def _at(place: str, delivery: Delivery) -> Any:
    first, _, rest = place.partition(".")
    if first == "digest":
        return delivery.digest
    if first == "headers":
        found: Any = delivery.header(rest)
        if not found:
            raise InvalidInput(f"the delivery has no header {rest}, which the webhook's rule needs")
        return found
    found = delivery.data
    for name in rest.split(".") if rest else ():
        found = _within(found, name)
        if found is _NOTHING:
            raise InvalidInput(f"the delivery has no {place[:100]}, which the webhook's rule needs")
    return found


def _within(found: Any, name: str) -> Any:
    if isinstance(found, dict):
        return cast("dict[str, Any]", found).get(name, _NOTHING)
    if isinstance(found, list) and name.isdecimal() and name.isascii():
        items = cast("Sequence[Any]", found)
        return items[int(name[:9])] if int(name[:9]) < len(items) else _NOTHING
    return _NOTHING
