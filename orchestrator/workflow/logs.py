"""``ctx.log``: a logger that is silent on replay, so that a line is written once, and that knows whose line it is.

What the code writes after the last thing that was recorded may be written again when the process dies there.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from .scope import Scope

if TYPE_CHECKING:
    Adapter = logging.LoggerAdapter[logging.Logger]
else:
    Adapter = logging.LoggerAdapter


class Log(Adapter):
    """A standard logger of the name ``overwinter.workflow.<function>``. Its lines begin with the execution's id, and
    each record has ``execution``, ``function`` and ``branch``: its name or its number ("" outside of map,
    parallel and branch)."""

    def __init__(self, scope: Scope) -> None:
        run = scope._run  # pyright: ignore[reportPrivateUsage]  # the part of a context that it is
        path = scope._prefix.rstrip(".")  # pyright: ignore[reportPrivateUsage]
        branch = (run.branch_of(path) if run.branches else "") or path
        extra = {"execution": run.id, "function": run.function, "branch": branch}
        super().__init__(logging.getLogger(f"overwinter.workflow.{run.function}"), extra)
        self._loop = run.loop

    def isEnabledFor(self, level: int) -> bool:  # the name that logging gives it
        return not self._loop.quiet and super().isEnabledFor(level)

    def log(self, level: int, msg: object, *args: object, **options: Any) -> None:
        if self.isEnabledFor(level):
            own: dict[str, object] = dict(self.extra or {})
            place = f"{own['execution']} {own['branch']}".rstrip()
            options["extra"] = {**(options.get("extra") or {}), **own}
            options["stacklevel"] = options.get("stacklevel", 1) + 1  # the line is the caller's, not this one
            self.logger.log(level, f"{place.replace('%', '%%') if args else place}: {msg}", *args, **options)
