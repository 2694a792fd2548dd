"""An address that is shown holds no password, however odd it is, and stays readable where it is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overwinter.security.address import passwords, shown
from overwinter.state.errors import InvalidInput
from overwinter.state.opening import open_store

SECRET = "hunter2secret"


@pytest.mark.parametrize(
    ("dsn", "seen"),
    [
        ("redis://ann:secret@host:6379/0", "redis://ann:***@host:6379/0"),
        ("rediss://:secret@host", "rediss://:***@host"),
        ("redis://ann@host", "redis://***@host"),
        ("redis://[::1]:6379/0?partitions=40&prefix=shop", "redis://[::1]:6379/0?partitions=40&prefix=shop"),
        ("redis+cluster://a:p@h1:7000,h2:7001", "redis+cluster://a:***@h1:7000,h2:7001"),
        ("dynamodb://table?region=eu&secret_key=abc", "dynamodb://table?region=eu&secret_key=***"),
        ("sqlite:///a.db", "sqlite:///a.db"),
        ("sqlite:////data/me@home/a b.db", "sqlite:////data/me@home/a b.db"),
        ("memory://", "memory://"),
        ("shop.db", "shop.db"),
    ],
)
def test_what_can_be_read_is_shown(dsn: str, seen: str) -> None:
    assert shown(dsn) == seen


ODD = [
    "redis://u:{}@h/0",
    "redis://:{}@h/0",
    "redis://{}@h/0",
    "redis://u:a@{}@h/0",
    "redis://u:{}@b@h/0",
    "redis://u:{}/b@h/0",
    "redis://u:a/{}@h/0",
    "redis://u:{}?b@h/0",
    "redis://u:a?{}@h/0",
    "redis://u:{}#b@h/0",
    "redis://u:a#{}@h/0",
    "redis://u:{}",
    "redis://u:{}/0",
    "redis://u:1/{}@h",
    "redis://u:%70{}@h/0",
    "redis://u:{}%40h/0",
    "redis://h/0?password={}",
    "redis://h/0?pa%73sword={}",
    "redis://h/0?x=1;password={}",
    "redis:///0?auth={}",
    "redis://h/0#{}",
    "redis://h/0?ssl_password={}&prefix=a",
    "redis+sentinel://u:{}@h1,v:{}@h2/main/0",
    "redis+sentinel://h1,h2/main/0?sentinel_password=a@{}",
    "redis://[::1:{}@h/0",
    "redis://u:{} x@h/0",
    "redis://u:{}\n@h/0",
    "redis:u:{}@h/0",
    "u:{}@h:6379",
    "dynamodb://table?endpoint=http://u:{}@h:8000",
    "dynamodb://k:{}@table",
    "sqlite://u:{}@h/x.db",
    "sqlite:///x.db?key={}",
    "{}@h",
    "://{}@h",
    "REDIS://U:{}@H/0",
    "redis://u:\uff20{}@h",
]


@pytest.mark.parametrize("form", ODD)
def test_no_odd_address_shows_its_password(form: str) -> None:
    dsn = form.format(*[SECRET] * form.count("{}"))
    assert SECRET not in shown(dsn)
    try:
        open_store(dsn)
    except InvalidInput as error:
        assert SECRET not in str(error)


@given(
    st.sampled_from(["redis", "rediss+sentinel", "dynamodb", "postgres", "x"]),
    st.lists(st.sampled_from(["u", ":", "@", "/", "?", "#", "%40", "%", "h", ",", "[", "]", "&", "=", " ", "1"])),
    st.lists(st.sampled_from(["@", ":", "/", "?", "#", "h", "=", "1", ","])),
)
def test_a_password_before_an_at_sign_is_never_shown(scheme: str, before: list[str], after: list[str]) -> None:
    dsn = f"{scheme}://{''.join(before)}:{SECRET}{''.join(after)}@host/0"
    assert SECRET not in shown(dsn)
    assert any(SECRET in found for found in passwords(dsn))


@given(st.text())
def test_any_text_can_be_shown_twice(text: str) -> None:
    assert shown(shown(text)) == shown(text)
