"""What trips the breaker, and, whatever orders fail and whenever Redo is down: healthy orders arrive while it is up."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.model.orders import Outcome, OutcomeKind
from connector.pipeline.deliver.admission import Admission
from connector.pipeline.deliver.circuit_breaker import CALM, LATELY, MOST_CAUTIOUS, CircuitBreaker, Standing
from connector.pipeline.ports.entries import Lane
from tests.pipeline.test_failing_orders import changed, fails, has, names, put, until
from tests.support.redo_limits import ACCEPTED, UNAVAILABLE, virtual_admission
from tests.support.virtual_time import VirtualTimeLoop, simulate
from tests.system.life.oms import Header, Row
from tests.system.life.world import Setup, World

REFUSED = Outcome(OutcomeKind.REFUSED, 403, "http_403")
UNREACHED = Outcome(OutcomeKind.UNAVAILABLE, None, "connect")
TIMEOUT = Outcome(OutcomeKind.UNKNOWN, None, "timeout")
ASKED = Outcome(OutcomeKind.UNAVAILABLE, 503, "http_503", retry_after=30.0)
THROTTLED = Outcome(OutcomeKind.THROTTLED, 429, "http_429")


def tripped(
    breaker: CircuitBreaker, outcome: Outcome, standing: Standing = Standing.HEALTHY, now: float = 0.0
) -> int | None:
    """After how many orders; None: not within 50."""
    return next((number for number in range(1, 51) if breaker.failed(f"order {number}", outcome, standing, now)), None)


@pytest.mark.parametrize(
    ("outcome", "orders"), [(UNAVAILABLE, 3), (TIMEOUT, 3), (REFUSED, 2), (UNREACHED, 3), (ASKED, 1), (THROTTLED, 1)]
)
def test_so_many_orders_that_never_failed_speak_of_redo(outcome: Outcome, orders: int) -> None:
    breaker = CircuitBreaker()
    breaker.accepted(0.0)
    assert tripped(breaker, outcome) == orders


@pytest.mark.parametrize("outcome", [UNAVAILABLE, TIMEOUT, REFUSED, ASKED])
def test_orders_that_are_known_to_fail_say_nothing(outcome: Outcome) -> None:
    breaker = CircuitBreaker()
    breaker.accepted(0.0)
    assert tripped(breaker, outcome, Standing.FAILING) is None


@pytest.mark.parametrize(("outcome", "orders"), [(UNREACHED, 3), (THROTTLED, 1)])
def test_what_can_be_no_orders_fault_counts_whoever_it_befalls(outcome: Outcome, orders: int) -> None:
    assert tripped(CircuitBreaker(), outcome, Standing.FAILING) == orders


def test_one_order_that_fails_again_and_again_is_one() -> None:
    breaker = CircuitBreaker()
    assert not any(breaker.failed("a", UNAVAILABLE, Standing.SUSPECTED, 0.0) for _ in range(50))


def test_a_refusal_where_nothing_was_accepted_lately_is_the_tokens() -> None:
    assert tripped(CircuitBreaker(), REFUSED) == 1
    breaker = CircuitBreaker()
    breaker.accepted(0.0)
    assert tripped(breaker, REFUSED, now=LATELY + 1) == 1


def test_after_mistakes_it_takes_more_until_orders_are_accepted_in_a_row() -> None:
    breaker = CircuitBreaker()
    for times in (2, 4, MOST_CAUTIOUS, MOST_CAUTIOUS):
        breaker.false_alarm()
        breaker.accepted(0.0)
        assert tripped(breaker, UNAVAILABLE) == 3 * times
    for _ in range(CALM):
        breaker.accepted(0.0)
    assert tripped(breaker, UNAVAILABLE) == 3


async def test_an_order_that_is_known_to_fail_probes_only_when_no_other_did() -> None:
    now = 1_000.0
    admission = Admission(4, clock=lambda: now, timer=lambda: now)
    assert await admission.acquire("a", Lane.LIVE)
    admission.release("a", REFUSED)
    assert admission.pause is not None
    now = admission.pause.until
    assert not await admission.acquire("bad", Lane.LIVE, Standing.FAILING)
    now = admission.retry_at(Standing.FAILING)
    assert await admission.acquire("bad", Lane.LIVE, Standing.FAILING)
    admission.release("bad", REFUSED)
    assert admission.pause.attempt == 0, "its failure proves nothing"


def test_what_is_known_to_fail_takes_no_place_and_its_share_of_the_pace() -> None:
    async def main(loop: VirtualTimeLoop) -> list[str]:
        admission, came = virtual_admission(loop, 1, 10.0), []
        assert await admission.acquire("stuck", Lane.LIVE, Standing.FAILING)
        assert not await admission.acquire("too many", Lane.LIVE, Standing.FAILING)
        for number in range(10):
            assert await admission.acquire(f"good {number}", Lane.SWEEP)
            came.append(f"good {number}")
            admission.release(f"good {number}", ACCEPTED)
        assert admission.in_flight == 1
        admission.release("stuck", TIMEOUT)
        assert (admission.in_flight, admission.limit, admission.pause) == (0, 1, None)
        return came

    assert len(simulate(main)) == 10


HOWS = st.sampled_from(["500", "503", "409", "403", "hang", "cut"])


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_healthy_orders_arrive_within_a_bound_whenever_redo_answers_them(data: st.DataObject) -> None:
    world = World(Setup(at_once=data.draw(st.sampled_from([1, 4, 32]))))
    try:
        orders = names(0, 60)
        put(world, orders)
        until(world, lambda: has(world, orders) == orders, 60.0)
        for number in range(data.draw(st.integers(2, 5))):
            bad = data.draw(st.lists(st.sampled_from(orders), max_size=40, unique=True))
            fails(world, bad, data.draw(HOWS))
            world.redo.reachable = data.draw(st.booleans()) or data.draw(st.booleans())
            world.state.switches.outage = data.draw(st.booleans()) and data.draw(st.booleans())
            put(world, data.draw(st.lists(st.sampled_from(orders), min_size=1, unique=True)), f"change {number}")
            world.wait(data.draw(st.sampled_from([0.5, 30.0, 700.0])))
            world.redo.reachable, world.state.switches.outage = True, False
            good = [name for name in orders if name not in bad][:5]
            # A pause of half a minute, then those before it, each of which times out once.
            assert changed(world, good, f"flows {number}", 150.0) < 150.0
            world.wait(60.0)
            assert changed(world, good, f"then {number}") < 25.0
        fails(world, [])
        until(world, lambda: world.run(world.memory.tally()).affected == 0, 3_700.0, 5.0)
        for name in orders:
            note = world.oms.latest[Row("order", name)]
            assert isinstance(note, Header)
            assert has(world, [name], note.note) == [name]
        assert world.run(world.memory.tally()).dead_letters == {}
        assert world.witness.wrong == []
    finally:
        world.close()
