"""A machine as SVG: no scripts, nothing from elsewhere, light and dark, with its states as a text for those who can't
see it. All that a definition says is escaped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import pairwise

from .cells import Size, Spot
from .labels import visible
from .layout import Route
from .placing import END_SIZE, LONGEST, SMALL_ROW, Inner, Placed, PlacedBox, caption, label_size, placed, width
from .sketch import END, START, Line, Sketch
from .style import style

MARGIN = 16.0
Stretch = tuple[str, Spot, Spot]
"""A part of a line that is drawn: its look and its ends."""
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"})
_TOLD = 400
"""States that are told of in the text."""


def svg(drawn: Sketch, title: str, told: Sequence[str] = ()) -> str:
    """The document; ``told`` are lines below its title."""
    found = placed(drawn)
    size, head = found.layout.size, 24 + 15 * len(told)
    wide = max(size.width, width(visible(title, 80), 15), *(width(one, 11) for one in told), 1.0) + 2 * MARGIN
    tall = size.height + head + 2 * MARGIN
    name, described = _text(title, LONGEST), "\n".join(_described(drawn))
    key = sha256("\n".join((name, *told, described)).encode()).hexdigest()[:10]
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="ow-svg" role="img" width="{_n(wide)}" height="{_n(tall)}" '
        f'viewBox="0 0 {_n(wide)} {_n(tall)}" aria-labelledby="ow-{key}-title ow-{key}-desc">',
        f'<title id="ow-{key}-title">{name}</title>',
        f'<desc id="ow-{key}-desc">{described}</desc>',
        f"<style>\n{style()}</style>",
        f'<rect class="ow-ground" width="{_n(wide)}" height="{_n(tall)}"/>',
        f'<text class="ow-text ow-title" x="{_n(MARGIN)}" y="{_n(MARGIN + 12)}">{_text(title, 80)}</text>',
    ]
    for number, one in enumerate(told):
        y = MARGIN + 30 + 15 * number
        lines.append(f'<text class="ow-label ow-told" x="{_n(MARGIN)}" y="{_n(y)}">{_text(one, LONGEST)}</text>')
    lines.append(f'<g transform="translate({_n((wide - size.width) / 2)} {_n(MARGIN + head)})">')
    lines += _flow(found)
    return "\n".join([*lines, "</g>", "</svg>"]) + "\n"


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


def _text(text: str, longest: int) -> str:
    return visible(text, longest).translate(_ESCAPES)


def _described(drawn: Sketch) -> Iterator[str]:
    """Each state in a sentence, in the order of the definition."""
    every = list(_sentences(drawn))
    yield from every[:_TOLD]
    if len(every) > _TOLD:
        yield f"And {len(every) - _TOLD} more."


def _sentences(drawn: Sketch) -> Iterator[str]:
    names = {box.id: box.name for box in drawn.boxes}
    for box in drawn.boxes:
        ways = [_way(line, names) for line in drawn.lines if line.source == box.id]
        marked = f" ({box.mark.status}: {'; '.join(box.mark.lines)})" if box.mark else ""
        yield _text(f"{box.name}, {caption(box)}{marked}: {', '.join(ways) or 'nothing follows'}.", 2 * LONGEST)
        for number, inner in enumerate(box.flows):
            within = f"{box.name}, branch {number + 1}" if len(box.flows) > 1 else box.name
            yield _text(f"Within {within}:", LONGEST)
            yield from _sentences(inner)


def _way(line: Line, names: dict[str, str]) -> str:
    target = "the end" if line.target == END else names[line.target]
    return f"{line.label} leads to {target}" if line.label else f"then {target}"


# -- flows -------------------------------------------------------------------------------------------


def _flow(found: Placed) -> Iterator[str]:
    lines = list(zip(found.sketch.lines, found.layout.routes, found.labels, strict=True))
    drawn: set[Stretch] = set()
    for line, route, _ in sorted(lines, key=lambda one: bool(one[0].times)):  # what was taken is on top
        yield from _line(line, route, drawn)
    for line, route, rows in lines:
        if rows and route.label is not None:
            yield from _label(line, route.label, rows)
    for end in (START, END):
        if end in found.layout.spots:
            yield from _end(end, found.layout.spots[end])
    for id, box in found.boxes.items():
        spot = found.layout.spots[id]
        yield from _box(box, spot.x - box.size.width / 2, spot.y - box.size.height / 2, marked=_is_marked(found))


def _is_marked(found: Placed) -> bool:
    """Whether an execution is drawn, so that what it did not come to is faint."""
    return found.sketch.lines[0].times is not None


def _end(end: str, spot: Spot) -> Iterator[str]:
    x, y, radius = _n(spot.x), _n(spot.y), END_SIZE.width / 2
    if end == START:
        yield f'<circle class="ow-dot" cx="{x}" cy="{y}" r="{_n(radius - 1)}"/>'
    else:
        yield f'<circle class="ow-ring" cx="{x}" cy="{y}" r="{_n(radius - 1)}"/>'
        yield f'<circle class="ow-dot" cx="{x}" cy="{y}" r="{_n(radius - 4)}"/>'


def _line(line: Line, route: Route, drawn: set[Stretch]) -> Iterator[str]:
    catch = " ow-catch" if line.kind == "catch" else ""
    taken = ("ow-taken-catch" if catch else "ow-taken") if line.times else ""
    look = f"ow-line{catch}" + (f" {taken}" if taken else "" if line.times is None else " ow-idle")
    head = f"ow-head {taken}-head" if taken else "ow-head" + ("" if line.times is None else " ow-idle")
    path, tip, before = _to_itself(route) if route.to_itself else _along(route, look, drawn)
    yield f'<path class="{look}" d="{path}"/>'
    if tip is not None:
        yield f'<path class="{head}" d="{_arrow(tip, before)}"/>'


def _along(route: Route, look: str, drawn: set[Stretch]) -> tuple[str, Spot | None, Spot]:
    """The path of a line, its tip, and where that comes from. It ends where it meets another that looks the same and
    leads to the same tip, so that dashes stay dashes."""
    tip, last = route.points[-1], route.points[-2]
    down = 1 if tip.y >= last.y else -1
    points = [*route.points[:-1], Spot(tip.x, tip.y - 5 * down)]  # a broad line would show beside its arrow's tip
    parts = [f"M{_n(points[0].x)} {_n(points[0].y)}"]
    straight: Spot | None = None  # where a part that goes straight down or up has come to
    met = False
    for number, (one, other) in enumerate(pairwise(points)):
        stretch = (look, one, other)
        met = stretch in drawn
        if met:
            break
        drawn.add(stretch)
        if number % 2 or one.x == other.x:
            straight = other
            continue
        if straight is not None:
            parts.append(f"V{_n(straight.y)}")
            straight = None
        middle = _n((one.y + other.y) / 2)
        parts.append(f"C{_n(one.x)} {middle} {_n(other.x)} {middle} {_n(other.x)} {_n(other.y)}")
    if straight is not None:
        parts.append(f"V{_n(straight.y)}")
    return "".join(parts), None if met else tip, Spot(tip.x, tip.y - down)


def _to_itself(route: Route) -> tuple[str, Spot, Spot]:
    begin, end = route.points
    out, above, below = _n(begin.x + 30), _n(begin.y - 6), _n(end.y + 6)
    path = f"M{_n(begin.x)} {_n(begin.y)}C{out} {above} {out} {below} {_n(end.x + 5)} {_n(end.y)}"
    return path, end, Spot(end.x + 1, end.y)


def _arrow(tip: Spot, before: Spot) -> str:
    along_x, along_y = tip.x - before.x, tip.y - before.y
    back_x, back_y = tip.x - 8 * along_x, tip.y - 8 * along_y
    one, other = (Spot(back_x - side * along_y, back_y + side * along_x) for side in (4, -4))
    return f"M{_n(tip.x)} {_n(tip.y)}L{_n(one.x)} {_n(one.y)}L{_n(other.x)} {_n(other.y)}Z"


def _label(line: Line, spot: Spot, rows: Sequence[str]) -> Iterator[str]:
    size = label_size(rows)
    top = spot.y - size.height / 2
    yield f"<g><title>{_text(line.label, LONGEST)}</title>"
    yield _rectangle("ow-ground", spot.x - size.width / 2, top, size)
    for number, row in enumerate(rows):
        y = top + 11 + number * SMALL_ROW
        look = "ow-label ow-idle" if line.times == 0 else "ow-label"
        yield f'<text class="{look}" x="{_n(spot.x)}" y="{_n(y)}">{row.translate(_ESCAPES)}</text>'
    yield "</g>"


def _faint(faint: bool) -> str:
    return ' class="ow-idle"' if faint else ""


def _rectangle(look: str, x: float, y: float, size: Size, round: float = 0) -> str:
    rounded = f' rx="{_n(round)}"' if round else ""
    return (
        f'<rect class="{look}" x="{_n(x)}" y="{_n(y)}" width="{_n(size.width)}" height="{_n(size.height)}"{rounded}/>'
    )


# -- boxes -------------------------------------------------------------------------------------------


def _box(found: PlacedBox, x: float, y: float, *, marked: bool) -> Iterator[str]:
    box, middle = found.box, found.size.width / 2
    comment = f"\n{_text(box.comment, LONGEST)}" if box.comment else ""
    yield f'<g transform="translate({_n(x)} {_n(y)})">'
    yield f"<g{_faint(marked and box.mark is None)}><title>{_text(box.name, LONGEST)} ({box.kind}){comment}</title>"
    status = f" ow-{box.mark.status}" if box.mark else ""
    yield from _shape(found, f"ow-box ow-{box.kind}{' ow-hollow' if box.flows else ''}{status}")
    for row in found.rows:
        role = {"name": "ow-text", "caption": "ow-caption", "mark": "ow-mark"}[row.role]
        yield f'<text class="{role}" x="{_n(middle)}" y="{_n(row.y)}">{row.text.translate(_ESCAPES)}</text>'
    yield "</g>"
    for number, inner in enumerate(found.inner):
        yield from _inner(inner, found, number)
    yield "</g>"


def _inner(inner: Inner, around: PlacedBox, number: int) -> Iterator[str]:
    if number:
        left = sum(one.width for one in around.inner[:number])
        top, bottom = inner.y, around.size.height
        yield f'<path class="ow-line ow-split" d="M{_n(left)} {_n(top)}V{_n(bottom)}"/>'
    yield f'<g transform="translate({_n(inner.x)} {_n(inner.y)})">'
    yield from _flow(inner.placed)
    yield "</g>"


def _shape(found: PlacedBox, look: str) -> Iterator[str]:
    size, box = found.size, found.box
    if box.kind == "Choice":
        middle, inset, right = size.height / 2, 14, size.width
        corners = (
            f"M0 {_n(middle)}L{inset} 0H{_n(right - inset)}L{_n(right)} {_n(middle)}"
            f"L{_n(right - inset)} {_n(size.height)}H{inset}Z"
        )
        yield f'<path class="{look}" d="{corners}"/>'
        return
    if box.kind == "Map":  # one behind the other
        yield _rectangle(look, 5, 5, size, 6)
    round = size.height / 2 if box.kind in ("Wait", "Succeed", "Fail") and not box.flows else 6
    yield _rectangle(look, 0, 0, size, min(round, 22))
    if box.kind == "Succeed":
        yield _rectangle(f"{look} ow-inner", 3, 3, Size(size.width - 6, size.height - 6), min(round - 3, 19))
