"""What every checkpoint store promises about former keys: what is stored by them stays, until it is taken over."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from cryptography.fernet import Fernet

from connector.checkpoints.opening import open_checkpoints
from connector.checkpoints.vault import Vault
from connector.model.orders import Lookup, OrderKey, Place, Suspicion, former, is_former
from connector.pipeline.ports.entries import Again, Arrival, Entry, Lane
from connector.pipeline.ports.holds import Held, HoldKind
from connector.pipeline.ports.records import Checkpoint, DeadLetter, Settlement, Venture
from connector.pipeline.ports.store import CheckpointStore
from tests.support.fix_checkpoints import IN_POSTGRES, NewAddress
from tests.support.ledger import entries_taken

A, B, C, NEW = (OrderKey(text) for text in ("1", "2", "3", '["1","x"]'))
HERE, THERE = Place("eu", "R1"), Place("us", "R1")
VAULT = Vault([Fernet.generate_key().decode()])
NOBODY = frozenset[OrderKey]()


@pytest.fixture(params=["sqlite", "memory", IN_POSTGRES])
async def sealing(request: pytest.FixtureRequest, new_address: NewAddress) -> AsyncIterator[CheckpointStore]:
    """An empty store that keeps payloads."""
    store = open_checkpoints(new_address(request.param), VAULT)
    yield store
    await store.close()


def entry(key: OrderKey) -> Entry:
    return Entry(key, 1, 1, 1.0, Lane.LIVE, 0, False)


def checkpoint(key: OrderKey, place: Place = HERE, accepted_at: float = 2.0, missing: bool = False) -> Checkpoint:
    return Checkpoint(key, place.order_id, b"1", accepted_at, missing=missing, digest=b"d", store_id=place.store_id)


async def test_everything_that_redo_holds_is_kept_by_former_keys_and_what_waits_is_not(
    sealing: CheckpointStore,
) -> None:
    letter = DeadLetter(B, "invalid", "no", (), None, 1.0, 1.0, 1)
    warned = (Suspicion("refunds_shrunk", "less"),)
    accepted = Settlement(entry(A), checkpoint(A), members={"item": frozenset("1")}, payload=b"body", warnings=warned)
    hold = await sealing.open_hold(HoldKind.CHANGES, "why", 1.0)
    await sealing.settle([accepted, Settlement(entry(B), dead_letter=letter)])
    await sealing.settle([Settlement(entry(C), held=Held(hold.number, ("new",), 1.0, confirm=False))])
    lookups = frozenset({Lookup("customer", ("1",))})
    await sealing.arrive(
        [Arrival(1, 1.0, Lane.LIVE, frozenset({A, C})), Arrival(2, 1.0, Lane.LIVE, lookups=lookups)], []
    )
    await sealing.retire_all(1)
    tally, was = await sealing.tally(), former(A, 1)
    assert (tally.checkpoints, tally.affected, tally.lookups, tally.held, tally.dead_letters) == (1, 0, 0, 0, {})
    assert (await sealing.known([was])).checkpoints == {
        was: Checkpoint(was, "R1", b"1", 2.0, digest=b"d", store_id="eu")
    }
    assert await sealing.payload(was, HERE) == b"body"
    assert [one.key for one in await sealing.warned(9)] == [was]
    assert await sealing.enrolled("item", ["1"], None, 9) == []
    assert (await sealing.known([A])).checkpoints == {}
    await sealing.retire_all(2)
    assert await sealing.page_checkpoints(None, 9) == [was], "what is former stays as it is"


async def test_an_order_takes_over_all_that_is_stored_at_its_place(sealing: CheckpointStore) -> None:
    await sealing.enroll({}, [Venture(A, THERE, b"maybe")])
    await sealing.settle([Settlement(entry(A), checkpoint(A), payload=b"body", line_items=frozenset({7}))])
    await sealing.retire_all(1)
    assert await sealing.take_over({NEW: Place("eu", "R2")}, NOBODY) == NOBODY
    assert await sealing.take_over({NEW: HERE}, frozenset({former(A, 1)})) == NOBODY, "it is in work"
    assert await sealing.take_over({NEW: HERE, B: HERE}, NOBODY) == {NEW}, "the first that claims it"
    known = await sealing.known([NEW, former(A, 1)])
    assert {*known.checkpoints} == {NEW}
    assert known.leftovers == {NEW: (THERE,)}
    assert (await sealing.payload(NEW, HERE), await sealing.payload(NEW, THERE)) == (b"body", b"maybe")
    assert await sealing.line_item_owners([7]) == {7: (NEW,)}
    await sealing.settle([Settlement(entry(C), checkpoint(C, Place("eu", "R3")))])
    await sealing.retire([C], 1)
    assert await sealing.take_over({NEW: Place("eu", "R3")}, NOBODY) == NOBODY, "it has a checkpoint of its own"


async def test_what_is_taken_over_is_known_by_no_row_because_its_member_rows_were_another_keys(
    memory: CheckpointStore,
) -> None:
    known = replace(checkpoint(A), row_digest=b"r")
    await memory.settle([Settlement(entry(A), known, members={"item": frozenset("1")})])
    await memory.retire_all(1)
    assert await memory.take_over({NEW: HERE}, NOBODY) == {NEW}
    taken = (await memory.known([NEW])).checkpoints[NEW]
    assert taken == replace(known, key=NEW, row_digest=b"")
    assert not taken.is_of(b"r")


async def test_of_several_at_a_place_the_one_that_has_not_left_and_is_newest_comes_first(
    memory: CheckpointStore,
) -> None:
    await memory.settle([Settlement(entry(A), checkpoint(A, accepted_at=3.0, missing=True))])
    await memory.settle([Settlement(entry(B), checkpoint(B, accepted_at=1.0))])
    await memory.settle([Settlement(entry(C), checkpoint(C, accepted_at=2.0))])
    await memory.retire_all(1)
    assert await memory.take_over({NEW: HERE}, NOBODY) == {NEW}
    assert {key for key in await memory.page_checkpoints(None, 9) if is_former(key)} == {former(B, 1)}
    assert (await memory.tally()).missing == 1


async def test_what_a_request_without_an_answer_was_about_has_no_fingerprint_any_more(memory: CheckpointStore) -> None:
    await memory.settle([Settlement(entry(A), checkpoint(A)), Settlement(entry(B), checkpoint(B, THERE))])
    await memory.enroll({}, [Venture(C, Place("eu", "R3"))])
    await memory.arrive([Arrival(1, 1.0, Lane.LIVE, frozenset({A}))], [])
    assert await memory.late_until() is None
    await entries_taken(memory, 9, 9.0, NOBODY, list(Lane))
    await memory.recover(late_until=50.0)
    assert await memory.late_until() == 50.0
    await memory.retire_all(1)
    kept = (await memory.known([former(key, 1) for key in (A, B, C)])).checkpoints
    assert {key: one.fingerprint for key, one in kept.items()} == {
        former(A, 1): b"",
        former(B, 1): b"1",
        former(C, 1): b"",
    }, "a place that Redo may have the order at is not forgotten either"


async def test_a_key_in_work_becomes_a_former_one_and_waits_while_something_may_land_late(
    memory: CheckpointStore,
) -> None:
    await memory.settle([Settlement(entry(A), checkpoint(A))])
    await memory.arrive([Arrival(1, 1.0, Lane.LIVE, frozenset({A}))], [])
    [taken] = await entries_taken(memory, 9, 9.0, NOBODY, list(Lane))
    await memory.retire([A], 1)
    await memory.settle([Settlement(taken)])
    assert (await memory.tally()).affected == 0
    was = former(A, 1)
    await memory.arrive([Arrival(2, 1.0, Lane.LIVE, frozenset({was}))], [])
    [taken] = await entries_taken(memory, 9, 9.0, NOBODY, list(Lane))
    await memory.settle([Settlement(taken, again=Again(50.0, 0, confirm=False, late_until=50.0))])
    assert await memory.take_over({NEW: HERE}, NOBODY) == NOBODY
    [taken] = await entries_taken(memory, 9, 60.0, NOBODY, list(Lane))
    await memory.settle([Settlement(taken)])
    assert await memory.take_over({NEW: HERE}, NOBODY) == {NEW}
