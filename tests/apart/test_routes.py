"""Where functions live: one table, in the environment and in a file, and what is wrong with a line of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from overwinter import InvalidInput
from overwinter.functions.invocation.configuration import CONFIG, ROUTES
from overwinter.functions.invocation.routes import route, routes

ARN = "arn:aws:lambda:eu-west-1:111122223333:function:shop"


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(ROUTES, raising=False)
    for name in (CONFIG, "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("place", "url"),
    [
        ("https://models.example", "https://models.example"),
        ("https://models.example/", "https://models.example"),
        ("http://127.0.0.1:8080/base/", "http://127.0.0.1:8080/base"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("kubernetes://agents", "http://fast.agents.svc"),
        ("openfaas://gateway:8080", "http://gateway:8080/function/fast"),
        ("here", ""),
        ("broker", "broker"),
        ("lambda://shop", "lambda://shop"),
        ("lambda://shop-*:live", "lambda://shop-fast:live"),
        ("lambda://Shop_2:$LATEST", "lambda://Shop_2:$LATEST"),
    ],
)
def test_a_place_is_an_address(monkeypatch: pytest.MonkeyPatch, place: str, url: str) -> None:
    monkeypatch.setenv(ROUTES, f"fast={place}")
    found = route("fast")
    assert found is not None and found.url == url
    assert route("slow") is None


def test_the_environment_goes_before_the_file_and_a_line_of_its_own_before_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "overwinter.toml").write_text(
        '[invocation]\nfast = "https://file.example"\nslow = {url = "https://slow.example", token = "env:T"}\n'
        '"*" = "kubernetes://all"\n'
    )
    assert {one.name: one.url for one in routes()} == {
        "fast": "https://file.example",
        "slow": "https://slow.example",
        "*": "http://*.all.svc",
    }
    monkeypatch.setenv(ROUTES, '{"fast": "https://env.example"}')
    assert [getattr(route(name), "url", None) for name in ("fast", "slow", "other")] == [
        "https://env.example",
        "https://slow.example",
        "http://other.all.svc",
    ]
    (tmp_path / "other.toml").write_text('[invocation]\nfast = "here"\n')
    monkeypatch.delenv(ROUTES)
    monkeypatch.setenv(CONFIG, "other.toml")
    fast = route("fast")
    assert fast is not None and fast[:4] == ("fast", "", "", "other.toml") and route("slow") is None


@pytest.mark.parametrize(
    ("given", "function", "region"),
    [
        ({"url": "lambda://shop"}, "shop", ""),
        ({"url": "lambda://shop", "region": "us-gov-west-1"}, "shop", "us-gov-west-1"),
        ({"url": f"lambda://{ARN}:live"}, f"{ARN}:live", "eu-west-1"),
        ({"url": f"lambda://{ARN}", "region": "eu-north-1"}, ARN, "eu-north-1"),
        ({"url": "https://abc.lambda-url.eu-south-2.on.aws/", "sign": "aws"}, "", "eu-south-2"),
        ({"url": "https://abc.execute-api.eu-west-3.amazonaws.com/prod", "sign": "aws"}, "", "eu-west-3"),
        ({"url": "https://api.example", "sign": "aws", "region": "ap-southeast-4"}, "", "ap-southeast-4"),
    ],
)
def test_a_place_on_aws_has_its_region(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], function: str, region: str
) -> None:
    monkeypatch.setenv(ROUTES, json.dumps({"fast": given}))
    found = route("fast")
    assert found is not None and (found.function, found.region) == (function, region)
    assert found.streams == (not function) and found.bearer() == ""


def test_the_line_for_all_others_names_functions_of_lambda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ROUTES, "*=lambda://shop-*")
    assert [one.url for one in routes()] == ["lambda://shop-*"]
    with pytest.raises(InvalidInput, match="tidy up"):
        route("tidy up")


def test_a_service_of_kubernetes_is_called_as_one_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ROUTES, "*=kubernetes://shop")
    for name, host in (("lookup_order", "lookup-order"), ("Desk", "desk"), ("a" * 63, "a" * 63)):
        found = route(name)
        assert found is not None and found.url == f"http://{host}.shop.svc"
    for name in ("_x", "x_", "7up", "a.b", "a b", "é", "a" * 64):
        with pytest.raises(InvalidInput, match="no service can be called"):
            route(name)


@pytest.mark.parametrize("name", ["", "..", ".", "a/b", "../x", "a\nb", "x" * 129, "\u202ea"])
@pytest.mark.parametrize("place", ["http://h.example", "openfaas://gateway", "kubernetes://ns", "here"])
def test_what_can_be_no_function_leads_nowhere(monkeypatch: pytest.MonkeyPatch, name: str, place: str) -> None:
    for table in ({"*": place}, {name: place}):
        monkeypatch.setenv(ROUTES, json.dumps(table))
        with pytest.raises(InvalidInput, match="can't be the name of a function"):
            route(name)


def test_a_token_lies_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text(" from-a-file \n")
    monkeypatch.setenv("T", "from-the-environment")
    for token, said in (("env:T", "from-the-environment"), (f"file:{tmp_path}/token", "from-a-file"), ("", "")):
        monkeypatch.setenv(ROUTES, f'{{"fast": {{"url": "https://models.example", "token": "{token}"}}}}')
        found = route("fast")
        assert found is not None and found.bearer() == said
    for token in ("env:ABSENT", f"file:{tmp_path}/absent", f"file:{tmp_path}"):
        monkeypatch.setenv(ROUTES, f'{{"fast": {{"url": "https://models.example", "token": "{token}"}}}}')
        found = route("fast")
        assert found is not None
        with pytest.raises(InvalidInput, match="token"):
            found.bearer()


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ("fast", "NAME=https://HOST"),
        ('{"fast": "here", "fast": "https://x.example"}', "names 'fast' twice"),
        ('{"fast": {"url": "https://x.example", "url": "https://s3cret.example"}}', "names 'url' twice"),
        ("[" * 100_000, "NAME=https://HOST"),
        ('{"fast": ' + "[" * 100_000, "no valid JSON"),
        ("=https://x.example", "NAME=https://HOST"),
        ("fast=", "NAME=https://HOST"),
        ("{", "no valid JSON"),
        ('{"fast": 7}', "no place"),
        ('{"fast": {"url": "https://x.example", "tokn": "env:T"}}', "'tokn'"),
        ('{"fast": {"url": "https://x.example", "token": "s3cret-itself"}}', "env:NAME"),
        ('{"fast": {"url": "broker", "token": "env:T"}}', "a broker is given no token"),
        ("fast=ftp://x.example", "'ftp'"),
        ("fast=https://", "https://HOST"),
        ("fast=models.example", "https://HOST"),
        ("fast=https://x.example:99999", "https://HOST"),
        ("fast=https://user:s3cret@x.example", "without a password"),
        ("fast=https://x.example?key=s3cret", "without a password"),
        ("fast=lambda://", "lambda://NAME"),
        ("fast=lambda://shop/path", "lambda://NAME"),
        ("fast=lambda://shop:a:b", "lambda://NAME"),
        ("fast=lambda://arn:aws:lambda:eu-central-1:1:function:shop", "lambda://ARN"),
        ('{"fast": {"url": "lambda://shop", "token": "env:T"}}', "IAM says"),
        ('{"fast": {"url": "lambda://shop", "sign": "aws"}}', "IAM says"),
        ('{"fast": {"url": "lambda://shop", "region": "nowhere!"}}', "'nowhere!'"),
        ('{"fast": {"url": "https://x.example", "sign": "aws"}}', "AWS_REGION"),
        ('{"fast": {"url": "https://x.example", "sign": "hmac"}}', "signs requests"),
        ('{"fast": {"url": "https://x.example", "region": "eu-central-1"}}', "signs requests"),
        ('{"fast": {"url": "https://x.example", "sign": "aws", "token": "env:T"}}', "without a token"),
        ('{"fast": {"url": "here", "sign": "aws"}}', "signs requests"),
    ],
)
def test_what_is_wrong_with_a_line_is_said(monkeypatch: pytest.MonkeyPatch, table: str, why: str) -> None:
    monkeypatch.setenv(ROUTES, table)
    with pytest.raises(InvalidInput, match=why) as caught:
        route("fast")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("text", ["[invocation", "invocation = 7", "[invocation]\nfast = 7"])
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "overwinter.toml").write_text(text)
    with pytest.raises(InvalidInput, match=r"overwinter\.toml"):
        route("fast")


def test_a_file_that_is_named_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CONFIG, "absent.toml")
    with pytest.raises(InvalidInput, match=r"absent\.toml"):
        route("fast")


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    import os

    path = tmp_path / "overwinter.toml"
    for number, host in enumerate(("a", "b")):
        path.write_text(f'[invocation]\nfast = "https://{host}.example"\n')
        os.utime(path, ns=(number, number))
        found: Any = route("fast")
        assert found.url == f"https://{host}.example"
