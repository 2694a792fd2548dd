"""Models: one port, an adapter to the providers that litellm knows, and a scripted one that needs none."""

from ..orchestrator.agent.routing import Question
from .models.port import Answer, Message, Model, Request, ToolCall, ToolSchema, Usage
from .models.routing import Route
from .models.scripted import Scripted, call

__all__ = [
    "Answer",
    "Message",
    "Model",
    "Question",
    "Request",
    "Route",
    "Scripted",
    "ToolCall",
    "ToolSchema",
    "Usage",
    "call",
]
