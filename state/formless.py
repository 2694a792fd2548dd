"""Why a type has no JSON form, or no JSON schema, in pydantic's own words: the reason that people can act on."""

from __future__ import annotations

_MOST = 300
FORMLESS = (RuntimeError, NameError)
"""What pydantic raises for a type that it can't take: PydanticUserError and PydanticUndefinedAnnotation."""
INSTEAD = "use plain data, a pydantic model or a dataclass"


def reason(error: BaseException) -> str:
    """One line of it, without links and without what only a type's author could do."""
    said = str(getattr(error, "message", error)).strip().partition("\n")[0]
    return said.partition(" Set `arbitrary_types_allowed")[0].strip().removesuffix(".")[:_MOST]
