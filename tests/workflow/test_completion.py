"""Shares and sums of money are exact, however they are written."""

from __future__ import annotations

import decimal
from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from overwinter.orchestrator.governance.usage import Usage
from overwinter.orchestrator.workflow.completion import Completion


@given(st.integers(1, 400), st.data())
def test_a_share_is_exact(total: int, data: st.DataObject) -> None:
    failed = data.draw(st.integers(0, total))
    digits = data.draw(st.integers(0, 1000))
    written = f"{digits / 1000:.3f}"
    within = failed * 1000 <= digits * total
    for share in (float(written), Decimal(written), Fraction(written)):
        assert Completion.tolerate(share=share).met(total, total - failed, failed) is within
    assert Completion.tolerate(share=failed / total).met(total, total - failed, failed) is True
    if failed:
        assert Completion.tolerate(share=(failed - 1) / total).met(total, total - failed, failed) is False


def test_a_share_reads_as_it_was_written() -> None:
    assert Completion.tolerate(share=0.29).met(100, 71, 29) is True
    assert repr(Completion.tolerate(share=0.29)) == "Completion.tolerate(share=0.29)"


@given(st.lists(st.decimals("0", "1000", places=12), max_size=20))
def test_sums_of_money_do_not_round(costs: list[Decimal]) -> None:
    with decimal.localcontext(prec=4):  # as a program may have set it for itself
        used = Usage()
        for cost in costs:
            used = used.plus(Usage(cost=cost))
        for cost in costs:
            used = used.minus(Usage(cost=cost)).plus(Usage(cost=cost))
    exact = sum(int(cost * 10**12) for cost in costs)
    assert used.cost * 10**12 == exact
