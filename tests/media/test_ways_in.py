"""The ways that images and files take: in over HTTP, AG-UI and the command line, out to providers."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from click.testing import CliRunner

from overwinter import Agent, Runtime, Scripted, tool
from overwinter.cli.main import cli
from overwinter.functions.http.app import create_app
from overwinter.functions.models.direct import Direct
from overwinter.functions.models.litellm import LiteLLM
from overwinter.functions.models.port import Message, Model, Request
from overwinter.orchestrator.protocol.media import Part
from overwinter.tests.agent.answers import SAID
from overwinter.tests.agent.bodies import ROUTES
from overwinter.tests.agent.provider import Provider, serving

pytestmark = [pytest.mark.filterwarnings("ignore")]  # litellm and what it imports warn about themselves

PNG = b"\x89PNG\r\n\x1a\n rest"
B64 = base64.b64encode(PNG).decode()
DATA_URL = f"data:image/png;base64,{B64}"


def look(messages: Any, tools: Any) -> str:
    return "; ".join(part.text or f"{part.kind} {part.name} {part.data!r}" for part in messages[-1].parts)


SEES = f"see; image  {PNG!r}"


@tool
def note(text: str) -> str:
    """Note."""
    return text


def over_http(main: Callable[[httpx.AsyncClient, Runtime], Awaitable[None]], **options: Any) -> None:
    async def whole() -> None:
        async with Runtime([Agent("desk", Scripted(look)), note], "memory://") as runtime:
            transport = httpx.ASGITransport(cast("Any", create_app(runtime, token=None, **options)))
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=60) as client:
                await asyncio.wait_for(main(client, runtime), 60)

    asyncio.run(whole())


def test_over_http() -> None:
    async def main(client: httpx.AsyncClient, runtime: Runtime) -> None:
        content = ["see", {"type": "image", "data": B64}]
        wait = {"prefer": "wait=20"}
        answer = await client.post("/sessions/desk/s", json={"content": content}, headers=wait)
        assert answer.json()["result"] == SEES
        answer = await client.post("/agents/desk", json=content, headers=wait)
        assert answer.json()["result"] == SEES
        shown = repr(await runtime.history("desk/s"))
        assert B64 not in shown and "sha256:" in shown

    over_http(main)


def test_the_api_is_described_as_it_is() -> None:
    async def main(client: httpx.AsyncClient, runtime: Runtime) -> None:
        told = (await client.get("/openapi.json")).json()
        schema = told["paths"]["/agents/desk"]["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert {"type": "string"} in schema["anyOf"]
        (parts,) = [one for one in schema["anyOf"] if one.get("type") == "array"]
        assert parts["items"] == {"$ref": "#/components/schemas/Part"}
        assert set(told["components"]["schemas"]["Part"]["properties"]) >= {"type", "data", "url", "media_type", "name"}

    over_http(main)


def test_people_are_shown_words(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "a.png").write_bytes(PNG)
    store = ["--store", f"sqlite:///{tmp_path}/x.db"]
    words = ["desk", "see", "--attach", str(tmp_path / "a.png"), "--session", "s"]
    assert CliRunner().invoke(cli, ["run", str(tmp_path / "app.py"), *words, *store]).exit_code == 0
    shown = CliRunner().invoke(cli, ["show", "desk/s", *store]).output
    assert "[image a.png: image/png" in shown and "sha256" not in shown


@pytest.mark.parametrize(
    ("part", "status", "why"),
    [
        ({"type": "image", "digest": "sha256:00"}, 422, "send url or data"),
        ({"type": "image", "data": "!"}, 422, "base64"),
        ({"type": "image", "url": "http://127.0.0.1:8080/stats"}, 422, "media_hosts"),
        ({"type": "image", "url": "file:///etc/passwd"}, 422, "https://"),
        ({"type": "file", "data": "A" * 400_000}, 413, "larger"),
    ],
)
def test_what_is_refused_over_http_is_not_taken(part: dict[str, str], status: int, why: str) -> None:
    async def main(client: httpx.AsyncClient, runtime: Runtime) -> None:
        answer = await client.post("/sessions/desk/s", json={"content": ["see", part]})
        assert answer.status_code == status and why in answer.json()["detail"], answer.text
        assert await runtime.find("desk/s") is None

    over_http(main, max_body=300_000)


def test_over_ag_ui() -> None:
    core = pytest.importorskip("ag_ui.core", reason="ag-ui-protocol is not installed")

    async def main(client: httpx.AsyncClient, runtime: Runtime) -> None:
        source = {"type": "data", "value": B64, "mimeType": "image/png"}
        content = [{"type": "text", "text": "see"}, {"type": "image", "source": source}]
        body = {
            "threadId": "t", "runId": "r", "tools": [], "context": [], "state": {}, "forwardedProps": {},
            "messages": [{"id": "u", "role": "user", "content": content}],
        }  # fmt: skip
        core.RunAgentInput.model_validate(body)
        answer = await client.post("/agents/desk?protocol=ag-ui", json=body)
        assert answer.status_code == 200 and json.dumps(SEES) in answer.text
        older = {"type": "binary", "mimeType": "image/png", "data": B64, "filename": "a.png"}
        body["messages"] = [{"id": "w", "role": "user", "content": [{"type": "text", "text": "see"}, older]}]
        answer = await client.post("/agents/desk?protocol=ag-ui", json=body)
        assert json.dumps(SEES.replace("image  ", "image a.png ")) in answer.text
        for wrong in (
            {"type": "binary", "mimeType": "image/png"},
            {"type": "image", "source": {"type": "url", "value": "http://10.0.0.1/"}},
            {"type": "document", "source": {"type": "url", "value": "https://shop.example/a.pdf"}},
            {"type": "video"},
            {"type": "hologram", "source": source},
        ):
            body["messages"] = [{"id": "v", "role": "user", "content": [wrong]}]
            answer = await client.post("/agents/desk?protocol=ag-ui", json=body)
            assert answer.status_code == 422, (wrong, answer.text)

    over_http(main)


# -- the command line ------------------------------------------------------------------------------------

APP = """
from overwinter import Agent, Scripted, tool

