"""Lives in which the connector once went wrong, found by `test_order_life`, each as short as it gets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from connector.model.orders import OrderKey, Place
from connector.pipeline.ports.records import SweepKind
from connector.pipeline.sweeps import page_reader
from tests.system.life.judge import Verdict, rest
from tests.system.life.oms import BY_GIFT, Header, Mood, Row
from tests.system.life.world import MAIN, OTHER, TIMEOUT, Setup, World

K1, K2, K3 = OrderKey("k1"), OrderKey("k2"), OrderKey("k3")
Begin = Callable[[Setup], World]


@pytest.fixture
def begin() -> Iterator[Begin]:
    worlds: list[World] = []

    def made(setup: Setup) -> World:
        worlds.append(World(setup))
        return worlds[-1]

    yield made
    for world in worlds:
        world.close()


def put(
    world: World, key: OrderKey, order_id: str = "#1", store_id: str = MAIN, *, hidden: bool = False, **columns: Any
) -> None:
    world.oms.commit({Row("order", key): Header(order_id, store_id, **columns)}, hidden=hidden)


def verdict(world: World, *keys: OrderKey) -> list[str]:
    """What is wrong once all has come to rest."""
    world.mend()
    world.run(rest(world))
    return [*world.witness.wrong, *Verdict(world, world.known(*keys), redriven=False).judge(keys)]


def held(world: World, place: Place) -> Any:
    """The order that Redo holds there, None when there is none."""
    store = world.state.store(place.store_id)
    body = None if store is None else store.orders.get(place.order_id)
    return None if body is None else json.loads(body)


def test_a_sweep_that_waits_for_its_last_answers_rests_meanwhile(begin: Begin) -> None:
    world = begin(Setup(answering=4.0, hop=0.001))
    put(world, K1)
    world.wait(10.0)
    world.change_mapping()
    world.wait(2.0)
    before = world.witness.looks
    world.wait(2.0)
    assert world.life.pipeline.sweeps.active
    assert world.witness.looks - before < 5


def test_a_pause_that_ran_out_while_all_orders_back_off_costs_no_looks(begin: Begin) -> None:
    world = begin(Setup(hop=0.001))
    world.redo.reachable = False
    for key, order_id in ((K1, "#1"), (K2, "#2"), (K3, "#3")):
        put(world, key, order_id)
    world.wait(5.0)
    gate = world.life.pipeline.admissions.of(MAIN)
    assert gate.pause is not None
    before = world.witness.looks
    world.wait(60.0)
    assert world.witness.looks - before < 60


def test_a_probe_that_is_being_read_costs_no_looks(begin: Begin) -> None:
    world = begin(Setup(hop=0.001, reading=0.01))
    put(world, K1)
    world.wait(1.0)
    world.state.change(None, {"throttle": 1})
    put(world, K1, note="b")
    world.wait(0.5)
    assert world.life.pipeline.admissions.pause is not None
    world.assembler.latency = 3.0
    world.wait(1.0)
    before = world.witness.looks
    world.wait(1.0)
    assert world.witness.looks - before < 5


def test_a_sweep_finds_dead_letters_of_orders_that_are_no_more(begin: Begin) -> None:
    world = begin(Setup())
    put(world, K1, mood=Mood.INVALID)
    world.wait(1.0)
    assert world.known(K1).dead_letters
    world.life.source.stalled = True
    world.oms.commit({Row("order", K1): None})
    world.kill()
    world.lose_slot()
    world.start()
    world.run(rest(world))
    assert not world.known(K1).dead_letters


@pytest.mark.parametrize("missing", ["cancel", "delete"])
@pytest.mark.parametrize("moves", [False, True])
def test_an_order_that_goes_after_a_kill_during_its_first_push_is_left_nowhere(
    begin: Begin, missing: Any, *, moves: bool
) -> None:
    """The request lands, but nobody learns of it."""
    world = begin(Setup(missing, answering=2.0))
    put(world, K1)
    world.wait(1.0)
    world.kill()
    world.wait(2.0)
    assert held(world, Place(MAIN, "#1"))["cancelledAt"] is None
    if moves:
        put(world, K1, "#1", OTHER)
    else:
        world.oms.commit({Row("order", K1): None})
    world.start()
    assert verdict(world, K1) == []
    left = held(world, Place(MAIN, "#1"))
    assert left is None if missing == "delete" else left["cancelledAt"] is not None
    assert (held(world, Place(OTHER, "#1")) is not None) == moves


@pytest.mark.parametrize("missing", ["cancel", "delete"])
def test_an_order_that_is_refused_after_a_kill_during_a_push_elsewhere_is_left_nowhere_once_it_goes(
    begin: Begin, missing: Any
) -> None:
    world = begin(Setup(missing, answering=2.0))
    put(world, K1)
    world.wait(5.0)
    put(world, K1, "#1b")
    world.wait(1.0)
    world.kill()
    world.wait(2.0)
    assert held(world, Place(MAIN, "#1b"))["cancelledAt"] is None
    put(world, K1, "#1b", mood=Mood.INVALID)
    world.start()
    world.wait(60.0)
    put(world, K1, "#1", OTHER)
    assert verdict(world, K1) == []


def test_an_order_that_is_refused_where_it_is_now_is_taken_away_elsewhere(begin: Begin) -> None:
    """Not only by the next reconcile."""
    world = begin(Setup("delete", answering=2.0))
    put(world, K1)
    world.wait(5.0)
    put(world, K1, "#1b")
    world.wait(1.0)
    world.kill()
    world.wait(2.0)
    put(world, K1, mood=Mood.REFUSED)
    world.start()
    assert verdict(world, K1) == []
    assert held(world, Place(MAIN, "#1b")) is None
    assert held(world, Place(MAIN, "#1")) is not None, "what Redo accepted last stays"


def test_a_place_that_an_order_was_never_pushed_to_is_not_touched_when_it_goes(begin: Begin) -> None:
    """Cancelling would make an order at Redo that never was."""
    world = begin(Setup("cancel"))
    put(world, K1, mood=Mood.REFUSED)
    world.wait(1.0)
    assert world.known(K1).dead_letters
    assert not world.known(K1).leftovers.get(K1)
    world.redo.reachable = False
    put(world, K2, "#2")
    world.wait(10.0)
    world.oms.commit({Row("order", K1): None, Row("order", K2): None})
    assert verdict(world, K1, K2) == []
    assert held(world, Place(MAIN, "#1")) is None
    assert held(world, Place(MAIN, "#2")) is None


def test_an_unreadable_order_that_is_mended_unseen_is_looked_at_again(begin: Begin) -> None:
    """No snapshot comes with the error, so nothing said that the mending commit wasn't visible yet."""
    world = begin(Setup())
    put(world, K1, mood=Mood.UNREADABLE)
    world.wait(1.0)
    assert world.known(K1).dead_letters
    put(world, K1, hidden=True)
    world.wait(5.0)
    assert verdict(world, K1) == []


