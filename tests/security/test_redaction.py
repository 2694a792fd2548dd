"""Known secrets and the usual forms of keys do not get out; other words are left as they are."""

from __future__ import annotations

import ast
import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overwinter.security import redaction
from overwinter.security.address import MASK
from overwinter.security.redaction import LOGGERS, redacted, remember_address
from overwinter.tests.house.test_architecture import library


@pytest.mark.parametrize(
    "name", ["SHOP_KEY", "OPENAI_API_KEY", "shop_token", "DB_PASSWORD", "MYSQL_PWD", "X_SECRETS", "API_KEY_2"]
)
def test_what_the_environment_calls_a_secret_is_one(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "tulips/and roses")
    assert redacted("refused: tulips/and roses, tulips%2Fand%20roses") == "refused: ***, ***"


def test_other_variables_and_short_values_are_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYBOARD_LAYOUT", "dvorak-international")
    monkeypatch.setenv("DEBUG_TOKEN", "yes")
    monkeypatch.setenv("OVERWINTER_KEYS", "env:SHOP_SEAL")
    text = "yes, dvorak-international by env:SHOP_SEAL"
    assert redacted(text) == text


def test_the_password_of_an_address_is_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERS_URL", "postgres://me:orchids-1@db/x")
    remember_address("redis://:violets%2F2@host/0")
    assert redacted("orchids-1 violets/2 violets%2F2") == "*** *** ***"


