"""Parallel: runs its branches beside each other, each with the same input; the result is the list of theirs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from ..fields import Fields, Malformed
from ..flow import BuildFlow, Flow
from ..retrying import Catcher, Retrier, catchers, retriers
from ..values import Path, Template
from .state import WHOLE, State, led, resulting


@dataclass(frozen=True, slots=True, kw_only=True)
class Parallel(State):
    """``arguments`` are Parameters or Arguments, as the language calls them."""

    branches: tuple[Flow, ...]
    arguments: Template | None = None
    result_selector: Template | None = None
    result_path: Path | None = WHOLE
    retry: tuple[Retrier, ...] = ()
    catch: tuple[Catcher, ...] = ()


def parallel(name: str, fields: Fields, build: BuildFlow) -> Parallel:
    branches = fields.each("Branches", partial(_branch, build))
    if not branches:
        raise Malformed("branches should stand", fields.at("Branches"))
    made = Parallel(
        **led(name, fields),
        **resulting(fields),
        branches=branches,
        arguments=fields.maybe_template("Arguments" if fields.language == "JSONata" else "Parameters"),
        retry=retriers(fields),
        catch=catchers(fields),
    )
    fields.done()
    return made


def _branch(build: BuildFlow, fields: Fields) -> Flow:
    made = build(fields)
    fields.done()
    return made
