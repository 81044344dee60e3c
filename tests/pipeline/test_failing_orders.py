"""Orders that Redo always fails, in virtual time: they delay no other, are tried again for ever, and Redo is judged by
the others."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias

import pytest

from connector.model.orders import OrderKey
from connector.pipeline.ports.records import FAILING, SET_ASIDE
from tests.system.life.oms import Header, Row
from tests.system.life.world import MAIN, OTHER, Setup, World

Begin: TypeAlias = Callable[[Setup], World]
SHOP = Setup(at_once=32)
LONG_403, LONG_503 = (pytest.param(status, marks=pytest.mark.long) for status in ("403", "503"))
HOWS = ["500", LONG_503, "409", LONG_403, "hang", "cut"]


@pytest.fixture
def begin() -> Iterator[Begin]:
    worlds: list[World] = []

    def begun(setup: Setup) -> World:
        worlds.append(World(setup))
        return worlds[-1]

    yield begun
    for world in worlds:
        world.close()


def names(first: int, last: int) -> list[str]:
    return [f"{number:05}" for number in range(first, last)]


def put(world: World, orders: Sequence[str], note: str = "a", store: str = MAIN) -> None:
    world.oms.commit({Row("order", name): Header(name, store, note) for name in orders})


def has(world: World, orders: Sequence[str], note: str = "a") -> list[str]:
    """Those that Redo has as they are."""
    held = world.state.orders
    return [name for name in orders if name in held and json.loads(held[name])["tags"] == [note]]


def fails(world: World, orders: Sequence[str], how: str = "500") -> None:
    assert world.state.switches.change({"fail": [*orders], "fail_how": how}) is None


def until(world: World, what: Callable[[], bool], bound: float, step: float = 0.1) -> float:
    """How long it takes."""
    begun = world.loop.time()
    while not what():
        assert world.loop.time() - begun < bound, "it takes too long"
        world.wait(step)
    return world.loop.time() - begun


def changed(world: World, orders: Sequence[str], note: str, bound: float = 30.0) -> float:
    """How long it takes until Redo has a change of these."""
    put(world, orders, note)
    return until(world, lambda: has(world, orders, note) == orders, bound)


def attempts(world: World, order: str) -> int:
    """Requests about an order so far."""
    return world.state.pushes[order]


@pytest.mark.parametrize("how", HOWS)
def test_healthy_changes_arrive_within_seconds_though_every_tenth_order_always_fails(begin: Begin, how: str) -> None:
    world = begin(SHOP)
    orders = names(0, 100)
    bad = orders[5::10]
    good = [name for name in orders if name not in bad]
    fails(world, bad, how)
    put(world, orders)
    until(world, lambda: has(world, good) == good, 20.0)
    world.wait(60.0)
    for round_ in range(20):
        some, note = good[round_ : round_ + 3], f"round {round_}"
        assert changed(world, some, note) < 3.0
        world.wait(20.0)
    assert world.witness.wrong == []


@pytest.mark.parametrize("how", ["500", LONG_403, "hang"])
def test_a_batch_of_failing_orders_one_after_the_other_stops_no_others_for_long(begin: Begin, how: str) -> None:
    """As when the orders of one import fail. Nothing else shows that Redo is up, so one that it has is pushed again."""
    world = begin(SHOP)
    put(world, names(0, 3))
    world.wait(5.0)
    bad, good = names(100, 180), names(300, 340)
    fails(world, bad, how)
    put(world, bad + good)
    # Each must have failed once, and what times out takes its time.
    until(world, lambda: has(world, good) == good, 500.0 if how == "hang" else 150.0)
    world.wait(400.0)
    assert changed(world, good[:5], "b") < 3.0
    assert world.witness.wrong == []


@pytest.mark.parametrize("how", ["500", LONG_403, "hang"])
def test_three_failing_orders_do_not_keep_the_gate_from_a_quiet_shop(begin: Begin, how: str) -> None:
    world = begin(SHOP)
    orders = names(0, 30)
    put(world, orders)
    world.wait(10.0)
    fails(world, orders[:3], how)
    put(world, orders[:3], "b")
    world.wait(30.0)
    for number in range(10, 20):
        assert changed(world, [orders[number]], "b") < 3.0
        world.wait(120.0)
    assert world.life.pipeline.admissions.pause is None


@pytest.mark.parametrize("how", ["500", LONG_403, "hang"])
def test_a_backfill_with_one_in_a_hundred_failing_completes_and_counts_them(begin: Begin, how: str) -> None:
    world = begin(SHOP)
    world.kill()
    orders = names(0, 1_000)
    bad = orders[37::100]
    good = [name for name in orders if name not in bad]
    fails(world, bad, how)
    put(world, orders)
    world.lose_slot()
    world.start()
    until(world, lambda: not world.life.pipeline.sweeps.active and len(has(world, good)) == len(good), 120.0, 1.0)
    sweep = world.life.pipeline.sweeps.last
    assert sweep is not None
    assert sweep.scanned == 1_000
    world.wait(1_500.0)
    tally = world.run(world.memory.tally())
    assert (tally.affected, tally.dead_letters) == (10, {FAILING: 10})
    assert tally.oldest_since is None
    assert world.witness.wrong == []


def test_redo_down_for_an_hour_is_asked_rarely_and_then_gets_all_at_full_speed(begin: Begin) -> None:
    world = begin(SHOP)
    orders = names(0, 2_000)
    put(world, orders[:50])
    world.wait(10.0)
    before = world.state.pushes.total()
    world.state.switches.outage = True
    for at in range(0, 2_000, 100):
        put(world, orders[at : at + 100], "b")
        world.wait(180.0)
    pipeline = world.life.pipeline
    assert pipeline.admissions.pause is not None
    asked = world.state.answers["POST 503"]
    assert asked < 400, "a probe at the pause's pace, and what was in flight as it closed"
    world.state.switches.outage = False
    assert until(world, lambda: len(has(world, orders, "b")) == 2_000, 60.0) < 45.0
    world.wait(5.0)
    assert world.run(world.memory.tally()).affected == 0
    # Some that were pushed last are pushed once more to see whether Redo is up.
    assert world.state.pushes.total() - before <= 2_000 + 3 * 8
    assert world.witness.wrong == []


@pytest.mark.parametrize("at_once", [1, 32])
@pytest.mark.parametrize("how", ["500", LONG_403, "hang", "unreachable"])
def test_a_true_outage_closes_the_gate_within_few_requests_though_some_orders_always_fail(
    begin: Begin, how: str, at_once: int
) -> None:
    world = begin(replace(SHOP, at_once=at_once))
    orders = names(0, 100)
    bad = orders[5::10]
    fails(world, bad, "500")
    put(world, orders)
    world.wait(200.0)
    before = world.state.pushes.total()
    world.redo.reachable = how != "unreachable"
    fails(world, orders, "500" if how == "unreachable" else how)
    put(world, orders, "b")
    until(world, lambda: world.life.pipeline.admissions.pause is not None, 40.0)
    assert world.state.pushes.total() - before <= 3 * 8 + at_once
    world.wait(600.0)
    assert world.life.pipeline.admissions.pause is not None
    world.redo.reachable = True
    fails(world, bad, "500")
    good = [name for name in orders if name not in bad]
    until(world, lambda: has(world, good, "b") == good, 60.0)


def test_a_refused_token_pauses_within_three_requests_and_one_refused_order_does_not(begin: Begin) -> None:
    world = begin(replace(SHOP, at_once=1))
    orders = names(0, 40)
    put(world, orders)
    world.wait(10.0)
    fails(world, orders[:1], "403")
    put(world, orders, "b")
    until(world, lambda: len(has(world, orders[1:], "b")) == 39, 10.0)
    assert world.life.pipeline.admissions.pause is None
    before = world.state.answers["POST 401"]
    world.state.switches.unauthorized = True
    put(world, orders[1:], "c")
    until(world, lambda: world.life.pipeline.admissions.pause is not None, 5.0)
    assert world.state.answers["POST 401"] - before <= 3
    world.wait(30.0)
    assert world.life.pipeline.admissions.pause is not None
    world.state.switches.unauthorized = False
    until(world, lambda: len(has(world, orders[1:], "c")) == 39, 70.0)


def test_a_probe_is_never_an_order_that_is_known_to_fail_while_another_waits(begin: Begin) -> None:
    world = begin(SHOP)
    orders = names(0, 60)
    bad = orders[:5]
    put(world, orders[5:])
    world.wait(5.0)
    fails(world, bad, "409")
    put(world, bad)
    for number in range(10):
        put(world, orders[20 + number : 21 + number], "b")
        world.wait(20.0)
    world.state.switches.outage = True
    put(world, orders[:40], "c")
    until(world, lambda: world.life.pipeline.admissions.pause is not None, 5.0)
    world.wait(3.0)
    before = {name: attempts(world, name) for name in bad}
    world.wait(300.0)
    assert {name: attempts(world, name) for name in bad} == before


def test_an_order_that_failed_is_tried_at_once_when_it_changes_and_soon_after_redo_is_mended(begin: Begin) -> None:
    world = begin(SHOP)
    orders = names(0, 30)
    bad = orders[:10]
    put(world, orders)
    world.wait(5.0)
    fails(world, bad)
    put(world, bad, "b")
    for _ in range(60):
        put(world, orders[20:], str(world.loop.time()))
        world.wait(60.0)
    known = world.known(*map(OrderKey, bad)).dead_letters
    assert {one.reason for one in known.values()} == {FAILING}
    assert all(attempts(world, name) < 40 for name in bad)
    fails(world, bad[1:])
    assert changed(world, bad[:1], "c") < 3.0
    fails(world, [])
    # One of them is accepted in its turn; the others are tried as soon as that is seen.
    until(world, lambda: len(has(world, bad[1:], "b")) == 9, 3_600.0, 1.0)
    world.wait(1.0)
    assert world.run(world.memory.tally()).dead_letters == {}


def test_what_times_out_again_and_again_takes_no_place_from_the_others(begin: Begin) -> None:
    world = begin(replace(SHOP, at_once=4))
    orders = names(0, 60)
    bad = orders[:20]
    put(world, orders)
    world.wait(5.0)
    fails(world, bad, "hang")
    put(world, bad, "b")
    world.wait(60.0)
    for number in range(50):
        some = orders[20 + number % 40 : 22 + number % 40]
        assert changed(world, some, str(number)) < 2.0
        world.wait(3.0)
    admission = world.life.pipeline.admissions.of(MAIN)
    assert (admission.pause, admission.limit) == (None, 4)
    assert world.witness.wrong == []


def test_a_restart_remembers_which_orders_fail(begin: Begin) -> None:
    world = begin(SHOP)
    orders = names(0, 60)
    bad = orders[:20]
    put(world, orders)
    world.wait(5.0)
    fails(world, bad)
    put(world, bad, "b")
    for number in range(20):
        put(world, orders[20:22], str(number))
        world.wait(10.0)
    world.kill()
    world.start()
    assert changed(world, orders[20:], "b") < 5.0
    assert world.life.pipeline.admissions.pause is None


def test_half_of_all_orders_fail_and_the_other_half_arrives(begin: Begin) -> None:
    world = begin(SHOP)
    orders = names(0, 1_000)
    world.state.chance.shuffle(orders)
    bad, good = sorted(orders[:500]), sorted(orders[500:])
    fails(world, bad)
    put(world, sorted(orders))
    until(world, lambda: len(has(world, good)) == 500, 120.0, 1.0)
    assert world.witness.wrong == []


def test_a_store_whose_orders_fail_is_no_trouble_for_another(begin: Begin) -> None:
    world = begin(SHOP)
    other = world.state.store(OTHER)
    assert other is not None
    main, second = names(0, 20), names(100, 150)
    put(world, main)
    put(world, second, store=OTHER)
    world.wait(5.0)
    other.switches.fail, other.switches.fail_how = second[:20], "hang"
    put(world, second, "b", OTHER)
    for number in range(20):
        assert changed(world, main, str(number)) < 2.0
        world.wait(3.0)
    until(world, lambda: all(b'"b"' in other.orders[name] for name in second[20:]), 60.0)
    assert world.witness.wrong == []


def test_an_order_is_set_aside_by_hand_and_comes_back_when_it_changes_or_is_redriven(begin: Begin) -> None:
    world = begin(SHOP)
    orders = names(0, 20)
    bad = orders[:3]
    put(world, orders)
    world.wait(5.0)
    fails(world, bad, "hang")
    put(world, bad, "b")
    for number in range(80):
        put(world, orders[10:12], str(number))
        world.wait(20.0)
    keys = [OrderKey(name) for name in bad]
    assert world.run(world.memory.tally()).dead_letters == {FAILING: 3}
    world.ask(lambda control: control.set_aside([*keys, OrderKey(orders[10])]))
    world.wait(40.0)
    tally = world.run(world.memory.tally())
    assert (tally.affected, tally.dead_letters) == (0, {SET_ASIDE: 3})
    before = {name: attempts(world, name) for name in bad}
    world.wait(4_000.0)
    assert {name: attempts(world, name) for name in bad} == before
    fails(world, bad[2:])
    assert changed(world, bad[:1], "c") < 3.0
    world.ask(lambda control: control.resend(keys[1:]))
    world.wait(10.0)
    assert has(world, bad[1:2], "b") == bad[1:2]
    assert world.known(*keys).dead_letters.keys() == {bad[2]}
    assert world.run(world.memory.tally()).affected == 1, "the one that fails again is tried again"
    fails(world, [])
    until(world, lambda: has(world, bad[2:], "b") != [], 60.0)
    world.wait(30.0)
    assert world.run(world.memory.tally()).dead_letters == {}
    assert world.witness.wrong == []


@pytest.mark.parametrize("seed", [0, 3])
def test_an_order_that_is_put_back_while_the_store_is_asked_for_others_is_tried_again(begin: Begin, seed: int) -> None:
    """Found at random; with these seeds of its jitter."""
    random.seed(seed)
    world = begin(Setup(at_once=4))
    orders = names(0, 60)
    put(world, orders)
    until(world, lambda: has(world, orders) == orders, 60.0)
    rounds: list[tuple[list[int], bool, list[int]]] = [
        ([], True, [37, 59, 0, 57, 13, 21, 36, 27, 48, 16]),
        ([57, 19], False, [48, 17, 58, 39, 18]),
        ([1], False, [26, 6, 16, 59, 40, 49, 31, 34, 25, 45, 1, 36, 0]),
        ([37, 0, 38, 19, 49, 15, 50, 28, 45, 33, 46], False, [0, 45, 54]),
    ]
    for number, (bad, reachable, touched) in enumerate(rounds):
        fails(world, [orders[at] for at in bad])
        world.redo.reachable = reachable
        put(world, [orders[at] for at in touched], f"change {number}")
        world.wait(0.5)
        world.redo.reachable = True
        good = [name for at, name in enumerate(orders) if at not in bad][:5]
        changed(world, good, f"flows {number}", 150.0)
        world.wait(60.0)
        changed(world, good, f"then {number}")
    fails(world, [])
    until(world, lambda: world.run(world.memory.tally()).affected == 0, 120.0, 5.0)
