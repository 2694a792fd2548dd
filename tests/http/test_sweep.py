"""The sweep: with every process at zero, what is due happens by the platform's clock alone."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import overwinter
from overwinter.functions.events.event import CloudEvent
from overwinter.functions.events.http import write_batch, write_binary, write_structured
from overwinter.state.opening import open_store
from overwinter.tests.servers.ports import free_port
from overwinter.tests.servers.redis import RedisServer

from .conftest import asked_over, endless

Run = Callable[..., None]
PING = "dev.knative.sources.ping"
PATIENCE = 60.0


def event(type: str = PING, **more: Any) -> CloudEvent:
    return CloudEvent(id="1", source="/apis/v1/namespaces/desk/pingsources/sweep", type=type, **more)


async def busy(shop: Any) -> str:
    """Begin something that takes 150 ms, and don't wait for it."""
    answer = await shop.client.post("/sessions/slow/c", content="hello", headers={"prefer": "respond-async"} | TEXT)
    assert answer.status_code == 202
    return str(answer.headers["location"])


TEXT = {"content-type": "text/plain"}


def test_the_request_stays_open_while_this_process_works(run: Run) -> None:
    async def main(shop: Any) -> None:
        where = await busy(shop)
        swept = await shop.client.post("/sweep")
        assert (swept.status_code, swept.json()) == (200, {"taken": 1, "active": 0, "next": None})
        assert (await shop.client.get(where)).json()["result"] == "late"
        assert (await shop.client.post("/sweep")).json() == {"taken": 0, "active": 0, "next": None}

    run(main)


def test_the_sender_bounds_the_wait() -> None:
    async def main(shop: Any) -> None:
        await busy(shop)
        swept = (await shop.client.post("/sweep", headers={"prefer": "respond-async"})).json()
        assert (swept["taken"], swept["active"]) == (1, 1)
        await shop.runtime.terminate("slow/c")

    asked_over(main, [endless])


def test_the_server_bounds_the_wait_too() -> None:
    async def main(shop: Any) -> None:
        await busy(shop)
        assert (await shop.client.post("/sweep", headers={"prefer": "wait=1800"})).json()["active"] == 1
        await shop.runtime.terminate("slow/c")

    asked_over(main, [endless], longest_wait="10ms")


@pytest.mark.parametrize("write", [write_binary, write_structured])
@pytest.mark.parametrize(
    ("path", "type"), [("/sweep", PING), ("/sweep", "any.type"), ("/", PING), ("/", "io.overwinter.sweep")]
)
def test_an_event_is_a_sweep_and_is_answered_without_a_body(run: Run, path: str, type: str, write: Any) -> None:
    async def main(shop: Any) -> None:
        where = await busy(shop)
        message = write(event(type))
        answer = await shop.client.post(path, content=message.body, headers=[*message.headers, ("prefer", "reply")])
        assert (answer.status_code, answer.content) == (204, b"")
        assert (await shop.client.get(where)).json()["status"] == "completed"

    run(main)


def test_a_ping_to_a_function_is_a_call_of_it(run: Run) -> None:
    async def main(shop: Any) -> None:
        message = write_binary(event(data="tick"))
        answer = await shop.client.post("/events/echo", content=message.body, headers=message.headers)
        assert answer.status_code == 202
        assert len((await shop.client.get("/executions")).json()["executions"]) == 1

    run(main)


def test_a_sweep_in_a_batch(run: Run) -> None:
    async def main(shop: Any) -> None:
        message = write_batch([event(), CloudEvent(source="/test", type="io.overwinter.call.echo", data="hi")])
        answer = await shop.client.post("/", content=message.body, headers=message.headers)
        assert (answer.status_code, answer.content) == (204, b"")
        (head,) = (await shop.client.get("/executions")).json()["executions"]
        assert head["status"] == "completed"

    run(main)


def test_sweeps_side_by_side_take_each_execution_once(run: Run) -> None:
    async def main(shop: Any) -> None:
        await busy(shop)
        swept = await asyncio.gather(*(shop.client.post("/sweep") for _ in range(8)))
        assert {one.status_code for one in swept} == {200}
        entries = (await shop.client.get("/history/slow/c")).json()["entries"]
        assert [entry["type"] for entry in entries].count("reply") == 1

    run(main)


