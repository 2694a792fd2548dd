"""A store as text, to be kept or read into another one: JSON lines, each of a few hundred KB at the most.

    {"overwinter": "store", "format": 1, "at": ms, "from": "sqlite:///…", "release": "0.3.0"}
    {"execution": {head}}                       then, for the same execution, as far as there is any of it:
    {"entries": ["{…}", …]}                     journal texts in order
    {"mail": [[seq, lane, at, "{…}"], …]}       events that were not consumed
    {"seen": [["fingerprint", at], …]}          deduplication
    {"blob": "sha256:…", "base64": "…"}         bytes; the same digest again goes on where the last line ended
    {"values": [["key", "json"], …]}            key-value entries under the execution's id
    {"end": "id", "sha256": "…"}                digest of this execution's lines before
    {"scope": "…", "values": [["key", "json"], …]}      shared key-value entries
    {"total": {"executions": n, "values": n}}   the last line: nothing was cut off

Writing and reading hold one execution in memory, or a few small ones. An execution is read in whole or not at all,
and one that is there already is left as it is, so reading the same text again changes nothing.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, NamedTuple, TypeVar, cast

from ...security.address import shown
from ...state.codec import dumps, loads
from ...state.errors import Conflict, InvalidInput, StoreCorrupt
from ...state.ids import AUDIT, RESERVED, check_kept
from ...state.records import EVERYTHING, STATUSES, Dump, Filter, Head, Mail
from ...state.store import Store
from ..protocol.shared import place_of, scope_of
from .moving import ALL_KEYS, Report, silent, still, together

FORMAT = 1
LINE = 256 * 1024
"""About how many bytes of content a line carries; one journal entry is never divided."""
TOGETHER = 16
"""Small executions that are stored at the same time."""
LONGEST = 64 * 1024 * 1024

T = TypeVar("T")
Line = dict[str, Any]
_OPTIONAL = ("owner", "wake", "parent")
_NUMBERS = ("version", "length", "base", "arrivals", "wake", "created", "updated", "deaths")
_TYPES: dict[str, type[object]] = {name: int if name in _NUMBERS else str for name in Head._fields}


class Exported(NamedTuple):
    """What was written. ``left_out`` are executions that could not be read, with the reason."""

    executions: int
    values: int
    left_out: Sequence[tuple[str, str]]


class Imported(NamedTuple):
    """What was read. ``there`` and ``values_there`` count what existed and was left as it was. Records of the audit are
    not counted."""

    executions: int
    there: int
    values: int
    values_there: int


# -- writing -----------------------------------------------------------------------------------------


async def export(
    store: Store,
    write: Callable[[bytes], object],
    *,
    at: int,
    release: str,
    where: Filter = EVERYTHING,
    report: Report = silent,
) -> Exported:
    """Write the store's executions that match, and all shared key-value entries when everything is asked for."""
    write(_line({"overwinter": "store", "format": FORMAT, "at": at, "from": shown(store.dsn), "release": release}))
    total = sum((await store.counts()).values()) if where == EVERYTHING else 0
    executions = values = 0
    left_out: list[tuple[str, str]] = []
    cursor: str | None = None
    while True:
        page = await store.executions(where, cursor, 200)
        for head in page.heads:
            try:
                dump = await still(store, head.id)
            except (Conflict, StoreCorrupt) as error:
                left_out.append((head.id, str(error)))
                continue
            if dump is not None:
                own = await _values(store, head.id)
                _write_execution(write, dump, own)
                executions, values = executions + 1, values + len(own)
                report("exporting", executions, total)
        cursor = page.cursor
        if cursor is None:
            break
    if where == EVERYTHING:
        values += await _write_scopes(store, write, report)
    write(_line({"total": {"executions": executions, "values": values}}))
    return Exported(executions, values, left_out)


def _write_execution(write: Callable[[bytes], object], dump: Dump, own: Sequence[tuple[str, str]]) -> None:
    digest = hashlib.sha256()
    for line in _lines(dump, own):
        text = _line(line)
        digest.update(text)
        write(text)
    write(_line({"end": dump.head.id, "sha256": digest.hexdigest()}))


