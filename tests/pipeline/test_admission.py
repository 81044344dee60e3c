"""Admission: how many at once, when a pause begins, and that a single probe ends it."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.model.orders import Outcome, OutcomeKind
from connector.pipeline.backoff import Backoff
from connector.pipeline.deliver.admission import Admission
from connector.pipeline.deliver.policy import FAILURES_TO_CLOSE
from connector.pipeline.deliver.rate_limiter import CATCH_UP, RateLimiter
from connector.pipeline.ports.entries import Lane
from tests.support.redo_limits import ACCEPTED, UNAVAILABLE, virtual_admission
from tests.support.virtual_time import VirtualTimeLoop, simulate


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def answer(admission: Admission, order: str, outcome: Outcome) -> None:
    assert await admission.acquire(order, Lane.LIVE)
    admission.release(order, outcome)


async def test_no_more_requests_than_the_limit_are_in_flight(clock: Clock) -> None:
    admission = Admission(2, clock=clock, timer=clock)
    assert await admission.acquire("a", Lane.LIVE)
    assert await admission.acquire("b", Lane.LIVE)
    third = asyncio.ensure_future(admission.acquire("c", Lane.LIVE))
    await asyncio.sleep(0)
    assert not third.done()
    admission.release("a", ACCEPTED)
    assert await third
    assert admission.in_flight == 2


async def test_a_live_order_passes_those_of_a_sweep(clock: Clock) -> None:
    admission = Admission(1, clock=clock, timer=clock)
    assert await admission.acquire("first", Lane.LIVE)
    sweep = asyncio.ensure_future(admission.acquire("sweep", Lane.SWEEP))
    live = asyncio.ensure_future(admission.acquire("live", Lane.LIVE))
    await asyncio.sleep(0)
    admission.release("first", ACCEPTED)
    assert await live
    assert not sweep.done()
    admission.release("live", ACCEPTED)
    assert await sweep


async def test_one_failing_order_does_not_close_the_gate_for_others(clock: Clock) -> None:
    admission = Admission(4, clock=clock, timer=clock)
    for _ in range(10 * FAILURES_TO_CLOSE):
        await answer(admission, "bad", UNAVAILABLE)
    assert admission.pause is None


async def test_failures_of_several_orders_in_a_row_close_the_gate_and_send_the_waiting_back(clock: Clock) -> None:
    admission = Admission(1, clock=clock, timer=clock)
    for number in range(FAILURES_TO_CLOSE - 1):
        await answer(admission, f"order {number}", UNAVAILABLE)
    assert await admission.acquire("last", Lane.LIVE)
    waiting = asyncio.ensure_future(admission.acquire("waiting", Lane.LIVE))
    await asyncio.sleep(0)
    admission.release("last", UNAVAILABLE)
    assert await waiting is False
    assert admission.pause is not None
    assert admission.pause.reason == "http_503"
    assert admission.capacity() == 0


@pytest.mark.parametrize("kind", [OutcomeKind.REFUSED, OutcomeKind.THROTTLED])
async def test_a_refused_token_or_throttling_closes_the_gate_at_once(clock: Clock, kind: OutcomeKind) -> None:
    admission = Admission(4, clock=clock, timer=clock)
    await answer(admission, "a", Outcome(kind, 401, "http_401"))
    assert admission.pause is not None
    assert await admission.acquire("b", Lane.LIVE) is False


async def test_a_closed_gate_lets_exactly_one_probe_through_and_its_success_opens_it(clock: Clock) -> None:
    admission = Admission(4, clock=clock, timer=clock)
    await answer(admission, "a", Outcome(OutcomeKind.REFUSED, 401, "http_401"))
    assert admission.pause is not None
    clock.now = admission.pause.until
    assert admission.capacity() == 1
    assert await admission.acquire("probe", Lane.LIVE)
    assert admission.capacity() == 0
    assert await admission.acquire("other", Lane.LIVE) is False
    admission.release("probe", ACCEPTED)
    assert admission.pause is None
    assert admission.capacity() == 4


async def test_failed_probes_grow_the_pause_and_keep_its_beginning(clock: Clock) -> None:
    admission = Admission(4, clock=clock, timer=clock)
    began = clock.now
    refused = Outcome(OutcomeKind.REFUSED, 401, "http_401")
    await answer(admission, "a", refused)
    for attempt in range(1, 4):
        assert admission.pause is not None
        clock.now = admission.pause.until
        await answer(admission, "probe", refused)
        assert admission.pause.attempt == attempt
        assert admission.pause.since == began


async def test_a_straggler_of_the_burst_that_closed_the_gate_neither_opens_nor_prolongs_the_pause(clock: Clock) -> None:
    admission = Admission(4, clock=clock, timer=clock)
    assert await admission.acquire("slow", Lane.LIVE)
    assert await admission.acquire("slower", Lane.LIVE)
    await answer(admission, "a", Outcome(OutcomeKind.REFUSED, 401, "http_401"))
    pause = admission.pause
    admission.release("slow", ACCEPTED)
    admission.release("slower", UNAVAILABLE)
    assert admission.pause is pause


async def test_retry_after_is_honoured_for_everyone(clock: Clock) -> None:
    admission = Admission(4, clock=clock, timer=clock)
    await answer(admission, "a", Outcome(OutcomeKind.THROTTLED, 429, "http_429", retry_after=120.0))
    clock.now += 119
    assert admission.capacity() == 0
    clock.now += 2
    assert admission.capacity() == 1


async def test_a_cancelled_waiter_takes_no_place(clock: Clock) -> None:
    admission = Admission(1, clock=clock, timer=clock)
    assert await admission.acquire("a", Lane.LIVE)
    waiting = asyncio.ensure_future(admission.acquire("b", Lane.LIVE))
    await asyncio.sleep(0)
    waiting.cancel()
    admission.release("a", ACCEPTED)
    await asyncio.gather(waiting, return_exceptions=True)
    assert admission.in_flight == 0
    assert await admission.acquire("c", Lane.LIVE)


async def test_a_straggler_that_is_told_to_wait_longer_prolongs_the_pause_for_everyone(clock: Clock) -> None:
    admission = Admission(4, clock=clock, timer=clock)
    assert await admission.acquire("slow", Lane.LIVE)
    await answer(admission, "a", Outcome(OutcomeKind.THROTTLED, 429, "http_429", retry_after=1.0))
    admission.release("slow", Outcome(OutcomeKind.THROTTLED, 429, "http_429", retry_after=60.0))
    assert admission.pause_until == clock.now + 60
    clock.now += 59
    assert await admission.acquire("b", Lane.LIVE) is False


async def test_retry_after_of_zero_from_one_order_pauses_nobody(clock: Clock) -> None:
    admission = Admission(4, clock=clock, timer=clock)
    await answer(admission, "a", Outcome(OutcomeKind.UNAVAILABLE, 503, "http_503", retry_after=0.0))
    assert admission.pause is None


async def test_a_wall_clock_that_is_set_back_does_not_prolong_a_pause(clock: Clock) -> None:
    timer = Clock()
    admission = Admission(4, clock=clock, timer=timer)
    await answer(admission, "a", Outcome(OutcomeKind.THROTTLED, 429, "http_429", retry_after=10.0))
    assert admission.pause_until == clock.now + 10
    clock.now -= 3600
    timer.now += 10
    assert admission.capacity() == 1


@pytest.mark.parametrize("retry_after", [901.0, 6 * 3600.0, 1e9])
async def test_no_pause_is_longer_than_the_longest_whatever_redo_asks_for(clock: Clock, retry_after: float) -> None:
    for longest in (900.0, 60.0):
        admission = Admission(4, clock=clock, timer=clock, longest_pause=longest)
        assert await admission.acquire("slow", Lane.LIVE)
        await answer(admission, "a", Outcome(OutcomeKind.UNAVAILABLE, 503, "http_503", retry_after=retry_after))
        assert admission.pause_until == clock.now + longest
        admission.release("slow", Outcome(OutcomeKind.THROTTLED, 429, "http_429", retry_after=retry_after))
        assert admission.pause_until == clock.now + longest


async def test_nor_is_the_pause_of_a_backoff_however_often_a_probe_fails(clock: Clock) -> None:
    admission = Admission(4, clock=clock, timer=clock, longest_pause=3.0)
    for key in map(str, range(8)):
        await answer(admission, key, Outcome(OutcomeKind.REFUSED, 401, "http_401"))
        if admission.pause is not None:
            assert admission.pause_until is not None
            assert admission.pause_until <= clock.now + 3
        clock.now += 3
    assert admission.pause is not None


async def test_a_pause_that_is_ended_by_hand_is_over_once_a_probe_is_accepted(clock: Clock) -> None:
    admission = Admission(4, clock=clock, timer=clock)
    assert admission.end_pause() is None
    await answer(admission, "a", Outcome(OutcomeKind.THROTTLED, 429, "http_429", retry_after=600.0))
    ended = admission.end_pause()
    assert ended is not None
    assert ended.until == clock.now + 600
    assert admission.pause_until == clock.now
    assert admission.capacity() == 1
    assert await admission.acquire("b", Lane.LIVE)
    assert admission.end_pause() is None, "a probe is on its way"
    admission.release("b", ACCEPTED)
    assert admission.pause is None


async def test_however_often_somebody_ends_a_pause_that_redo_asked_for_the_next_one_is_made_at_once(
    clock: Clock,
) -> None:
    admission = Admission(4, clock=clock, timer=clock)
    for key in "abcdef":
        await answer(admission, key, Outcome(OutcomeKind.UNAVAILABLE, 503, "http_503", retry_after=600.0))
        assert admission.pause_until == clock.now + 600
        admission.end_pause()
        assert await admission.acquire(key, Lane.LIVE)
        admission.release(key, ACCEPTED)
        assert admission.pause is None


async def test_a_probe_that_is_cancelled_makes_room_for_another(clock: Clock) -> None:
    admission = Admission(4, rate=0.001, clock=clock, timer=clock)
    await answer(admission, "a", Outcome(OutcomeKind.REFUSED, 401, "http_401"))
    clock.now += 60
    probe = asyncio.ensure_future(admission.acquire("probe", Lane.LIVE))
    await asyncio.sleep(0)
    assert admission.capacity() == 0
    probe.cancel()
    await asyncio.gather(probe, return_exceptions=True)
    assert admission.capacity() == 1


def test_requests_per_second_are_a_hard_cap_that_several_gates_share_evenly() -> None:
    async def main(loop: VirtualTimeLoop) -> list[int]:
        cap = RateLimiter(100.0)
        admissions = [virtual_admission(loop, 50, cap) for _ in range(2)]
        sent = [0, 0]

        async def work(at: int, name: str) -> None:
            while True:
                await admissions[at].acquire(name, Lane.LIVE)
                sent[at] += 1
                await asyncio.sleep(0.005)
                admissions[at].release(name, ACCEPTED)

        tasks = [asyncio.create_task(work(at, str(number))) for at in range(2) for number in range(20)]
        await asyncio.sleep(10.0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return sent

    first, second = simulate(main)
    assert 990 <= first + second <= 1001
    assert abs(first - second) <= 2


def test_a_late_start_is_caught_up_with_but_only_a_little() -> None:
    limiter = RateLimiter(1000.0)
    limiter.reserve(0.0)
    slots = [limiter.reserve(10.0, late=True) for _ in range(100)]
    assert sum(slot <= 10.0 for slot in slots) == pytest.approx(CATCH_UP * 1000, abs=1)
    assert slots[-1] == pytest.approx(10.0 - CATCH_UP + 0.099)


def test_a_rest_saves_up_no_burst() -> None:
    limiter = RateLimiter(1000.0)
    limiter.reserve(0.0)
    assert [limiter.reserve(10.0) <= 10.0 for _ in range(3)] == [True, False, False]


def test_a_live_order_passes_those_of_a_sweep_that_wait_for_the_pace() -> None:
    async def main(loop: VirtualTimeLoop) -> list[str]:
        admission = virtual_admission(loop, 10, 1.0)
        came: list[str] = []

        async def pass_through(name: str, lane: Lane) -> None:
            await admission.acquire(name, lane)
            came.append(name)
            admission.release(name, ACCEPTED)

        sweeps = [asyncio.create_task(pass_through(f"sweep {number}", Lane.SWEEP)) for number in range(3)]
        await asyncio.sleep(0.5)
        await asyncio.gather(*sweeps, asyncio.create_task(pass_through("live", Lane.LIVE)))
        return came

    assert simulate(main) == ["sweep 0", "live", "sweep 1", "sweep 2"]


def test_of_eight_requests_one_is_of_a_fan_out_or_a_sweep_however_many_live_orders_wait() -> None:
    async def main(loop: VirtualTimeLoop) -> list[Lane]:
        admission = virtual_admission(loop, 1, None)
        came: list[Lane] = []

        async def pass_through(name: str, lane: Lane) -> None:
            assert await admission.acquire(name, lane)
            came.append(lane)
            await asyncio.sleep(0.1)
            admission.release(name, ACCEPTED)

        lanes = [Lane.SWEEP] * 2 + [Lane.FANOUT] * 2 + [Lane.LIVE] * 40
        await asyncio.gather(*(pass_through(str(number), lane) for number, lane in enumerate(lanes)))
        return came

    came = simulate(main)
    others = [(at, lane) for at, lane in enumerate(came) if lane is not Lane.LIVE]
    assert [lane for _, lane in others] == [Lane.SWEEP, Lane.FANOUT, Lane.FANOUT, Lane.SWEEP], (
        "the first found no other"
    )
    assert [at for at, _ in others] == [0, 8, 16, 24]


def test_a_live_order_waits_for_the_next_free_request_though_a_fan_out_has_all_of_them() -> None:
    async def main(loop: VirtualTimeLoop) -> float:
        admission = virtual_admission(loop, 4, None)

        async def pass_through(name: str, lane: Lane) -> float:
            assert await admission.acquire(name, lane)
            admitted = loop.time()
            await asyncio.sleep(1.0)
            admission.release(name, ACCEPTED)
            return admitted

        fan = [asyncio.create_task(pass_through(f"fan {number}", Lane.FANOUT)) for number in range(400)]
        await asyncio.sleep(10.5)
        asked = loop.time()
        waited = await pass_through("live", Lane.LIVE) - asked
        for task in fan:
            task.cancel()
        await asyncio.gather(*fan, return_exceptions=True)
        return waited

    assert simulate(main) <= 1.0


@given(seed=st.integers(0, 2**32), rate=st.sampled_from([None, 40.0]), workers=st.integers(1, 30))
def test_no_place_leaks_whatever_is_cancelled(seed: int, rate: float | None, workers: int) -> None:
    dice = random.Random(seed)  # noqa: S311 -- a test's dice

    async def main(loop: VirtualTimeLoop) -> None:
        admission = virtual_admission(loop, 3, rate)

        async def work(name: str) -> None:
            await asyncio.sleep(dice.random() * 0.3)
            if await admission.acquire(name, Lane(dice.randrange(3))):
                outcome = None
                try:
                    await asyncio.sleep(dice.random() * 0.2)
                    kind = dice.choice([*OutcomeKind, OutcomeKind.ACCEPTED, OutcomeKind.ACCEPTED])
                    outcome = Outcome(kind, retry_after=dice.choice([None, 0.01]))
                finally:
                    admission.release(name, outcome)

        tasks = [asyncio.create_task(work(str(number))) for number in range(workers)]
        for task in dice.sample(tasks, dice.randrange(workers + 1)):
            loop.call_later(dice.random() * 0.5, task.cancel)
        await asyncio.gather(*tasks, return_exceptions=True)
        assert admission.in_flight == 0
        await asyncio.sleep(200.0)
        assert await admission.acquire("next", Lane.LIVE)
        admission.release("next", ACCEPTED)
        assert admission.pause is None

    simulate(main)


def test_full_jitter_spreads_over_the_whole_interval() -> None:
    delays = [Backoff(base=1.0, cap=8.0).delay(10) for _ in range(400)]
    assert min(delays) < 1.0
    assert max(delays) > 7.0
