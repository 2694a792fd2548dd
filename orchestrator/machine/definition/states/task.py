"""Task: calls a function, an activity or an integration."""

from __future__ import annotations

from dataclasses import dataclass

from ..fields import Fields, Malformed
from ..resource import Resource, parse
from ..retrying import Catcher, Retrier, catchers, retriers
from ..values import Number, Path, Template
from .state import WHOLE, State, led, resulting


@dataclass(frozen=True, slots=True, kw_only=True)
class Task(State):
    """``arguments`` are Parameters or Arguments, as the language calls them."""

    resource: Resource
    arguments: Template | None = None
    result_selector: Template | None = None
    result_path: Path | None = WHOLE
    timeout: Number | None = None
    heartbeat: Number | None = None
    credentials: Template | None = None
    retry: tuple[Retrier, ...] = ()
    catch: tuple[Catcher, ...] = ()


def task(name: str, fields: Fields) -> Task:
    text = fields.text("Resource")
    try:
        resource = parse(text)
    except ValueError as error:
        raise Malformed(str(error), fields.at("Resource")) from None
    made = Task(
        **led(name, fields),
        **resulting(fields),
        resource=resource,
        arguments=fields.maybe_template("Arguments" if fields.language == "JSONata" else "Parameters"),
        timeout=fields.dynamic_number("TimeoutSeconds"),
        heartbeat=fields.dynamic_number("HeartbeatSeconds"),
        credentials=fields.maybe_template("Credentials"),
        retry=retriers(fields),
        catch=catchers(fields),
    )
    fields.done()
    return made
