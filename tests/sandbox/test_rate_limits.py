"""Rate limits of the sandbox by a clock that is moved by hand, and their `Retry-After`."""

from __future__ import annotations

import math
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.sandbox.faults.rate_limits import Limiter, retry_after
from connector.sandbox.faults.switches import Switches
from tests.support.sandbox_http import HandClock, push, serving, some_state, switch

KINDS = ("fixed", "sliding", "bucket")
TINY = 1e-6


def at(limiter: Limiter, switches: Switches, *times: float) -> list[bool]:
    """Which requests at these times pass."""
    return [limiter.refuse(switches, time) is None for time in times]


def test_a_fixed_window_begins_anew_at_whole_seconds_of_the_clock() -> None:
    switches = Switches(rate_limit=2)
    assert at(Limiter(), switches, 7.9, 7.95, 7.99, 8.0, 8.1, 8.2) == [True, True, False, True, True, False]


def test_a_sliding_window_holds_in_any_second() -> None:
    switches = Switches(rate_limit=2, rate_limit_kind="sliding")
    assert at(Limiter(), switches, 7.9, 7.95, 8.1, 8.9, 8.92, 8.95) == [True, True, False, True, False, True]


def test_a_bucket_gives_its_burst_and_then_an_even_flow() -> None:
    switches = Switches(rate_limit=2, rate_limit_kind="bucket", burst=3)
    assert at(Limiter(), switches, 5, 5, 5, 5, 5.4, 5.5, 5.5) == [True, True, True, False, False, True, False]
    assert at(Limiter(), Switches(rate_limit=2, rate_limit_kind="bucket"), 5, 5, 5) == [True, True, False]


def test_a_limit_may_be_a_minutes() -> None:
    for kind in ("fixed", "sliding"):
        switches, limiter = Switches(rate_limit=3, rate_limit_seconds=60, rate_limit_kind=kind), Limiter()
        assert at(limiter, switches, 60, 61, 62, 63, 119.9, 120) == [True, True, True, False, False, True], kind


@given(
    st.sampled_from(KINDS),
    st.sampled_from([0.25, 1, 3, 10]),
    st.sampled_from([1.0, 60.0]),
    st.lists(st.floats(0, 5), min_size=1, max_size=80),
)
def test_the_announced_wait_is_the_true_one(kind: str, limit: float, seconds: float, gaps: list[float]) -> None:
    """Just before it nothing passes, after it the next request does."""
    switches = Switches()
    assert not switches.change({"rate_limit": limit, "rate_limit_kind": kind, "rate_limit_seconds": seconds})
    limiter, now, passed = Limiter(), 1000.0, []
    for gap in gaps:
        now += gap
        wait = limiter.refuse(switches, now)
        if wait is None:
            passed.append(now)
            continue
        assert wait > 0
        if wait > TINY:
            assert limiter.refuse(switches, now + wait - TINY) is not None
        now += wait + TINY
        assert limiter.refuse(switches, now) is None
        passed.append(now)
    allowed = (2 if kind == "bucket" else 1) * max(limit, 1)
    length = seconds / min(limit, 1)
    for first in passed:
        inside = [time for time in passed if first <= time < first + length - TINY]
        assert kind == "fixed" or len(inside) <= allowed


def test_a_changed_limit_counts_anew() -> None:
    switches, limiter = Switches(rate_limit=1), Limiter()
    assert at(limiter, switches, 5.1, 5.2) == [True, False]
    switches.rate_limit = 2
    assert at(limiter, switches, 5.3, 5.4, 5.5) == [True, True, False]
    switches.rate_limit = None
    assert at(limiter, switches, 5.6, 5.6, 5.6) == [True, True, True]


@pytest.mark.parametrize(("seconds", "said"), [(0.001, "1"), (1, "1"), (1.2, "2"), (59.99, "60"), (0, "0")])
def test_seconds_are_rounded_up(seconds: float, said: str) -> None:
    assert retry_after("seconds", seconds, 0) == said
    assert retry_after("none", seconds, 0) is None


@given(st.floats(0, 4000), st.floats(1e9, 2e9))
def test_a_date_is_never_too_early(seconds: float, wall: float) -> None:
    said = retry_after("date", seconds, wall)
    assert said is not None
    assert said.endswith(" GMT")
    assert 0 <= parsedate_to_datetime(said).timestamp() - (wall + seconds) < 1 + TINY


@pytest.mark.parametrize("kind", KINDS)
async def test_429_comes_with_the_true_wait_over_http(kind: str) -> None:
    clock = HandClock(1200.0)
    state = some_state(clock=clock.time, sleep=clock.sleep, wall=lambda: 1_700_000_000.5)
    async with serving(state) as http:
        await switch(http, rate_limit=2, rate_limit_seconds=60, rate_limit_kind=kind)
        assert [(await push(http)).status_code for _ in range(3)] == [200, 200, 429]
        wait = 30 if kind == "bucket" else 60
        for form, said in (("seconds", str(wait)), ("none", None)):
            await switch(http, retry_after_form=form)
            assert (await push(http)).headers.get("retry-after") == said
        await switch(http, retry_after_form="date")
        date = (await push(http)).headers["retry-after"]
        assert parsedate_to_datetime(date).timestamp() == math.ceil(1_700_000_000.5 + wait)
        clock.advance(wait)
        assert (await push(http)).status_code == 200
    assert state.stats()["throttled"] == 4
    assert state.pushes["1001"] == 3


async def test_a_limit_of_none_at_all_says_what_the_switch_says() -> None:
    async with serving(some_state()) as http:
        await switch(http, rate_limit=0, retry_after=7)
        assert (await push(http)).headers["retry-after"] == "7"
        await switch(http, rate_limit=None, outage=True, retry_after_form="none")
        answer = await push(http)
        assert (answer.status_code, answer.headers.get("retry-after")) == (503, None)
