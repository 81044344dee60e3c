"""What every checkpoint store promises about the ledger."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from connector.checkpoints import store
from connector.model.orders import OrderKey
from connector.pipeline.ports.entries import Again, Arrival, Commit, Entry, Lane
from connector.pipeline.ports.records import Settlement, Sweep, SweepKind
from connector.pipeline.ports.store import CheckpointStore
from tests.support.ledger import entries_taken

NOBODY: frozenset[OrderKey] = frozenset()
LANES = tuple(Lane)


def keys(*names: str) -> frozenset[OrderKey]:
    return frozenset(map(OrderKey, names))


def arrival(
    revision: int, *names: str, since: float = 100.0, lane: Lane = Lane.LIVE, first: int | None = None
) -> Arrival:
    return Arrival(revision, since, lane, keys(*names), first_revision=first)


async def take(
    memory: CheckpointStore, now: float = 1_000.0, busy: Iterable[str] = (), limit: int = 100
) -> list[Entry]:
    """Those that never failed, then the others."""
    fine = await entries_taken(memory, limit, now, keys(*busy), LANES)
    return fine + await entries_taken(memory, limit, now, keys(*busy), LANES, failing=True)


async def take_one(memory: CheckpointStore, now: float = 1_000.0) -> Entry:
    (entry,) = await take(memory, now)
    return entry


async def test_an_arrival_waits_with_all_it_said(memory: CheckpointStore) -> None:
    await memory.arrive([arrival(7, "a", since=12.5, lane=Lane.SWEEP, first=3)], [])
    assert await take(memory) == [Entry(OrderKey("a"), 3, 7, 12.5, Lane.SWEEP, 0, False)]


async def test_arrivals_for_one_order_become_one_entry_that_covers_both(memory: CheckpointStore) -> None:
    await memory.arrive([arrival(5, "a", since=50, lane=Lane.SWEEP)], [])
    await memory.arrive([arrival(8, "a", since=80, lane=Lane.LIVE)], [])
    assert await take(memory) == [Entry(OrderKey("a"), 5, 8, 50, Lane.LIVE, 0, False)]


async def test_a_sweep_does_not_push_a_live_change_back(memory: CheckpointStore) -> None:
    await memory.arrive([arrival(5, "a", lane=Lane.LIVE), arrival(6, "a", lane=Lane.SWEEP)], [])
    assert (await take_one(memory)).lane is Lane.LIVE


async def test_an_arrival_that_needs_older_transactions_lowers_the_first_revision(memory: CheckpointStore) -> None:
    await memory.arrive([arrival(5, "a")], [])
    await memory.arrive([arrival(6, "a", first=2)], [])
    entry = await take_one(memory)
    assert (entry.first_revision, entry.revision) == (2, 6)


async def test_taken_by_lane_then_oldest_first(memory: CheckpointStore) -> None:
    await memory.arrive(
        [
            arrival(1, "sweep", lane=Lane.SWEEP),
            arrival(4, "new"),
            arrival(3, "old"),
            arrival(2, "fan", lane=Lane.FANOUT),
        ],
        [],
    )
    assert [entry.key for entry in await take(memory)] == ["old", "new", "fan", "sweep"]


async def test_of_eight_that_are_taken_one_is_of_a_fan_out_or_a_sweep_while_any_is_due(memory: CheckpointStore) -> None:
    await memory.arrive([arrival(9, *(f"live {n:02}" for n in range(90)))], [])
    await memory.arrive([arrival(1, "fan 1", "fan 2", lane=Lane.FANOUT), arrival(1, "sweep", lane=Lane.SWEEP)], [])
    assert [entry.key for entry in await take(memory, limit=16)][14:] == ["fan 1", "fan 2"]
    last = [entry.lane for entry in await take(memory, limit=80)][-4:]
    assert last == [Lane.LIVE, Lane.FANOUT, Lane.FANOUT, Lane.SWEEP]
    assert [entry.lane for entry in await take(memory, limit=2)] == [Lane.LIVE, Lane.FANOUT]
    assert [entry.lane for entry in await take(memory, limit=1)] == [Lane.LIVE], "one alone, a probe say, is live"
    assert len(await take(memory, limit=99)) == 93


async def test_an_entry_whose_delay_is_over_keeps_its_place_by_age(memory: CheckpointStore) -> None:
    await memory.arrive([arrival(1, "old")], [])
    await memory.settle([Settlement(await take_one(memory), again=Again(due=50, attempts=0, confirm=False))])
    await memory.arrive([arrival(2, "new")], [])
    assert [entry.key for entry in await take(memory, now=60)] == ["old", "new"]


async def test_only_the_asked_lanes_are_taken(memory: CheckpointStore) -> None:
    await memory.arrive([arrival(1, "sweep", lane=Lane.SWEEP), arrival(2, "live")], [])
    assert [entry.key for entry in await entries_taken(memory, 9, 0, NOBODY, [Lane.SWEEP])] == ["sweep"]


async def test_busy_orders_are_left_out_and_do_not_use_up_the_limit(memory: CheckpointStore) -> None:
    await memory.arrive([arrival(n, f"{n:03}") for n in range(100)], [])
    taken = await take(memory, busy=[f"{n:03}" for n in range(50)], limit=10)
    assert [entry.key for entry in taken] == [f"{n:03}" for n in range(50, 60)]


async def test_a_settled_entry_leaves(memory: CheckpointStore) -> None:
    await memory.arrive([arrival(1, "a")], [])
    await memory.settle([Settlement(await take_one(memory))])
    assert await take(memory) == []
    assert (await memory.tally()).affected == 0


async def test_what_arrived_in_flight_outlives_the_settlement(memory: CheckpointStore) -> None:
    await memory.arrive([arrival(5, "a", since=50)], [])
    taken = await take_one(memory)
    await memory.arrive([arrival(8, "a", since=80)], [])
    await memory.arrive([arrival(9, "a", since=90)], [])
    await memory.settle([Settlement(taken)])
    assert await take_one(memory) == Entry(OrderKey("a"), 8, 9, 80, Lane.LIVE, 0, False)


async def test_what_arrived_in_flight_still_needs_the_older_transactions_it_named(memory: CheckpointStore) -> None:
    await memory.arrive([arrival(5, "a")], [])
    taken = await take_one(memory)
    await memory.arrive([arrival(8, "a", first=3)], [])
    await memory.settle([Settlement(taken)])
    assert (await take_one(memory)).first_revision == 3


async def test_an_older_revision_that_arrives_in_flight_is_not_lost(memory: CheckpointStore) -> None:
    await memory.arrive([arrival(5, "a")], [])
    taken = await take_one(memory)
    await memory.arrive([arrival(4, "a")], [])
    await memory.settle([Settlement(taken)])
    entry = await take_one(memory)
    assert (entry.first_revision, entry.revision) == (4, 5)


async def test_a_definite_outcome_forgets_attempts_and_confirmation(memory: CheckpointStore) -> None:
    await memory.arrive([arrival(5, "a")], [])
    await memory.settle([Settlement(await take_one(memory), again=Again(due=0, attempts=3, confirm=True))])
    taken = await take_one(memory)
    assert (taken.attempts, taken.confirm) == (3, True)
    await memory.arrive([arrival(8, "a")], [])
    await memory.settle([Settlement(taken)])
    entry = await take_one(memory)
    assert (entry.attempts, entry.confirm) == (0, False)


async def test_an_entry_put_back_waits_until_due(memory: CheckpointStore) -> None:
    await memory.arrive([arrival(5, "a")], [])
    await memory.settle([Settlement(await take_one(memory), again=Again(due=200, attempts=1, confirm=True))])
    assert await take(memory, now=199) == []
    assert await memory.next_due(NOBODY, failing=True) == 200
    entry = await take_one(memory, now=200)
    assert (entry.attempts, entry.confirm) == (1, True)


async def test_what_changes_while_it_fails_is_tried_at_once(memory: CheckpointStore) -> None:
    await memory.arrive([arrival(5, "a", since=50)], [])
    taken = await take_one(memory)
    await memory.arrive([arrival(8, "a", since=80)], [])
    await memory.settle([Settlement(taken, again=Again(due=200, attempts=1, confirm=True))])
    assert await take(memory, now=79) == []
    assert await take_one(memory, now=80) == Entry(OrderKey("a"), 5, 8, 50, Lane.LIVE, 1, True)


async def test_a_change_of_an_order_that_fails_is_tried_at_once_and_forgets_no_attempt(memory: CheckpointStore) -> None:
    await memory.arrive([arrival(5, "a")], [])
    await memory.settle([Settlement(await take_one(memory), again=Again(due=200, attempts=1, confirm=True))])
    await memory.arrive([arrival(8, "a")], [])
    assert await take(memory, now=99) == []
    entry = await take_one(memory, now=100)
    assert (entry.attempts, entry.confirm) == (1, True)


async def test_what_failed_is_taken_apart_from_the_rest_those_due_earliest_first(memory: CheckpointStore) -> None:
    """A probe, and the traffic beside it, must not meet them."""
    await memory.arrive([arrival(1, "a"), arrival(2, "b", lane=Lane.SWEEP), arrival(3, "c"), arrival(4, "d")], [])
    a, c, d, b = await take(memory)
    assert (a.key, b.key, c.key, d.key) == ("a", "b", "c", "d")
    dues = {"a": 300.0, "b": 100.0, "c": 200.0}
    await memory.settle(
        [Settlement(one, again=Again(dues[one.key], attempts=2, confirm=False)) for one in (a, b, c)]
        + [Settlement(d, again=Again(150.0, attempts=0, confirm=False))]
    )
    assert await memory.next_due(NOBODY) == 150
    assert await memory.next_due(NOBODY, failing=True) == 100
    assert await memory.next_due(keys("b"), failing=True) == 200
    assert [one.key for one in await entries_taken(memory, 9, 1_000.0, NOBODY, LANES)] == ["d"]
    assert [one.key for one in await entries_taken(memory, 9, 1_000.0, keys("a"), [Lane.LIVE], failing=True)] == ["c"]
    assert [one.key for one in await entries_taken(memory, 1, 1_000.0, keys("c"), LANES, failing=True)] == ["b"]
    assert [one.key for one in await entries_taken(memory, 9, 1_000.0, keys("b", "c"), LANES, failing=True)] == ["a"]


async def test_what_fails_for_its_own_reasons_is_not_the_oldest_that_waits(memory: CheckpointStore) -> None:
    await memory.arrive([arrival(1, "a", since=10), arrival(2, "b", since=20), arrival(3, "c", since=30)], [])
    a, b, _ = await take(memory)
    await memory.settle([Settlement(a, again=Again(100.0, attempts=2, confirm=False))])
    await memory.settle([Settlement(b, again=Again(100.0, attempts=1, confirm=False))])
    tally = await memory.tally()
    assert (tally.affected, tally.oldest_since) == (3, 20.0)


async def test_what_fails_for_its_own_reasons_may_keep_its_time_when_the_rest_is_hastened(
    memory: CheckpointStore,
) -> None:
    await memory.arrive([arrival(1, "a"), arrival(2, "b"), arrival(3, "c")], [])
    for attempts, entry in enumerate(await take(memory)):
        await memory.settle([Settlement(entry, again=Again(1e9, attempts=attempts, confirm=False))])
    await memory.hasten(1)
    assert [(one.key, one.attempts) for one in await take(memory)] == [("a", 0), ("b", 1)]
    await memory.hasten()
    assert [one.key for one in await take(memory, busy=["a", "b"])] == ["c"]


async def test_a_change_ends_a_wait_that_spent_no_attempt(memory: CheckpointStore) -> None:
    await memory.arrive([arrival(5, "a")], [])
    await memory.settle([Settlement(await take_one(memory), again=Again(due=200, attempts=0, confirm=False))])
    await memory.arrive([arrival(8, "a")], [])
    assert len(await take(memory, now=199)) == 1


async def test_hastening_makes_every_delayed_entry_due(memory: CheckpointStore) -> None:
    await memory.arrive([arrival(n, f"{n}", lane=Lane(n % 3)) for n in range(6)], [])
    again = Again(due=1e9, attempts=4, confirm=True)
    await memory.settle([Settlement(entry, again=again) for entry in await take(memory)])
    assert await take(memory) == []
    await memory.hasten()
    taken = await take(memory)
    assert sorted(entry.key for entry in taken) == ["0", "1", "2", "3", "4", "5"]
    assert {(entry.attempts, entry.confirm) for entry in taken} == {(4, True)}


async def test_hastening_reaches_every_entry_in_steps(memory: CheckpointStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "STEP", 3)
    await memory.arrive([arrival(1, *"abcdefghijklmno")], [])
    later = [(entry, Again(1e9, 1 if entry.key > "j" else 0, confirm=False)) for entry in await take(memory)]
    await memory.settle([Settlement(entry, again=again) for entry, again in later])
    assert await take(memory) == []
    await memory.hasten()
    assert len(await entries_taken(memory, 99, 1_000.0, NOBODY, LANES)) == 10
    assert len(await entries_taken(memory, 99, 1_000.0, NOBODY, LANES, failing=True)) == 5


async def test_next_due_is_the_earliest_that_is_not_busy(memory: CheckpointStore) -> None:
    assert await memory.next_due(NOBODY) is None
    await memory.arrive([arrival(1, "a"), arrival(2, "b", lane=Lane.SWEEP)], [])
    a, b = await take(memory)
    await memory.settle([Settlement(b, again=Again(due=70, attempts=0, confirm=False))])
    assert await memory.next_due(NOBODY) == 0
    assert await memory.next_due(keys("a")) == 70
    assert await memory.next_due(keys("a", "b")) is None
    assert a.key == "a"


async def test_what_was_in_flight_at_a_crash_is_confirmed(memory: CheckpointStore) -> None:
    await memory.arrive([arrival(1, "taken")], [])
    await take(memory)
    await memory.arrive([arrival(2, "waiting")], [])
    assert await memory.recover() == 2
    assert {entry.key: entry.confirm for entry in await take(memory)} == {"taken": True, "waiting": False}


async def test_an_entry_put_back_was_not_in_flight_at_the_crash(memory: CheckpointStore) -> None:
    await memory.arrive([arrival(1, "a")], [])
    await memory.settle([Settlement(await take_one(memory), again=Again(due=0, attempts=1, confirm=False))])
    await memory.recover()
    assert not (await take_one(memory)).confirm


async def test_revisions_never_go_back(memory: CheckpointStore) -> None:
    assert await memory.recover() == 0
    await memory.arrive([arrival(5, "a")], [])
    await memory.settle([Settlement(await take_one(memory))])
    assert await memory.recover() == 5
    await memory.arrive([], [Commit(6, 1, 1)])
    await memory.seen([6])
    assert await memory.recover() == 6
    sweep = Sweep(SweepKind.BACKFILL, "first start", 7, 8, 1.0)
    await memory.save_sweep(sweep)
    await memory.save_sweep(replace(sweep, revision=1, wanted_revision=1))
    assert await memory.recover() == 8


async def test_commits_stay_unseen_until_a_snapshot_showed_them(memory: CheckpointStore) -> None:
    await memory.arrive([], [Commit(2, 77, 0x1_0000_0001), Commit(1, 76, 5)])
    assert await memory.unseen() == [Commit(1, 76, 5), Commit(2, 77, 0x1_0000_0001)]
    await memory.seen([1])
    assert await memory.unseen() == [Commit(2, 77, 0x1_0000_0001)]


async def test_the_oldest_change_is_told(memory: CheckpointStore) -> None:
    assert (await memory.tally()).oldest_since is None
    await memory.arrive([arrival(1, "a", since=30), arrival(2, "b", since=20)], [])
    assert (await memory.tally()).oldest_since == 20
