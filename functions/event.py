"""CloudEvents for programs that send and receive them: made, written to HTTP messages, and read from them strictly."""

from .events.event import CloudEvent
from .events.http import from_json, parse, to_json, write_binary, write_structured

__all__ = ["CloudEvent", "from_json", "parse", "to_json", "write_binary", "write_structured"]
