"""How one process runs executions: its bounds and its times. docs/operations.md lists them for people."""

from __future__ import annotations

from dataclasses import dataclass

from ...state.errors import InvalidInput
from ...state.quantities import Duration, count, positive, seconds


@dataclass(frozen=True)
class Settings:
    """How one process runs executions. Raises InvalidInput for what would run none, or mean nothing."""

    max_active: int = 1000  # executions active at once
    cache: int = 1024  # rehydrated executions kept after their release
    threads: int = 32  # for plain `def` functions
    spare_threads: int = 64  # for such calls that were given up and still run; beyond that they take those of others
    lease: Duration | None = None  # a dead process on another machine is noticed after this; None: as the store says
    poll: Duration | None = None  # how often the due index is looked at for what others queued; None: as the store says
    retention: Duration | None = None  # what ended longer ago is removed; None: nothing ever is
    watchdog: Duration | None = "5s"  # what holds the event loop for longer is named; None: nothing looks
    grace: Duration = "10s"  # how long running calls may go on after a stop was asked for
    collector: int = 200_000  # new objects after which Python's garbage collector looks (by default 700); 0: as it is
    deaths: int = 5  # an execution is quarantined after so many in a row, the last with nothing beside it; 0: none is

    def __post_init__(self) -> None:
        try:
            for name, least in _COUNTS.items():
                count(getattr(self, name), least, name)
            for name in _TIMES:
                if getattr(self, name) is not None:
                    positive(getattr(self, name), name)
            if self.watchdog is not None:
                seconds(self.watchdog)
            seconds(self.grace)
        except ValueError as error:
            raise InvalidInput(f"settings: {error}") from None


_COUNTS = {"max_active": 1, "cache": 0, "threads": 1, "spare_threads": 0, "collector": 0, "deaths": 0}
_TIMES = ("lease", "poll", "retention")
