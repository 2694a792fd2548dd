"""What a schedule says: what it begins, when, with which input, and what becomes of runs that meet or were missed.

Everything that people write is checked here, once, whichever way it came: each odd value is an InvalidInput that says
what to write instead. As JSON it stands in the first entry of the schedule, and in each that changes it; times are
milliseconds there. ``input`` lies beside it, because it may be big.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, Literal, NamedTuple, cast, get_args

from ...state.codec import dumps, stored
from ...state.errors import InvalidInput
from ...state.quantities import LATEST, Duration, count, milliseconds, span
from .calendar import Calendar, Cron, Every, Once, zone_of
from .naming import moment

Overlap = Literal["skip", "queue", "cancel", "allow"]
Missed = Literal["none", "last", "all"]

SHORTEST = 1_000
LONGEST_JITTER = 24 * 3600 * 1000
LONGEST_CRON = 1_000
MOST = 100
BOUND = 1_000
_FIELDS = ("function", "kind", "cron", "every", "at", "zone", "overlap", "missed", "most", "jitter")


class Spec(NamedTuple):
    """``function`` is begun, which is of that ``kind`` ("" when that was not known). It is due by one of ``cron``,
    ``every`` and ``at`` (the last two in milliseconds); ``zone`` is that of ``cron``.

    ``overlap``: what becomes of a run whose time comes while another is going on: it is left out ("skip"), waits for it
    ("queue"), is begun when the other has been cancelled ("cancel"), or at once ("allow"). ``missed``: which of the
    times that passed while nobody was awake are made up for: "none", the "last", or "all", the latest ``most`` of them.
    ``jitter``: milliseconds within which each run is put off, always by as much for the same time.
    """

    function: str = ""
    kind: str = ""
    cron: str = ""
    every: int = 0
    at: int = 0
    zone: str = "UTC"
    overlap: Overlap = "skip"
    missed: Missed = "last"
    most: int = MOST
    jitter: int = 0
    input: Any = None

    def calendar(self) -> Calendar:
        """Its times. Raises InvalidInput when this machine can't tell them."""
        if self.cron:
            return Cron(self.cron, self.zone)
        return Every(self.every) if self.every else Once(self.at)

    def written(self) -> dict[str, Any]:
        """As JSON, without the input and what is as usual."""
        usual = Spec()
        return {name: value for name in _FIELDS if (value := getattr(self, name)) != getattr(usual, name)}

    def digest(self) -> str:
        """Twelve hexadecimal digits that are others when anything of it is."""
        return sha256(dumps([self.written(), self.input]).encode()).hexdigest()[:12]

    def said(self) -> str:
        """When it is due, for people."""
        if self.cron:
            return f"{self.cron}{'' if self.zone == 'UTC' else f' {self.zone}'}"
        return f"every {_period(self.every)}" if self.every else f"at {moment(self.at)}"

    def delay(self, name: str, planned: int) -> int:
        """Milliseconds by which the run of that time is put off."""
        if not self.jitter:
            return 0
        drawn = int.from_bytes(sha256(f"{name} {planned}".encode()).digest()[:8])
        return drawn % self.jitter


def read(written: Mapping[str, Any], input: Any) -> Spec:
    """What ``Spec.written`` has written. Raises InvalidInput for what no schedule of this release is."""
    unknown = written.keys() - set(_FIELDS)
    if unknown:
        raise InvalidInput(f"this release does not know {sorted(unknown)[0]!r} of a schedule; upgrade this process")
    fields: dict[str, Any] = dict(written)
    return _sound(Spec(**fields, input=input))


def made(
    cron: str | None = None,
    *,
    every: Duration | None = None,
    at: datetime | str | None = None,
    zone: str | None = None,
    input: Any = None,
    overlap: str | None = None,
    missed: str | None = None,
    most: int | None = None,
    jitter: Duration | None = None,
) -> Spec:
    """The schedule that somebody has written. Raises InvalidInput."""
    given = [name for name, value in (("cron", cron), ("every", every), ("at", at)) if value is not None]
    if len(given) != 1:
        many = f"{' and '.join(given)} are" if given else "no time is"
        raise InvalidInput(
            f'{many} given; a schedule has one of them: "0 7 * * MON-FRI", every="15m" or at="2026-12-24T18:00+01:00"'
        )
    if every is not None and zone is not None:
        raise InvalidInput('every= passes the same everywhere and takes no zone; write cron, like "0 */2 * * *"')
    usual = Spec()
    found = Spec(
        cron=_cron(cron) if cron is not None else "",
        every=_milliseconds(every, "every") if every is not None else 0,
        at=_moment(at, zone) if at is not None else 0,
        zone=_text(zone, "zone") if zone is not None and at is None else usual.zone,
        overlap=cast("Overlap", usual.overlap if overlap is None else overlap),
        missed=cast("Missed", usual.missed if missed is None else missed),
        most=usual.most if most is None else most,
        jitter=0 if jitter is None else _milliseconds(jitter, "jitter"),
        input=stored(input),
    )
    if every is not None and found.every < SHORTEST:
        raise InvalidInput(f'every={every!r} is too often; a schedule is due once in a second at the most: every="1s"')
    return _sound(found)


