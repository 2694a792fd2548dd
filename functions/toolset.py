"""Toolsets: tools that come together, and what can be made of them. ``Agent(tools=[Toolset(…), MCP(…), …])``."""

from .toolsets.mcp import MCP
from .toolsets.mcp_asking import Elicitation, Sampling
from .toolsets.openapi import OpenAPI
from .toolsets.skills import Skills
from .toolsets.toolset import Toolset

__all__ = ["MCP", "Elicitation", "OpenAPI", "Sampling", "Skills", "Toolset"]
