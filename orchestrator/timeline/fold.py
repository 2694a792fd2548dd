"""A journal folded into what a person wants to see: one row per thing that ran or is waited for, grouped into
turns for an agent session. Incremental: ``Fold.add`` takes one entry and answers the rows it settled, so
that who shows all at once and who follows as it happens tell the same story. Unknown entry types are shown,
not dropped: a newer process may have written them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from ..agent.billing import billed
from ..governance.approvals.register import LOOKUP
from .entry import Entry, at, doubtful, error, left_in, said_in
from .row import DONE, DROPPED, FAILED, INFO, OPEN, WORK, Attempt, Row, Turn
from .usage import usage
from .votes import Votes


class Fold:
    """``turns`` in order, ``waiting`` the open rows by operation, ``started`` when the first entry was written. Who
    tells of rows in words says them in ``words``, and of approvals by ``votes``."""

    def __init__(self, votes: Votes | None = None) -> None:
        self.turns: list[Turn] = []
        self.waiting: dict[str, Row] = {}
        self.started: int | None = None
        self._votes = Votes() if votes is None else votes

    def add(self, number: int, entry: Entry) -> list[Row]:
        """Take entry ``number``; answer the rows that are complete now, in the order to print them."""
        fold = self.TYPES.get(str(entry.get("type")), Fold._other)
        try:
            if self.started is None and "at" in entry:
                self.started = at(entry)
            settled = fold(self, number, entry)
        except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
            odd = {"type": "damaged", "error": f"entry {number} can't be read: {type(error).__name__}: {error}"}
            settled = self._damaged(number, odd)
        return settled

    def words(self, entry: Entry) -> Any:
        """What an entry says, for people, when none of its fields does."""
        return None

    def rows(self) -> list[Row]:
        return [row for turn in self.turns for row in ([turn.message] if turn.message else []) + turn.rows]

    # -- the folds ----------------------------------------------------------------------------------

    def _append(self, row: Row) -> Row:
        if not self.turns:
            self.turns.append(Turn(None, []))
        self.turns[-1].rows.append(row)
        return row

    def _info(self, number: int, entry: Entry, *, value: Any = None, name: str = "") -> list[Row]:
        row = Row(number, str(entry.get("type")), at(entry), op=str(entry.get("op", "")), name=name)
        row.value, row.branch = value, str(entry.get("branch", ""))
        row.facts = {key: entry[key] for key in ("by", "reason", "source") if entry.get(key)}
        return [self._append(row)]

    def _start(self, number: int, entry: Entry) -> list[Row]:
        return self._info(number, entry, value=said_in(entry, "input"))

    def _message(self, number: int, entry: Entry) -> list[Row]:
        row = Row(number, "message", at(entry), name=str(entry.get("by") or ""))
        row.value = said_in(entry, "content")
        row.facts = {"id": entry.get("id")}
        self.turns.append(Turn(row, []))
        return [row]

    def _event(self, number: int, entry: Entry) -> list[Row]:
        return self._info(number, entry, value=entry.get("data"), name=str(entry.get("name", "")))

    def _note(self, number: int, entry: Entry) -> list[Row]:
        return self._info(number, entry)

    def _forked(self, number: int, entry: Entry) -> list[Row]:
        changed = [name for name in ("model", "instructions") if entry.get(name)]
        other = f", with other {' and '.join(changed)}" if changed else ""
        return self._info(number, entry, value=f"of {entry.get('from')}, from its entry {entry.get('n')}{other}")

    def _stuck(self, number: int, entry: Entry) -> list[Row]:
        (row,) = self._info(number, entry)
        row.state, row.error = FAILED, error(entry.get("error"))
        return [row]

    def _damaged(self, number: int, entry: Entry) -> list[Row]:
        row = self._append(Row(number, "damaged", self._last_at()))
        row.state, row.error = FAILED, error(entry.get("error"))
        return [row]

    def _last_at(self) -> int:
        rows = self.turns[-1].rows if self.turns else []
        return rows[-1].at if rows else self.started or 0

    def _checkpoint(self, number: int, entry: Entry) -> list[Row]:
        return self._info(number, entry, value=entry.get("input"))

    def _nothing(self, number: int, entry: Entry) -> list[Row]:
        return []

    def _work(self, number: int, entry: Entry) -> list[Row]:
        """step, model, tool: the end of a call; it began ``ms`` before, or when its first attempt did."""
        op, ms = str(entry.get("op", "")), int(entry.get("ms", 0))
        row = self.waiting.pop(op, None)
        if row is None and entry.get("name") == LOOKUP and entry.get("value") == []:
            return []  # nothing stands for the call, so nothing is to be told of it
        n = int(entry.get("n", 1))
        if row is None:
            row = self._append(Row(number, "", at(entry) - ms, op=op))
            row.sure = n == 1
        _ended(row, n, at(entry) - ms, entry)
        row.kind = str(entry["type"])
        row.number, row.name = number, str(entry.get("name", ""))
        row.branch = str(entry.get("branch", ""))
        row.ms = at(entry) - row.at
        row.attempts = max(n, row.attempts)
        _close(row, entry)
        if "keeps" in entry:
            row.facts["keeps"] = entry["keeps"]
        if row.kind == "listed":
            row.value = self.words(entry)
        if row.kind in ("model", "summary"):
            row.usage = usage(row.value) or usage(billed(entry))
        return [row]

    def _begun(self, number: int, entry: Entry) -> list[Row]:
        op = str(entry.get("op", ""))
        row = self.waiting.get(op) or self._open(number, "step", entry)
        row.attempts = max(row.attempts, int(entry.get("n", 1)))
        row.tries.append(Attempt(int(entry.get("n", 1)), at(entry), None))
        row.facts["begun"] = True
        return []

    def _sent(self, number: int, entry: Entry) -> list[Row]:
        """A call that another process makes was accepted there; an event is out, or was refused; anything else that
        was sent has a row of its own."""
        row = self.waiting.get(str(entry.get("op", "")))
        if "until" in entry:
            row = row or self._open(number, "step", entry)
            row.until, row.error, row.facts["away"] = entry["until"], None, True
        elif row is not None and row.kind == "publish":
            return [self._settle(number, row.kind, entry)]
        return []

    def _doubt(self, number: int, entry: Entry) -> list[Row]:
        row = self.waiting.get(str(entry.get("op", ""))) or self._open(number, "step", entry)
        row.until, row.error = entry.get("until"), error(entry.get("error"))
        row.facts |= doubtful(entry)
        return []

    def _resolved(self, number: int, entry: Entry) -> list[Row]:
        row = self.waiting.get(str(entry.get("op", "")))
        if row is not None:
            row.until, row.error = entry.get("until"), None
            row.facts = {name: one for name, one in row.facts.items() if name not in ("doubt", "begun")}
        return self._info(
            number, entry, value=self.words(entry), name=str(entry.get("name") or (row.name if row else ""))
        )

    def _retrying(self, number: int, entry: Entry) -> list[Row]:
        row = self.waiting.get(str(entry.get("op", "")))
        if row is None:
            row = self._open(number, "step", entry)
            row.sure = False
        failed = int(entry.get("n", 1))
        _ended(row, failed, row.until, entry)
        row.attempts, row.until, row.error = failed + 1, entry.get("until"), error(entry.get("error"))
        row.facts.pop("begun", None)
        return []

    def _ordered(self, number: int, entry: Entry) -> list[Row]:
        row = self._open(number, str(entry.get("kind", "ordered")), entry)
        row.until = entry.get("until")
        self._votes.asked(entry)
        row.facts = {
            key: entry[key] for key in ("what", "role", "digest", "id", "detached", "data", "event") if key in entry
        }
        if entry.get("detached"):
            row.state = INFO
            del self.waiting[row.op]
            return [row]
        return []

    def _decided(self, number: int, entry: Entry) -> list[Row]:
        if (aside := self._votes.aside(entry)) is not None or entry["type"] == "delegated":
            return self._info(number, {**entry, "by": None, "reason": None}, value=aside)
        row = self._settle(number, "approval", entry)
        row.state = DONE if entry.get("approved") else FAILED
        row.facts.update(approved=bool(entry.get("approved")), by=entry.get("by"), reason=entry.get("reason"))
        row.facts.update(self._votes.settled(entry))
        return [row]

    def _callback(self, number: int, entry: Entry) -> list[Row]:
        return [self._settle(number, "callback", entry)]

    def _child(self, number: int, entry: Entry) -> list[Row]:
        ended = entry.get("id")
        orders = [op for op, row in self.waiting.items() if row.kind == "child" and row.facts.get("id") == ended]
        row = self._settle(number, "child", {**entry, "op": orders[0]} if orders else entry)
        row.facts.setdefault("id", entry.get("id"))
        return [row]

    def _timer(self, number: int, entry: Entry) -> list[Row]:
        row = self.waiting.get(str(entry.get("op", "")))
        if row is None or row.kind in WORK:
            (told,) = self._info(number, entry, value=self._votes.aside(entry), name=str(entry.get("name", "")))
            told.what = str(entry.get("kind", ""))
            return [told]
        self._settle(number, row.kind, entry)
        row.state, row.facts["late"] = FAILED, True
        return [row]

    def _observed(self, number: int, entry: Entry) -> list[Row]:
        """The model is told something in a tool's stead (unknown tool, wrong arguments, denied or too late), or why
        its answer is not taken; the so-manieth time in this turn, if it counts."""
        waiting = self.waiting.get(str(entry.get("op", "")))
        settled = [] if waiting is None or waiting.kind in WORK else self._timer(number, entry)
        name, repair = str(entry.get("name", "")), entry.get("repair")
        if repair is not None:
            name = f"{name} repair {repair}".lstrip()
        return [*settled, *self._info(number, entry, value=entry.get("text"), name=name)]

    def _why(self, number: int, entry: Entry) -> list[Row]:
        """What came from outside and was passed over, because it has not the type that is waited for; why a saga undoes
        what it did, or what of it could not be undone."""
        (row,) = self._info(number, entry, value=entry.get("why"), name=str(entry.get("name", "")))
        if "data" in entry:
            row.state, row.error, row.facts["left"] = FAILED, left_in(entry["data"]), entry["data"]
        return [row]

    def _routed(self, number: int, entry: Entry) -> list[Row]:
        """Which model is asked and why, who has the conversation, or what of it the model does not read any more."""
        why = self.words(entry) if entry["type"] in ("compacted", "handoff") else entry.get("why")
        return self._info(number, entry, value=why, name=str(entry.get("name", "")))

    def _reply(self, number: int, entry: Entry) -> list[Row]:
        message = self.turns[-1].message if self.turns else None
        row = self._append(Row(number, "reply", at(entry)))
        row.to = str(entry.get("to") or "")
        if message is not None and message.facts.get("id") in (entry.get("to"), None):
            row.ms = at(entry) - message.at
        _close(row, entry)
        self._quote(row, entry)
        return [row]

    def _end(self, number: int, entry: Entry) -> list[Row]:
        """completed, failed, cancelled, terminated: what was still open will not end any more."""
        dropped = list(self.waiting.values())
        for open_row in dropped:
            open_row.state, open_row.ms = DROPPED, at(entry) - open_row.at
        self.waiting.clear()
        row = self._append(Row(number, str(entry["type"]), at(entry)))
        if self.started is not None:
            row.ms = at(entry) - self.started
        _close(row, entry)
        self._quote(row, entry)
        if entry["type"] != "completed":
            row.state = FAILED
        row.facts = {key: entry[key] for key in ("by", "reason") if entry.get(key)}
        return [*dropped, row]

    def _machine(self, number: int, entry: Entry) -> list[Row]:
        """The definition that a state machine goes by."""
        return self._info(number, entry, value=self.words(entry))

    def _other(self, number: int, entry: Entry) -> list[Row]:
        rest = {key: value for key, value in entry.items() if key not in ("type", "at", "op", "name")}
        return self._info(number, entry, value=rest or None, name=str(entry.get("name", "")))

    def _quote(self, row: Row, entry: Entry) -> None:
        """An answer that only names the model operation whose text it is."""
        if "said" in entry and self.turns:
            for model in reversed(self.turns[-1].rows):
                answer: Any = model.value
                if model.kind == "model" and model.op == entry["said"] and isinstance(answer, dict):
                    row.value = cast("Entry", answer).get("text")
                    return

    def _open(self, number: int, kind: str, entry: Entry) -> Row:
        op = str(entry.get("op", ""))
        row = self._append(Row(number, kind, at(entry), op=op, name=str(entry.get("name", "")), state=OPEN))
        row.branch = str(entry.get("branch", ""))
        self.waiting[op] = row
        return row

    def _settle(self, number: int, kind: str, entry: Entry) -> Row:
        """Close what was open under the entry's operation; a late answer becomes a row of its own."""
        op = str(entry.get("op", ""))
        row = self.waiting.pop(op, None)
        if row is None:
            row = self._append(Row(number, kind, at(entry), op=op))
        else:
            row.ms = at(entry) - row.at
        row.number = number
        _close(row, entry)
        return row

    TYPES: dict[str, Callable[[Fold, int, Entry], list[Row]]] = {
        "start": _start,
        "message": _message,
        "event": _event,
        **dict.fromkeys(("decided", "delegated", "revoked"), _decided),
        "callback": _callback,
        "child": _child,
        "sent": _sent,
        **dict.fromkeys(("answered", "beat", "passed"), _nothing),
        **dict.fromkeys(WORK, _work),
        "begun": _begun,
        "retrying": _retrying,
        "doubt": _doubt,
        "resolved": _resolved,
        "timer": _timer,
        "ordered": _ordered,
        "checkpoint": _checkpoint,
        "machine": _machine,
        "stuck": _stuck,
        "damaged": _damaged,
        "observed": _observed,
        **dict.fromkeys(("compacted", "offered", "handoff", "routed"), _routed),
        **dict.fromkeys(("skipped", "saga"), _why),
        "reply": _reply,
        **dict.fromkeys(("cancel", "paused", "resumed", "retry"), _note),
        "forked": _forked,
        **dict.fromkeys(("completed", "failed", "cancelled", "terminated"), _end),
    }


def _close(row: Row, entry: Entry) -> None:
    row.value, row.error, row.until = entry.get("value"), error(entry.get("error")), None
    if "recorded" in entry:
        row.facts["recorded"] = entry["recorded"]
    row.state = FAILED if row.error is not None else DONE


def _ended(row: Row, n: int, begin: int | None, entry: Entry) -> None:
    """An attempt is over. When it began stands in the entry before it, or is worked out by who knows."""
    if row.tries and row.tries[-1].end is None:
        begin = row.tries.pop().begin
    row.tries.append(Attempt(n, begin, at(entry), error(entry.get("error"))))
