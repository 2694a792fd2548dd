"""Traces: what they cost W1 with 64 workflows at a time, on and off, in turns within one run.

The floor is two runtimes that are not traced, and *off* a third one of the same kind: its ratio says how far apart
equal ones are in this run. *On* samples a tenth of the executions and exports them by OTLP to a collector in another
process, which throws them away. Each figure is the mean of the quickest fifth of many short rounds by that of the
floor's: on a machine that others use as well, all else says more about them. Beside them those of processor time.

Spans are exported 512 at a time, as they are by default; what is left of a round waits for the next of its own kind,
where else it would go out after five seconds, at somebody else's cost.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import AsyncExitStack
from statistics import mean

from overwinter import Runtime
from overwinter.benchmarks.measure import Run, main
from overwinter.benchmarks.subjects import sequence
from overwinter.benchmarks.w1_steps import WARM_UP, Took, workflows
from overwinter.telemetry.spans.batch import Limits
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
    count, rounds = (160, 10) if run.quick else (160, 70)
    limits = Limits(every=60)
    tracing = Tracing(Otlp(endpoint=f"http://127.0.0.1:{port}/v1/traces"), Sampling(RATIO), limits=limits)
    took: dict[str, list[Took]] = {name: [] for name in ("floor", "off", "like", "on")}
    async with AsyncExitStack() as stack:
        runtimes: dict[str, Runtime] = {}
        for name in took:
            made = Runtime([sequence], store=run.place.dsn(name), telemetry=tracing if name == "on" else None)
            runtimes[name] = await stack.enter_async_context(made)
            await workflows(made, WARM_UP, CROWD)
        for turn in range(rounds):
            run.progress(f"round {turn + 1} of {rounds}")
            for name, runtime in runtimes.items():
                took[name].append(await workflows(runtime, count, CROWD))
    for part, of in (("", 0), ("cpu.", 1)):
        floor = quickest([one[of] for one in took["floor"] + took["like"]])
        run.report(f"telemetry.w1.{part}ratio", quickest([one[of] for one in took["on"]]) / floor, "×")
        run.report(f"telemetry.w1.{part}off.ratio", quickest([one[of] for one in took["off"]]) / floor, "×")


def quickest(seconds: list[float]) -> float:
    """The mean of the quickest fifth."""
    return mean(sorted(seconds)[: len(seconds) // 5])


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
