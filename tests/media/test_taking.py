"""What a message with images, sounds and files is taken for, and what is refused with a word of why."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overwinter import InvalidInput, audio, file, image
from overwinter.functions.models.hosts import Hosts
from overwinter.orchestrator.protocol.media import attached, is_parts, meant, parts_of, take, text_of
from overwinter.state.errors import PayloadTooLarge

PNG = b"\x89PNG\r\n\x1a\n and the rest"
LIMIT = 1000


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def kept(part: dict[str, Any]) -> dict[str, Any]:
    (found,) = take("agent", [part], LIMIT).value
    assert isinstance(found, dict)
    return found


def digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (image(PNG), {"media_type": "image/png"}),
        (image(PNG, "image/jpeg"), {"media_type": "image/png"}),
        (image(PNG, name="/etc/a b.png"), {"media_type": "image/png", "name": "a b.png"}),
        (image(PNG, name="C:\\x\\a\nb.png"), {"media_type": "image/png", "name": "a b.png"}),
        (image(b"unknown", "image/x-raw"), {"media_type": "image/x-raw"}),
        (image(f"data:image/gif;base64,{b64(b'GIF89a')}"), {"media_type": "image/gif"}),
        (image(f"data:;charset=x;base64,{b64(PNG)}"), {"media_type": "image/png"}),
        ({"type": "image", "data": f"\n{b64(PNG)}\n"}, {"media_type": "image/png"}),
        (audio(b"RIFF....WAVEfmt "), {"media_type": "audio/wav"}),
        (audio(b"pcm", "Audio/L16; rate=8000"), {"media_type": "audio/l16"}),
        (file(b"%PDF-1.7"), {"media_type": "application/pdf"}),
        (file(b"a,b", "text/csv", name="t.csv"), {"media_type": "text/csv", "name": "t.csv"}),
        (file(b"\x00"), {"media_type": "application/octet-stream"}),
        (file(PNG), {"media_type": "image/png"}),
        (file(b"%PDF-1", "text/html"), {"media_type": "application/pdf"}),
        (
            file(b"PK\x03\x04", "application/vnd.oasis.opendocument.text"),
            {"media_type": "application/vnd.oasis.opendocument.text"},
        ),
        (file(b"GIF8 is no image"), {"media_type": "application/octet-stream"}),
        (file(b"x", name="a\0b\u202e]\u200b.txt"), {"media_type": "application/octet-stream", "name": "a b .txt"}),
        (image(bytearray(PNG)), {"media_type": "image/png"}),
        (audio(b"\xff\xf3x"), {"media_type": "audio/mpeg"}),
    ],
)
def test_bytes_are_taken_out_and_named_by_their_digest(part: dict[str, Any], said: dict[str, Any]) -> None:
    taken = take("agent", ["see", part], LIMIT)
    found = dict(taken.value[1])
    ((digest_, content),) = taken.blobs.items()
    assert digest_ == digest(content) == found.pop("digest")
    assert found.pop("size") == len(content)
    assert found == {"type": part["type"], **said}
    assert taken.media and taken.value[0] == "see"


@given(st.binary(min_size=1, max_size=LIMIT), st.sampled_from(["file"]), st.text(max_size=300))
def test_whatever_the_bytes_and_the_name_they_come_back(content: bytes, kind: str, name: str) -> None:
    taken = take("agent", ["x", {"type": kind, "data": b64(content), "name": name}], LIMIT)
    text, part = parts_of(taken.value)
    assert text.text == "x"
    assert taken.blobs[part.digest] == content and part.size == len(content)
    assert "/" not in part.name and "\n" not in part.name and len(part.name) <= 200
    assert "\n" not in part.label()


def test_the_same_bytes_are_kept_once() -> None:
    taken = take("agent", [image(PNG), image(PNG)], len(PNG))
    assert len(taken.blobs) == 1 and len(taken.value) == 2


def test_an_address_stays_one() -> None:
    part = {"type": "image", "url": "https://shop.example/a.png?sig=x", "media_type": "image/png"}
    taken = take("agent", [part, {"type": "text", "text": "see"}], LIMIT)
    assert taken.value == [part, {"type": "text", "text": "see"}] and not taken.blobs
    assert text_of(parts_of(taken.value)) == "[image https://shop.example/a.png?sig=x: image/png]\nsee"


@pytest.mark.parametrize(
    ("part", "why"),
    [
        ({"type": "image", "digest": "sha256:1"}, "send url or data"),
        ({"type": "image", "data": b64(PNG), "digest": "sha256:1"}, "send url or data"),
        ({"type": "image", "data": b64(PNG), "path": "/etc/passwd"}, "'path'"),
        ({"type": "image", "data": b64(PNG), "url": "https://a.example/"}, "either"),
        ({"type": "image", "data": ""}, "is empty"),
        ({"type": "image", "data": "???"}, "base64"),
        ({"type": "image", "data": "YQ"}, "base64"),
        ({"type": "image", "data": "ä"}, "base64"),
        ({"type": "image", "data": 7}, "no text"),
        ({"type": "image", "data": b64(b"who knows")}, "media_type"),
        ({"type": "image", "data": b64(b"%PDF-1.7")}, "application/pdf"),
        ({"type": "audio", "data": b64(PNG)}, "image/png"),
        ({"type": "image", "data": b64(PNG), "media_type": "text/html"}, "no image"),
        ({"type": "image", "data": b64(b"x"), "media_type": "image/x,y"}, "no media type"),
        ({"type": "image", "data": b64(b"x"), "media_type": "image/a\r\nb: c"}, "no media type"),
        ({"type": "image", "url": ""}, "either"),
        ({"type": "image", "url": "data:" + ";" * 4_000_000}, "https://"),
        ({"type": "image", "url": "file:///etc/passwd"}, "https://"),
        ({"type": "image", "url": "/etc/passwd"}, "https://"),
        ({"type": "image", "url": "ftp://shop.example/a"}, "https://"),
        ({"type": "image", "url": "https://"}, "https://"),
        ({"type": "image", "url": "https://shop.example:99999/"}, "https://"),
        ({"type": "image", "url": "https://[::1/"}, "https://"),
        ({"type": "image", "url": "https://shop.example/a b"}, "https://"),
        ({"type": "image", "url": "https://shop.example\\@evil.example/"}, "https://"),
        ({"type": "image", "url": "https://shop.example/\n"}, "https://"),
        ({"type": "image", "url": "https://a:secret@shop.example/"}, "password"),
        ({"type": "image", "url": "https://shop.example/" + "a" * 9000}, "https://"),
        ({"type": "audio", "url": "https://shop.example/a.wav"}, "needs data"),
        ({"type": "file", "url": "https://shop.example/a.pdf"}, "needs data"),
    ],
)
def test_what_can_not_be_taken_is_refused_with_a_reason(part: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        take("agent", [part], LIMIT)


def test_the_parts_of_a_message_have_bounds() -> None:
    with pytest.raises(PayloadTooLarge, match=r"1,200 bytes, the limit is 1,000"):
        take("agent", [file(b"a" * 600), file(b"b" * 600)], LIMIT)
    with pytest.raises(InvalidInput, match="65 parts"):
        take("agent", [file(b"a")] + ["text"] * 64, LIMIT)


@pytest.mark.parametrize(
    "value",
    [
        "text",
        [],
        ["a", "b"],
        {"type": "image", "url": "https://shop.example/"},
        [{"type": "image"}],
        [{"type": "file", "path": "x"}],
        [image(PNG), 7],
        [image(PNG), {"type": "text", "text": "x", "more": 1}],
        [[image(PNG)]],
        None,
    ],
)
def test_other_values_stay_what_they_are(value: Any) -> None:
    assert not is_parts(value)
    assert take("agent", value, LIMIT) == (value, {}, False)


def test_only_agents_have_parts() -> None:
    assert take("workflow", [image(PNG)], LIMIT) == ([image(PNG)], {}, False)


def test_a_file_is_attached_as_what_it_is(tmp_path: Path) -> None:
    for name, content, kind in (
        ("a.dat", PNG, "image"),
        ("a.png", PNG, "image"),
        ("a.wav", b"RIFF....WAVE", "audio"),
        ("a.pdf", b"%PDF-1", "file"),
        ("a.txt", b"hello", "file"),
        ("a.mp4", b"\0\0\0\x18ftypmp42", "file"),
        ("a.png", b"%PDF-1", "file"),
        ("a.txt", PNG, "image"),
        ("GIF8.txt", b"GIF8 is a format", "file"),
        ("id3.md", b"ID3 tags", "file"),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        part = attached(path)
        assert (part["type"], kept(part)["name"]) == (kind, name), name
    assert image(tmp_path / "a.dat".replace("dat", "dat"))["data"] == b64(PNG)


def test_what_is_no_file_of_that_size_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no file"):
        attached(Path("/dev/zero"))
    with pytest.raises(InvalidInput, match="no file"):
        image(tmp_path)
    with (tmp_path / "big").open("wb") as big:
        big.truncate(17 * 1024 * 1024)
    with pytest.raises(PayloadTooLarge, match="17,825,792"):
        file(tmp_path / "big")


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: image("receipt.png"), r"image\(Path\('receipt.png'\)\)"),
        (lambda: file("bill.pdf"), r"file\(Path\('bill.pdf'\)\)"),  # type: ignore[arg-type]
        (lambda: file(3), "not of int"),  # type: ignore[arg-type]
        (lambda: image(None), "not of NoneType"),  # type: ignore[arg-type]
    ],
)
def test_a_slip_in_making_one_says_what_to_write(make: Any, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        make()


@pytest.mark.parametrize(
    ("said", "meant_"),
    [
        (["a", {"type": "text", "text": "b"}], "a\nb"),
        ([{"type": "text", "text": "b"}], "b"),
        (("a", image(PNG)), ["a", image(PNG)]),
        (image(PNG), [image(PNG)]),
        ([7], [7]),
        ({"order": 7}, {"order": 7}),
        ([], []),
    ],
)
def test_what_is_said_to_who_takes_text(said: Any, meant_: Any) -> None:
    assert meant(said) == meant_


@pytest.mark.parametrize(
    "said",
    [
        ["q", {"type": "image"}],
        ["q", {"type": "video", "url": "https://x.example"}],
        ["q", {"type": "image_url", "image_url": {"url": "https://x.example"}}],
        ["q", {"type": "image", "source": {"data": "x"}}],
        ["q", {"type": "text", "text": "x", "more": 1}],
        ["q", PNG],
        ["q", Path("x")],
    ],
)
def test_what_seems_to_be_meant_for_a_part_is_named(said: Any) -> None:
    with pytest.raises(InvalidInput, match="item 2 is"):
        meant(said)


def test_what_somebody_changed_in_a_journal_is_text() -> None:
    parts = parts_of(["a", 7, {"type": "image"}, {"type": "image", "digest": 7, "size": "x"}, {"x": [1]}])
    assert [part.kind for part in parts] == ["text", "text", "text", "image", "text"]
    assert parts_of({"x": 1})[0].text == '{"x":1}'


# -- hosts -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entries", "url", "taken"),
    [
        ((), "https://shop.example/a", False),
        ("shop.example", "https://shop.example/a", True),
        ("shop.example", "https://SHOP.example./a", True),
        ("Shop.Example", "http://shop.example/a", True),
        ("shop.example", "https://a.shop.example/a", False),
        ("shop.example", "https://shop.example.evil.example/", False),
        ("shop.example", "https://evil.example/?shop.example", False),
        ("shop.example", "https://evil.example#@shop.example/", False),
        ("shop.example", "https://shop.example:8443/", False),
        ("shop.example:8443", "https://shop.example:8443/", True),
        ("shop.example:8443", "https://shop.example/", False),
        ("*.shop.example", "https://a.b.shop.example/", True),
        ("*.shop.example", "https://shop.example/", False),
        ("*.shop.example", "https://xshop.example/", False),
        (("a.example", "b.example"), "https://b.example/", True),
        ("localhost:9000", "http://localhost:9000/a", True),
        ("127.0.0.1:9000", "http://127.0.0.1:9000/a", True),
        ("*", "https://shop.example/", True),
        ("*", "https://shop.example:8443/", False),
        ("*", "http://169.254.169.254/latest/meta-data", False),
        ("*", "http://[::1]/", False),
        ("*", "http://[::ffff:10.0.0.1]/", False),
        ("*", "http://2130706433/", False),
        ("*", "http://127.1/", False),
        ("*", "http://0x7f.0x1/", False),
        ("*", "http://0177.0.0.0x1/", False),
        ("*", "http://localhost/", False),
        ("*", "http://a.localhost/", False),
        ("*", "http://metadata.google.internal/", False),
        ("*", "http://metadata.google.internal./", False),
        ("*", "http://redis.shop.svc/", False),
        ("*", "http://redis.shop.svc.cluster.local/", False),
        ("*", "http://redis/", False),
        ("*", "http://printer.home.arpa/", False),
        ("*", "http://127.0.0.%31/", False),
        ("*", "http://127.0.0.\u2460/", False),
        ("*", "http://169\u3002254\u3002169\u3002254/", False),
        ("*.0.0.1", "http://127.0.0.1/", True),
        ("*.wild.example", "https://evil.com%2f.wild.example/", False),
        ("*.wild.example", "https://evil.com\uff3c.wild.example/", False),
        ("*.wild.example", "https://.wild.example/", False),
        ("*.wild.example", "https://a..wild.example/", False),
        ("shop.example", "https://shop.example:0/", False),
        ("*", "http://redis.default/", False),
        ("*", "http://metadata.goog/", False),
        ("*", "http://consul.service.consul/", False),
    ],
)
def test_only_named_hosts_may_be_named(entries: Any, url: str, *, taken: bool) -> None:
    assert (Hosts("desk", entries).refusal(url) == "") is taken


@pytest.mark.parametrize(
    "entry",
    [
        *("https://shop.example", "shop.example/x", "", "a b", "*.", "a*.example", "shop.example:x"),
        *("shop.example:99999", "shop.example:0", "[:::]", "[.]", 7, None),
    ],
)
def test_what_is_no_host_is_refused(entry: Any) -> None:
    with pytest.raises(InvalidInput, match="media_hosts"):
        Hosts("desk", entry)