def test_a_store_that_does_not_answer_is_a_503_that_schedulers_repeat(run: Run, monkeypatch: Any) -> None:
    from overwinter.state.errors import StoreUnavailable

    async def main(shop: Any) -> None:
        async def gone(*_: Any, **__: Any) -> Any:
            raise StoreUnavailable("the store is gone")

        monkeypatch.setattr(shop.runtime.store, "due", gone)
        answer = await shop.client.post("/sweep")
        assert answer.status_code == 503 and answer.headers["retry-after"]
        message = write_binary(event())
        assert (await shop.client.post("/", content=message.body, headers=message.headers)).status_code == 503

    run(main)


def test_what_is_asked_wrongly_is_refused(run: Run) -> None:
    async def main(shop: Any) -> None:
        assert (await shop.client.get("/sweep")).status_code == 405
        assert (await shop.client.post("/sweep?limit=3")).status_code == 400
        assert (await shop.client.post("/sweep", content=b"x" * 99, headers=TEXT)).status_code == 413

    run(main, max_body=50)


def test_a_body_says_nothing(run: Run) -> None:
    async def main(shop: Any) -> None:
        assert (await shop.client.post("/sweep", content=b"tick", headers=TEXT)).status_code == 200

    run(main)


TOKEN = "a-secret-of-some-length"


def test_a_sweep_needs_the_token_like_everything(run: Run) -> None:
    async def main(shop: Any) -> None:
        assert (await shop.client.post("/sweep")).status_code == 401
        assert (await shop.client.post(f"/sweep?access_token={TOKEN}")).status_code == 200

    run(main, token=TOKEN)


# -- every process at zero -------------------------------------------------------------------------------------

FLOW = '''
import os
from pathlib import Path
from overwinter import Agent, Context, Retry, workflow
from overwinter.functions.models.scripted import Scripted
from overwinter.state.errors import Denied

CALLS = Path(__file__).with_name("calls.txt")

def note(what: str) -> str:
    """Slow enough that whoever does not wait for it is gone before its end."""
    import time
    time.sleep(0.3)
    with CALLS.open("a") as calls:
        calls.write(f"{what} {os.getpid()}\\n")
    return what

@workflow
async def nap(ctx: Context) -> str:
    await ctx.step(note, "asleep")
    await ctx.sleep("2s")
    return await ctx.step(note, "awake")

@workflow
async def expiring(ctx: Context) -> str:
    try:
        await ctx.approve("go on", role="boss", timeout="2s")
    except Denied as denied:
        return await ctx.step(note, denied.reason)
    return "approved"

def answer(messages, tools):
    if not CALLS.exists():
        note("busy")
        raise ConnectionError("the model is overloaded")
    note("answered")
    return "here I am"

# In the store from the first pause on: no process waits for it.
retrying = Agent("retrying", Scripted(answer, "late"), retry=Retry(3, "400ms", jitter=False, in_process="0s"))
'''
ENTRY = [sys.executable, "-m", "overwinter.cli.main"]
HOME = str(Path(overwinter.__file__).absolute().parent.parent)


