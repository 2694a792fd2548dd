"""What answers at ``--url`` and is no server of ours is said to be none, and an id that no address can hold is not
asked for: whatever it is, one sentence and what to do, and never a traceback."""

from __future__ import annotations

import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain, repeat

import pytest

from overwinter.cli.exits import NOT_FOUND, UNAVAILABLE, Exit
from overwinter.cli.server import Server, segment
from overwinter.cli.tailing import FromServer

from .conftest import Command

JSON = {"content-type": "application/json"}
NUMBERS = b'{"now":1e999,"processes":[{"owner":"a","leases":1e999}],"due":{"count":1,"lag":1},"entries":1,"next":null}'
ANSWERS: dict[str, tuple[int, bytes, Mapping[str, str]]] = {
    "a page": (200, b"<html>hello", {"content-type": "text/html"}),
    "a page that says it is JSON": (200, b"<html>hello", JSON),
    "nothing": (204, b"", {}),
    "another address": (301, b"", {"location": "https://elsewhere.example/"}),
    "a list": (200, b"[1,2]", JSON),
    "a word": (200, b'"yes"', JSON),
    "another object": (200, b"{}", JSON),
    "numbers without end": (200, NUMBERS, JSON),
    "not what it says": (200, b"not gzip", {"content-encoding": "gzip", **JSON}),
}


@contextmanager
def answering(
    status: int, body: bytes, headers: Mapping[str, str], first: Sequence[tuple[int, bytes, Mapping[str, str]]] = ()
) -> Generator[str]:
    """Something that answers that, after the ``first`` answers."""
    coming = chain(first, repeat((status, body, headers)))

    class Stranger(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body, headers = next(coming)
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Stranger) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("what", ANSWERS)
def test_what_is_no_server_of_ours_is_said_to_be_none(what: str, overwinter: Command) -> None:
    with answering(*ANSWERS[what]) as url:
        for command in (("top", "--once"), ("logs", "s-1", "--follow"), ("invoke", "short"), ("chat", "echo")):
            told = overwinter(*command, "--url", url)
            assert told.exit_code == UNAVAILABLE and "no server of this release answers" in told.stderr, told.output
            assert ("https://elsewhere.example/" in told.stderr) is (what == "another address")


@pytest.mark.parametrize("status", [502, 503, 504, 522])
def test_a_server_whose_gateway_says_that_it_is_away_is_waited_for(
    status: int, monkeypatch: pytest.MonkeyPatch, overwinter: Command
) -> None:
    """As while it is restarted behind nginx: who follows it goes on when it is back."""
    gateway, there = (status, b"<html>no server", {"content-type": "text/html"}), (200, b'{"completed":1}', JSON)
    monkeypatch.setattr("overwinter.cli.server.PAUSE", 0)
    with answering(*there, first=[there, gateway, gateway, there, gateway]) as url, Server(url, "") as server:
        assert server.ask("GET", "/counts").json() == server.ask("GET", "/counts").json() == {"completed": 1}
        with pytest.raises(Exit, match="went away") as gone:
            server.ask("GET", "/counts", again=False)
        assert gone.value.code == UNAVAILABLE
    with answering(*gateway) as url:  # it was never seen
        assert overwinter("top", "--once", "--url", url).exit_code == UNAVAILABLE


@pytest.mark.parametrize("id", ["", ".", "..", "a/../b", "\udcff"])
def test_an_id_that_leads_elsewhere_is_not_asked_for(id: str, overwinter: Command) -> None:
    """``GET /executions/..`` would be another place, and an empty id the list of all."""
    told = overwinter("logs", "--url", "http://127.0.0.1:1", "--", id)
    assert told.exit_code == NOT_FOUND and "there is no" in told.stderr, told.output


def test_a_name_that_is_no_text_is_nothing_that_is_there() -> None:
    with pytest.raises(Exit, match="no text"):
        segment("\udcff")
    assert segment("a/b") == "a%2Fb" and FromServer(Server("http://127.0.0.1:1", ""))
