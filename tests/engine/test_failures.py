"""What the journal keeps of an error, and that looking at the rest never raises."""

from __future__ import annotations

import dataclasses
import enum
import http.client
import io
import json
import subprocess
import threading
import urllib.error
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from overwinter.orchestrator.errors import failures
from overwinter.orchestrator.errors.failures import decode, encode
from overwinter.orchestrator.errors.kept import NotKept, Response
from overwinter.state.codec import dumps, loads
from overwinter.state.errors import CompletionFailed, ExecutionFailed, Retryable, StepFailed


def back(error: BaseException) -> Any:
    """The error as a later replay sees it: through JSON text."""
    return decode(loads(dumps(encode(error))))


class Code(enum.Enum):
    BAD = "bad"
    PAIR = (1, 2)


class Detail(BaseModel):
    number: int
    when: datetime


@dataclasses.dataclass(frozen=True)
class Spot:
    line: int
    names: tuple[str, ...]


class Pair(NamedTuple):
    left: int
    right: Code


class Slotted(Exception):
    __slots__ = ("_hidden", "code", "unset")

    def __init__(self, code: object) -> None:
        super().__init__("slotted")
        self.code = code
        self._hidden = 7


class Private(Exception):
    def __init__(self, number: int) -> None:
        super().__init__("private")
        self._number = number
        self.__mangled = "m"
        self.nothing = None

    @property
    def number(self) -> int:
        return self._number

    def mangled(self) -> str:
        return self.__mangled


class Needy(Exception):
    """Its text needs what has no JSON form."""

    def __init__(self, lock: object) -> None:
        super().__init__(lock)
        self.lock = lock

    def __str__(self) -> str:
        return f"locked by {self.lock.acquire.__name__}"  # type: ignore[attr-defined]  # a lock's

    def __repr__(self) -> str:
        raise RuntimeError


class Frozen(Exception):
    def __setattr__(self, name: str, value: object) -> None:
        raise TypeError("frozen")


class Grasping(Exception):
    """Its ``__getattr__`` raises something else than AttributeError, as urllib's HTTPError does."""

    def __getattr__(self, name: str) -> Any:
        raise KeyError(name)


class Spoken(Exception):
    def __init_subclass__(cls, **_: object) -> None:
        raise TypeError("no subclasses")

    def __init__(self, lock: object) -> None:
        super().__init__()
        self.lock = lock

    def __str__(self) -> str:
        return str(self.lock.locked())  # type: ignore[attr-defined]  # a lock's


# -- what is kept ------------------------------------------------------------------------------------


def test_private_slotted_and_none_attributes_are_kept() -> None:
    private = back(Private(3))
    assert type(private) is Private and private.number == 3 and private.mangled() == "m" and private.nothing is None
    slotted = back(Slotted(Code.BAD))
    assert type(slotted) is Slotted and slotted.code is Code.BAD and slotted._hidden == 7
    assert not hasattr(slotted, "unset")


def test_an_oserror_keeps_its_file_names() -> None:
    try:
        Path("/nowhere/a").rename("/nowhere/b")
    except OSError as error:
        found = back(error)
        assert type(found) is FileNotFoundError and str(found) == str(error)
        assert (found.errno, found.filename, found.filename2) == (error.errno, "/nowhere/a", "/nowhere/b")


@pytest.mark.parametrize(
    "value",
    [
        Code.BAD,
        Code.PAIR,
        Pair(1, Code.BAD),
        Spot(3, ("a", "b")),
        Detail(number=1, when=datetime(2026, 1, 1, tzinfo=UTC)),
        (1, (2, [3])),
        {1, 2},
        frozenset({"a"}),
        {1: "a", (2, 3): Code.BAD},
        {"a": [Code.BAD, {"b": (1,)}]},
        b"\xff\x00",
        b"text",
        float("inf"),
        Decimal("0.10"),
        UUID(int=5),
        Path("/a/b"),
        datetime(2026, 1, 1, tzinfo=UTC),
        2**200,
        None,
        [None, True, 1.5, "x"],
    ],
    ids=repr,
)
def test_values_come_back_as_what_they_were(value: object) -> None:
    error = ValueError("odd", value)
    error.value = value  # type: ignore[attr-defined]  # as users do
    found = back(error)
    assert found.args == ("odd", value) and found.value == value and type(found.value) is type(value)


