"""Messages with more than text: a list of texts, images, sounds and files, each plain JSON.

::

    "What was paid?"  or  {"type": "text", "text": "What was paid?"}
    {"type": "image", "url": "https://shop.example/receipt.png"}
    {"type": "file", "data": "JVBERi0x…", "media_type": "application/pdf", "name": "bill.pdf"}

Bytes are taken out of a message where it comes in (``take``). They lie once beside the journal, which keeps their
digest; whoever asks a model brings them there. The address of an image stays one: nobody here opens what a message
names.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import mimetypes
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast
from urllib.parse import SplitResult, urlsplit

from ...state.codec import clean, dumps, stored
from ...state.errors import InvalidInput, PayloadTooLarge
from ...state.records import PAYLOAD_LIMIT

KINDS = ("image", "audio", "file")
MOST_PARTS = 64
PART = 4000
"""Characters that an image or a sound counts, however large: models read about a thousand tokens."""
TEXT = 64 * 1024
"""Characters of a file of text that a model reads."""
LONGEST_URL = 8 * 1024
"""Characters; signed addresses are long."""
_LOOKED_AT = 1000
_SEARCHED = 10_000
"""Values among which parts are looked for where they can't stand; beyond that a result is data, and costs time."""
_MEANT = frozenset({"type", "image_url", "source", "media_type", "mimeType"})
_PARTS = 'write a list of texts and parts such as {"type": "image", "data": "…base64"}, with url, media_type or name'
_FIELDS = frozenset({"type", "url", "data", "media_type", "name"})
_SOURCES = ("url", "data", "digest")
_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,60}/[a-z0-9][a-z0-9!#$&^_.+-]{0,90}")
_DATA_URL = re.compile(r"data:([^;,]*)(?:;[^;,]*)*;base64,", re.IGNORECASE)
_HEAD = 200
"""Characters in which the head of a data URL ends."""
_WRITTEN = re.compile(r"text/.*|application/(?:.*\+)?(?:json|xml|yaml|x-yaml|toml|sql|x-ndjson|javascript|x-sh)")
_ODD = re.compile(r"[^\w .,()+@&=#~'-]")
_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"II*\x00", "image/tiff"),
    (0, b"MM\x00*", "image/tiff"),
    *((4, b"ftyp" + brand, "image/heic") for brand in (b"heic", b"heix", b"hevc", b"hevx", b"mif1")),
    (4, b"ftypavif", "image/avif"),
    (4, b"ftypM4A ", "audio/mp4"),
    *((0, b"ID3" + version, "audio/mpeg") for version in (b"\x02", b"\x03", b"\x04")),
    *((0, sync, "audio/mpeg") for sync in (b"\xff\xfb", b"\xff\xf3", b"\xff\xf2")),
    (0, b"OggS\x00", "audio/ogg"),
    (0, b"fLaC\x00", "audio/flac"),
    (0, b"%PDF-", "application/pdf"),
)
"""What the first bytes tell, for the kinds that models read."""


class Made(dict[str, Any]):
    """A part that somebody has made to be one. Of what a tool gives, no other JSON is taken for one."""


class Part(NamedTuple):
    """A piece of a message as a model is shown it. ``kind`` is text, image, audio or file; an image may be a
    ``url``; else there is a ``digest``, and in ``data`` the bytes once they were brought."""

    kind: str
    text: str = ""
    url: str = ""
    media_type: str = ""
    name: str = ""
    digest: str = ""
    size: int = 0
    data: bytes = b""

    def __repr__(self) -> str:
        return f"Part({self.label()!r})"  # no megabytes in a log

    def label(self, why: str = "") -> str:
        """What stands for it where only text can stand."""
        if self.kind == "text":
            return self.text
        what = " ".join(filter(None, (self.kind, self.name or self.url)))
        about = ", ".join(filter(None, (self.media_type, f"{self.size:,} bytes" if self.size else "", why)))
        return f"[{what}: {about}]" if about else f"[{what}]"

    def weight(self) -> int:
        """Characters for which it counts in what is kept of the past."""
        return max(PART, min(self.size, TEXT)) if self.kind == "file" and written(self.media_type) else PART


class Taken(NamedTuple):
    """What a message holds, and the bytes that were taken out of it, by their digest. ``media``: it has parts."""

    value: Any
    blobs: Mapping[str, bytes] = {}
    media: bool = False


