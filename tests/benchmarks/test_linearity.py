"""What the linearity benchmark concludes from a server's counts, and that it runs from end to end."""

from __future__ import annotations

from math import isnan, nan

import pytest

from benchmarks import linearity, linearity_report
from benchmarks.curve import Curve, Sample

GOOD = {"settled_after_s": 2.0, "possible_share": 0.97, "settled_wasted_share": 0.004}
TINY = linearity.Scale(orders=120, limits=(40,), seconds=2.0)


def constant(rate: int, seconds: int, *, since: float = 0.0) -> list[Sample]:
    return [Sample(since + quarter / 4, rate * quarter // 4) for quarter in range(4 * seconds + 1)]


def test_a_rate_is_found_when_it_holds() -> None:
    slow = [Sample(quarter / 4, 10 * quarter // 4) for quarter in range(17)]
    fast = [Sample(4 + quarter / 4, 40 + 100 * quarter // 4) for quarter in range(1, 41)]
    settled = Curve([*slow, *fast]).settled(100)
    assert settled is not None
    assert 3.5 <= settled <= 4.5
    assert Curve(slow).settled(100) is None


def test_a_rate_that_a_pause_interrupts_is_not_found_before_it() -> None:
    before, after = constant(100, 4), constant(100, 10, since=6.0)
    paused = [*before, *(Sample(each.at, 400 + each.accepted) for each in after)]
    settled = Curve(paused).settled(100)
    assert settled is not None
    assert settled >= 4.5


def test_what_is_refused_or_repeated_is_wasted_and_is_no_useful_push() -> None:
    curve = Curve([Sample(0.0), Sample(10.0, accepted=95, throttled=3, failed=2, repeated=5)])
    assert curve.waste(0.0, 10.0) == pytest.approx(0.1)
    assert curve.rate(0.0, 10.0) == pytest.approx(9.0)


def test_repeats_are_counted_from_a_look_to_the_next() -> None:
    before = {"accepted": 2, "throttled": 1, "requests": 3, "pushes": {"1": 2}}
    after = {"accepted": 6, "throttled": 2, "requests": 9, "pushes": {"1": 3, "2": 1, "3": 2}}
    assert linearity.counted(before, after, 7.0) == Sample(7.0, accepted=4, throttled=1, failed=1, repeated=1)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"settled_after_s": nan}, "never stayed"),
        ({"possible_share": 0.85}, "85.0% of what is possible"),
        ({"settled_wasted_share": 0.013}, "1.30% wasted"),
    ],
)
def test_a_claim_that_does_not_hold_is_named(changed: dict[str, float], said: str) -> None:
    assert linearity_report.failures({"ceiling": {}, "limit_50": GOOD}) == []
    (failure,) = linearity_report.failures({"ceiling": {}, "limit_50": {**GOOD, **changed}})
    assert failure.startswith("limit 50/s: ")
    assert said in failure


@pytest.mark.long
async def test_it_runs_and_leaves_redo_with_the_mappings_answer() -> None:
    found, version, clean = await linearity.measure(TINY, lambda _: None)
    assert clean
    assert set(found) == {"ceiling", "limit_40"}
    assert found["ceiling"]["throttled"] == 0
    assert found["limit_40"]["requests"] > found["limit_40"]["throttled"]
    assert isnan(found["limit_40"]["settled_after_s"]), "two seconds are too few to tell"
    assert version.split(".")[0].isdigit()
    assert linearity_report.section(found, {}, "tiny").count("|\n") > 10
