"""W5: from exec to the first finished workflow, as a script and as a Functions Framework aio function.

Both sides are whole processes with warm bytecode and an existing database, timed until a line or an answer is
there. Floors: a Python with asyncio, sqlite3 and pydantic that builds one model and commits one row; a bare aio
function. The memory reported is the larger of the script's and the function's, all processes of it together.
"""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from overwinter.benchmarks.measure import (
    PROGRAMS,
    Run,
    end,
    environment,
    interleave,
    kill,
    main,
    median,
    memory_mb,
    program,
    read_line,
)

PATIENCE = 20.0


class Start(NamedTuple):
    seconds: float
    mb: float


def milliseconds(starts: Sequence[Start]) -> float:
    return median([start.seconds for start in starts]) * 1000


def script(name: str, path: Path) -> Start:
    started = time.perf_counter()
    process = program(name, path)
    line = read_line(process)
    taken = time.perf_counter() - started
    assert line == "done", line
    mb = memory_mb(process.pid)
    end(process)
    return Start(taken, mb)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def post(port: int, body: bytes) -> bytes | None:
    """The answer's body, or None while nobody listens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("POST", "/", body, {"content-type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
    except ConnectionError:
        return None
    finally:
        connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{answer.status} {content.decode()}")
    return content


def function(name: str, check: Callable[[bytes], bool], path: Path) -> Start:
    port = free_port()
    command = [str(Path(sys.executable).with_name("functions-framework")), "--asgi", "--target", "prepare"]
    command += ["--source", str(PROGRAMS / name), "--host", "127.0.0.1", "--port", str(port)]
    started = time.perf_counter()
    process = subprocess.Popen(
        command,
        env=environment(OVERWINTER_STATE=f"sqlite:///{path}"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,  # the server forks workers; the end must reach them too
    )
    try:
        while (content := post(port, b"1")) is None:
            if process.poll() is not None or time.perf_counter() - started > PATIENCE:
                raise RuntimeError(f"{' '.join(command)} does not answer; run it to see why")
            time.sleep(0.001)
        taken = time.perf_counter() - started
        assert check(content), content
        return Start(taken, memory_mb(process.pid))
    finally:
        kill(process)


def measure(run: Run) -> None:
    rounds = 5 if run.quick else 15
    raw, path = run.scratch / "raw.db", run.scratch / "w5.db"
    script("hello.py", path)
    script("hello_raw.py", raw)
    run.progress(f"{rounds} rounds of a script")
    floor, product = interleave(rounds, lambda: script("hello_raw.py", raw), lambda: script("hello.py", path))
    run.report(
        "w5.run.ms", median([s.seconds for s in product]) * 1000, "ms", median([s.seconds for s in floor]) * 1000
    )

    def is_eleven(content: bytes) -> bool:
        return bool(json.loads(content)["result"] == 11)

    function("served.py", is_eleven, path)
    function("served_raw.py", is_eleven, path)
    run.progress(f"{rounds} rounds of a Functions Framework function")
    bare, served = interleave(
        rounds, lambda: function("served_raw.py", is_eleven, path), lambda: function("served.py", is_eleven, path)
    )
    run.report(
        "w5.function.ms", median([s.seconds for s in served]) * 1000, "ms", median([s.seconds for s in bare]) * 1000
    )
    held, least = max(s.mb for s in (*product, *served)), max(s.mb for s in (*floor, *bare))
    run.report("w5.rss_mb", held, "MB", least)


if __name__ == "__main__":
    main(measure)
