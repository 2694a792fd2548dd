"""How ``make docs`` builds the site: the pages as they lie in the repository, and beside them a reference made from
docstrings and annotations. Whatever Sphinx warns of fails the build; a public annotation that leads nowhere is such a
warning, unless it stands in ``PRIVATE`` with the reason."""

from __future__ import annotations

from typing import Any

from overwinter import __version__

project = "overwinter"
version = release = __version__

# The source is the repository, so that links between its files are right here and there.
root_doc = "docs/index"
include_patterns = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/*.md", "docs/*.rst", "docs/reference/*.rst"]
exclude_patterns = [".*"]  # not to be searched either: .venv, and .dev, which leads to itself
extensions = ["myst_parser", "sphinx.ext.autodoc"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"overwinter {__version__}"
html_copy_source = False

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100

nitpicky = True
nitpick_ignore_regex = [
    (r"py:.*", r"(?!overwinter\.).+\..+"),  # other people's names, which have pages of their own elsewhere
]
PRIVATE = {
    *("T", "Ts", "P", "R", "Item", "Out_co", "Served", "Body"),  # type variables, and aliases of unions of callables
    *("Run", "Scope", "Event", "Sleep", "Child", "Approving"),  # what a Context makes, to be awaited as an Operation
    "TurnContext",  # a Context without what no turn has use for
    *("Engine", "Ends", "Threads", "Invoke", "Subject"),  # the engine's own, which it hands in
    *("Guest", "Stage", "Late", "Gate"),  # the door's and the clock's own
    *("Duration", "Opaque", "Decode"),  # other names of plain types: "5m", timedelta or seconds; JSON; a function
    *("Starlette",),  # other people's, named without its module
}


def at_its_public_home(app: Any, env: Any, wanted: Any, text: Any) -> Any:
    """An annotation names where a class is made; the reference has it where users import it from. Sphinx and its types
    are not there when this is checked: they are no part of the development's tools."""
    name = str(wanted.get("reftarget", "")).rpartition(".")[2]
    if wanted.get("refdomain") != "py":
        return None
    if name in PRIVATE:
        return text
    domain = env.domains["py"]
    homes = [home for home in domain.objects if home.rpartition(".")[2] == name and home.startswith("overwinter")]
    classes = [home for home in homes if domain.objects[home].objtype in ("class", "exception", "data")]
    if len(classes) != 1:
        return None
    source = str(wanted.get("refdoc", env.docname))
    return domain.resolve_xref(env, source, app.builder, "obj", classes[0], wanted, text)


def setup(app: Any) -> None:
    app.connect("missing-reference", at_its_public_home)