# -- making ---------------------------------------------------------------------------------------------


def image(source: str | bytes | bytearray | Path, media_type: str = "", *, name: str = "") -> dict[str, Any]:
    """An image for a message: its address (a text), its bytes, or the file in which they are.

    Example: ``await runtime.send(desk, "s-1", ["What was paid?", image(Path("receipt.png"))])``. Raises InvalidInput,
    and what reading the file raises.
    """
    return _made("image", source, media_type, name)


def audio(source: bytes | bytearray | Path, media_type: str = "", *, name: str = "") -> dict[str, Any]:
    """A sound for a message: its bytes, or the file in which they are."""
    return _made("audio", source, media_type, name)


def file(source: bytes | bytearray | Path, media_type: str = "", *, name: str = "") -> dict[str, Any]:
    """Any other file for a message (a PDF, a text): its bytes, or where it lies."""
    return _made("file", source, media_type, name)


def attached(path: Path) -> dict[str, Any]:
    """The file as the part of a message that its content makes it. Raises what reading it raises, InvalidInput."""
    content = _read(path)
    kind = (_sniffed(content) or mimetypes.guess_type(path.name)[0] or "").partition("/")[0]
    said = "" if _sniffed(content) else mimetypes.guess_type(path.name)[0] or ""
    return _made(kind if kind in KINDS else "file", content, said, path.name)


def _made(kind: str, source: object, media_type: str, name: str) -> dict[str, Any]:
    part = Made(type=kind)
    if isinstance(source, str):
        if not source.lower().startswith(("http:", "https:", "data:")):
            raise InvalidInput(f"{source[:80]!r} is no address; for a file write {kind}(Path({source[:80]!r}))")
        part["url"] = source
    elif isinstance(source, (bytes, bytearray, Path)):
        content = _read(source) if isinstance(source, Path) else bytes(source)
        if isinstance(source, Path):
            guessed = "" if _sniffed(content) else mimetypes.guess_type(source.name)[0] or ""
            name, media_type = name or source.name, media_type or guessed
        part["data"] = base64.b64encode(content).decode()
    else:
        raise InvalidInput(f"{_a(kind)} is made of bytes, a Path or an address, not of {type(source).__name__}")
    part |= {key: value for key, value in (("media_type", media_type), ("name", name)) if value}
    _taken(part, {})  # whoever makes it learns what is wrong with it
    return part


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise InvalidInput(f"{path} is no file")
    if (size := path.stat().st_size) > PAYLOAD_LIMIT:
        raise PayloadTooLarge(f"{path} has {size:,} bytes, and a message takes {PAYLOAD_LIMIT:,}")
    return path.read_bytes()


# -- taking in ------------------------------------------------------------------------------------------


def is_parts(value: object) -> bool:
    """Whether a message has parts that are no text: a list of texts and parts, and nothing else."""
    if not isinstance(value, list) or len(cast("list[object]", value)) > _LOOKED_AT:
        return False
    items = cast("list[object]", value)
    fit = all(isinstance(item, str) or _is_text(item) or _is_media(item) for item in items)
    return fit and any(map(_is_media, items))


def meant(value: Any) -> Any:
    """What is said to who takes text: parts, if it has some; texts in a list as one text, a part alone in a list.
    Raises InvalidInput for what seems to be meant for parts, and is none."""
    if not isinstance(value, (list, tuple)):
        return [value] if _is_media(value) else _unmistaken(1, value)
    items = list(cast("Sequence[Any]", value))
    if is_parts(items) or not items or len(items) > _LOOKED_AT:
        return items
    if all(isinstance(item, str) or _is_text(item) for item in items):
        return "\n".join(item if isinstance(item, str) else str(item["text"]) for item in items)
    return [_unmistaken(number, item) for number, item in enumerate(items, 1)]


def _unmistaken(number: int, item: Any) -> Any:
    """The item, unless it seems to be meant for a part."""
    if isinstance(item, (bytes, bytearray, Path)):
        raise InvalidInput(f"item {number} is {type(item).__name__}; write image(…), audio(…) or file(…) of it")
    if isinstance(item, dict) and not _is_text(cast("object", item)) and _MEANT & cast("dict[str, Any]", item).keys():
        raise InvalidInput(f"item {number} is no part of a message; {_PARTS}")
    return cast("Any", item)


