"""What every checkpoint store promises about holds: orders that wait until it is known how many, or for a person."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from connector.checkpoints.address import Address
from connector.checkpoints.opening import in_file, open_readonly
from connector.model.orders import OrderKey
from connector.pipeline.ports.entries import Again, Arrival, Entry, Lane
from connector.pipeline.ports.holds import Held, Hold, HoldKind, HoldState
from connector.pipeline.ports.records import Settlement
from connector.pipeline.ports.store import CheckpointStore
from tests.support.ledger import entries_taken

NEW = ("new",)


def entry(key: str) -> Entry:
    return Entry(OrderKey(key), 1, 1, 1.0, Lane.SWEEP, 0, False)


def settled(key: str, hold: int | None = None, fields: tuple[str, ...] = NEW, since: float = 9.0) -> Settlement:
    return Settlement(entry(key), held=None if hold is None else Held(hold, fields, since))


def arrival(revision: int = 50) -> Arrival:
    return Arrival(revision, 99.0, Lane.SWEEP, approved=True)


async def gather(memory: CheckpointStore, *keys: str, kind: HoldKind = HoldKind.CHANGES) -> Hold:
    hold = await memory.open_hold(kind, "reconcile", 5.0)
    await memory.settle([settled(key, hold.number) for key in keys])
    return hold


async def take(memory: CheckpointStore) -> dict[str, Entry]:
    return {entry.key: entry for entry in await entries_taken(memory, 10_000, 1e9, frozenset(), list(Lane))}


async def test_a_hold_gathers_and_counts_its_orders(memory: CheckpointStore) -> None:
    hold = await gather(memory, "a", "b")
    assert hold == Hold(1, HoldKind.CHANGES, "reconcile", HoldState.GATHERING, 5.0, 0)
    assert await memory.holds() == [replace(hold, orders=2)]


async def test_an_order_in_a_hold_has_left_the_ledger_and_is_known(memory: CheckpointStore) -> None:
    hold = await memory.open_hold(HoldKind.REMOVALS, "left", 5.0)
    await memory.arrive([Arrival(1, 3.0, Lane.LIVE, frozenset({OrderKey("a")}))], [])
    taken = (await take(memory))["a"]
    held = Held(hold.number, ("missing",), 3.0, confirm=True)
    await memory.settle([Settlement(taken, held=held)])
    assert await take(memory) == {}
    assert (await memory.known([OrderKey("a")])).held == {"a": held}


async def test_what_is_gathered_waits_and_what_is_held_does_not(memory: CheckpointStore) -> None:
    hold = await gather(memory, "a", "b")
    tally = await memory.tally()
    assert (tally.affected, tally.oldest_since, tally.held, tally.holds) == (2, 9.0, 0, 0)
    await memory.mark_hold(hold.number, HoldState.HELD)
    tally = await memory.tally()
    assert (tally.affected, tally.oldest_since, tally.held, tally.holds) == (0, None, 2, 1)


async def test_a_settlement_takes_an_order_out_of_its_hold_unless_it_is_looked_at_again(
    memory: CheckpointStore,
) -> None:
    hold = await gather(memory, "a", "b")
    await memory.settle([settled("a"), Settlement(entry("b"), again=Again(1.0, 0, confirm=False))])
    assert (await memory.known([OrderKey("a"), OrderKey("b")])).held.keys() == {"b"}
    assert (await memory.holds())[0].orders == 1
    assert hold.number == 1


async def test_a_held_hold_that_becomes_empty_is_gone_and_a_gathering_one_stays(memory: CheckpointStore) -> None:
    held, gathering = await gather(memory, "a"), await gather(memory, "b", kind=HoldKind.REMOVALS)
    await memory.mark_hold(held.number, HoldState.HELD)
    await memory.settle([settled("a"), settled("b")])
    assert await memory.holds() == [gathering]
    assert await memory.release(gathering.number, arrival(), 9) == 0
    assert await memory.holds() == []
    assert await memory.summarise(held.number, 3) is None


async def test_an_empty_hold_that_is_marked_held_is_gone(memory: CheckpointStore) -> None:
    hold = await gather(memory)
    await memory.mark_hold(hold.number, HoldState.HELD)
    assert await memory.holds() == []


async def test_what_was_on_its_way_into_a_hold_that_is_over_opens_it_again(memory: CheckpointStore) -> None:
    hold = await gather(memory, "a")
    await memory.mark_hold(hold.number, HoldState.HELD)
    await memory.settle([settled("a")])
    await memory.settle([settled("b", hold.number)])
    assert await memory.holds() == [replace(hold, state=HoldState.HELD, orders=1)]


async def test_a_hold_that_never_was_is_an_error(memory: CheckpointStore) -> None:
    with pytest.raises(ValueError, match="no hold 7"):
        await memory.settle([settled("a", 7)])


async def test_an_order_is_in_one_hold_at_a_time_and_has_waited_since_the_first(memory: CheckpointStore) -> None:
    first, second = await gather(memory, "a"), await gather(memory, "b")
    await memory.settle([settled("a", second.number, since=20.0)])
    assert [(hold.number, hold.orders) for hold in await memory.holds()] == [(first.number, 0), (second.number, 2)]
    assert (await memory.known([OrderKey("a")])).held["a"] == Held(second.number, NEW, 9.0)  # type: ignore[index]


async def test_a_summary_counts_orders_by_field(memory: CheckpointStore) -> None:
    hold = await memory.open_hold(HoldKind.CHANGES, "why", 5.0)
    rows = {"a": ("tags",), "b": ("tags", "note"), "c": NEW}
    await memory.settle([settled(key, hold.number, fields) for key, fields in rows.items()])
    summary = await memory.summarise(hold.number, 2)
    assert summary is not None
    assert summary.fields == {"tags": 2, "note": 1, "new": 1}
    assert summary.hold.orders == 3
    assert len(summary.samples) == 2
    assert set(summary.samples) < set(rows)


async def test_released_orders_wait_in_the_ledger_as_the_arrival_says_with_their_own_since(
    memory: CheckpointStore,
) -> None:
    hold = await memory.open_hold(HoldKind.CHANGES, "why", 5.0)
    sure = Settlement(entry("b"), held=Held(hold.number, NEW, 8.0, confirm=True))
    await memory.settle([settled("a", hold.number), sure])
    assert await memory.release(hold.number, arrival(), 9) == 2
    assert await take(memory) == {
        "a": Entry(OrderKey("a"), 50, 50, 9.0, Lane.SWEEP, 0, False, approved=True),
        "b": Entry(OrderKey("b"), 50, 50, 8.0, Lane.SWEEP, 0, True, approved=True),
    }
    assert await memory.holds() == []
    assert (await memory.known([OrderKey("a")])).held == {}
    assert await memory.recover() == 50


async def test_a_release_merges_with_what_waits(memory: CheckpointStore) -> None:
    hold = await gather(memory, "a")
    await memory.arrive([Arrival(3, 4.0, Lane.LIVE, frozenset({OrderKey("a")}))], [])
    await memory.release(hold.number, arrival(), 9)
    assert await take(memory) == {"a": Entry(OrderKey("a"), 3, 50, 4.0, Lane.LIVE, 0, False, approved=True)}


async def test_a_release_is_spread_over_the_hold(memory: CheckpointStore) -> None:
    keys = [f"{n:04}" for n in range(1000)]
    hold = await gather(memory, *keys)
    assert await memory.release(hold.number, arrival(), 20) == 20
    released = sorted(int(key) for key in await take(memory))
    assert (await memory.holds())[0].orders == 980
    assert released[0] < 300
    assert released[-1] > 700
    assert await memory.release(hold.number, arrival(51), 10_000) == 980


async def test_numbers_are_never_used_twice(memory: CheckpointStore) -> None:
    hold = await gather(memory)
    await memory.release(hold.number, arrival(), 1)
    assert (await gather(memory)).number == hold.number + 1


async def test_holds_outlive_the_process_and_a_reader_sees_them(checkpoint_file: Path) -> None:
    store = in_file(checkpoint_file)
    hold = await gather(store, "a", "b")
    await store.mark_hold(hold.number, HoldState.HELD)
    await store.close()
    reader = open_readonly(Address(f"sqlite:///{checkpoint_file}"))
    summary = await reader.summarise(hold.number, 5)
    assert summary is not None
    assert await reader.holds() == [replace(hold, state=HoldState.HELD, orders=2)] == [summary.hold]
    assert (await reader.tally()).held == 2
    await reader.close()