@pytest.mark.parametrize(
    "secret", ['tulips "and" roses', "tulips\nand roses", "tulips\\and roses", "tülips änd", "tulips'\"s and"]
)
def test_a_known_secret_is_found_however_it_is_written(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_KEY", secret)
    once = {"x": f"bad key {secret}, 'said' she \"said\""}
    for text in (
        json.dumps(once),
        json.dumps(once, ensure_ascii=False),
        json.dumps([json.dumps(once)]),
        repr(once),
        f"{secret!r}",
        f"{secret.encode()!r}",
        f"{secret.encode('latin-1')!r}",
        repr({"body": f"it is {secret}, 'said' she \"said\"".encode()}),
    ):
        cleaned = redacted(text)
        assert MASK in cleaned and "tulips" not in cleaned and "lips" not in cleaned and "and" not in cleaned, text


@pytest.mark.parametrize("secret", ["p@ss wörd", "日本語日本語日本語", "b\udcffroken-key", "half-\ud83d-key"])
def test_a_known_secret_is_found_in_bytes(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_remembered", {secret})
    forms = [secret.encode("utf-8", "surrogatepass")] if "\ud83d" not in secret else []
    if "\udcff" in secret:
        forms = [secret.encode("utf-8", "surrogateescape")]
    for form in forms:
        assert redacted(f"sent {form!r} on") == f"sent b'{MASK}' on"
    assert redacted(f"it is {secret!r}; ????????? stays") == f"it is '{MASK}'; ????????? stays"


def test_a_known_secret_does_not_break_a_form_nor_a_form_a_known_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_KEY", "1234567890")
    assert redacted("Bearer abcdef1234567890abc") == "Bearer ***"
    monkeypatch.setenv("OTHER_KEY", "password=tulips and roses")
    assert redacted("bad: password=tulips and roses.") == "bad: ***."


def test_what_the_package_says_itself_is_not_cut() -> None:
    """Every text in the library's code, with an ellipsis for what is put into it."""
    wrong: set[str] = set()
    for source in library():
        documents = {id(node.value) for node in ast.walk(source.tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(source.tree):
            if id(node) in documents:
                continue
            if isinstance(node, ast.JoinedStr):
                text = "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = node.value
            else:
                continue
            if redacted(text) != text and MASK not in text:
                wrong.add(f"{source.path}:{node.lineno} {redacted(text)}")
    assert not wrong, wrong


SECRET = [
    "sk-proj-abc123DEF456ghi789",
    "sk-ab**************************yz",
    "AKIAIOSFODNN7EXAMPLE",
    "ghp_0123456789abcdefghijABCDEFGHIJ",
    "AIzaSyA1234567890abcdefghijklmnopqrstu",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmN",
]


@pytest.mark.parametrize("secret", SECRET)
@pytest.mark.parametrize("around", ["Incorrect API key provided: {}. See", "{}", "headers={{'x': '{}'}}", "?x={}&y"])
def test_keys_are_known_by_their_form(secret: str, around: str) -> None:
    assert secret not in redacted(around.format(secret))


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Authorization: Bearer abcdef123456", "Authorization: Bearer ***"),
        ("Basic YTpiY2RlZg==", "Basic ***"),
        ("https://me:pa:ss@host/x", "https://me:***@host/x"),
        ("https://token1@host/x", "https://***@host/x"),
        ("get /v1?key=abc&x=1", "get /v1?key=***&x=1"),
        ("password=tulip&x=1", "password=***&x=1"),
        ("{'api-key': 'tulip', 'x': 1}", "{'api-key': '***', 'x': 1}"),
        ("password = 'two words' and", "password = '***' and"),
        ('password="two words" and', 'password="***" and'),
        ("api_key: 'tulip', x", "api_key: '***', x"),
        (r'{"password": "tu\"lip", "x": 1}', '{"password": "***", "x": 1}'),
        (r'"{\"password\": \"tulip\", \"x\": 1}"', r'"{\"password\": \"***\", \"x\": 1}"'),
        ('{"password": "cut off in the mid', '{"password": "***'),
        ('{"client_secret": "tulip"}', '{"client_secret": "***"}'),
        ("-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----\nx", "***\nx"),
    ],
)
def test_credentials_are_known_by_where_they_stand(text: str, left: str) -> None:
    assert redacted(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "Incorrect password: it must be longer",
        "the token is wrong; send Authorization: Bearer TOKEN",
        "a bearer certificate and basic information",
        "sk-learn-compatible estimators",
        "see https://example.com/a?b=c or mail me@example.com",
        "key 'name' is missing; KeyError: 'token'",
        "task-12345678901234567890",
        "use the key=value form of 12 tokens",
        'needs data like {"token": "…"}, with "value"',
        "write password=… or --token TOKEN",
        "token = next(tokens)",
    ],
)
def test_words_are_left_alone(text: str) -> None:
    assert redacted(text) == text


@given(
    st.lists(
        st.sampled_from(
            [
                *SECRET,
                "password=",
                "password = ",
                "://",
                "u:",
                "@",
                "'api-key': '",
                "'",
                '\\\\"',
                '"',
                "Bearer ",
                " ",
                "***",
                "x",
            ]
        )
    )
)
def test_what_is_redacted_stays_as_it_is(parts: list[str]) -> None:
    text = redacted("".join(parts))
    assert redacted(text) == text


def test_log_lines_and_tracebacks_are_redacted(caplog: pytest.LogCaptureFixture) -> None:
    for name in LOGGERS:
        log = logging.getLogger(name)
        log.warning("refused: %s", "password=tulip1")
        try:
            raise ValueError("Bearer abcdef123456")
        except ValueError:
            log.exception("it failed")
    assert "tulip1" not in caplog.text and "abcdef123456" not in caplog.text
    assert caplog.text.count("Traceback") == len(LOGGERS)


def test_a_line_whose_argument_has_no_text_ends_in_the_log_and_not_here() -> None:
    class Mute:
        def __str__(self) -> str:
            raise RuntimeError

    class Listening(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record)

    heard: list[logging.LogRecord] = []
    handler = Listening()
    log = logging.getLogger("overwinter")
    log.addHandler(handler)
    try:
        log.propagate = False
        log.warning("%s", Mute())
    finally:
        log.propagate = True
        log.removeHandler(handler)
    assert len(heard) == 1


def test_every_log_of_the_package_is_redacted() -> None:
    named = {
        node.args[0].value
        for source in library()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "logging.getLogger"
        if node.args and isinstance(node.args[0], ast.Constant)
    }
    assert named <= set(LOGGERS)
