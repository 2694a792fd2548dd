"""Models: one port, adapters to providers and to servers of one's own, a scripted one that needs none, and the errors
that say what can be done when a model does not answer."""

from ..orchestrator.agent.routing import Question
from ..orchestrator.protocol.media import Part
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
from .model_function import ModelFunction
from .models.embedding import embed
from .models.port import Answer, Delta, Emit, Message, Model, Request, Streaming, ToolCall, ToolSchema, Usage
from .models.prices import Prices
from .models.routing import Route
from .models.scripted import Breaks, Scripted, call
from .models.vectors import Embedder, Embeddings

__all__ = [
    "Answer",
    "Breaks",
    "ContentRefused",
    "ContextTooLong",
    "Delta",
    "Embedder",
    "Embeddings",
    "Emit",
    "KeyRefused",
    "Message",
    "Model",
    "ModelError",
    "ModelFunction",
    "ModelUnavailable",
    "Part",
    "Prices",
    "Question",
    "QuotaUsedUp",
    "RateLimited",
    "Request",
    "RequestRefused",
    "Route",
    "Scripted",
    "Streaming",
    "ToolCall",
    "ToolSchema",
    "UnknownModel",
    "Unreadable",
    "Usage",
    "call",
    "embed",
]
