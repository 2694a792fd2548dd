"""The handler that ``serverless.yml`` names, configured by the environment. Lambda takes it in its init phase.

OVERWINTER_APP     the file or module to serve (``support_desk.py``)
OVERWINTER_STATE   the store
OVERWINTER_AUTH    ``iam``: AWS has authenticated every HTTP caller; ``token`` (the default): OVERWINTER_TOKEN does

``handler`` is made when it is first asked for, so that importing this module needs no settings.
"""

from __future__ import annotations

import os

from ...state.errors import InvalidInput
from .handler import Handler, handler_for


def __getattr__(name: str) -> Handler:
    if name != "handler":
        raise AttributeError(f"module {__name__} has no attribute {name}")
    app = os.environ.get("OVERWINTER_APP")
    if not app:
        raise InvalidInput("set OVERWINTER_APP to the file or module that this function serves, like support_desk.py")
    made = globals()["handler"] = handler_for(app)
    made.close_on_sigterm()
    return made