def test_notes_causes_contexts_and_members_are_kept() -> None:
    try:
        try:
            raise KeyError("inner")
        except KeyError:
            raise ValueError("outer") from LookupError("why")
    except ValueError as error:
        error.add_note("a note")
        found = back(error)
        assert found.__notes__ == ["a note"] and repr(found.__cause__) == repr(LookupError("why"))
    try:
        try:
            raise KeyError("inner")
        except KeyError:
            int("x")
    except ValueError as error:
        found = back(error)
        assert found.__cause__ is None and repr(found.__context__) == "KeyError('inner')"
        error.__suppress_context__ = True
        assert back(error).__context__ is None
    group = back(ExceptionGroup("two", [ValueError("a"), ExceptionGroup("in", [FileNotFoundError(2, "gone", "f")])]))
    assert type(group) is ExceptionGroup and str(group) == "two (2 sub-exceptions)"
    files: Any = group.subgroup(FileNotFoundError)
    assert files.exceptions[0].exceptions[0].filename == "f"
    both = back(BaseExceptionGroup("both", [KeyboardInterrupt(), ValueError("b")]))
    assert isinstance(both, ExceptionGroup) and isinstance(both.exceptions[1], ValueError)


def test_errors_in_attributes_are_errors() -> None:
    failed = back(ExecutionFailed("child", execution="c", cause=ValueError("why")))
    assert type(failed.cause) is ValueError and failed.execution == "c"
    outer = ExecutionFailed("outer", cause=failed)
    outer.__cause__ = failed
    found = back(outer)
    assert found.__cause__ is found.cause and type(found.cause.cause) is ValueError
    assert dumps(encode(outer)).count("why") == 1
    assert back(Retryable("later")).retry_after is None


def test_a_circle_of_causes_ends() -> None:
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    one.other = one  # type: ignore[attr-defined]  # a circle of its own
    found = back(one)
    assert str(found.__cause__) == "two" and found.__cause__.__cause__ is None
    deep: Exception = ValueError("0")
    for number in range(1, 50):
        outer = ValueError(str(number))
        outer.__cause__ = deep
        deep = outer
    assert str(back(deep)) == "49"


def test_what_is_recorded_is_bounded() -> None:
    error = ValueError("x" * 1_000_000, ["y" * 100_000] * 50)
    for number in range(200):
        setattr(error, f"a{number}", "z" * 20_000)
    group = ExceptionGroup("many", [error] * 2000)
    group.add_note("n" * 100_000)
    assert len(dumps(encode(group))) < 2 * failures.TOTAL_LIMIT
    found = back(group)
    assert 1 <= len(found.exceptions) < failures.MEMBERS_LIMIT and "of its 2000 errors were not" in found.__notes__[-1]
    assert isinstance(found.exceptions[0].a199, NotKept)


# -- responses ---------------------------------------------------------------------------------------


def test_the_response_of_an_http_error_is_what_handlers_read_of_it() -> None:
    request = httpx.Request("POST", "https://me:secretpw@api.example/v1?x=1")
    response = httpx.Response(
        429, json={"error": "slow down"}, headers={"Retry-After": "7", "Set-Cookie": "s=1"}, request=request
    )
    with pytest.raises(httpx.HTTPStatusError) as caught:
        response.raise_for_status()
    found = back(caught.value)
    assert type(found) is httpx.HTTPStatusError
    answer = found.response
    assert isinstance(answer, Response) and answer.status_code == answer.status == 429
    assert answer.headers["retry-after"] == "7" and answer.headers.get("set-cookie") == "***"
    assert answer.json() == {"error": "slow down"} and answer.reason_phrase == "Too Many Requests"
    assert answer.is_client_error and not answer.ok and answer.content == response.content
    assert "secretpw" not in dumps(encode(caught.value))
    assert not answer.history and not found.request.headers["x"]  # not kept, and not a stumbling block
    assert dumps(encode(found)["data"]) == dumps(encode(caught.value)["data"])


