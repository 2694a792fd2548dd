"""Secrets by reference: several at once, read anew when they change, never told, and none that could be guessed."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import pytest

from overwinter import InvalidInput
from overwinter.functions.triggers.secrets import Secrets, plain
from overwinter.functions.webhook import Delivery, GitHub, Rejected, Stripe
from overwinter.security.redaction import redacted

from .place import Request, github, stripe

OLD, NEW = "the-old-secret-of-a-hook", "the-new-secret-of-a-hook"


def let_in(scheme: GitHub | Stripe, request: Request) -> bool:
    body, headers = request
    try:
        scheme.verify(Delivery("/x", [(key.encode(), value.encode()) for key, value in headers.items()], body), 1000)
    except Rejected:
        return False
    return True


def test_two_are_valid_while_one_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLD", OLD)
    monkeypatch.setenv("NEW", NEW)
    both = GitHub(["env:OLD", "env:NEW"])
    assert both.secrets() == (OLD.encode(), NEW.encode())
    assert let_in(both, github({}, secret=OLD))
    assert let_in(both, github({}, secret=NEW))
    monkeypatch.delenv("OLD")  # it is taken away while the process serves
    assert not let_in(both, github({}, secret=OLD))
    assert let_in(both, github({}, secret=NEW))
    roll = Stripe("env:NEW")  # the sender signs with both
    assert let_in(roll, stripe({}, 1000, OLD, NEW))
    assert not let_in(roll, stripe({}, 1000, OLD))


def test_a_folder_holds_all_that_are_valid_and_is_read_anew(tmp_path: Path) -> None:
    (tmp_path / ".data").mkdir()
    (tmp_path / ".hidden").write_text("not-a-secret-of-the-hook")
    (tmp_path / "a").write_text(f"  {OLD}\r\n")
    scheme = GitHub(f"folder:{tmp_path}")
    assert scheme.secrets() == (OLD.encode(),)
    assert let_in(scheme, github({}, secret=OLD))
    assert not let_in(scheme, github({}, secret=NEW))
    (tmp_path / "b").write_text(NEW)
    assert let_in(scheme, github({}, secret=NEW))
    assert let_in(scheme, github({}, secret=OLD))
    (tmp_path / "a").unlink()
    assert not let_in(scheme, github({}, secret=OLD))
    assert let_in(scheme, github({}, secret=NEW))


def test_a_secret_that_is_only_half_written_is_in_no_other_ones_way(tmp_path: Path) -> None:
    (tmp_path / "b").write_text(OLD)
    scheme = GitHub(f"folder:{tmp_path}")
    (tmp_path / "a").write_text("")
    assert let_in(scheme, github({}, secret=OLD))
    (tmp_path / "a").write_text(NEW)
    assert let_in(scheme, github({}, secret=NEW))


def test_a_file_that_is_put_in_place_of_another_counts_at_once(tmp_path: Path) -> None:
    """As a Secret of Kubernetes is: by a link, with the same size and perhaps the same second."""
    held = tmp_path / "secret"
    (tmp_path / "one").write_text(OLD)
    (tmp_path / "two").write_text(NEW)
    for name in ("one", "two"):
        os.utime(tmp_path / name, (1, 1))
    held.symlink_to(tmp_path / "one")
    scheme = GitHub(f"file:{held}")
    assert let_in(scheme, github({}, secret=OLD))
    (tmp_path / "link").symlink_to(tmp_path / "two")
    (tmp_path / "link").replace(held)
    assert let_in(scheme, github({}, secret=NEW))
    assert not let_in(scheme, github({}, secret=OLD))


@pytest.mark.parametrize("wrong", ["", " \n ", "short", "two lines of\nsome length", "with a\x00zero of some length"])
def test_what_is_none_is_refused(wrong: str, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(wrong)
    with pytest.raises(InvalidInput, match="secret of GitHub's webhook"):
        GitHub(f"file:{path}").secrets()


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "bytes").write_bytes(b"\xff" * 20)
    (tmp_path / "large").write_bytes(b"x" * 100_000)
    for reference in (
        "env:NO_SUCH",
        "file:/no/such",
        "folder:/no/such",
        *(f"file:{one}" for one in tmp_path.iterdir()),
    ):
        with pytest.raises(InvalidInput):
            Secrets(reference, "it").check()
        assert Secrets(reference, "it").valid() == ()
    with pytest.raises(InvalidInput, match="holds 0 files"):
        Secrets(f"folder:{tmp_path / 'empty'}", "it").check()


@pytest.mark.parametrize(
    "given", ["s3cret-of-some-length", "", [], ["env:A", "s3cret-of-some-length"], "env:", "vault:x"]
)
def test_a_secret_that_is_written_down_is_refused_and_not_repeated(given: str | list[str]) -> None:
    with pytest.raises(InvalidInput) as refused:
        GitHub(given)
    assert "s3cret" not in str(refused.value)


def test_it_is_known_to_the_log(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("HOOKWORD", "plain-words-by-no-known-form")
    Secrets("env:HOOKWORD", "it", plain).check()
    assert redacted("it was plain-words-by-no-known-form") == "it was ***"
    with caplog.at_level(logging.INFO, "overwinter.http"):
        logging.getLogger("overwinter.http").info("it was %s", "plain-words-by-no-known-form")
    assert "plain-words" not in caplog.text


@pytest.mark.parametrize("given", [None, 5, [None], {"env:OLD"}])
def test_what_is_no_reference_is_said_to_be_none(given: Any) -> None:
    with pytest.raises(InvalidInput, match="say where the secret lies"):
        GitHub(given)