def look(messages, tools):
    return "; ".join(part.text or f"{part.kind} {part.name} {len(part.data)}" for part in messages[-1].parts)

desk = Agent("desk", Scripted(look))
counter = Agent("counter", Scripted(look), input=int)

@tool
def note(text: str) -> str:
    return text
"""


def ran(folder: Path, *words: str) -> Any:
    (folder / "app.py").write_text(APP)
    (folder / "a.png").write_bytes(PNG)
    (folder / "b.txt").write_text("hello")
    files = [word.replace("@", f"{folder}/") for word in words]
    return CliRunner().invoke(cli, ["run", str(folder / "app.py"), *files, "--store", "memory://"])


def test_files_are_attached(tmp_path: Path) -> None:
    done = ran(tmp_path, "desk", "see", "--attach", "@a.png", "--attach", "@b.txt", "--session", "s")
    assert done.exit_code == 0 and done.stdout.strip() == (
        f"see; image a.png {len(PNG)}; [file b.txt: text/plain, 5 bytes]\nhello"
    ), done.output
    done = ran(tmp_path, "desk", "--attach", "@a.png")
    assert done.exit_code == 0 and done.stdout.strip() == f"image a.png {len(PNG)}", done.output


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("note", '{"text": "x"}', "--attach", "@a.png"), "only an agent takes files"),
        (("counter", "7", "--attach", "@a.png"), "stand beside a text"),
        (("desk", "see", "--attach", "@absent.png"), "does not exist"),
        (("desk", "see", "--attach", "@"), "is a directory"),
    ],
)
def test_what_can_not_be_attached_is_said(tmp_path: Path, words: tuple[str, ...], why: str) -> None:
    done = ran(tmp_path, *words)
    assert done.exit_code == 2 and why in done.output, done.output


# -- out to providers ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with serving() as provider:
        yield provider


PARTS = {
    "image": Part("image", media_type="image/png", name="a.png", digest="d", size=len(PNG), data=PNG),
    "address": Part("image", url="https://shop.example/a.png"),
    "sound": Part("audio", media_type="audio/mpeg", digest="d", size=3, data=b"ID3"),
    "pdf": Part("file", media_type="application/pdf", name="b.pdf", digest="d", size=5, data=b"%PDF-"),
}
OPENAI: dict[str, Any] = {
    "image": {"type": "image_url", "image_url": {"url": DATA_URL}},
    "address": {"type": "image_url", "image_url": {"url": "https://shop.example/a.png"}},
    "sound": {"type": "input_audio", "input_audio": {"data": "SUQz", "format": "mp3"}},
    "pdf": {"type": "file", "file": {"filename": "b.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}},
}
ANTHROPIC = {
    "image": {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": B64}},
    "address": {"type": "image", "source": {"type": "url", "url": "https://shop.example/a.png"}},
    "pdf": {
        "type": "document",
        "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
    },
}
GEMINI = {
    "image": {"inline_data": {"mime_type": "image/png", "data": B64}},
    "sound": {"inline_data": {"mime_type": "audio/mp3", "data": "SUQz"}},
    "pdf": {"inline_data": {"mime_type": "application/pdf", "data": "JVBERi0="}},
}
WIRE: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("openai", "groq", "openrouter", "azure", "vllm", "lm studio"), OPENAI),
    "mistral": {kind: OPENAI[kind] for kind in ("image", "address", "pdf")},
    "anthropic": ANTHROPIC,
    "gemini": GEMINI,
}
SHOWN = [(name, kind) for name, forms in WIRE.items() for kind in forms]


def asked(provider: Provider, name: str, model: Model, part: Part, **settings: Any) -> list[Any]:
    """The content of the message as the provider gets it."""
    provider.asked.clear()
    provider.answer = (200, {}, SAID[name]["text"].body)
    message = Message("user", "words", parts=(Part("text", "What?"), part))
    asyncio.run(model.complete(Request(model.name, (message,), settings=settings)))
    (body,) = provider.asked
    content: list[Any] = body["contents"][-1]["parts"] if "contents" in body else body["messages"][-1]["content"]
    return content


@pytest.mark.parametrize(("name", "kind"), SHOWN)
def test_litellm_shows_it_to_the_provider(provider: Provider, name: str, kind: str) -> None:
    model, path = ROUTES[name]
    settings: dict[str, Any] = {"api_base": provider.url.removesuffix("/v1") + path, "api_key": "k", "timeout": 5}
    settings |= {"api_version": "2024-10-21"} if name == "azure" else {}
    said = "openai" if name not in SAID else name
    content = asked(provider, said, LiteLLM(model), PARTS[kind], **settings)
    assert content[-1] == WIRE[name][kind]
    assert [item["text"] for item in content[:-1]] == ["What?", PARTS[kind].label()]


@pytest.mark.parametrize("kind", OPENAI)
def test_the_direct_adapter_shows_it_to_the_server(provider: Provider, kind: str) -> None:
    content = asked(provider, "openai", Direct("m", provider.url), PARTS[kind])
    assert content[-1] == OPENAI[kind]
    assert [item["text"] for item in content[:-1]] == ["What?", PARTS[kind].label()]


def test_a_model_is_told_in_words_what_its_provider_does_not_take(provider: Provider) -> None:
    """litellm leaves out what it knows not to be taken, and says so to nobody."""
    settings = {"api_base": provider.url, "api_key": "k", "timeout": 5}
    content = asked(provider, "deepseek", LiteLLM(ROUTES["deepseek"][0]), PARTS["image"], **settings)
    assert str(content) == f"What?{PARTS['image'].label()}"
