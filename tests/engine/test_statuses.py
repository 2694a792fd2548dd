"""What an HTTP client's error says about its answer decides whether a call is tried again: the real errors of the real
clients, against a server that answers as it is told."""

from __future__ import annotations

import asyncio
import random
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import aiohttp
import botocore.config  # type: ignore[import-untyped]  # it has no types
import botocore.exceptions  # type: ignore[import-untyped]
import botocore.session  # type: ignore[import-untyped]
import httpx
import openai
import pytest
import requests

from overwinter.orchestrator.errors.statuses import ClientRefused, status_of
from overwinter.orchestrator.usercode.resilience import Retry, retry_after
from overwinter.state.errors import Retryable
from overwinter.tests.agent.provider import breaking
from overwinter.tests.engine.bench import Bench, at_bench
from overwinter.tests.engine.chain import Call, Chain
from overwinter.tests.engine.test_retries import Flaky, policy


class Answering(BaseHTTPRequestHandler):
    """Answers with the status in the path, Retry-After: 7, and an error such as AWS sends."""

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        status, _, code = self.path.strip("/").partition("/")
        body = b'{"__type": "%s", "message": "no"}' % (code.partition("/")[0] or "Refused").encode()
        self.send_response(int(status))
        self.send_header("retry-after", "7")
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is printed."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def by_httpx(url: str) -> object:
    return httpx.get(url, trust_env=False).raise_for_status()


def by_requests(url: str) -> None:
    session = requests.Session()
    session.trust_env = False
    with session:
        session.get(url).raise_for_status()


def by_urllib(url: str) -> object:
    try:
        return urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url)
    except urllib.error.HTTPError as error:
        error.close()
        raise


def by_aiohttp(url: str) -> None:
    async def get() -> None:
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            answer.raise_for_status()

    asyncio.run(get())


def by_openai(url: str) -> object:
    with openai.OpenAI(base_url=url, api_key="k", max_retries=0) as client:
        return client.models.list()


def by_botocore(url: str) -> object:
    session = botocore.session.get_session()
    session.set_credentials("k", "s")
    settings = botocore.config.Config(retries={"total_max_attempts": 1}, proxies={})
    client = session.create_client("dynamodb", region_name="eu-west-1", endpoint_url=url, config=settings)
    return client.list_tables()


CLIENTS = (by_httpx, by_requests, by_urllib, by_aiohttp, by_openai, by_botocore)


def raised(client: Callable[[str], object], url: str) -> Exception:
    with pytest.raises(Exception, match=r".") as caught:
        client(url)
    return caught.value


@pytest.mark.parametrize("client", CLIENTS)
def test_a_refusal_is_final_and_what_passes_is_not(client: Callable[[str], object], url: str) -> None:
    for status in (400, 401, 403, 404, 409, 410, 422, 451):
        error = raised(client, f"{url}/{status}")
        assert status_of(error) == status and not Retry().again(error), error
    for status in (408, 425, 429, 500, 502, 503, 504):
        error = raised(client, f"{url}/{status}")
        assert status_of(error) == status and Retry().again(error), error
        assert retry_after(error) == 7
        assert Retry(most="3s").pause(1, error, random.Random()) == 3


@pytest.mark.parametrize("client", CLIENTS)
def test_what_is_no_http_is_no_refusal(client: Callable[[str], object]) -> None:
    """aiohttp itself calls it a 400."""
    for sent in (b"SSH-2.0-OpenSSH_9.6\r\n", b""):
        with breaking(*[sent] * 4) as url:
            error = raised(client, url)
        assert status_of(error) is None and Retry().again(error), error


def test_a_throttled_call_of_aws_is_tried_again_though_it_says_400(url: str) -> None:
    throttled = raised(by_botocore, f"{url}/400/ProvisionedThroughputExceededException")
    assert isinstance(throttled, botocore.exceptions.ClientError) and status_of(throttled) == 400
    assert Retry().again(throttled)
    assert not Retry().again(raised(by_botocore, f"{url}/400/ResourceNotFoundException"))


def test_what_the_user_says_goes_first(url: str) -> None:
    missing, broken = raised(by_httpx, f"{url}/404"), raised(by_httpx, f"{url}/503")
    assert Retry(retry=(httpx.HTTPStatusError,)).again(missing)
    assert Retry(retry=(ClientRefused,)).again(missing)
    assert not Retry(final=(KeyError,)).again(missing), "it adds to what is final"
    assert not Retry(final=(httpx.HTTPStatusError,)).again(broken)
    assert not Retry(final=(TimeoutError,)).again(TimeoutError())
    assert Retry().again(TimeoutError())
    assert not Retry(attempts=2).again(broken, 2)


def test_errors_that_only_look_like_it_are_as_before() -> None:
    class Coded(Exception):
        code = 404  # of somebody's own

    class Reluctant(Exception):
        @property
        def response(self) -> Any:
            raise RuntimeError("not now")

    class Enough(Retryable):
        attempts = 3

    assert Retry().again(Coded()) and Retry().again(Reluctant())
    assert [Retry().again(Enough(), failed) for failed in (1, 2, 3)] == [True, True, False]
    assert Retry(retry=(Enough,)).again(Enough(), 4)


def test_a_call_that_is_refused_is_made_once(url: str) -> None:
    error = raised(by_httpx, f"{url}/404")

    async def work(bench: Bench) -> None:
        flaky = Flaky(bench, 9, error)
        process = await bench.process(Chain("chain", [Call(flaky, policy(5))]))
        await bench.start(process, "chain", "e")
        await bench.ended("e")
        assert len(flaky.times) == 1

    at_bench(work)
