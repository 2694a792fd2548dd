"""From exec to the first answer of a model, through the direct adapter and through litellm.

Both ask a server in this process that answers at once. The floor is a Python that has imported asyncio and httpx. Whole
processes with warm bytecode, timed until a line is there.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from overwinter.benchmarks.measure import Run, end, interleave, main, median, program, read_line

BODY = {
    "id": "x",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hello"}}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        text = json.dumps(BODY).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is printed."""


@contextmanager
def serving() -> Generator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()


def start(name: str, *arguments: str) -> float:
    """Milliseconds until a program has said that it is done."""
    started = time.perf_counter()
    process = program(name, *arguments)
    line = read_line(process)
    taken = time.perf_counter() - started
    assert line == "done", line
    end(process)
    return taken * 1000


def measure(run: Run) -> None:
    with serving() as url:
        direct = (f"openai-compatible:m@{url}", "{}")
        library = ("openai/m", json.dumps({"api_base": url, "api_key": "none"}))
        for id, asked, rounds in (("direct", direct, 15), ("litellm", library, 5)):
            rounds = 3 if run.quick else rounds
            start("model_httpx.py")
            start("model_asked.py", *asked)
            run.progress(f"{rounds} rounds of {id}")
            floors, products = interleave(
                rounds, partial(start, "model_httpx.py"), partial(start, "model_asked.py", *asked)
            )
            run.report(f"model.{id}.coldstart_ms", median(products), "ms", median(floors))


if __name__ == "__main__":
    main(measure)
