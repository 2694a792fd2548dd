"""Every case of the corpus in memory: what comes of it, and the same again with the process dying at every transition.

``OVERWINTER_CORPUS=each`` lets it die before and after every single operation on the store, also those that only read.
"""

from __future__ import annotations

import os

import pytest

from overwinter.tests.machine.running import stage

from .cases import cases

ALL = dict(cases())
EACH = os.environ.get("OVERWINTER_CORPUS") == "each"


@pytest.mark.parametrize("id", ALL)
def test_it_comes_to_what_it_should(id: str) -> None:
    case = ALL[id]
    calm = stage.play(case, each=EACH)
    stage.check(case, calm)
    assert calm.changes >= 4  # a start that is accepted, and an end that is appended, each before and after
    for number in range(1, calm.changes + 1):
        disturbed = stage.play(case, deaths=[number], each=EACH)
        assert disturbed.died == 1
        stage.check(case, disturbed)
