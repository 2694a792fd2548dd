"""For users' tests: durable code run in virtual time, with the process dying at every point::

    from overwinter.testing import crash_everywhere

    def test_ticket_survives():
        crash_everywhere(ticket, {"question": "…"})

``simulate`` runs it once, without a crash; a scenario of the ``World`` sends what comes from outside. ``test_state``
and ``test_machine`` try out definitions of state machines, with mocks for what they call.
"""

from ..orchestrator.machine.trial.trying import Tested, test_machine, test_state
from .clock import Deadlock, VirtualLoop, run_virtual
from .crash import CrashFailure, Outcome, Report, crash_everywhere, simulate
from .faults import Disturbed, Faults, KillAt, Moment, StoreOfOneProcess, Weather
from .ledger import Ledger
from .mirror import Mirror
from .process import Died, Process
from .world import Message, Run, World

__all__ = [
    "CrashFailure",
    "Deadlock",
    "Died",
    "Disturbed",
    "Faults",
    "KillAt",
    "Ledger",
    "Message",
    "Mirror",
    "Moment",
    "Outcome",
    "Process",
    "Report",
    "Run",
    "StoreOfOneProcess",
    "Tested",
    "VirtualLoop",
    "Weather",
    "World",
    "crash_everywhere",
    "run_virtual",
    "simulate",
    "test_machine",
    "test_state",
]
