"""The window and the pace against simulated servers, in virtual time: what they find and waste, how they mend."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest

from connector.model.orders import Outcome, OutcomeKind
from connector.pipeline.deliver.admission import Admission
from connector.pipeline.deliver.concurrency_limit import START, ConcurrencyLimit
from connector.pipeline.ports.entries import Lane
from tests.support.redo_limits import (
    ACCEPTED,
    UNAVAILABLE,
    Crowd,
    FixedWindow,
    Limiter,
    TokenBucket,
    limited,
    virtual_admission,
)
from tests.support.virtual_time import VirtualTimeLoop, simulate

LIMITERS: dict[str, Callable[[int], Limiter]] = {
    "window, Retry-After rounded up": FixedWindow,
    "window, Retry-After 0": lambda limit: FixedWindow(limit, header=lambda _: 0.0),
    "window, no Retry-After": lambda limit: FixedWindow(limit, header=lambda _: -1.0),
    "bucket of a second": lambda limit: TokenBucket(limit, limit),
    "bucket of ten": lambda limit: TokenBucket(limit, 10),
}
SETTLED = 10


@pytest.fixture(autouse=True)
def same_jitter() -> None:
    random.seed(1)


def crowded(
    push: Callable[[VirtualTimeLoop], Callable[[], Awaitable[Outcome]]], most: int, seconds: float
) -> tuple[Crowd, Admission]:
    async def main(loop: VirtualTimeLoop) -> tuple[Crowd, Admission]:
        admission = virtual_admission(loop, most)
        crowd = Crowd(admission, push(loop), loop)
        await crowd.run(2 * most, seconds)
        return crowd, admission

    return simulate(main)


FEW = {(50, 0.005), (50, 0.03), (50, 0.15), (200, 0.03)}
PACES = [
    pytest.param(limit, latency, marks=[] if (limit, latency) in FEW else pytest.mark.long)
    for limit in (50, 200, 1000)
    for latency in (0.005, 0.03, 0.15)
]


@pytest.mark.parametrize(("limit", "latency"), PACES)
@pytest.mark.parametrize("limiter", LIMITERS)
def test_a_throttling_servers_limit_is_found_and_used_with_little_waste(
    limiter: str, limit: int, latency: float
) -> None:
    crowd, _ = crowded(lambda _: limited(LIMITERS[limiter](limit), latency), 32, 70)
    accepted = crowd.per_second(OutcomeKind.ACCEPTED, SETTLED, 70)
    refused = crowd.per_second(OutcomeKind.THROTTLED, SETTLED, 70)
    # An allowance of ten requests is a hundredth of a second at 1,000 a second: the search is slower there.
    share = 0.85 if limiter == "bucket of ten" else 0.9
    assert accepted > share * min(limit, 32 / latency)
    assert refused < 0.01 * (accepted + refused)


def test_a_limit_of_a_thousand_a_second_is_found() -> None:
    crowd, _ = crowded(lambda _: limited(FixedWindow(1000), 0.005), 32, 40)
    accepted = crowd.per_second(OutcomeKind.ACCEPTED, SETTLED, 40)
    refused = crowd.per_second(OutcomeKind.THROTTLED, SETTLED, 40)
    assert accepted > 900
    assert refused < 0.01 * (accepted + refused)


@pytest.mark.long
@pytest.mark.timeout(400)
def test_a_thousand_at_once_find_a_limit_of_a_thousand_a_second() -> None:
    crowd, _ = crowded(lambda _: limited(FixedWindow(1000), 0.15), 1000, 70)
    accepted = crowd.per_second(OutcomeKind.ACCEPTED, SETTLED, 70)
    refused = crowd.per_second(OutcomeKind.THROTTLED, SETTLED, 70)
    assert accepted > 900
    assert refused < 0.01 * (accepted + refused)


def test_a_limit_by_the_minute_is_used_with_little_waste() -> None:
    crowd, _ = crowded(lambda _: limited(FixedWindow(3000, 60.0), 0.03), 32, 600)
    accepted = crowd.per_second(OutcomeKind.ACCEPTED, 60, 600)
    refused = crowd.per_second(OutcomeKind.THROTTLED, 60, 600)
    assert accepted > 0.9 * 50
    assert refused < 0.01 * (accepted + refused)


def test_a_limit_that_is_lowered_and_raised_is_followed() -> None:
    limiter = FixedWindow(160)

    def server(loop: VirtualTimeLoop) -> Callable[[], Awaitable[Outcome]]:
        loop.call_later(60, setattr, limiter, "limit", 40)
        loop.call_later(120, setattr, limiter, "limit", 160)
        return limited(limiter, 0.03)

    crowd, _ = crowded(server, 32, 300)
    assert crowd.per_second(OutcomeKind.ACCEPTED, 80, 120) > 34
    assert crowd.per_second(OutcomeKind.ACCEPTED, 200, 300) > 136


def test_a_retry_after_of_ten_minutes_is_kept_by_everyone() -> None:
    limiter = TokenBucket(50, 50, retry_after=600.0)
    crowd, admission = crowded(lambda _: limited(limiter, 0.03), 32, 590)
    begun = max(crowd.sent)
    assert begun < 10
    assert admission.pause is not None


class Busy:
    """A server of `workers`, each a request at a time in `seconds`; more wait their turn."""

    def __init__(self, workers: int, seconds: float) -> None:
        self.workers, self.seconds = asyncio.Semaphore(workers), seconds

    async def __call__(self) -> Outcome:
        async with self.workers:
            await asyncio.sleep(self.seconds)
        return ACCEPTED


def test_rising_latency_bounds_the_window_without_a_collapse() -> None:
    async def main(loop: VirtualTimeLoop) -> tuple[list[int], float]:
        admission = virtual_admission(loop, 64)
        crowd = Crowd(admission, Busy(8, 0.1), loop)
        limits: list[int] = []

        async def look() -> None:
            while True:
                await asyncio.sleep(1.0)
                limits.append(admission.limit)

        looking = asyncio.create_task(look())
        await crowd.run(128, 120)
        looking.cancel()
        return limits[10:], crowd.per_second(OutcomeKind.ACCEPTED, 10, 120)

    limits, speed = simulate(main)
    assert min(limits) >= 6
    assert max(limits) <= 32
    assert speed > 0.95 * 80


def test_a_server_that_becomes_slower_for_reasons_of_its_own_does_not_pin_the_window() -> None:
    async def main(loop: VirtualTimeLoop) -> int:
        admission = virtual_admission(loop, 32)
        server = Busy(1000, 0.03)
        loop.call_later(20, setattr, server, "seconds", 0.4)
        await Crowd(admission, server, loop).run(64, 60)
        return admission.limit

    assert simulate(main) >= 28


def flaky(loop: VirtualTimeLoop, down: Callable[[float], bool]) -> Callable[[], Awaitable[Outcome]]:
    async def push() -> Outcome:
        await asyncio.sleep(0.03)
        return UNAVAILABLE if down(loop.time()) else ACCEPTED

    return push


def test_an_outage_of_an_hour_costs_few_requests_and_work_resumes_within_a_minute_of_its_end() -> None:
    crowd, admission = crowded(lambda loop: flaky(loop, lambda now: 10 <= now < 3610), 32, 3680)
    assert 100 < sum(crowd.sent.get(second, 0) for second in range(11, 3610)) < 400
    resumed = min(second for (second, kind) in crowd.counts if kind is OutcomeKind.ACCEPTED and second >= 3610)
    assert resumed <= 3670
    assert admission.pause is None
    assert admission.limit > START


def test_a_server_that_comes_and_goes_is_used_while_it_is_there() -> None:
    crowd, _ = crowded(lambda loop: flaky(loop, lambda now: now % 20 >= 15), 32, 100)
    accepted = crowd.per_second(OutcomeKind.ACCEPTED, 0, 100)
    failed = crowd.per_second(OutcomeKind.UNAVAILABLE, 0, 100)
    assert accepted > 0.4 * 32 / 0.03
    assert failed < 0.01 * accepted


def test_one_order_that_always_fails_does_not_shrink_the_window() -> None:
    window = ConcurrencyLimit(32)
    for _ in range(100):
        window.ended("bad", window.started(), OutcomeKind.UNAVAILABLE, 0.03, full=False)
    assert window.limit == START


def test_the_failures_of_one_round_shrink_the_window_once() -> None:
    window = ConcurrencyLimit(32)
    for _ in range(28):
        window.ended("a", window.started(), OutcomeKind.ACCEPTED, 0.03, full=True)
    attempts = [window.started() for _ in range(32)]
    assert window.limit == 32
    for attempt in attempts:
        window.ended(str(attempt), attempt, OutcomeKind.UNAVAILABLE, 0.03, full=True)
    assert window.limit == 16


def test_a_window_that_is_not_used_does_not_grow() -> None:
    window = ConcurrencyLimit(32)
    for _ in range(100):
        window.ended("a", window.started(), OutcomeKind.ACCEPTED, 0.03, full=False)
    assert window.limit == START


def test_after_trouble_the_window_grows_by_one_a_round() -> None:
    window = ConcurrencyLimit(100)
    for _ in range(60):
        window.ended("a", window.started(), OutcomeKind.ACCEPTED, 0.03, full=True)
    window.ended("a", window.started(), OutcomeKind.THROTTLED, 0.03, full=True)
    before = window.limit
    for _ in range(before + 1):
        window.ended("a", window.started(), OutcomeKind.ACCEPTED, 0.03, full=True)
    assert window.limit == before + 1


def test_a_quiet_shop_is_not_held_back_by_one_429() -> None:
    async def main(loop: VirtualTimeLoop) -> float:
        admission = virtual_admission(loop, 32)
        for number in range(30):
            await asyncio.sleep(30.0)
            assert await admission.acquire("a", Lane.LIVE)
            throttled = number == 15
            admission.release("a", Outcome(OutcomeKind.THROTTLED, 429, retry_after=1.0) if throttled else ACCEPTED)
        began = loop.time()
        crowd = Crowd(admission, limited(FixedWindow(1000), 0.03), loop)
        await crowd.run(64, 12)
        return crowd.per_second(OutcomeKind.ACCEPTED, int(began) + 8, int(began) + 12)

    assert simulate(main) > 200


def test_a_loop_in_virtual_time_says_so_when_nothing_can_happen_any_more() -> None:
    async def main(loop: VirtualTimeLoop) -> None:
        await loop.create_future()

    with pytest.raises(RuntimeError, match="no timer"):
        simulate(main)
