"""overwinter: an agent sleeps at zero and wakes where it left off.

The public face. Names are loaded when they are first used, so that a cold start pays only for what it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .functions.agents.agent import Agent
    from .functions.agents.budget import Budget
    from .functions.agents.instructions import Template
    from .functions.agents.limits import History, Limits
    from .functions.bus.subscription import subscribe
    from .functions.memory.memory import Memory
    from .functions.models.routing import Route
    from .functions.models.scripted import Scripted, call
    from .functions.running import arun, run
    from .functions.runtime import Runtime
    from .functions.schedule import schedule
    from .functions.state_machine import StateMachine
    from .functions.tools.tool import tool
    from .functions.workflow import workflow
    from .orchestrator.engine.extensions import Extension, Notice
    from .orchestrator.engine.performing import current_call
    from .orchestrator.engine.settings import Settings
    from .orchestrator.governance.approvals.rule import Approval
    from .orchestrator.governance.approvals.standing import Standing
    from .orchestrator.machine import building as asl
    from .orchestrator.protocol.media import audio, file, image
    from .orchestrator.streaming.told import StreamEvent
    from .orchestrator.usercode.resilience import Breaker, Retry
    from .orchestrator.workflow.completion import Completion
    from .orchestrator.workflow.context import Context
    from .state.errors import (
        CallbackFailed,
        CompletionFailed,
        Denied,
        ExecutionFailed,
        Final,
        HeartbeatLost,
        InDoubt,
        InvalidInput,
        LimitExceeded,
        ModelRetry,
        OverwinterError,
        Retryable,
        StateFailed,
        StepFailed,
        TimedOut,
    )

__version__ = "0.1.0"

_HOMES = {
    name: home
    for home, names in {
        "functions.agents.agent": "Agent",
        "functions.agents.budget": "Budget",
        "functions.agents.instructions": "Template",
        "functions.agents.limits": "History Limits",
        "functions.bus.subscription": "subscribe",
        "functions.memory.memory": "Memory",
        "functions.models.routing": "Route",
        "functions.models.scripted": "Scripted call",
        "functions.tools.tool": "tool",
        "functions.workflow": "workflow",
        "orchestrator.engine.extensions": "Extension Notice",
        "orchestrator.engine.performing": "current_call",
        "orchestrator.governance.approvals.rule": "Approval",
        "orchestrator.governance.approvals.standing": "Standing",
        "orchestrator.protocol.media": "audio file image",
        "orchestrator.streaming.told": "StreamEvent",
        "orchestrator.usercode.resilience": "Breaker Retry",
        "functions.running": "arun run",
        "functions.runtime": "Runtime",
        "functions.schedule": "schedule",
        "functions.state_machine": "StateMachine",
        "orchestrator.engine.settings": "Settings",
        "orchestrator.machine.building": "asl",
        "orchestrator.workflow.completion": "Completion",
        "orchestrator.workflow.context": "Context",
        "state.errors": "CallbackFailed CompletionFailed Denied ExecutionFailed Final HeartbeatLost InDoubt"
        " InvalidInput LimitExceeded ModelRetry OverwinterError Retryable StateFailed StepFailed TimedOut",
    }.items()
    for name in names.split()
}

__all__ = [
    "Agent", "Approval", "Breaker", "Budget", "CallbackFailed", "Completion", "CompletionFailed", "Context", "Denied",
    "ExecutionFailed", "Extension", "Final", "HeartbeatLost", "History", "InDoubt", "InvalidInput", "LimitExceeded",
    "Limits", "Memory", "ModelRetry", "Notice", "OverwinterError", "Retry", "Retryable", "Route", "Runtime",
    "Scripted", "Settings", "Standing", "StateFailed", "StateMachine", "StepFailed", "StreamEvent", "Template",
    "TimedOut", "arun", "asl", "audio", "call", "current_call", "file", "image", "run", "schedule", "subscribe",
    "tool", "workflow",
]  # fmt: skip


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module = import_module(f".{home}", __name__)
    value: object = module if name == "asl" else getattr(module, name)  # a room that is public as a whole
    globals()[name] = value
    return value
