"""What every checkpoint store promises about confirmation, approval and requests that may land late."""

from __future__ import annotations

from connector.model.orders import OrderKey
from connector.pipeline.ports.entries import Again, Arrival, Entry, Lane
from connector.pipeline.ports.records import Settlement
from connector.pipeline.ports.store import CheckpointStore
from tests.support.ledger import entries_taken

A = OrderKey("a")
LATE = 500.0


async def arrive(
    memory: CheckpointStore, revision: int, since: float = 100.0, *, confirm: bool = False, approved: bool = False
) -> None:
    await memory.arrive([Arrival(revision, since, Lane.LIVE, frozenset({A}), confirm=confirm, approved=approved)], [])


async def take(memory: CheckpointStore, now: float = 1_000.0) -> list[Entry]:
    fine = await entries_taken(memory, 9, now, frozenset(), list(Lane))
    return fine + await entries_taken(memory, 9, now, frozenset(), list(Lane), failing=True)


async def take_one(memory: CheckpointStore, now: float = 1_000.0) -> Entry:
    (entry,) = await take(memory, now)
    return entry


def flags(entry: Entry) -> tuple[bool, bool, float | None]:
    return entry.confirm, entry.approved, entry.late_until


async def wait_for_late(memory: CheckpointStore) -> None:
    await arrive(memory, 1)
    again = Again(LATE, 0, confirm=False, late_until=LATE, approved=True, since=LATE)
    await memory.settle([Settlement(await take_one(memory), again=again)])


async def test_arrivals_merge_their_confirmation_and_approval(memory: CheckpointStore) -> None:
    await arrive(memory, 1, confirm=True)
    await arrive(memory, 2, approved=True)
    await arrive(memory, 3)
    assert flags(await take_one(memory)) == (True, True, None)


async def test_what_arrived_in_flight_is_confirmed_and_approved_only_as_it_said_itself(memory: CheckpointStore) -> None:
    await arrive(memory, 1, confirm=True, approved=True)
    taken = await take_one(memory)
    await arrive(memory, 2)
    await memory.settle([Settlement(taken)])
    again = await take_one(memory)
    assert flags(again) == (False, False, None)
    await arrive(memory, 3, confirm=True)
    await arrive(memory, 4, approved=True)
    await memory.settle([Settlement(again)])
    assert flags(await take_one(memory)) == (True, True, None)


async def test_a_confirmation_asked_for_in_flight_survives_being_put_back(memory: CheckpointStore) -> None:
    await arrive(memory, 1)
    taken = await take_one(memory)
    await arrive(memory, 2, confirm=True, approved=True)
    await memory.settle([Settlement(taken, again=Again(0.0, 1, confirm=False))])
    assert flags(await take_one(memory)) == (True, True, None)


async def test_what_was_asked_before_an_earlier_look_does_not_come_back(memory: CheckpointStore) -> None:
    await arrive(memory, 1)
    taken = await take_one(memory)
    await arrive(memory, 2, confirm=True, approved=True)
    await memory.settle([Settlement(taken, again=Again(0.0, 1, confirm=False))])
    taken = await take_one(memory)
    await memory.settle([Settlement(taken, again=Again(0.0, 0, confirm=False))])
    assert flags(await take_one(memory)) == (False, False, None)


async def test_a_late_request_is_remembered_through_putting_back_and_what_arrives_anew(memory: CheckpointStore) -> None:
    await arrive(memory, 1)
    again = Again(0.0, 1, confirm=True, late_until=LATE, approved=True)
    await memory.settle([Settlement(await take_one(memory), again=again)])
    taken = await take_one(memory)
    assert flags(taken) == (True, True, LATE)
    await arrive(memory, 2)
    await memory.settle([Settlement(taken)])
    assert flags(await take_one(memory)) == (False, False, LATE)


async def test_putting_back_without_a_late_request_forgets_it(memory: CheckpointStore) -> None:
    await wait_for_late(memory)
    await memory.settle([Settlement(await take_one(memory), again=Again(0.0, 0, confirm=False))])
    assert flags(await take_one(memory)) == (False, False, None)


async def test_an_order_that_only_waits_for_a_late_request_counts_as_waiting_from_then_on(
    memory: CheckpointStore,
) -> None:
    await wait_for_late(memory)
    assert (await memory.tally()).oldest_since == LATE
    assert await take(memory, LATE - 1) == []
    await arrive(memory, 2, since=200.0)
    assert (await memory.tally()).oldest_since == 200.0
    entry = await take_one(memory, LATE - 1)
    assert (entry.since, entry.late_until) == (200.0, LATE)


async def test_a_change_in_flight_does_not_wait_for_a_late_request(memory: CheckpointStore) -> None:
    await arrive(memory, 1, since=50.0)
    taken = await take_one(memory)
    await arrive(memory, 2, since=200.0)
    again = Again(LATE, 0, confirm=False, late_until=LATE, since=LATE)
    await memory.settle([Settlement(taken, again=again)])
    assert (await memory.tally()).oldest_since == 200.0
    assert (await take_one(memory, LATE - 1)).late_until == LATE


async def test_hastening_leaves_alone_what_only_waits_for_a_late_request(memory: CheckpointStore) -> None:
    await wait_for_late(memory)
    await memory.hasten()
    assert await memory.next_due(frozenset()) == LATE


async def test_hastening_reaches_what_backs_off_after_an_unknown_outcome_and_what_was_put_back(
    memory: CheckpointStore,
) -> None:
    await arrive(memory, 1)
    for again in (Again(LATE, 1, True, LATE), Again(LATE + 9, 0, True, LATE), Again(LATE, 0, False)):
        await memory.settle([Settlement(await take_one(memory), again=again)])
        assert await take(memory, 1.0) == []
        await memory.hasten()
        dues = [await memory.next_due(frozenset(), failing=failing) for failing in (False, True)]
        assert min(due for due in dues if due is not None) < 1.0


async def test_what_was_in_flight_at_a_crash_may_land_late(memory: CheckpointStore) -> None:
    await arrive(memory, 1, approved=True)
    taken = await take_one(memory)
    await memory.recover(late_until=LATE)
    assert flags(await take_one(memory)) == (True, True, LATE)
    await memory.recover(late_until=LATE - 1)
    assert flags(await take_one(memory)) == (True, True, LATE)
    await memory.recover()
    assert flags(await take_one(memory)) == (True, True, LATE)
    assert taken.late_until is None


async def test_what_was_not_in_flight_at_a_crash_has_nothing_that_lands_late(memory: CheckpointStore) -> None:
    await arrive(memory, 1)
    await memory.recover(late_until=LATE)
    assert flags(await take_one(memory)) == (False, False, None)
