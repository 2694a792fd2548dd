"""One person under two spellings is one; two who look different are two."""

from __future__ import annotations

import pytest

from overwinter.orchestrator.governance.approvals.person import person


@pytest.mark.parametrize(
    "spelt",
    [
        "ana maria",
        "ANA  Maria ",
        "ana\u00a0maria",
        "ana\t maria\n",
        "a\u200bna maria",  # a space of no width
        "ana maria\u200d",
        "\u202eana maria",
        "ana\u00ad maria",
        "ana ma\ufe0fria",
        "ana maria\u3164",
        "ana \u2800 maria",
        "ana\x00 maria",
        "ａｎａ maria",  # noqa: RUF001
        "somebody else (ana maria)",
        "somebody else (Ana\u200b Maria)",
    ],
)
def test_it_is_the_same_person(spelt: str) -> None:
    assert person(spelt) == "ana maria"


@pytest.mark.parametrize("other", ["anamaria", "ana", "ána maria", "ana-maria", "ana maria 2"])
def test_it_is_another_person(other: str) -> None:
    assert person(other) not in ("", "ana maria")


@pytest.mark.parametrize("nobody", ["", " ", "\u200b", "\u3164", "\t\n", "\u2800"])
def test_it_is_nobody(nobody: str) -> None:
    assert person(nobody) == ""