def test_a_response_that_was_not_read_is_not_read_now() -> None:
    def pieces() -> Iterator[bytes]:
        raise AssertionError("it was read")
        yield b""

    response = httpx.Response(500, content=pieces(), request=httpx.Request("GET", "http://h/"))
    error = httpx.HTTPStatusError("failed", request=response.request, response=response)
    assert back(error).response.status_code == 500 and back(error).response.text == ""


def test_a_long_response_is_cut_and_says_so() -> None:
    response = httpx.Response(400, text='["' + "x" * 100_000 + '"]', request=httpx.Request("GET", "http://h/"))
    found = back(httpx.HTTPStatusError("bad", request=response.request, response=response)).response
    assert len(found.text) < 20_000
    with pytest.raises(ValueError, match="only the first"):
        found.json()


def test_an_error_that_is_its_own_response() -> None:
    headers = http.client.HTTPMessage()
    headers["Retry-After"] = "3"
    error = urllib.error.HTTPError("http://h/", 503, "busy", headers, io.BytesIO(b"body"))
    with error:
        found = back(error)
    assert type(found) is urllib.error.HTTPError and found.code == 503 and str(found) == str(error)
    assert found.headers["retry-after"] == "3"


# -- what is not kept --------------------------------------------------------------------------------


def test_what_was_not_kept_is_there_and_false() -> None:
    error = ValueError("held", threading.Lock())
    error.lock = threading.Lock()  # type: ignore[attr-defined]  # as users do
    error.items = [1, threading.Lock()]  # type: ignore[attr-defined]  # as users do
    found = back(error)
    assert ValueError in type(found).__mro__ and type(found).__name__ == "ValueError"
    assert isinstance(found.lock, NotKept) and "lock: not kept" in repr(found.lock)
    assert not found.lock and not found.lock.anything.at["all"]() and list(found.lock) == [] and len(found.lock) == 0
    assert found.items[0] == 1 and isinstance(found.items[1], NotKept)
    assert str(found) == str(error) and isinstance(found.args[1], NotKept)


def test_the_results_of_a_missed_rule_can_be_looked_at() -> None:
    assert list(back(CompletionFailed("missed", results=object())).results) == []


