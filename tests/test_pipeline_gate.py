"""The gate: how many at once, when it closes, and that a single probe opens it."""

from __future__ import annotations

import asyncio

import pytest

from connector.orders import Outcome, OutcomeKind
from connector.pipeline.gate import CLOSED_BACKOFF, FAILURES_TO_CLOSE, Backoff, Gate
from connector.pipeline.ports import Lane

ACCEPTED = Outcome(OutcomeKind.ACCEPTED, 200)
UNAVAILABLE = Outcome(OutcomeKind.UNAVAILABLE, 503, "http_503")


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
    gate = Gate(2, clock=clock)
    assert await gate.enter("a", Lane.LIVE)
    assert await gate.enter("b", Lane.LIVE)
    third = asyncio.ensure_future(gate.enter("c", Lane.LIVE))
    await asyncio.sleep(0)
    assert not third.done()
    gate.leave("a", ACCEPTED)
    assert await third
    assert gate.in_flight == 2


async def test_a_live_order_passes_those_of_a_sweep(clock: Clock) -> None:
    gate = Gate(1, clock=clock)
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
    gate = Gate(4, clock=clock)
    for _ in range(10 * FAILURES_TO_CLOSE):
        await answer(gate, "bad", UNAVAILABLE)
    assert gate.pause is None


async def test_failures_of_several_orders_in_a_row_close_the_gate_and_send_the_waiting_back(clock: Clock) -> None:
    gate = Gate(1, clock=clock)
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
    gate = Gate(4, clock=clock)
    await answer(gate, "a", Outcome(kind, 401, "http_401"))
    assert gate.pause is not None
    assert await gate.enter("b", Lane.LIVE) is False


async def test_a_closed_gate_lets_exactly_one_probe_through_and_its_success_opens_it(clock: Clock) -> None:
    gate = Gate(4, clock=clock)
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
    gate = Gate(4, clock=clock)
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
    gate = Gate(4, clock=clock)
    assert await gate.enter("slow", Lane.LIVE)
    assert await gate.enter("slower", Lane.LIVE)
    await answer(gate, "a", Outcome(OutcomeKind.REFUSED, 401, "http_401"))
    pause = gate.pause
    gate.leave("slow", ACCEPTED)
    gate.leave("slower", UNAVAILABLE)
    assert gate.pause is pause


async def test_retry_after_is_honoured_for_everyone(clock: Clock) -> None:
    gate = Gate(4, clock=clock)
    await answer(gate, "a", Outcome(OutcomeKind.THROTTLED, 429, "http_429", retry_after=120.0))
    clock.now += 119
    assert gate.capacity() == 0
    clock.now += 2
    assert gate.capacity() == 1


async def test_a_cancelled_waiter_takes_no_place(clock: Clock) -> None:
    gate = Gate(1, clock=clock)
    assert await gate.enter("a", Lane.LIVE)
    waiting = asyncio.ensure_future(gate.enter("b", Lane.LIVE))
    await asyncio.sleep(0)
    waiting.cancel()
    gate.leave("a", ACCEPTED)
    await asyncio.gather(waiting, return_exceptions=True)
    assert gate.in_flight == 0
    assert await gate.enter("c", Lane.LIVE)


async def test_requests_per_second_are_a_hard_cap() -> None:
    gate = Gate(100, rate=200.0)
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number in range(21):
        await answer(gate, str(number), ACCEPTED)
    assert loop.time() - began >= 20 / 200.0


@pytest.mark.parametrize("kind", CLOSED_BACKOFF)
def test_backoff_never_exceeds_its_cap_and_never_spins(kind: OutcomeKind) -> None:
    backoff = CLOSED_BACKOFF[kind]
    delays = [backoff.delay(attempt) for attempt in range(200)]
    assert max(delays) <= backoff.cap
    assert min(delays) >= backoff.floor


def test_full_jitter_spreads_over_the_whole_interval() -> None:
    delays = [Backoff(base=1.0, cap=8.0).delay(10) for _ in range(400)]
    assert min(delays) < 1.0
    assert max(delays) > 7.0
