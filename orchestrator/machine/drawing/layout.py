"""A layered layout: boxes in rows from top to bottom, each as near as can be to what it is joined with, and lines that
go around boxes.

The known way in four steps: lines that lead back are turned around, so that none goes in a circle; each box is put in
the row after the last that leads to it; boxes of a row are ordered so that few lines cross; places in a row are those
of least squares from their neighbours, with nothing closer than ``GAP``. Between two rows of boxes there is one for
labels. Lines that lead to the same box from afar run together, so a state that catches the errors of a hundred others
has one line beside them and not a hundred. The same input gives the same picture.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from .cells import GAP, NARROW, ROW, Cell, Node, Size, Spot
from .ordering import order
from .placement import place


class Edge(NamedTuple):
    """A line between two boxes; ``label`` has no size when there is none. ``weight``: how straight it should be. Only
    lines of the same ``group`` run together."""

    source: Node
    target: Node
    label: Size = Size(0, 0)
    weight: float = 1.0
    group: Hashable = ""


@dataclass(slots=True)
class Route:
    """``points`` of a line, from its source to its target, in pairs that lie above each other; ``label`` is the centre
    of its label. A line to itself goes out at the right and comes in there."""

    points: list[Spot] = field(default_factory=list[Spot])
    label: Spot | None = None
    to_itself: bool = False


class Layout(NamedTuple):
    """``spots`` by node, ``routes`` in the order of the edges."""

    size: Size
    spots: Mapping[Node, Spot]
    routes: Sequence[Route]


def laid_out(nodes: Mapping[Node, Size], edges: Sequence[Edge]) -> Layout:
    """``nodes`` in the order in which they should stand where nothing else decides; the first of them is on top."""
    turned = _turned(nodes, edges)
    ranks = _ranks(nodes, edges, turned)
    loops: dict[Node, list[Edge]] = {}
    for edge in edges:
        if edge.source == edge.target:
            loops.setdefault(edge.source, []).append(edge)
    cells = {node: Cell(_with(size, loops.get(node, ())), 2 * ranks[node], node) for node, size in nodes.items()}
    trunks: dict[Hashable, Cell] = {}
    chains = [_chain(cells, trunks, edge, back) for edge, back in zip(edges, turned, strict=True)]
    rows: list[list[Cell]] = [[] for _ in range(2 * max(ranks.values(), default=0) + 1)]
    every = {id(cell): cell for cell in (*cells.values(), *(cell for chain in chains for cell in chain[1:-1]))}
    for cell in every.values():
        rows[cell.row].append(cell)
    order(rows)
    place(rows)
    tops, height = _heights(rows)
    left = min((cell.x - cell.size.width / 2 for cell in every.values()), default=0.0)
    right = max((cell.x + cell.size.width / 2 for cell in every.values()), default=0.0)
    for cell in every.values():
        cell.x -= left
    routes = [
        _route(chain, back, tops, nodes) if len(chain) > 1 else _to_itself(chain[0], edge, nodes, loops, tops)
        for chain, edge, back in zip(chains, edges, turned, strict=True)
    ]
    spots = {node: Spot(cell.x, sum(tops[cell.row]) / 2) for node, cell in cells.items()}
    return Layout(Size(right - left, height), spots, routes)


def _with(size: Size, loops: Sequence[Edge]) -> Size:
    """A box with room beside it for lines to itself."""
    beside = max((edge.label.width + 2 * GAP for edge in loops), default=0.0)
    return Size(size.width + 2 * beside, max(size.height, sum(map(_tall, loops))))


def _tall(loop: Edge) -> float:
    return max(loop.label.height, NARROW) + 4


def _turned(nodes: Mapping[Node, Size], edges: Sequence[Edge]) -> list[bool]:
    """Which edges lead back to what leads to them. What stands first among the nodes is gone to first, since people
    write down what mostly happens in its order."""
    order = {node: number for number, node in enumerate(nodes)}
    leads: dict[Node, list[int]] = {node: [] for node in nodes}
    for index in sorted(range(len(edges)), key=lambda one: order[edges[one].target]):
        leads[edges[index].source].append(index)
    turned = [False] * len(edges)
    open_nodes: set[Node] = set()
    seen: set[Node] = set()
    for root in nodes:
        if root in seen:
            continue
        seen.add(root)
        open_nodes.add(root)
        path = [(root, iter(leads[root]))]
        while path:
            node, rest = path[-1]
            index = next(rest, -1)
            if index < 0:
                open_nodes.discard(node)
                path.pop()
            elif (target := edges[index].target) in open_nodes:
                turned[index] = True
            elif target not in seen:
                seen.add(target)
                open_nodes.add(target)
                path.append((target, iter(leads[target])))
    return turned


def _ends(edge: Edge, turned: bool) -> tuple[Node, Node]:
    """Upper and lower end."""
    return (edge.target, edge.source) if turned else (edge.source, edge.target)


def _ranks(nodes: Mapping[Node, Size], edges: Sequence[Edge], turned: Sequence[bool]) -> dict[Node, int]:
    """One more than the last of those that lead to a node."""
    below: dict[Node, list[Node]] = {node: [] for node in nodes}
    waits = dict.fromkeys(nodes, 0)
    for edge, back in zip(edges, turned, strict=True):
        upper, lower = _ends(edge, back)
        if upper != lower:
            below[upper].append(lower)
            waits[lower] += 1
    ranks = dict.fromkeys(nodes, 0)
    ready = [node for node, count in waits.items() if not count]
    for node in ready:  # grows while it is gone through
        for lower in below[node]:
            ranks[lower] = max(ranks[lower], ranks[node] + 1)
            waits[lower] -= 1
            if not waits[lower]:
                ready.append(lower)
    return ranks


def _chain(cells: Mapping[Node, Cell], trunks: dict[Hashable, Cell], edge: Edge, turned: bool) -> list[Cell]:
    """The cells that an edge goes through, from its upper end to its lower one; the label is next to the source, and
    all others are shared with whatever leads to the same target."""
    upper, lower = (cells[node] for node in _ends(edge, turned))
    if upper is lower:
        return [upper]
    chain = [upper]
    labelled = lower.row - 1 if turned else upper.row + 1
    for row in range(upper.row + 1, lower.row):
        if row == labelled:
            chain.append(Cell(edge.label, row))
        else:
            key = (edge.target, edge.group, turned, row)
            cell = trunks.get(key)
            if cell is None:
                cell = trunks[key] = Cell(Size(0, 0), row, shared=True)
            chain.append(cell)
    chain.append(lower)
    for one, other in pairwise(chain):
        if all(joined is not other for joined, _ in one.below):
            weight = edge.weight * (8 if one.shared and other.shared else 1 if one.shared or other.shared else 2)
            one.below.append((other, weight))
            other.above.append((one, weight))
    return chain


Rows = Sequence[tuple[float, float]]
"""The upper and the lower border of each row."""


def _heights(rows: list[list[Cell]]) -> tuple[Rows, float]:
    """And where the last one ends."""
    found: list[tuple[float, float]] = []
    y = 0.0
    for row in rows:
        y += ROW if found else 0
        height = max((cell.size.height for cell in row), default=0.0)
        found.append((y, y + height))
        y += height
    return found, y


def _to_itself(
    cell: Cell, edge: Edge, nodes: Mapping[Node, Size], loops: Mapping[Node, Sequence[Edge]], rows: Rows
) -> Route:
    size, every, y = nodes[edge.source], loops[edge.source], sum(rows[cell.row]) / 2
    above = sum(map(_tall, every[: next(at for at, one in enumerate(every) if one is edge)]))
    here = y - sum(map(_tall, every)) / 2 + above + _tall(edge) / 2
    x, most = cell.x + size.width / 2, max(size.height / 2 - 10, 0.0)
    touch = min(max(here, y - most), y + most)
    label = Spot(x + GAP + 4 + edge.label.width / 2, here) if edge.label.width else None
    return Route([Spot(x, touch - 6), Spot(x, touch + 6)], label, to_itself=True)


def _route(chain: list[Cell], turned: bool, rows: Rows, nodes: Mapping[Node, Size]) -> Route:
    route = Route()
    for cell in chain:
        x, (top, bottom) = cell.x, rows[cell.row]
        middle = (top + bottom) / 2
        if cell.node is not None:
            size = nodes[cell.node]
            if turned:  # beside the lines that lead down
                other = chain[1] if cell is chain[0] else chain[-2]
                x += (1 if other.x >= x else -1) * min(size.width / 4, GAP)
            side = 1 if cell is chain[0] else -1
            route.points.append(Spot(x, middle + side * size.height / 2))
        else:
            route.points += [Spot(x, top), Spot(x, bottom)]
            if cell.size.width:
                route.label = Spot(x, middle)
    if turned:
        route.points.reverse()
    return route
