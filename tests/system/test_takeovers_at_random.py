"""Takeovers while the oracle's traffic goes on. The long run is `make chaos CHAOS_ARGS="--takeovers 100"`."""

from __future__ import annotations

import pytest

from tests.system.chaos.takeovers import WAYS, take_over


@pytest.mark.timeout(600)
@pytest.mark.parametrize("takeovers", [pytest.param(30, marks=pytest.mark.long)])
async def test_whatever_ends_the_leader_nothing_is_lost_and_no_two_push(takeovers: int) -> None:
    report = await take_over(seed=5, takeovers=takeovers)
    assert report.clean, str(report)
    assert {each.name for each in report.struck} == set(WAYS)
    assert report.overlaps == 0
    assert report.transactions > 0
    assert report.unexpected_ends == ()
