"""The chapters of the API whose endpoints, routes and descriptions lie beside each other, one file a chapter: gathered
here for the app and for its document.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pydantic import BaseModel

from ..messages import audits, budgets, dead_letters, forks, memories, oversight, schedules, timelines
from . import (
    auditing,
    budgeting,
    dead_lettering,
    deciding,
    forking,
    machines,
    metrics,
    overseeing,
    remembering,
    scheduling,
    timing,
    working,
)
from .service import Endpoint

Json = dict[str, Any]

MODELS: tuple[type[BaseModel], ...] = (
    *schedules.MODELS,
    *dead_letters.MODELS,
    *memories.MODELS,
    *budgets.MODELS,
    *timelines.MODELS,
    *oversight.MODELS,
    *audits.MODELS,
    *forks.MODELS,
)
ROUTES: dict[str, tuple[Endpoint, Sequence[str]]] = {
    **scheduling.ROUTES,
    **remembering.ROUTES,
    **budgeting.ROUTES,
    **dead_lettering.ROUTES,
    **auditing.ROUTES,
    **forking.ROUTES,
}
"""By path: an endpoint, and its methods."""


def paths(
    operation: Callable[..., Json], parameter: Callable[..., Json], ref: Callable[..., Json], prefer: Json, after: Json
) -> Json:
    """Their part of the document. What makes an operation, a parameter and a reference is the document's, and so are
    the parameters ``prefer`` and ``after``."""
    return {
        **scheduling.paths(operation, parameter, ref),
        **working.paths(operation, parameter, prefer),
        **remembering.paths(operation, parameter, ref),
        **deciding.paths(operation, parameter, ref, after),
        **machines.paths(operation, parameter),
        **budgeting.paths(operation, parameter, ref),
        **timing.paths(operation, parameter, ref),
        **dead_lettering.paths(operation, parameter, ref),
        **overseeing.paths(operation, parameter, ref),
        **auditing.paths(operation, parameter, ref),
        **forking.paths(operation, parameter, ref),
        **metrics.paths(operation),
    }
