"""Values in which parts are evaluated: templates of JSONPath (keys that end in ``.$``) and of JSONata (``{% … %}``)."""

from __future__ import annotations

from typing import Any

from ..definition.plain import is_list, is_object
from ..definition.values import expression, is_expression
from . import expressions
from .place import Place, kind_of

NO_DOLLAR = "NO_DOLLAR"
JSONATA = "INVALID_JSONATA_EXPRESSION"
UNSUPPORTED = "UNSUPPORTED_JSONATA_EXPRESSION"
STATIC = 'It is handed on as text. Write the key with .$ at its end: "{0}.$".'
PATHS = "JSONPath means nothing in a JSONata state."


def evaluated(place: Place, value: Any) -> None:
    """A template of the language that holds here."""
    if is_object(value):
        for key, item in value.items():
            inner = place.at(key)
            if place.jsonata:
                _key_of_jsonata(inner, key)
                evaluated(inner, item)
            elif key.endswith(".$"):
                _reference(inner, key, item)
            else:
                if isinstance(item, str):
                    _static(inner, key, item)
                evaluated(inner, item)
    elif is_list(value):
        for index, item in enumerate(value):
            evaluated(place.at(index), item)
    elif isinstance(value, str):
        _text(place, value)


def _text(place: Place, value: str) -> None:
    opens, closes = value.lstrip().startswith("{%"), value.rstrip().endswith("%}")
    if not place.jsonata:
        if opens and closes:
            advice = 'Give the state "QueryLanguage": "JSONata".'
            place.warning(
                "language", "this JSONata is taken as plain text: the state is one of JSONPath", advice=advice
            )
        return
    if is_expression(value):
        return jsonata(place, expression(value).text)
    if opens or closes:
        what = "there is something around {% and %}" if opens and closes else "{% and %} don't both stand here"
        advice = "Nothing stands around them, not even a space."
        if opens and closes and value.endswith("\n"):
            advice = "In YAML, write |- or >- instead of | or >, which leave a line's end behind it."
        return place.error("delimiters", what, code=JSONATA, advice=advice)
    if "{%" in value and "%}" in value:
        advice = "Join texts inside of the expression, with &."
        return place.warning("delimiters", "an expression within a text is taken as text", advice=advice)
    if value.startswith(("$.", "$$.", "States.")) and _reads(value):
        place.warning("static", "this path is taken as plain text", code=NO_DOLLAR, advice=PATHS)
    return None


def jsonata(place: Place, text: str) -> None:
    """The inside of ``{% … %}``."""
    found = expressions.read_jsonata(text)
    place.uses(found.variables)
    if found.problem is not None:
        return place.error("jsonata", f"this is no JSONata: {found.problem}", code=JSONATA)
    if found.unsupported is not None:
        return place.error("jsonata", found.unsupported, code=UNSUPPORTED)
    for name in found.names:
        advice = f"Write $states.input.{name}, or ${name} if it is a variable."
        place.error("jsonata", f"nothing leads to {name!r:.80}", code=UNSUPPORTED, advice=advice)
    if found.whole:
        advice = "Write $states.input."
        place.error("jsonata", f"{found.whole} has no meaning here", code=UNSUPPORTED, advice=advice)
    for part in sorted(found.states - place.states):
        known = part in expressions.STATES
        what = f"$states.{part} " + ("can't be read in this field" if known else "does not exist")
        here = ", ".join(f"$states.{name}" for name in sorted(place.states))
        place.error("jsonata", what, code=UNSUPPORTED, advice=f"Here are {here}.")
    return None


def _key_of_jsonata(place: Place, key: str) -> None:
    if key.endswith(".$"):
        place.warning(
            "language", f"{key!r:.80} is a key like any other in JSONata", advice='Write "{% … %}" as the value.'
        )


def _reference(place: Place, key: str, value: Any) -> None:
    """The value of a key that ends in ``.$``."""
    around = place.pointer[:-1]
    if not isinstance(value, str):
        what = f"the value of {key!r:.80} should be a path or a call, and is {kind_of(value)}"
        return place.error("template", what, at=around)
    read = expressions.read_call(value) if expressions.is_call(value) else expressions.read_path(value)
    place.uses(read.variables)
    if read.problem is None:
        return None
    if expressions.is_call(value):
        return place.error("intrinsic", read.problem, at=around, blocks=not read.mild)
    stripped = value.strip()
    hint = "Take away the space around it." if stripped != value and stripped.startswith(("$", "States.")) else ""
    if not hint and expressions.read_path(f"$.{value}").problem is None:
        hint = f'Did you mean "$.{value}"? Plain text stands under a key without .$.'
    return place.error("template", f"{value!r:.80} is neither a path nor a call", at=around, advice=hint)


def _static(place: Place, key: str, value: str) -> None:
    if _reads(value):
        place.warning("static", f"{value!r:.80} is taken as plain text", code=NO_DOLLAR, advice=STATIC.format(key))


def _reads(value: str) -> bool:
    """Whether a text looks like a path or a call."""
    if value.startswith(("$.", "$$.", "$[")):
        return expressions.read_path(value).problem is None
    return expressions.is_call(value) and expressions.read_call(value).problem is None
