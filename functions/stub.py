"""What modules of stubs are made with (``overwinter stubs``): what a stub does where no route leads to its function."""

from __future__ import annotations

from ..state.errors import Final


def elsewhere(name: str) -> Final:
    """What is raised where the function itself was to run. A route would have led to it."""
    return Final(
        f"{name!r} lives in another process, and no route leads there; set OVERWINTER_ROUTES={name}=https://HOST, "
        "or name the place in overwinter.toml"
    )


def unsaid(value: object) -> bool:
    """Whether a field is left out of what is sent: nobody has given it, and its default is the function's own."""
    return value is None
