"""A short chaos run: a few faults, each once. The long one is `make chaos`."""

from __future__ import annotations

import pytest

from tests.system.chaos.__main__ import run

SHORT = ("connector killed", "Postgres crashed", "older checkpoints restored")
LONGER = (*SHORT, "slot dropped", "row security toggled")


@pytest.mark.timeout(400)
@pytest.mark.parametrize("faults", [SHORT, pytest.param(LONGER, marks=pytest.mark.long)])
async def test_after_a_few_faults_nothing_is_lost_and_nothing_is_stale(faults: tuple[str, ...]) -> None:
    report = await run(seconds=300.0, seed=11, names=faults, rounds=1)
    assert report.clean, str(report)
    assert sorted(each.name for each in report.struck) == sorted(faults)
    assert report.transactions > 0
    assert report.unexpected_ends == ()
