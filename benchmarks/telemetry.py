"""Traces: what they cost W1 with 64 workflows at a time, on and off, in turns within one run.

The floor is a runtime that is not traced. *Off* is another one of the same kind: its ratio says how far apart two equal
ones are in this run; *on* samples a tenth of the executions and exports them by OTLP to a collector in another process,
which throws them away. Figures are ratios of the time that the same workflows took, medians of each; beside them those
of processor time, which a busy machine disturbs less.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys

from overwinter import Runtime
from overwinter.benchmarks.measure import Run, main, median
from overwinter.benchmarks.subjects import sequence
from overwinter.benchmarks.w1_steps import WARM_UP, Took, workflows
from overwinter.telemetry.spans.otlp import Otlp
from overwinter.telemetry.spans.sampling import Sampling
from overwinter.telemetry.spans.tracing import Tracing

COLLECTOR = """
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Sink(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections stay open, as those of collectors do
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200); self.send_header("content-length", "0"); self.end_headers()
    def log_message(self, *args): pass
server = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
print(server.server_port, flush=True)
server.serve_forever()
"""
CROWD = 64
RATIO = 0.1


async def measure_all(run: Run, port: str) -> None:
    count, rounds = (320, 4) if run.quick else (640, 15)
    tracing = Tracing(Otlp(endpoint=f"http://127.0.0.1:{port}/v1/traces"), Sampling(RATIO))
    bare = Runtime([sequence], store=run.place.dsn("bare"))
    off = Runtime([sequence], store=run.place.dsn("off"))
    on = Runtime([sequence], store=run.place.dsn("on"), telemetry=tracing)
    async with bare, off, on:
        took: dict[str, list[Took]] = {"bare": [], "off": [], "on": []}
        for runtime in (bare, off, on):
            await workflows(runtime, WARM_UP, CROWD)
        for turn in range(rounds):
            run.progress(f"round {turn + 1} of {rounds}")
            order = [("bare", bare), ("off", off), ("on", on)]
            for name, runtime in order[turn % 3 :] + order[: turn % 3]:
                took[name].append(await workflows(runtime, count, CROWD))
    for part, of in (("", 0), ("cpu.", 1)):
        floor = median([one[of] for one in took["bare"]])
        run.report(f"telemetry.w1.{part}ratio", median([one[of] for one in took["on"]]) / floor, "×")
        run.report(f"telemetry.w1.{part}off.ratio", median([one[of] for one in took["off"]]) / floor, "×")


def measure(run: Run) -> None:
    collector = subprocess.Popen([sys.executable, "-c", COLLECTOR], stdout=subprocess.PIPE, text=True)
    try:
        assert collector.stdout is not None
        asyncio.run(measure_all(run, collector.stdout.readline().strip()))
    finally:
        collector.terminate()
        collector.wait()


if __name__ == "__main__":
    main(measure)
