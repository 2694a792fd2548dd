"""``verify``: reads the whole table and says what contradicts itself. It costs what reading the table costs."""

from __future__ import annotations

from collections.abc import Iterable

from .edit import Edit, Item, number, text
from .layout import execution, mail_seq
from .listing import Listing
from .moving import Moving
from .parts import Parts
from .picture import Picture, mark_due


class Checking:
    def __init__(self, parts: Parts, listing: Listing, moving: Moving) -> None:
        self._table, self._journal = parts.table, parts.journal
        self._retention = parts.place.retention
        self._listing, self._moving = listing, moving

    async def verify(self) -> list[str]:
        wrong: list[str] = []
        for note in await self._moving.notes():
            wrong.append(f"{text(note, 'id')}: its deletion or restoring was not finished; the next deletion does it")
        for id in await self._listing.ids():
            items = await self._table.query(execution(id))
            heads = [item for item in items if text(item, "sk") == "h"]
            if heads:  # else it was deleted since
                wrong += [f"{id}: {text}" for text in await self._execution(Picture(heads[0]), items)]
        return wrong

    async def _execution(self, picture: Picture, items: Iterable[Item]) -> list[str]:
        wrong: list[str] = []
        length, outside, moved = 0, set[int](), 0
        for item in items:
            kind, _, rest = text(item, "sk").partition("#")
            if rest.partition("#")[0] != picture.life or kind == "t":
                continue
            if kind == "j":
                length += len(await self._journal.entries(item))
                if length != int(text(item, "sk").rpartition("#")[2]):
                    wrong.append(f"the journal has a gap before entry {text(item, 'sk').rpartition('#')[2]}")
            elif kind == "m":
                outside.add(mail_seq(text(item, "sk")))
            moved += kind == "s"
        if length != picture.head.length:
            wrong.append(f"the journal has {length} entries, the head says {picture.head.length}")
        waiting = len(picture.mail) + len(outside - picture.gone)
        if waiting != picture.waiting:
            wrong.append(f"{waiting} mails wait, the head says {picture.waiting}")
        if len(outside - picture.gone) != picture.spilled:
            wrong.append(f"{len(outside - picture.gone)} mails are outside the head, it says {picture.spilled}")
        if any(seq > picture.arrivals for seq in (*picture.mail, *outside)):
            wrong.append(f"there is mail after number {picture.arrivals}, the last that arrived")
        return wrong + self._due(picture)

    def _due(self, picture: Picture) -> list[str]:
        """Whether the keys of the due index are those that follow from lease and wake time."""
        edit = Edit({})
        mark_due(edit, picture.head.id, owner=picture.owner, wake=picture.wake, mail=picture.waiting > 0)
        right = edit.apply(None)
        place = text(picture.item, "d")
        if place.startswith("x#") and not right:
            return []
        if place != text(right, "d") or (picture.owner is None and number(picture.item, "w") != number(right, "w")):
            found, due = place or "nothing", text(right, "d") or "nothing"
            return [f"it stands in the due index under {found}, and should under {due}"]
        return []
