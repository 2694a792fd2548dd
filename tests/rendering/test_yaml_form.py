"""What is written as YAML is read back as it was, by a reader of somebody else's."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from overwinter.cli.rendering.yaml_form import written

TEXTS = st.text(st.characters(codec="utf-8")) | st.sampled_from(
    ["true", "No", "~", "null", "1", "1e3", "0x1f", "-", "- a", "a: b", "a #b", "#", "", " a", "a ", "'", '"', "\n",
     "y", "=", "2026-11-29", "*/5 * * * *", "@daily", "%", "a:", "?", "{}", "[]", "&a", "!b", "|", ">", "..", "<<",
     "\u2028", "\x85"]
)  # fmt: skip
VALUES: st.SearchStrategy[Any] = st.recursive(
    TEXTS | st.integers() | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=12,
)
DOCUMENTS = st.dictionaries(TEXTS, VALUES, min_size=1, max_size=4)


@given(st.lists(DOCUMENTS, min_size=1, max_size=3))
def test_documents_are_read_as_they_were(documents: list[dict[str, Any]]) -> None:
    assert list(yaml.safe_load_all(written(documents, "what it is\n--- for"))) == documents


def test_it_is_written_for_people() -> None:
    document = {"kind": "Trigger", "spec": {"filters": [{"exact": {"type": "order.paid"}}], "retry": 10, "on": "yes"}}
    assert written([document], "apply this") == (
        "# apply this\nkind: Trigger\nspec:\n  filters:\n    - exact:\n        type: order.paid\n"
        '  retry: 10\n  "on": "yes"\n'
    )