def test_an_order_is_unreadable_for_good_once_the_change_is_seen(begin: Begin) -> None:
    world = begin(Setup())
    put(world, K1)
    world.wait(1.0)
    put(world, K1, mood=Mood.UNREADABLE, hidden=True)
    world.wait(5.0)
    assert not world.known(K1).dead_letters
    world.oms.reveal()
    world.wait(5.0)
    assert world.known(K1).dead_letters[K1].reason == "mapping"
    before = world.witness.looks
    world.wait(60.0)
    assert world.witness.looks - before < 5


def test_an_order_that_is_put_back_while_the_next_due_one_is_asked_for_is_not_forgotten(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer said that nothing falls due, and was older than the order's settlement."""
    world = begin(Setup())
    put(world, K1)
    world.wait(5.0)
    ask = world.memory.next_due

    async def slowly(busy: frozenset[OrderKey], *, failing: bool = False) -> float | None:
        due = await ask(busy, failing=failing)
        await asyncio.sleep(0.2)
        return due

    monkeypatch.setattr(world.memory, "next_due", slowly)
    put(world, K1, note="b", hidden=True)
    world.wait(20.0)
    world.oms.reveal()
    world.wait(10.0)
    assert held(world, Place(MAIN, "#1"))["tags"] == ["b"]


def test_a_page_of_a_sweep_that_was_replaced_does_not_begin_the_next_one(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_reader, "PAGE", 1)
    world = begin(Setup())
    for key, order_id in ((K1, "#1"), (K2, "#2"), (K3, "#3")):
        put(world, key, order_id)
    world.wait(10.0)
    assert not world.life.pipeline.sweeps.active
    world.assembler.latency = 4.0
    world.ask(lambda control: control.sweep(SweepKind.RECONCILE))
    while (asked := world.life.pipeline.sweeps.current) is None or asked.cursor != K2:
        world.wait(0.1)
    world.wait(4.0)  # the third page is being read, and the first order was
    world.life.source.stalled = True
    put(world, K1, note="b")
    world.move_slot()
    assert verdict(world, K1, K2, K3) == []


def test_a_request_to_push_everything_is_not_taken_for_the_sweep_whose_last_orders_are_in_work(begin: Begin) -> None:
    world = begin(Setup(answering=3.0))
    for key, order_id in ((K1, "#1"), (K2, "#2")):
        put(world, key, order_id)
    world.wait(20.0)
    world.change_mapping()
    world.wait(1.0)
    sweep = world.life.pipeline.sweeps.current
    assert sweep is not None
    assert sweep.phase > 2, "only orders that are being pushed keep it from its end"
    assert sweep.finished_at is None
    pushes = dict(world.state.pushes)
    world.ask(lambda control: control.sweep(SweepKind.RECONCILE, resend=True))
    world.wait(60.0)
    assert {order: count - pushes[order] for order, count in world.state.pushes.items()} == {"#1": 1, "#2": 1}


@pytest.mark.parametrize("mood", [Mood.REFUSED, Mood.INVALID, Mood.UNREADABLE, Mood.DOUBLE])
def test_an_order_that_was_refused_and_is_again_as_redo_accepted_it_is_fine(begin: Begin, mood: Mood) -> None:
    world = begin(Setup())
    put(world, K1)
    world.wait(2.0)
    put(world, K1, mood=mood)
    world.wait(2.0)
    assert world.known(K1).dead_letters
    put(world, K1)
    assert verdict(world, K1) == []
    assert not world.known(K1).dead_letters


@pytest.mark.parametrize("mood", [Mood.REFUSED, Mood.INVALID, Mood.UNREADABLE, Mood.DOUBLE])
def test_an_order_that_is_again_as_redo_accepted_it_is_pushed_over_what_landed_late_in_between(
    begin: Begin, mood: Mood
) -> None:
    world = begin(Setup())
    put(world, K1)
    world.wait(2.0)
    world.state.change(None, {"late": 1, "late_seconds": 8.0})
    put(world, K1, note="b")
    world.wait(TIMEOUT - 1.0)
    put(world, K1, mood=mood)
    world.wait(60.0)
    assert world.known(K1).dead_letters
    assert held(world, Place(MAIN, "#1"))["tags"] == ["b"]
    put(world, K1)
    assert verdict(world, K1) == []
    assert held(world, Place(MAIN, "#1"))["tags"] == ["a"]


def test_what_lands_after_a_newer_push_is_pushed_over(begin: Begin) -> None:
    world = begin(Setup())
    put(world, K1)
    world.wait(2.0)
    world.state.change(None, {"late": 1, "late_seconds": 8.0})
    put(world, K1, note="b")
    world.wait(TIMEOUT - 1.0)
    put(world, K1)
    world.wait(2.5)
    assert held(world, Place(MAIN, "#1"))["tags"] == ["a"]
    world.wait(2.5)
    assert held(world, Place(MAIN, "#1"))["tags"] == ["b"]
    assert verdict(world, K1) == []


def test_an_hour_without_redo_costs_one_ledger_row_an_order_and_no_slot(begin: Begin) -> None:
    """Invariant 7: what changed meanwhile arrives in its last state."""
    world = begin(Setup())
    orders = ((K1, "#1"), (K2, "#2"), (K3, "#3"))
    for key, order_id in orders:
        put(world, key, order_id)
    world.wait(10.0)
    world.redo.reachable = False
    for minute in range(60):
        for key, order_id in orders:
            put(world, key, order_id, note=f"minute {minute}")
        world.wait(60.0)
        assert world.run(world.memory.tally()).affected == 3
        assert world.slot.told == world.oms.end
    assert verdict(world, K1, K2, K3) == []
    assert held(world, Place(MAIN, "#3"))["tags"] == ["minute 59"]


@pytest.mark.parametrize("lost", [False, True])
def test_a_walk_over_all_orders_waits_until_a_replica_shows_where_the_stream_begins(
    begin: Begin, *, lost: bool
) -> None:
    """What was committed before, the stream doesn't tell."""
    world = begin(Setup(standby=True))
    if lost:
        put(world, K1)
        world.wait(10.0)
        world.kill()
        put(world, K1, note="b", hidden=True)
        world.lose_slot()
    else:
        world.kill()
        world.oms.commit({Row("order", K1): Header("#1", MAIN)}, hidden=True)
        world.lose_slot()
    world.start()
    world.wait(60.0)
    assert world.life.pipeline.sweeps.active
    assert verdict(world, K1) == []


@pytest.mark.parametrize("missing", ["cancel", "delete"])
@pytest.mark.parametrize("known", [False, True])
def test_an_order_that_goes_while_another_redo_is_active_is_left_nowhere_even_when_its_last_push_lands_late(
    begin: Begin, missing: Any, *, known: bool
) -> None:
    """Killed during a push that lands 14 s later; nothing of it is at the other Redo, which is left soon after."""
    world = begin(Setup(missing))
    if known:
        put(world, K1)
        world.wait(5.0)
    assert world.state.change("*", {"late": 1, "late_seconds": 14.0, "methods": ["POST"]}) is None
    put(world, K1, note="b")
    world.wait(1.0)
    world.go_elsewhere(killed=True, approved=True)
    world.oms.commit({Row("order", K1): None})
    world.wait(5.0)
    assert world.run(world.memory.tally()).affected == 0
    world.go_elsewhere(killed=True, approved=False)
    world.wait(20.0)
    assert verdict(world, K1) == []
    left = held(world, Place(MAIN, "#1"))
    assert left is None if missing == "delete" else left is None or left["cancelledAt"] is not None


def _pages(world: World, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many orders each page of a sweep found to be as Redo holds them, from now on."""
    found: list[int] = []
    observe = world.life.pipeline.ports.observer

    def order(result: str, count: int = 1) -> None:
        if result == "unchanged":
            found.append(count)

    monkeypatch.setattr(observe, "order", order, raising=False)
    return found


def test_a_sweep_compares_in_a_page_and_looks_only_at_what_differs(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = begin(Setup())
    for key, order_id in ((K1, "#1"), (K2, "#2"), (K3, "#3")):
        put(world, key, order_id)
    world.wait(10.0)
    world.witness.skip()
    world.life.source.stalled = True
    put(world, K2, "#2", note="unseen")
    found = _pages(world, monkeypatch)
    world.ask(lambda control: control.sweep(SweepKind.RECONCILE))
    world.wait(10.0)
    sweep = world.life.pipeline.sweeps.last
    assert found == [2]
    assert sweep is not None
    assert (sweep.scanned, sweep.changed, sweep.missed) == (3, 1, 0)
    assert held(world, Place(MAIN, "#2"))["tags"] == ["unseen"]
    assert verdict(world, K1, K2, K3) == []


def test_a_snapshot_that_hides_a_commit_of_the_sweep_makes_no_order_count_as_unchanged(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = begin(Setup())
    put(world, K1)
    put(world, K2, "#2")
    world.wait(10.0)
    found = _pages(world, monkeypatch)
    world.ask(lambda control: control.sweep(SweepKind.RECONCILE))
    put(world, K1, note="b", hidden=True)
    world.wait(20.0)
    assert (found, world.run(world.memory.tally()).affected) == ([], 2), "both wait until the commit can be seen"
    world.oms.reveal()
    world.wait(20.0)
    assert (found, world.run(world.memory.tally()).affected) == ([1], 0)
    assert verdict(world, K1, K2) == []


def test_a_live_change_is_pushed_while_a_sweep_reads_its_pages(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_reader, "PAGE", 1)
    world = begin(Setup())
    keys = [OrderKey(f"k{number}") for number in range(1, 10)]
    for key in keys:
        put(world, key, f"#{key}")
    world.wait(20.0)
    world.assembler.latency = 1.0
    world.ask(lambda control: control.sweep(SweepKind.RECONCILE))
    world.wait(2.0)
    put(world, keys[-1], f"#{keys[-1]}", note="live")
    world.wait(3.0)
    assert held(world, Place(MAIN, f"#{keys[-1]}"))["tags"] == ["live"]
    assert world.life.pipeline.sweeps.active, "it is far from its end"
    assert verdict(world, *keys) == []


def test_a_kill_in_a_sweep_that_finds_nothing_goes_on_at_its_place(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_reader, "PAGE", 1)
    world = begin(Setup())
    for key, order_id in ((K1, "#1"), (K2, "#2"), (K3, "#3")):
        put(world, key, order_id)
    world.wait(10.0)
    world.assembler.latency = 2.0
    found = _pages(world, monkeypatch)
    world.ask(lambda control: control.sweep(SweepKind.RECONCILE))
    while (sweep := world.life.pipeline.sweeps.current) is None or sweep.cursor != K2:
        world.wait(0.1)
    world.kill()
    world.start()
    world.wait(10.0)
    ended = world.life.pipeline.sweeps.last
    assert ended is not None
    assert (ended.revision, ended.scanned, found) == (sweep.revision, 3, [1, 1, 1])
    assert verdict(world, K1, K2, K3) == []


def test_an_order_is_not_known_by_its_row_once_its_member_rows_were_removed(begin: Begin) -> None:
    world = begin(Setup())
    put(world, K1)
    world.oms.commit({Row("gift", "g1"): K1})
    world.wait(10.0)
    assert held(world, Place(MAIN, "#1"))["tags"] == ["a", "g1"]
    routes = world.routes
    for known in (routes - {BY_GIFT}, routes):
        world.end()
        world.routes = known
        world.start()
        world.wait(10.0)
    world.ask(lambda control: control.sweep(SweepKind.RECONCILE))
    world.wait(10.0)
    world.oms.commit({Row("gift", "g1"): None})
    assert verdict(world, K1) == []
