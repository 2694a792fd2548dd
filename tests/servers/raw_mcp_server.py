"""An MCP server that says exactly what it is told to, right or wrong: its argument is JSON with the answers to
``tools/list`` and ``tools/call``, each a text that stands in the place of ``"result": …``, or null for silence. The
last one is given for ever; LARGE in it becomes 17 MB. What is called is in the file that MCP_LEDGER names."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any


def say(request: dict[str, Any], text: str) -> None:
    sys.stdout.write(f'{{"jsonrpc":"2.0","id":{json.dumps(request["id"])},{text}}}\n')
    sys.stdout.flush()


def serve(answers: dict[str, list[str | None]]) -> None:
    for line in sys.stdin:
        request = json.loads(line)
        method = str(request.get("method"))
        if "id" not in request:
            continue
        if method == "initialize":
            version = json.dumps(request["params"]["protocolVersion"])
            server = '"capabilities":{"tools":{}},"serverInfo":{"name":"raw","version":"1"}'
            say(request, f'"result":{{"protocolVersion":{version},{server}}}')
        elif method in answers:
            if method == "tools/call":
                with Path(os.environ["MCP_LEDGER"]).open("a") as file:
                    file.write(f"{request['params']['name']}\n")
            several = answers[method]
            answer = several.pop(0) if len(several) > 1 else several[0]
            if answer is not None:
                say(request, answer.replace("LARGE", "x" * 17_000_000))
        else:
            say(request, '"error":{"code":-32601,"message":"no"}')


if __name__ == "__main__":
    serve(json.loads(sys.argv[1]))