def take(kind: str, value: Any, limit: int) -> Taken:
    """What an execution of that kind is told, its bytes apart; for all but an agent ``value`` as it is. The bytes have
    together at most ``limit``. Raises InvalidInput, PayloadTooLarge."""
    if kind != "agent" or not is_parts(value):
        return Taken(value)
    items = cast("list[Any]", value)
    if len(items) > MOST_PARTS:
        raise InvalidInput(f"a message has {len(items)} parts, and may have {MOST_PARTS}; send several messages")
    blobs: dict[str, bytes] = {}
    parts = [item if isinstance(item, str) or _is_text(item) else _taken(item, blobs) for item in items]
    total = sum(map(len, blobs.values()))
    if total > limit:
        raise PayloadTooLarge(
            f"the parts of this message have {total:,} bytes, the limit is {limit:,}; make them smaller, or send the "
            "address of a place where the model's provider can read them"
        )
    return Taken(parts, blobs, media=True)


def given(value: object, limit: int) -> Taken | None:
    """What a tool gives, when it is a part or there are some in its list; None for every other result. Raises
    InvalidInput, PayloadTooLarge."""
    items = cast("Sequence[Any]", value) if isinstance(value, (list, tuple)) else (value,)
    if any(holds_made(item) for item in items if not isinstance(item, Made)):
        raise InvalidInput("it has an image, a sound or a file within something else; give it alone, or in a list")
    if not any(isinstance(item, Made) for item in items):
        return None
    told = [item if isinstance(item, (Made, str)) else dumps(stored(item)) for item in items]
    return take("agent", [dict(item) if isinstance(item, Made) else clean(item) for item in told], limit)


def holds_made(value: object) -> bool:
    """Whether there is a part somewhere in it: in a mapping, a list, a dataclass, a model."""
    open_: list[object] = [value]
    for _ in range(_SEARCHED):
        if not open_:
            return False
        item = open_.pop()
        if isinstance(item, Made):
            return True
        if isinstance(item, dict):
            open_ += cast("dict[object, object]", item).values()
        elif isinstance(item, (list, tuple)):
            open_ += cast("Sequence[object]", item)
        elif hasattr(type(item), "__dataclass_fields__") or hasattr(type(item), "model_fields"):
            open_ += getattr(item, "__dict__", {}).values()
    return False


def url_of(part: Mapping[str, Any]) -> str:
    """The address that a part names; "" when it brings its bytes. For who decides whether it may be named."""
    url = part.get("url", "")
    return url if isinstance(url, str) and not _DATA_URL.match(url[:_HEAD]) else ""


def _taken(part: Mapping[str, Any], blobs: dict[str, bytes]) -> dict[str, Any]:
    """A part as the journal keeps it."""
    kind = str(part["type"])
    if unknown := [str(name)[:40] for name in part if name not in _FIELDS]:
        why = "is what the store knows it by; send url or data" if unknown[0] == "digest" else "is no field of a part"
        raise InvalidInput(f"{unknown[0]!r} of {_a(kind)} {why}")
    given = {name: part[name] for name in ("url", "data", "media_type", "name") if part.get(name) is not None}
    if wrong := next((name for name, value in given.items() if not isinstance(value, str)), ""):
        raise InvalidInput(f"{wrong!r} of {_a(kind)} is no text")
    url, data, said = str(given.get("url", "")), given.get("data"), str(given.get("media_type", ""))
    if (not url) == (data is None):
        raise InvalidInput(f"{_a(kind)} has either a url or data (its bytes as base64)")
    if found := _DATA_URL.match(url[:_HEAD]):
        url, data, said = "", url[found.end() :], said or found[1]
    media_type = _checked(kind, said)
    kept: dict[str, Any] = {"type": kind}
    if data is None:
        if kind != "image":
            raise InvalidInput(f"{_a(kind)} needs data (its bytes as base64): few providers open an address for it")
        check_url(url)
        kept |= {"url": url} | ({"media_type": media_type} if media_type else {})
    else:
        content = _decoded(kind, data)
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        blobs[digest] = content
        kept |= {"media_type": _typed(kind, media_type, content), "digest": digest, "size": len(content)}
    name = " ".join(_ODD.sub(" ", clean(given.get("name", "")).replace("\\", "/").rpartition("/")[2]).split())[:200]
    return kept | ({"name": name} if name else {})


