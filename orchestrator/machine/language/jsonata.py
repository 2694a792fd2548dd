"""JSONata as Step Functions has it (2.0.6 with six functions more): the one file that knows the engine.

An expression sees ``$states`` and variables, and no input: ``$``, ``$$`` and bare names find nothing. ``$now``,
``$millis``, ``$random``, ``$shuffle`` and ``$uuid`` come from the scope. What is undefined, or a function, is an error;
so is a call of ``$eval``, and the operators ``?:`` and ``??``, which 2.0.6 does not have.

An expression is bounded in depth (100, exactly where AWS ends), in the size of what it builds and in steps, which are
the same for the same data on any machine; and in seconds, because a step can be a long one.

Most expressions are chains of names (``$states.input.order.id``). They are followed here without the engine, which
costs less, and keeps integers of 64 bits exact, as AWS does. Integers beyond 2⁵³ that go through the engine become the
nearest double.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from .chance import Chance
from .failure import QUERY, QueryError, bounded
from .jsonata_functions import BY_CHANCE, FIXED, PARSE, Refused, Signed, chance_functions
from .jsonata_syntax import later_operator
from .kinds import is_object
from .numbers import settled
from .paths import MISSING
from .scope import Scope

if TYPE_CHECKING:
    import jlens

_CHAIN = re.compile(r"\$([^\W\d]\w*)((?:\.[^\W\d]\w*)*)")
_KEYWORDS = frozenset({"and", "or", "in", "true", "false", "null"})  # are names only where an operand can't stand

TIMEOUT = "Expression evaluation timeout: Check for infinite loop"
MEMORY = "Expression evaluation memory limit exceeded: Check for excessive memory usage"
DEPTH = "Stack overflow error: Check for non-terminating recursive function. Consider rewriting as tail-recursive"
_BOUNDS = {"D1011": DEPTH, "D1012": TIMEOUT, "U1001": MEMORY, "U1006": TIMEOUT}


class Limits(NamedTuple):
    """``characters`` and ``items``: of one text and one array that is built. AWS ends after one second. Here it is
    ``steps`` that end what has many, so that the same expression ends the same way on slow machines."""

    seconds: float = 5.0
    steps: int = 5_000_000
    depth: int = 100
    characters: int = 6_990_256
    items: int = 873_782


DEFAULT = Limits()


class Expression:
    """Compiled once. ``names``: the variables it reads (``states`` among them); None when that can't be told.
    ``reads_input``: whether it looks at ``$``, ``$$`` or a bare name, where nothing is."""

    def __init__(self, text: str) -> None:
        from jlens import JlensError

        self.text = text
        self._error = JlensError
        chain = _CHAIN.fullmatch(text)
        steps = tuple(chain[2].split(".")[1:]) if chain else ()
        self._chain = (chain[1], steps) if chain and not _KEYWORDS & set(steps) else None
        reads = _engine(text).reads(dict.fromkeys(FUNCTION_NAMES, str))
        self.reads_input = bool(reads.get("input"))  # empty: a value is needed there, but nothing of it
        self._every = reads.get("everyBinding", False)
        self._reads: Mapping[str, Any] = reads["bindings"]
        self._parses = "parse" in self._reads
        self._engine = self._compiled(text)
        self.names = None if self._every else frozenset(self._reads) - FUNCTION_NAMES
        self._draws = "shuffle" in text
        self._by_chance = any(name in text for name in BY_CHANCE)  # the engine does not tell of those it has too
        if not self._by_chance:
            self._register(self._engine, FIXED)

    @bounded
    def evaluate(self, scope: Scope, field: str = "", limits: Limits | None = None) -> Any:
        """Plain JSON, which may share structure with the scope. ``field``: where the expression stands, for the
        cause (``Output/total``). Raises QueryError (States.QueryEvaluationError)."""
        if self._chain is not None and (value := _followed(self._chain, scope)) is not MISSING:
            return settled(value)
        return self._evaluated(scope, field, limits or DEFAULT)

    def _evaluated(self, scope: Scope, field: str, limits: Limits) -> Any:
        seed = scope.chance.bits(53) if self._draws or self._by_chance else 0
        engine = self._engine if not self._by_chance else self._own(self.text, seed)
        bindings = self._bindings(scope)
        options: dict[str, Any] = {
            "timeout": limits.seconds,
            "max_steps": limits.steps,
            "max_depth": limits.depth + (2 if self._parses else 0),
            "max_string_length": limits.characters,
            "max_array_length": limits.items,
            "now": scope.now,
            "seed": seed,
        }
        try:
            value = engine.evaluate(None, bindings, **options)
            if value is not None:
                return value
            return self._null(seed, bindings, options, field)
        except self._error as error:
            raise self._failed(error.code, str(error), field) from None
        except Refused as refused:
            raise self._failed(refused.code, str(refused), field) from None
        except (TypeError, ValueError, OverflowError) as error:
            raise self._failed("D3001", str(error), field) from None

    def _bindings(self, scope: Scope) -> dict[str, Any]:
        names = {*scope.variables, "states"} if self._every else self._reads
        bindings: dict[str, Any] = {"eval": None}  # hides the engine's own: a call of it is a call of no function
        for name in names:
            value = scope.states if name == "states" else scope.variables.get(name, MISSING)
            if value is not MISSING:
                bindings[name] = _cut(value, True if self._every else self._reads[name])
        return bindings

    def _compiled(self, text: str) -> jlens.Expression:
        """A function of the host can't give null, only nothing. So ``$parse`` unwraps here what one has wrapped."""
        if not self._parses:
            return _engine(text)
        return _engine(f'($parse := function($json)<s-:x>{{$lookup(${PARSE}($json), "value")}}; {text}\n)')

    def _own(self, text: str, seed: int) -> jlens.Expression:
        """The engine for one evaluation alone, with functions that draw from its seed."""
        engine = self._compiled(text)
        self._register(engine, {**FIXED, **chance_functions(Chance(seed))})
        return engine

    def _register(self, engine: jlens.Expression, functions: Mapping[str, Signed]) -> None:
        for name, (run, signature) in functions.items():
            if name in self.text or (name == PARSE and self._parses):
                engine.register_function(name, run, signature)

    def _null(self, seed: int, bindings: dict[str, Any], options: dict[str, Any], field: str) -> Any:
        """The engine gave None, which is null, or no number, or a function, or nothing at all. Asked for the type,
        it draws the same once more."""
        deeper = {**options, "max_depth": options["max_depth"] + 4}
        try:
            kind = self._own(f"$type(({self.text}\n))", seed).evaluate(None, bindings, **deeper)
        except self._error:  # a regular expression can't stand there, and is a function
            kind = "function"
        if kind == "null":
            return None
        if kind == "object":
            return "NaN"  # as AWS writes what is no number; the engine has no other object that it gives as None
        what = "returned nothing (undefined)" if kind is None else "returned an unsupported result type"
        raise QueryError(QUERY, f"{self._place(field)} {what}.")

    def _failed(self, code: str, message: str, field: str) -> QueryError:
        words = f": {_BOUNDS[code]}" if code in _BOUNDS else f". {code}: {message}"
        return QueryError(QUERY, f"{self._place(field)} threw an error during evaluation{words}")

    def _place(self, field: str) -> str:
        named = f" specified for the field '{field}'" if field else ""
        return f"The JSONata expression '{self.text}'{named}"