@pytest.mark.parametrize(
    "error",
    [
        Needy(threading.Lock()),
        Frozen("f"),
        Spoken(threading.Lock()),
        subprocess.CalledProcessError(2, ["ls", "-l"], b"out", b"err"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
        ImportError("no", name="n", path="p"),
        SyntaxError("bad", ("f.py", 1, 2, "text")),
        KeyError("k"),
        StopAsyncIteration(3),
        json.JSONDecodeError("bad", "{x", 1),
        OSError("plain"),
        ExceptionGroup("g", [ValueError("a")]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_the_text_is_the_recorded_one(error: Exception) -> None:
    found = back(error)
    assert str(found) == str(error) and isinstance(found, type(error))
    assert repr(found)
    again = back(found)
    assert str(again) == str(error) and isinstance(again, type(error))


def test_an_error_whose_class_can_not_be_made_is_caught_like_it() -> None:
    with pytest.raises(ValueError) as caught:
        Detail.model_validate({"number": "x"})
    found = back(caught.value)
    assert isinstance(found, StepFailed) and isinstance(found, ValueError)
    assert found.kind.endswith("ValidationError") and "valid integer" in str(found)


def test_an_error_that_can_not_be_asked_is_recorded_and_marked() -> None:
    grasping = Grasping("g")
    failures.mark(grasping, "3")
    assert failures.origin(grasping) == "3" and encode(grasping)["op"] == "3"
    frozen = Frozen("f")
    failures.mark(frozen, "4")
    assert encode(frozen)["op"] == "4" and failures.origin(back(frozen)) is None


def test_entries_of_older_releases_are_read() -> None:
    old = {"kind": "builtins.FileNotFoundError", "message": "[Errno 2] gone", "args": [2, "gone"]}
    assert decode(old).args == (2, "gone") and decode(old).filename is None  # type: ignore[attr-defined]  # an OSError's
    assert decode({"kind": "no.Such", "message": "m", "data": {"a": 1}}).data == {"a": 1}  # type: ignore[attr-defined]  # a StepFailed's
    assert str(decode({})) == "" and str(
        decode({"kind": "builtins.ValueError", "typed": 3, "args": [], "message": "m"})
    )


def test_secrets_are_cut_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_KEY", "tulips-and-roses")
    error = ValueError("refused tulips-and-roses", {"api_key": "abc"}, b"tulips-and-roses")
    error.body = ["tulips-and-roses", {"Authorization": "Bearer x1"}]  # type: ignore[attr-defined]  # as users do
    error.password = "short"  # type: ignore[attr-defined]  # as users do
    error.add_note("tulips-and-roses")
    outer = RuntimeError("tulips-and-roses")
    outer.__cause__ = error
    text = dumps(encode(outer))
    assert "tulips" not in text and "abc" not in text and "short" not in text and "x1" not in text


# -- anything at all ---------------------------------------------------------------------------------


class Base(Exception):
    pass


VALUES: Any = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.binary(), st.datetimes(),
        st.decimals(allow_nan=False), st.uuids(), st.sampled_from(Code), st.builds(threading.Lock), st.builds(object),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner, inner),
        st.dictionaries(st.one_of(st.text(max_size=3), st.integers()), inner, max_size=3),
        st.builds(ValueError, inner),
        st.builds(Spot, st.integers(), st.tuples(st.text())),
    ),
    max_leaves=6,
)  # fmt: skip
NAMES = st.text("abcdefghij_", min_size=1, max_size=5).filter(lambda name: not name.startswith("__"))


@st.composite
def raised(draw: Any) -> BaseException:
    """An error of a class made for it: with slots, an odd text, an odd constructor, attributes of any kind."""
    names = sorted(draw(st.sets(NAMES, max_size=4)))
    slots = [name for name in names if draw(st.booleans())]
    parent = draw(st.sampled_from([Exception, ValueError, OSError, KeyError, Base, ImportError, Slotted]))
    body: dict[str, Any] = {"__slots__": tuple(slots), "__module__": __name__}
    text = draw(st.sampled_from(["", "lost", "raise"]))
    if text == "lost":
        body["__str__"] = lambda self: ", ".join(f"{getattr(self, name, None)!r}" for name in names)
    if text == "raise":
        body["__str__"] = lambda self: 1 / 0
    if draw(st.booleans()):
        body["__new__"] = lambda cls, *args, needed=None: parent.__new__(cls, *args)
    cls = type("Made", (parent,), body)
    if draw(st.booleans()):
        globals()["Made"] = cls
    else:
        globals().pop("Made", None)
    made: BaseException = cls.__new__(cls, *draw(st.lists(VALUES, max_size=3)))
    for name in names:
        if draw(st.integers(0, 3)):
            setattr(made, name, draw(VALUES))
    for _ in range(draw(st.integers(0, 2))):
        made.add_note(draw(st.text()))
    made.__cause__ = draw(st.one_of(st.none(), st.builds(ValueError, VALUES)))
    return made


@settings(deadline=None)
@given(raised())
def test_any_error_is_recorded_and_can_be_looked_at(error: BaseException) -> None:
    record = loads(dumps(encode(error)))
    found = decode(record)
    assert str(found) == record["message"] and repr(found) and found.args is not None
    for name in record.get("data", ()):
        getattr(found, name, None) if isinstance(found, StepFailed) else getattr(found, name)
    again = encode(found)
    assert again["message"] == record["message"]
    if not isinstance(found, StepFailed):
        assert again["kind"] == record["kind"]
        assert dumps(again.get("data")) == dumps(record.get("data"))
        assert [kind for _, kind in again.get("typed", ())] == [kind for _, kind in record.get("typed", ())]
    decode(again)


def test_a_record_is_read_in_as_many_steps_as_it_has_errors() -> None:
    """However deep they lie: one that comes from elsewhere must not hold the process."""
    record: dict[str, Any] = {"kind": "builtins.ValueError", "message": "innermost"}
    for _ in range(40):
        record = {"kind": "builtins.ExceptionGroup", "message": "group", "args": ["group"], "members": [record]}
    error: Any = decode(record)
    for _ in range(40):
        (error,) = error.exceptions
    assert str(error) == "innermost"
