"""Agents that are made elsewhere: any callable, an HTTP endpoint, or an object with ``answer``. Those of LangGraph, the
OpenAI Agents SDK and pydantic-ai are in ``frameworks``, a file each, which import these libraries."""

from .frameworks.agent import ForeignAgent
from .frameworks.endpoint import Endpoint
from .frameworks.port import Calls, Foreign, Turn, current_turn

__all__ = ["Calls", "Endpoint", "Foreign", "ForeignAgent", "Turn", "current_turn"]