FUNCTION_NAMES = frozenset({*FIXED, *BY_CHANCE, "parse"} - {PARSE})


@lru_cache(4096)
def compile_expression(text: str) -> Expression:
    """The expression of a text (without ``{%`` and ``%}``). Raises QueryError for one that is no JSONata."""
    from jlens import JlensError

    invalid = f"The JSONata expression '{text}' is invalid"
    if (found := later_operator(text)) is not None:
        operator, at = found
        raise QueryError(QUERY, f"{invalid}. S0211: The operator {operator} at {at} is not part of JSONata 2.0.6")
    try:
        return Expression(text)
    except JlensError as error:
        words = f": {_BOUNDS[error.code]}" if error.code in _BOUNDS else f". {error.code}: {error}"
        raise QueryError(QUERY, f"{invalid}{words}") from None
    except UnicodeEncodeError:
        raise QueryError(QUERY, f"{invalid}: it has half a surrogate pair in it") from None


def _engine(text: str) -> jlens.Expression:
    from jlens import Expression as Engine

    return Engine(text)


def _followed(chain: tuple[str, tuple[str, ...]], scope: Scope) -> Any:
    """The value of ``$name.a.b`` as long as it goes through objects; MISSING when the engine has to say."""
    name, steps = chain
    value: Any = scope.states if name == "states" else scope.variables.get(name, MISSING)
    for step in steps:
        if not is_object(value) or step not in value:
            return MISSING
        value = value[step]
    return plain(value)


def _cut(value: Any, reads: Any) -> Any:
    """A value cut down to the members that are read: the engine converts whatever it is given."""
    if reads is True or not reads or not is_object(value):
        return plain(value)
    return {name: _cut(value[name], inner) for name, inner in reads.items() if name in value}


def plain(value: Any) -> Any:
    """A mapping as a dict: what is given to an expression may be another one."""
    return dict(value) if value.__class__ is not dict and is_object(value) else value