def check_url(url: str) -> SplitResult:
    """An address in its parts. Raises InvalidInput that says why nobody can be sent there."""
    try:
        parts = urlsplit(url)
        fit = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) and url.isprintable()
    except ValueError:
        raise InvalidInput("the url of an image can't be read; write https://HOST/PATH") from None
    if not fit or " " in url or "\\" in url or len(url) > LONGEST_URL:
        raise InvalidInput(f"the url of an image is none; write https://HOST/PATH, up to {LONGEST_URL:,} characters")
    if parts.username is not None or parts.password is not None:
        raise InvalidInput("the url of an image holds a name or a password, which the journal would keep")
    return parts


def _checked(kind: str, media_type: str) -> str:
    """The media type in small letters without its parameters; "" when none is said."""
    said = media_type.partition(";")[0].strip().lower()
    if said and not _TYPE.fullmatch(said):
        raise InvalidInput(f"{media_type[:80]!r} is no media type; write image/png, for one")
    if said and kind != "file" and not said.startswith(f"{kind}/"):
        raise InvalidInput(f"{said} is the type of no {kind}; send it as a file")
    return said


def _decoded(kind: str, data: str) -> bytes:
    try:
        content = base64.b64decode("".join(data.split()).encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise InvalidInput(f"the data of {_a(kind)} is no base64; encode its bytes so") from None
    if not content:
        raise InvalidInput(f"{_a(kind)} is empty")
    return content


def _typed(kind: str, said: str, content: bytes) -> str:
    """Its media type. What the bytes tell counts more than what the sender says: providers refuse a JPEG that is called
    a PNG, as many are."""
    found = _sniffed(content)
    if kind != "file" and found and not found.startswith(f"{kind}/"):
        raise InvalidInput(f"this {kind} is {found}; send it as what it is")
    if kind != "file" and not (found or said):
        raise InvalidInput(f"the media_type of {_a(kind)} is missing, and its bytes don't tell it")
    if kind == "file":
        return found or said or "application/octet-stream"
    return found or said


def _sniffed(content: bytes) -> str:
    if content[:4] == b"RIFF":
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(content[8:12], "")
    return next((kind for at, magic, kind in _MAGIC if content[at : at + len(magic)] == magic), "")


def written(media_type: str) -> bool:
    """Whether files of that type are texts."""
    return bool(_WRITTEN.fullmatch(media_type))


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0] in "ai" else f"a {kind}"


def _is_text(item: object) -> bool:
    if not isinstance(item, dict):
        return False
    part = cast("dict[str, object]", item)
    return part.get("type") == "text" and isinstance(part.get("text"), str) and len(part) == 2


def _is_media(item: object) -> bool:
    if not isinstance(item, dict):
        return False
    part = cast("dict[str, object]", item)
    return part.get("type") in KINDS and any(source in part for source in _SOURCES)


# -- reading --------------------------------------------------------------------------------------------


def parts_of(content: Any) -> tuple[Part, ...]:
    """The parts of what ``take`` has taken in. What is none of it, in a journal that somebody has changed, is text."""
    items = cast("Sequence[Any]", content) if isinstance(content, list) else [content]
    return tuple(map(_part, items))


def _part(item: Any) -> Part:
    if isinstance(item, str) or _is_text(item):
        return Part("text", item if isinstance(item, str) else str(item["text"]))
    if not _is_media(item):
        return Part("text", dumps(item))
    known: dict[str, Any] = {name: str(item[name]) for name in ("url", "media_type", "name", "digest") if name in item}
    size = item.get("size")
    return Part(str(item["type"]), **known, size=size if isinstance(size, int) else 0)


def text_of(parts: Sequence[Part]) -> str:
    """The texts, and what stands for the others."""
    return "\n".join(part.label() for part in parts)


def said(content: Any) -> Any:
    """What a message says, for people: its parts in words, any other value as it is."""
    parts = parts_of(content) if isinstance(content, list) else ()
    return text_of(parts) if any(part.kind != "text" for part in parts) else cast("Any", content)


def digests(fact: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What an entry names of the bytes beside the journal: a digest and a size each."""
    content: Any = fact.get("content", fact.get("input", fact.get("value"))) if fact.get("media") else None
    parts = parts_of(content) if isinstance(content, list) else ()
    return [{"digest": part.digest, "size": part.size} for part in parts if part.digest]
