"""What the model is told when something did not go as it wanted. Written for a model: what happened, and
what to do now. These texts become part of the conversation through ``observed`` entries and tool results.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from ...state.codec import dumps
from ...state.errors import Denied, InDoubt, ModelRetry
from ..errors.attributes import storable
from ..errors.failures import Failure
from ..errors.groups import kind_in, text_in
from ..protocol.decider import Fact
from ..protocol.media import parts_of
from ..protocol.media import text_of as text_of_parts
from .answer import MOST_CALLS
from .conversation import RESULT, shortened

OBSERVATION_LIMIT = RESULT
"""Characters of what else a model is told."""

EMPTY = "Your answer was empty. Answer the user, or call a tool."
CUT = (
    "Your answer was cut off at the length limit, and nothing of it was carried out. "
    "Answer again, shorter; call fewer tools at once."
)
DECLINED = "You declined to answer. If you can answer at all, do it in the required form."
IN_DOUBT = (
    "The outcome of this call is unknown: it began, and it may or may not have taken effect. It must not be "
    "repeated. Find out by other means, or tell the user that it needs to be looked into."
)
REPEATED = "This same call was made before and its outcome is unknown. It was not repeated."
UNFINISHED = "The turn ended before this call had a result. If it changes anything, it may have taken effect."
PREMATURE = (
    "This is not taken as the final answer, because other tools were called beside it. Read their results first, then "
    "give the final answer alone."
)
SPARE = "This is not taken: one final answer is enough, and another one was looked at."
TAKEN = "This is taken as the final answer."
GUIDED = "The call was not made: read what stands below."
UNDECIDED = "The turn ended before anybody approved this call. It was not carried out."


def told(value: Any) -> str:
    """What a person says to the model, all of it: text as it is, everything else as JSON."""
    return value if isinstance(value, str) else dumps(value)


def text_of(value: Any) -> str:
    """A result as the model reads it, cut at OBSERVATION_LIMIT; the model is told so."""
    text = told(value)
    if len(text) <= OBSERVATION_LIMIT:
        return text
    return f"{text[:OBSERVATION_LIMIT]}… [{len(text) - OBSERVATION_LIMIT:,} more characters were left out]"


def outcome(fact: Fact, entry: int = 0, most: int = OBSERVATION_LIMIT) -> str:
    """The result of a tool, or its error as something the model can react to: so many characters of it, and how the
    rest is read, when it stands in that ``entry``."""
    return shortened(whole(fact), most, entry) if entry else text_of(whole(fact))


def whole(fact: Fact) -> str:
    """All of it, however long."""
    error: Failure | None = fact.get("error")
    if error is None:
        return text_of_parts(parts_of(fact.get("value"))) if fact.get("media") else told(fact.get("value"))
    if is_in_doubt(fact):
        return IN_DOUBT
    if error.get("kind") == f"{ModelRetry.__module__}.{ModelRetry.__qualname__}":
        return f"Error: {text_in(error)} Correct that and call the tool again."
    return f"Error: {kind_in(error) or 'failed'}: {text_in(error)}"


def is_in_doubt(fact: Fact) -> bool:
    error: Failure | None = fact.get("error")
    return error is not None and error.get("kind") == f"{InDoubt.__module__}.{InDoubt.__qualname__}"


def denied(fact: Fact) -> str:
    by = f" by {fact['by']}" if fact.get("by") else ""
    reason = f": {fact['reason']}" if fact.get("reason") else ""
    return f"Error: {Denied.__name__}: the call was denied{by}{reason}. It was not carried out."


def turned_down(fact: Fact, what: str) -> str:
    """A person does not want an input or an output, or nobody has said anything in time."""
    if fact["type"] != "decided":
        return f"nobody approved the {what} in time."
    by = f" by {fact['by']}" if fact.get("by") else ""
    reason = f": {fact['reason']}" if fact.get("reason") else "."
    return f"the {what} was denied{by}{reason}"


EXPIRED = f"Error: {Denied.__name__}: nobody approved the call in time. It was not carried out."


def spent(name: str, most: int) -> str:
    return f"Error: {name!r} may be called {most} times for one message, and was. Go on with what you have."


def outside(name: str, within: Collection[str]) -> str:
    return f"Error: the skill in use does not allow {name!r}. It allows {', '.join(sorted(within)) or 'none'}."


def uncalled(name: str) -> str:
    what = f"the tool {name!r}" if name else "one of the tools"
    return f"Your answer is not taken yet: call {what} first, then answer."


UNWANTED = "Error: no tools are to be called now. Answer with what you have."


def unknown_tool(name: str, names: Sequence[str]) -> str:
    known = f"The tools are: {', '.join(names)}." if names else "There are no tools; answer in words."
    return f"Error: there is no tool named {name[:100]!r}. {known}"


def unfit(problem: str, raw: str) -> str:
    problem = storable(problem)
    sent = f" You sent: {raw[:500]}" if raw else ""
    return f"Error: {problem}. Correct the arguments and call the tool again.{sent}"


def bent(problem: Exception) -> str:
    """A hook has made arguments that do not fit: the model could not correct that."""
    return (
        f"Error: a hook changed the arguments, and they do not fit any more: {storable(str(problem))} It was not made."
    )


def surplus(count: int) -> str:
    return (
        f"Only the first {MOST_CALLS} of your {MOST_CALLS + count} tool calls were made. "
        f"Ask for the others again, at most {MOST_CALLS} at once."
    )


def malformed(written: str) -> str:
    return (
        "What you wrote for a tool call could not be read, and nothing of it was carried out. Call the tool again, "
        f"with its name and arguments in the required form. You wrote: {storable(written[:500])}"
    )


def sent_back(why: str, *, tool: bool) -> str:
    """A validator wants another answer."""
    how = "Correct it and call the tool again." if tool else "Answer again, with that corrected."
    return text_of(storable(f"Your answer was sent back: {why} {how}"))


def misfit(problem: str) -> str:
    problem = storable(problem)
    return f"Your answer does not have the required form: {problem}. Answer again with nothing but the corrected JSON."
