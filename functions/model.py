"""Models: one port, adapters to providers and to servers of one's own, a scripted one that needs none, and the errors
that say what can be done when a model does not answer."""

from ..orchestrator.agent.routing import Question
from ..state.errors import (
    ContentRefused,
    ContextTooLong,
    KeyRefused,
    ModelError,
    ModelUnavailable,
    QuotaUsedUp,
    RateLimited,
    RequestRefused,
    UnknownModel,
    Unreadable,
)
from .models.port import Answer, Message, Model, Request, ToolCall, ToolSchema, Usage
from .models.prices import Prices
from .models.routing import Route
from .models.scripted import Scripted, call

__all__ = [
    "Answer",
    "ContentRefused",
    "ContextTooLong",
    "KeyRefused",
    "Message",
    "Model",
    "ModelError",
    "ModelUnavailable",
    "Prices",
    "Question",
    "QuotaUsedUp",
    "RateLimited",
    "Request",
    "RequestRefused",
    "Route",
    "Scripted",
    "ToolCall",
    "ToolSchema",
    "UnknownModel",
    "Unreadable",
    "Usage",
    "call",
]
