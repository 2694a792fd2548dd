"""An MCP server as a program of its own, made with the SDK, at a port if one is given. One of its tools kills it, one
changes the others. What it has done is in the file that MCP_LEDGER names, a line for each call."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from mcp.server.mcpserver import Context, MCPServer
from mcp_types import ToolAnnotations

app = MCPServer("weather", version="1", log_level="ERROR")


def note(line: str) -> None:
    ledger = os.environ.get("MCP_LEDGER")
    if ledger:
        with Path(ledger).open("a") as file:
            file.write(f"{line}\n")


@app.tool(annotations=ToolAnnotations(read_only_hint=True))
def forecast(city: str, days: int = 1) -> str:
    """Tell the weather."""
    note(f"forecast {city}")
    return f"{city}: rain for {days} days"


@app.tool()
def book(city: str, ctx: Context[Any, Any]) -> dict[str, str]:
    """Book a trip."""
    key = dict[str, Any](ctx.request_context.meta or {}).get("io.overwinter/idempotency-key", "")
    note(f"book {city} {key}")
    return {"city": city, "key": str(key)}


@app.tool(name="weather.die")
def die(city: str) -> str:
    """End at once."""
    note(f"die {city}")
    os.kill(os.getpid(), signal.SIGKILL)
    return "never"


@app.tool()
def change() -> str:
    """From now on the forecast is another tool."""

    def changed(town: str) -> str:
        """Tell the weather of a town."""
        note(f"changed {town}")
        return town

    app.remove_tool("forecast")
    app.add_tool(changed, name="forecast")
    return "changed"


@app.tool()
def secret() -> str:
    """What it was given."""
    return os.environ.get("WEATHER_KEY", "nothing")


@app.tool()
def broken() -> str:
    """It fails."""
    raise ValueError("no such city")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        app.run("streamable-http", port=int(sys.argv[1]))
    else:
        app.run()