def environment(dsn: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("OVERWINTER_") and key != "PORT"}
    return {**kept, "PYTHONPATH": HOME, "OVERWINTER_STATE": dsn, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"}


class Platform:
    """What a serverless platform does: a process for each event, and none in between."""

    def __init__(self, folder: Path, dsn: str) -> None:
        self.folder, self.dsn = folder, dsn
        (folder / "flow.py").write_text(FLOW)

    def request(
        self, path: str, *, json: Any = None, headers: Any = None, end: signal.Signals = signal.SIGTERM
    ) -> httpx.Response:
        """Start a process, let it answer one request, end it."""
        command = [*ENTRY, "serve", "flow.py", "--port", "0"]
        with subprocess.Popen(
            command, cwd=self.folder, env=environment(self.dsn), stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stderr is not None
            said = ""
            while (found := re.search(r"http://127\.0\.0\.1:\d+", said)) is None:
                line = process.stderr.readline()
                assert line, said
                said += line
            answer = httpx.post(found[0] + path, json=json, headers=headers or {}, timeout=PATIENCE)
            process.send_signal(end)
            process.communicate(timeout=PATIENCE)
        assert process.returncode == (0 if end is signal.SIGTERM else -end)
        return answer

    def tick_by_request(self) -> dict[str, Any]:
        answer = self.request("/sweep", end=signal.SIGKILL)  # what is not done when it answers is never done by it
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def tick_by_command(self) -> dict[str, Any]:
        done = subprocess.run(
            [*ENTRY, "sweep", "flow.py", "--json"],
            cwd=self.folder,
            env=environment(self.dsn),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return dict(json.loads(done.stdout))

    def processes(self) -> list[str]:
        """The processes that did the work, in order, by what each did."""
        return (self.folder / "calls.txt").read_text().splitlines()


def head(dsn: str, id: str) -> Any:
    """The head of an execution, and nobody may hold it."""

    async def read() -> Any:
        store = open_store(dsn)
        await store.open()
        found = await store.head(id)
        await store.close()
        return found

    return asyncio.run(read())


@pytest.fixture(params=["sqlite", "redis"])
def platform(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Platform]:
    if request.param == "sqlite":
        yield Platform(tmp_path, f"sqlite:///{tmp_path}/desk.db")
    else:
        with RedisServer() as server:
            yield Platform(tmp_path, server.dsn(prefix="desk"))


@pytest.mark.parametrize("tick", ["tick_by_request", "tick_by_command"])
@pytest.mark.parametrize(
    ("path", "body", "id", "did"),
    [
        ("/workflows/nap?id=nap-1", None, "nap-1", ["asleep", "awake"]),
        ("/workflows/expiring?id=expiring-1", None, "expiring-1", ["expired"]),
        ("/sessions/retrying/c-1", {"content": "hello"}, "retrying/c-1", ["busy", "answered"]),
    ],
    ids=["a timer", "an approval's timeout", "a message's durable retry"],
)
def test_with_every_process_at_zero_the_clock_of_the_platform_is_enough(
    platform: Platform, tick: str, path: str, body: Any, id: str, did: list[str]
) -> None:
    begun = platform.request(path, json=body, headers={"prefer": "respond-async"})
    assert begun.status_code == 202, begun.text
    resting = head(platform.dsn, id)
    assert resting.owner is None and resting.wake is not None and resting.status not in ("completed", "idle")
    until = time.monotonic() + PATIENCE
    while head(platform.dsn, id).status not in ("completed", "idle"):
        assert time.monotonic() < until, "the clock ticked and nothing happened"
        time.sleep(0.1)  # nobody is awake
        swept = getattr(platform, tick)()
        assert swept["active"] == 0
    assert [line.split()[0] for line in platform.processes()] == did
    assert len({line.split()[1] for line in platform.processes()}) == len(did), "each by a process of its own"


@pytest.mark.parametrize("asgi", [[], ["--asgi"]], ids=["flask", "starlette"])
def test_a_process_of_functions_framework_sweeps(platform: Platform, asgi: list[str]) -> None:
    assert platform.request("/workflows/nap?id=nap-1").status_code == 202
    port = free_port()
    command = [sys.executable, "-m", "functions_framework", "--source", "flow.py", "--target", "expiring"]
    with subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", str(port), *asgi],
        cwd=platform.folder,
        env=environment(platform.dsn),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as client:
            until = time.monotonic() + PATIENCE
            while head(platform.dsn, "nap-1").status != "completed":
                assert time.monotonic() < until and process.poll() is None
                try:
                    client.post("/sweep")
                except httpx.ConnectError:
                    time.sleep(0.1)
            assert client.post("/sweep").json() == {"taken": 0, "active": 0, "next": None}
            for path, message in (("/sweep", write_binary(event())), ("/", write_binary(event("io.overwinter.sweep")))):
                swept = client.post(path, content=message.body, headers=message.headers)
                assert (swept.status_code, swept.content) == (204, b"")
        process.terminate()
    assert [line.split()[0] for line in platform.processes()] == ["asleep", "awake"]
