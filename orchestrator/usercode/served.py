"""What stands behind the things that users hand in, and under which names it is served.

Agents and workflows are addressed by their names, so those are theirs alone. A tool belongs to whoever calls it: two
agents may each have one of the same name, and each calls its own. A tool is served under its name while it is the only
one, or when it was handed in by itself; others of that name are served as ``AGENT.TOOL``, which no tool's name can be.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from types import MethodType
from typing import Any, NamedTuple, cast

from ...state.errors import InvalidInput
from ...state.ids import check_name


class _Place(NamedTuple):
    served: Any
    name: str
    kind: str
    users: list[str]  # the functions that use it; "" when it was handed in


def served(thing: object) -> Any:
    """The durable object behind a decorated function, the tool that a bound method is; the thing itself otherwise."""
    found: Any = getattr(thing, "__overwinter__", thing)
    if isinstance(thing, MethodType) and found is not thing and hasattr(found, "bound"):
        return found.bound(thing)
    return found


def by_name(things: Iterable[object] | Mapping[str, object]) -> dict[str, Any]:
    """Functions by the names under which they are served, with those that they use. Raises InvalidInput for what is no
    function, and for two that would have one name."""
    places = _places(_handed(cast("Mapping[str, object]", things)) if isinstance(things, Mapping) else things)
    found: dict[str, Any] = {}
    for place in places:
        for name in _names(place, places):
            if name in found:
                other = next(one for one in places if one.served is found[name])
                both = f"{_told(other)} and {_told(place)}"
                raise InvalidInput(f"two functions are named {name!r}: {both}; give one of them another name")
            found[name] = place.served
    return found


def _handed(things: Mapping[str, object]) -> Iterable[object]:
    """What a mapping hands in: not what it got from here, under the name of an agent that is there itself."""
    for key, thing in things.items():
        user, _, name = key.rpartition(".")
        if not (user in things and name == getattr(served(thing), "name", None)):
            yield thing


def _places(things: Iterable[object]) -> list[_Place]:
    """All functions that are handed in or reached from those, nearest first."""
    known: dict[int, _Place] = {}
    queue = deque((thing, "") for thing in things)
    while queue:
        thing, user = queue.popleft()
        function = served(thing)
        if id(function) in known:
            known[id(function)].users.append(user)
            continue
        name = getattr(function, "name", None)
        if not isinstance(name, str):
            raise InvalidInput(f"{thing!r} is no agent, workflow or tool; decorate it with @workflow or @tool")
        kind = str(getattr(function, "kind", "function"))
        check_name(name, kind, for_models=kind in ("agent", "tool"))
        known[id(function)] = _Place(function, name, kind, [user])
        queue += [(used, name) for used in getattr(function, "tools", ())]
    return list(known.values())


def _names(place: _Place, places: list[_Place]) -> list[str]:
    """Its own name, or one for each of its users where that name is another's."""
    same = [other for other in places if other.name == place.name]
    users = [user for user in dict.fromkeys(place.users) if user]
    handed_in = [other for other in same if "" in other.users]
    own = len(same) == 1 or ("" in place.users and (len(handed_in) == 1 or not users))
    return [place.name] if own or place.kind != "tool" else [f"{user}.{place.name}" for user in users]


def _told(place: _Place) -> str:
    """Which of two of one name it is."""
    held = place.served
    written = next((found for name in ("function", "fn") if (found := getattr(held, name, None)) is not None), held)
    users = [user for user in place.users if user]
    by = f" of {users[0]}" if users else ""
    return f"the {place.kind}{by} in {getattr(written, '__module__', type(held).__module__)}"
