"""Orders that Redo always fails, in virtual time: they delay no other, are tried again for ever, and Redo is judged by
the others."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias

import pytest

from connector.orders import OrderKey, Place
from connector.pipeline.decide import Result
from connector.pipeline.failing import FAILING
from tests.life.oms import Header, Row
from tests.life.world import MAIN, Setup, World

Begin: TypeAlias = Callable[[Setup], World]
SHOP = Setup(at_once=32)
HOWS = ["500", "503", "409", "403", "hang", "cut"]


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
    world.state.switches.fail, world.state.switches.fail_how = list(orders), how


def until(world: World, what: Callable[[], bool], bound: float, step: float = 0.1) -> float:
    """How long it takes."""
    begun = world.loop.time()
    while not what():
        assert world.loop.time() - begun < bound, "it takes too long"
        world.wait(step)
    return world.loop.time() - begun


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
        put(world, some, note)
        assert until(world, lambda: has(world, some, note) == some, 5.0) < 3.0
        world.wait(20.0)
    assert world.witness.wrong == []


@pytest.mark.parametrize("how", HOWS)
def test_a_batch_of_failing_orders_one_after_the_other_stops_no_others_for_long(begin: Begin, how: str) -> None:
    """As when the orders of one import fail. Nothing else shows that Redo is up, so one that it has is pushed again."""
    world = begin(SHOP)
    put(world, names(0, 3))
    world.wait(5.0)
    bad, good = names(100, 300), names(300, 400)
    fails(world, bad, how)
    put(world, bad + good)
    # Each must have failed once, and what times out takes its time.
    until(world, lambda: has(world, good) == good, 500.0 if how == "hang" else 150.0)
    world.wait(400.0)
    put(world, good[:5], "b")
    assert until(world, lambda: has(world, good[:5], "b") == good[:5], 5.0) < 3.0
    assert world.witness.wrong == []


@pytest.mark.parametrize("how", HOWS)
def test_three_failing_orders_do_not_keep_the_gate_from_a_quiet_shop(begin: Begin, how: str) -> None:
    world = begin(SHOP)
    orders = names(0, 30)
    put(world, orders)
    world.wait(10.0)
    fails(world, orders[:3], how)
    put(world, orders[:3], "b")
    world.wait(30.0)
    for number in range(10, 20):
        put(world, [orders[number]], "b")
        assert until(world, lambda: has(world, [orders[number]], "b") != [], 10.0) < 3.0
        world.wait(120.0)
    assert world.life.pipeline.gates.pause is None


@pytest.mark.parametrize("how", HOWS)
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
    until(world, lambda: not world.life.pipeline.sweeper.active and len(has(world, good)) == len(good), 120.0, 1.0)
    sweep = world.life.pipeline.sweeper.last
    assert sweep is not None
    assert sweep.scanned == 1_000
    world.wait(1_500.0)
    tally = world.run(world.memory.tally())
    assert (tally.affected, tally.dead_letters) == (10, {FAILING: 10})
    assert tally.oldest_since is None
    assert world.witness.wrong == []
