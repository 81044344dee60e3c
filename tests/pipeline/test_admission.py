"""The gate: how many at once, when it closes, and that a single probe opens it."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.model.orders import Outcome, OutcomeKind
from connector.pipeline.deliver.admission import Backoff, Gate
from connector.pipeline.deliver.policy import FAILURES_TO_CLOSE
from connector.pipeline.deliver.rate_limiter import CATCH_UP, Pacer
from connector.pipeline.ports.entries import Lane
from tests.support.redo_limits import ACCEPTED, UNAVAILABLE, virtual_gate
from tests.support.virtual_time import VirtualTimeLoop, simulate


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def answer(gate: Gate, order: str, outcome: Outcome) -> None:
    assert await gate.enter(order, Lane.LIVE)
    gate.leave(order, outcome)


async def test_no_more_requests_than_the_limit_are_in_flight(clock: Clock) -> None:
    gate = Gate(2, clock=clock, timer=clock)
    assert await gate.enter("a", Lane.LIVE)
    assert await gate.enter("b", Lane.LIVE)
    third = asyncio.ensure_future(gate.enter("c", Lane.LIVE))
    await asyncio.sleep(0)
    assert not third.done()
    gate.leave("a", ACCEPTED)
    assert await third
    assert gate.in_flight == 2


async def test_a_live_order_passes_those_of_a_sweep(clock: Clock) -> None:
    gate = Gate(1, clock=clock, timer=clock)
    assert await gate.enter("first", Lane.LIVE)
    sweep = asyncio.ensure_future(gate.enter("sweep", Lane.SWEEP))
    live = asyncio.ensure_future(gate.enter("live", Lane.LIVE))
    await asyncio.sleep(0)
    gate.leave("first", ACCEPTED)
    assert await live
    assert not sweep.done()
    gate.leave("live", ACCEPTED)
    assert await sweep


async def test_one_failing_order_does_not_close_the_gate_for_others(clock: Clock) -> None:
    gate = Gate(4, clock=clock, timer=clock)
    for _ in range(10 * FAILURES_TO_CLOSE):
        await answer(gate, "bad", UNAVAILABLE)
    assert gate.pause is None


async def test_failures_of_several_orders_in_a_row_close_the_gate_and_send_the_waiting_back(clock: Clock) -> None:
    gate = Gate(1, clock=clock, timer=clock)
    for number in range(FAILURES_TO_CLOSE - 1):
        await answer(gate, f"order {number}", UNAVAILABLE)
    assert await gate.enter("last", Lane.LIVE)
    waiting = asyncio.ensure_future(gate.enter("waiting", Lane.LIVE))
    await asyncio.sleep(0)
    gate.leave("last", UNAVAILABLE)
    assert await waiting is False
    assert gate.pause is not None
    assert gate.pause.reason == "http_503"
    assert gate.capacity() == 0


@pytest.mark.parametrize("kind", [OutcomeKind.REFUSED, OutcomeKind.THROTTLED])
async def test_a_refused_token_or_throttling_closes_the_gate_at_once(clock: Clock, kind: OutcomeKind) -> None:
    gate = Gate(4, clock=clock, timer=clock)
    await answer(gate, "a", Outcome(kind, 401, "http_401"))
    assert gate.pause is not None
    assert await gate.enter("b", Lane.LIVE) is False


async def test_a_closed_gate_lets_exactly_one_probe_through_and_its_success_opens_it(clock: Clock) -> None:
    gate = Gate(4, clock=clock, timer=clock)
    await answer(gate, "a", Outcome(OutcomeKind.REFUSED, 401, "http_401"))
    assert gate.pause is not None
    clock.now = gate.pause.until
    assert gate.capacity() == 1
    assert await gate.enter("probe", Lane.LIVE)
    assert gate.capacity() == 0
    assert await gate.enter("other", Lane.LIVE) is False
    gate.leave("probe", ACCEPTED)
    assert gate.pause is None
    assert gate.capacity() == 4


async def test_failed_probes_grow_the_pause_and_keep_its_beginning(clock: Clock) -> None:
    gate = Gate(4, clock=clock, timer=clock)
    began = clock.now
    refused = Outcome(OutcomeKind.REFUSED, 401, "http_401")
    await answer(gate, "a", refused)
    for attempt in range(1, 4):
        assert gate.pause is not None
        clock.now = gate.pause.until
        await answer(gate, "probe", refused)
        assert gate.pause.attempt == attempt
        assert gate.pause.since == began


async def test_a_straggler_of_the_burst_that_closed_the_gate_neither_opens_nor_prolongs_the_pause(clock: Clock) -> None:
    gate = Gate(4, clock=clock, timer=clock)
    assert await gate.enter("slow", Lane.LIVE)
    assert await gate.enter("slower", Lane.LIVE)
    await answer(gate, "a", Outcome(OutcomeKind.REFUSED, 401, "http_401"))
    pause = gate.pause
    gate.leave("slow", ACCEPTED)
    gate.leave("slower", UNAVAILABLE)
    assert gate.pause is pause


async def test_retry_after_is_honoured_for_everyone(clock: Clock) -> None:
    gate = Gate(4, clock=clock, timer=clock)
    await answer(gate, "a", Outcome(OutcomeKind.THROTTLED, 429, "http_429", retry_after=120.0))
    clock.now += 119
    assert gate.capacity() == 0
    clock.now += 2
    assert gate.capacity() == 1


async def test_a_cancelled_waiter_takes_no_place(clock: Clock) -> None:
    gate = Gate(1, clock=clock, timer=clock)
    assert await gate.enter("a", Lane.LIVE)
    waiting = asyncio.ensure_future(gate.enter("b", Lane.LIVE))
    await asyncio.sleep(0)
    waiting.cancel()
    gate.leave("a", ACCEPTED)
    await asyncio.gather(waiting, return_exceptions=True)
    assert gate.in_flight == 0
    assert await gate.enter("c", Lane.LIVE)


async def test_a_straggler_that_is_told_to_wait_longer_prolongs_the_pause_for_everyone(clock: Clock) -> None:
    gate = Gate(4, clock=clock, timer=clock)
    assert await gate.enter("slow", Lane.LIVE)
    await answer(gate, "a", Outcome(OutcomeKind.THROTTLED, 429, "http_429", retry_after=1.0))
    gate.leave("slow", Outcome(OutcomeKind.THROTTLED, 429, "http_429", retry_after=60.0))
    assert gate.pause_until == clock.now + 60
    clock.now += 59
    assert await gate.enter("b", Lane.LIVE) is False


async def test_retry_after_of_zero_from_one_order_pauses_nobody(clock: Clock) -> None:
    gate = Gate(4, clock=clock, timer=clock)
    await answer(gate, "a", Outcome(OutcomeKind.UNAVAILABLE, 503, "http_503", retry_after=0.0))
    assert gate.pause is None


async def test_a_wall_clock_that_is_set_back_does_not_prolong_a_pause(clock: Clock) -> None:
    timer = Clock()
    gate = Gate(4, clock=clock, timer=timer)
    await answer(gate, "a", Outcome(OutcomeKind.THROTTLED, 429, "http_429", retry_after=10.0))
    assert gate.pause_until == clock.now + 10
    clock.now -= 3600
    timer.now += 10
    assert gate.capacity() == 1


async def test_a_probe_that_is_cancelled_makes_room_for_another(clock: Clock) -> None:
    gate = Gate(4, rate=0.001, clock=clock, timer=clock)
    await answer(gate, "a", Outcome(OutcomeKind.REFUSED, 401, "http_401"))
    clock.now += 60
    probe = asyncio.ensure_future(gate.enter("probe", Lane.LIVE))
    await asyncio.sleep(0)
    assert gate.capacity() == 0
    probe.cancel()
    await asyncio.gather(probe, return_exceptions=True)
    assert gate.capacity() == 1


def test_requests_per_second_are_a_hard_cap_that_several_gates_share_evenly() -> None:
    async def main(loop: VirtualTimeLoop) -> list[int]:
        cap = Pacer(100.0)
        gates = [virtual_gate(loop, 50, cap) for _ in range(2)]
        sent = [0, 0]

        async def work(at: int, name: str) -> None:
            while True:
                await gates[at].enter(name, Lane.LIVE)
                sent[at] += 1
                await asyncio.sleep(0.005)
                gates[at].leave(name, ACCEPTED)

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
    pacer = Pacer(1000.0)
    pacer.reserve(0.0)
    slots = [pacer.reserve(10.0, late=True) for _ in range(100)]
    assert sum(slot <= 10.0 for slot in slots) == pytest.approx(CATCH_UP * 1000, abs=1)
    assert slots[-1] == pytest.approx(10.0 - CATCH_UP + 0.099)


def test_a_rest_saves_up_no_burst() -> None:
    pacer = Pacer(1000.0)
    pacer.reserve(0.0)
    assert [pacer.reserve(10.0) <= 10.0 for _ in range(3)] == [True, False, False]


def test_a_live_order_passes_those_of_a_sweep_that_wait_for_the_pace() -> None:
    async def main(loop: VirtualTimeLoop) -> list[str]:
        gate = virtual_gate(loop, 10, 1.0)
        came: list[str] = []

        async def pass_through(name: str, lane: Lane) -> None:
            await gate.enter(name, lane)
            came.append(name)
            gate.leave(name, ACCEPTED)

        sweeps = [asyncio.create_task(pass_through(f"sweep {number}", Lane.SWEEP)) for number in range(3)]
        await asyncio.sleep(0.5)
        await asyncio.gather(*sweeps, asyncio.create_task(pass_through("live", Lane.LIVE)))
        return came

    assert simulate(main) == ["sweep 0", "live", "sweep 1", "sweep 2"]


@given(seed=st.integers(0, 2**32), rate=st.sampled_from([None, 40.0]), workers=st.integers(1, 30))
def test_no_place_leaks_whatever_is_cancelled(seed: int, rate: float | None, workers: int) -> None:
    dice = random.Random(seed)  # noqa: S311 -- a test's dice

    async def main(loop: VirtualTimeLoop) -> None:
        gate = virtual_gate(loop, 3, rate)

        async def work(name: str) -> None:
            await asyncio.sleep(dice.random() * 0.3)
            if await gate.enter(name, Lane(dice.randrange(3))):
                outcome = None
                try:
                    await asyncio.sleep(dice.random() * 0.2)
                    kind = dice.choice([*OutcomeKind, OutcomeKind.ACCEPTED, OutcomeKind.ACCEPTED])
                    outcome = Outcome(kind, retry_after=dice.choice([None, 0.01]))
                finally:
                    gate.leave(name, outcome)

        tasks = [asyncio.create_task(work(str(number))) for number in range(workers)]
        for task in dice.sample(tasks, dice.randrange(workers + 1)):
            loop.call_later(dice.random() * 0.5, task.cancel)
        await asyncio.gather(*tasks, return_exceptions=True)
        assert gate.in_flight == 0
        await asyncio.sleep(200.0)
        assert await gate.enter("next", Lane.LIVE)
        gate.leave("next", ACCEPTED)
        assert gate.pause is None

    simulate(main)


def test_full_jitter_spreads_over_the_whole_interval() -> None:
    delays = [Backoff(base=1.0, cap=8.0).delay(10) for _ in range(400)]
    assert min(delays) < 1.0
    assert max(delays) > 7.0
