"""Models: one port, an adapter to the providers that litellm knows, and a scripted one that needs none."""

from .models.port import Answer, Message, Model, Request, ToolCall, ToolSchema, Usage
from .models.scripted import Scripted, call

__all__ = ["Answer", "Message", "Model", "Request", "Scripted", "ToolCall", "ToolSchema", "Usage", "call"]