def changed(spec: Spec, changes: Mapping[str, Any]) -> Spec:
    """The schedule with other values for some of what ``made`` takes. Another time takes the place of the one before;
    None says nothing, but for the input. Raises InvalidInput."""
    given: dict[str, Any] = {name: value for name, value in changes.items() if value is not None or name == "input"}
    rest: dict[str, Any] = {"overlap": spec.overlap, "missed": spec.missed, "most": spec.most, "input": spec.input}
    if spec.jitter:
        rest["jitter"] = spec.jitter / 1000
    if not given.keys() & {"cron", "every", "at"}:
        rest |= _time_of(spec)
    elif spec.cron and "cron" in given:
        rest["zone"] = spec.zone
    return made(**{**rest, **given})._replace(function=spec.function, kind=spec.kind)


def _time_of(spec: Spec) -> dict[str, Any]:
    if spec.cron:
        return {"cron": spec.cron, "zone": spec.zone}
    return {"every": spec.every / 1000} if spec.every else {"at": moment(spec.at)}


def _sound(spec: Spec) -> Spec:
    """The schedule, when it can be kept."""
    for name, value, allowed in (
        ("overlap", spec.overlap, get_args(Overlap)),
        ("missed", spec.missed, get_args(Missed)),
    ):
        if value not in allowed:
            raise InvalidInput(f"{name}={value!r} is unknown; it is one of {', '.join(allowed)}")
    try:
        count(spec.most, 1, "most")
    except ValueError as error:
        raise InvalidInput(str(error)) from None
    if spec.most > BOUND:
        raise InvalidInput(f"most={spec.most} is too many; at most {BOUND:,} missed runs are made up for")
    longest = min(LONGEST_JITTER, spec.every or LONGEST_JITTER)
    if spec.jitter > longest:
        raise InvalidInput(f"jitter is {span(spec.jitter)}; here it is {span(longest)} at the most")
    if spec.calendar().after(0) is None:
        raise InvalidInput(f"{spec.said()!r} never comes; write a time that does")
    return spec


def _text(value: object, what: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InvalidInput(f"{what} is a text that is not empty, not {value!r:.80}")
    return value


def _cron(given: object) -> str:
    found = " ".join(_text(given, "cron").split())
    if len(found) > LONGEST_CRON:
        raise InvalidInput(f"cron has {len(found)} characters; it may have {LONGEST_CRON}: write ranges, like 0-30/5")
    return found


def _period(ms: int) -> str:
    """As people write it: 1h30m."""
    parts: list[str] = []
    for unit, length in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)):
        number, ms = divmod(ms, length)
        parts += [f"{number}{unit}"] if number else []
    return "".join(parts)


def _milliseconds(duration: Duration, what: str) -> int:
    try:
        return milliseconds(duration)
    except ValueError as error:
        raise InvalidInput(f"{what}: {error}") from None


def _moment(at: datetime | str, zone: str | None) -> int:
    """When that is. A time without an offset is one of the zone."""
    try:
        time = at if isinstance(at, datetime) else datetime.fromisoformat(_text(at, "at"))
    except ValueError:
        raise InvalidInput(f"at={at!r:.80} is no time; write it like 2026-12-24T18:00+01:00") from None
    if time.tzinfo is None and zone is None:
        raise InvalidInput(f'at={str(at)!r:.80} says no time zone; write an offset, or zone="Europe/Berlin" beside it')
    if time.tzinfo is not None and zone is not None:
        raise InvalidInput(f"at={str(at)!r:.80} has an offset already; leave zone= out")
    whole = time if zone is None else time.replace(tzinfo=zone_of(_text(zone, "zone")))
    try:
        ms = round(whole.timestamp() * 1000)
    except OverflowError:
        ms = -1
    if not 0 < ms <= LATEST:
        raise InvalidInput(f"at={str(at)!r:.80} is no time between 1970 and 9999")
    return ms