def _lines(dump: Dump, own: Sequence[tuple[str, str]]) -> Iterator[Line]:
    yield {"execution": dump.head._asdict()}
    yield from ({"entries": some} for some in _portions(dump.entries, len))
    yield from ({"mail": some} for some in _portions(dump.mail, lambda mail: len(mail.body)))
    yield from ({"seen": some} for some in _portions(dump.seen, lambda _: 50))
    for digest, content in dump.blobs.items():
        for begin in range(0, max(len(content), 1), LINE * 3 // 4):
            part = content[begin : begin + LINE * 3 // 4]
            yield {"blob": digest, "base64": base64.b64encode(part).decode()}
    yield from ({"values": some} for some in _portions(own, lambda pair: len(pair[1])))


def _portions(items: Sequence[Any], size: Callable[[Any], int]) -> Iterator[list[Any]]:
    """The items in lists of about LINE bytes."""
    portion: list[Any] = []
    held = 0
    for item in items:
        if portion and held + size(item) > LINE:
            yield portion
            portion, held = [], 0
        portion.append(item)
        held += size(item)
    if portion:
        yield portion


async def _values(store: Store, scope: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key in await store.keys(scope, limit=ALL_KEYS):
        value = await store.get(scope, key)
        if value is not None:
            found.append((key, value.value))
    return found


async def _write_scopes(store: Store, write: Callable[[bytes], object], report: Report) -> int:
    written, after = 0, ""
    while scopes := await store.scopes(after):
        for scope in scopes:
            after = scope
            if scope in RESERVED - {AUDIT} or await store.head(scope) is not None:
                continue  # an execution's own entries went with it
            values = await _values(store, scope)
            for some in _portions(values, lambda pair: len(pair[1])):
                write(_line({"scope": scope_of(scope), "values": some}))
            written += 0 if scope == AUDIT else len(values)
            report("exporting key-value entries", written, 0)
    return written


def _line(value: Line) -> bytes:
    return dumps(value).encode() + b"\n"


# -- reading -----------------------------------------------------------------------------------------


class _Parcel:
    """An execution of which not all lines have come."""

    def __init__(self, head: Head, first: bytes) -> None:
        self.head = head
        self.entries: list[str] = []
        self.mail: list[Mail] = []
        self.seen: list[tuple[str, int]] = []
        self.blobs: dict[str, bytearray] = {}
        self.values: list[tuple[str, str]] = []
        self.digest = hashlib.sha256(first)
        self.size = len(first)

    def add(self, kind: str, line: Line, raw: bytes) -> None:
        """One more line of it. Raises ValueError, TypeError, KeyError for one that can't be."""
        self.digest.update(raw)
        self.size += len(raw)
        if kind == "entries":
            self.entries += [_is(str, text) for text in line[kind]]
        elif kind == "mail":
            mails = ((seq, lane, at, body) for seq, lane, at, body in line[kind])
            self.mail += [
                Mail(_is(int, s), _is(int, lane), _is(int, at), _is(str, body)) for s, lane, at, body in mails
            ]
        elif kind == "seen":
            self.seen += [(bytes.fromhex(mark).hex(), _is(int, at)) for mark, at in line[kind]]
        elif kind == "blob":
            content = base64.b64decode(line["base64"], validate=True)
            self.blobs.setdefault(_is(str, line[kind]), bytearray()).extend(content)
        else:
            self.values += _pairs(line["values"])

    def dump(self) -> Dump:
        blobs: Mapping[str, bytes] = {digest: bytes(content) for digest, content in self.blobs.items()}
        return Dump(self.head, self.entries, self.mail, self.seen, blobs)


class _Reading:
    """The state of one import: what is open, what was done."""

    def __init__(self, store: Store, report: Report) -> None:
        self.store = store
        self.report = report
        self.begun = self.ended = False
        self.parcel: _Parcel | None = None
        self.whole: list[_Parcel] = []  # to be stored together: one at a time would wait for the disk each time
        self.executions = self.there = self.values = self.values_there = 0

    async def take(self, line: Line, raw: bytes) -> None:
        """One line. Raises ValueError, TypeError, KeyError, InvalidInput for one that can't be."""
        kind = next(iter(line), "")
        if not self.begun:
            self._begin(line)
        elif self.ended:
            raise InvalidInput("there is more after the last line (total)")
        elif self.parcel is not None and kind == "end":
            await self._end(self.parcel, line)
        elif self.parcel is not None:
            if kind not in ("entries", "mail", "seen", "blob", "values"):
                raise InvalidInput(f"{kind!r} can't stand inside of the execution {self.parcel.head.id}")
            self.parcel.add(kind, line, raw)
        elif kind == "execution":
            self.parcel = _Parcel(_head(line[kind]), raw)
        elif kind == "scope":
            scope = _is(str, line["scope"])
            values = _pairs(line["values"])
            if scope == AUDIT:  # which one goes on is the other store's to say only where none does here
                values = [(key, value) for key, value in values if not key.startswith("current.")]
            await self._put(scope if scope == AUDIT else place_of(scope), values)
        elif kind == "total":
            await self.flush()
            self._total(line[kind])
        else:
            raise InvalidInput(f"{kind!r} is no line of format {FORMAT}")

    def _begin(self, line: Line) -> None:
        if line.get("overwinter") != "store":
            raise InvalidInput("this is no export of a store; overwinter store export writes one")
        if line.get("format") != FORMAT:
            raise InvalidInput(
                f"this export has format {line.get('format')!r}, written by release {line.get('release', '?')}; this "
                f"release reads format {FORMAT}. Upgrade this process; nothing was changed"
            )
        self.begun = True

    async def _end(self, parcel: _Parcel, line: Line) -> None:
        head = parcel.head
        if line["end"] != head.id or line["sha256"] != parcel.digest.hexdigest() or len(parcel.entries) != head.length:
            raise InvalidInput(f"the execution {head.id} is not what was exported; a line of it was lost or changed")
        for _, value in parcel.values:
            loads(value)
        self.parcel = None
        self.whole.append(parcel)
        if len(self.whole) == TOGETHER or sum(held.size for held in self.whole) >= LINE:
            await self.flush()

    async def flush(self) -> None:
        """Store the executions that are whole."""
        whole, self.whole = self.whole, []
        new = sum(await together([self._restore(parcel) for parcel in whole]))
        self.executions += new
        self.there += len(whole) - new
        self.report("importing", self.executions + self.there, 0)

    async def _restore(self, parcel: _Parcel) -> bool:
        if await self.store.head(parcel.head.id) is not None:
            return False
        await self._put(parcel.head.id, parcel.values)  # first: who finds the execution finds its values
        return await self.store.restore(parcel.dump())

    async def _put(self, scope: str, values: Sequence[tuple[str, str]]) -> None:
        for key, value in values:
            loads(value)
            if await self.store.get(scope, key) is None:
                await self.store.put(scope, key, value, etag="")
                self.values += scope != AUDIT
            else:
                self.values_there += scope != AUDIT

    def _total(self, total: Line) -> None:
        if total["executions"] != self.executions + self.there:
            raise InvalidInput(
                f"{total['executions']} executions were exported, {self.executions + self.there} are here"
            )
        self.ended = True


def lines_of(stream: BinaryIO) -> Iterator[bytes]:
    """The lines of an export, none of them so long that it could fill the memory."""
    while raw := stream.readline(LONGEST):
        yield raw


async def load(store: Store, lines: Iterable[bytes], *, report: Report = silent) -> Imported:
    """Read an export into an open store. Raises InvalidInput that names the line; what came before it stays."""
    reading = _Reading(store, report)
    number = 0
    for number, raw in enumerate(lines, 1):
        try:
            line = loads(raw)
            if not isinstance(line, dict):
                raise InvalidInput("it is no JSON object")
            await reading.take(cast("Line", line), raw)
        except InvalidInput as error:
            raise await _stopped(number, str(error), reading) from None
        except (ValueError, TypeError, KeyError) as error:
            whole = raw.endswith(b"\n")
            raise await _stopped(
                number, f"it can't be read ({error})" if whole else "it was cut off", reading
            ) from None
    if not reading.ended:
        what = f"in the middle of the execution {reading.parcel.head.id}" if reading.parcel else "before its last line"
        raise await _stopped(number, f"the export ends {what}; it was cut off", reading)
    return Imported(reading.executions, reading.there, reading.values, reading.values_there)


async def _stopped(number: int, reason: str, reading: _Reading) -> InvalidInput:
    """The error about a line; what was whole before it is stored."""
    await reading.flush()
    open_one = f". Nothing of {reading.parcel.head.id} was imported" if reading.parcel else ""
    done = f". {reading.executions:,} executions before it were imported and stay" if reading.executions else ""
    return InvalidInput(f"line {number:,}: {reason}{open_one}{done}")


def _head(fields: Any) -> Head:
    """The head of an execution line. Raises ValueError, TypeError."""
    line = {**Head._field_defaults, **cast("Line", fields)}  # an older release knew fewer fields
    if set(line) != set(Head._fields):
        raise ValueError(f"an execution has the fields {', '.join(Head._fields)}")
    for name, value in line.items():
        if value is not None or name not in _OPTIONAL:
            _is(_TYPES[name], value)
    head = Head(**line)
    check_kept(head.id)
    if head.parent is not None:
        check_kept(head.parent, "the id of a parent")
    if head.status not in STATUSES:
        raise ValueError(f"there is no status {head.status!r}")
    return head._replace(owner=None)


def _pairs(values: Any) -> list[tuple[str, str]]:
    return [(_is(str, key), _is(str, value)) for key, value in values]


def _is(kind: type[T], value: Any) -> T:
    if type(value) is not kind:
        raise TypeError(f"{value!r:.40} is no {kind.__name__}")
    checked: T = value
    return checked
