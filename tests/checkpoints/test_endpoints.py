"""What every checkpoint store promises about endpoints: what one address of Redo accepted counts for no other."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from cryptography.fernet import Fernet

from connector.checkpoints.opening import open_checkpoints, open_readonly
from connector.checkpoints.vault import Vault
from connector.model.orders import OrderKey, Place
from connector.pipeline.ports.entries import Again, Arrival, Entry, Lane
from connector.pipeline.ports.holds import Held, HoldKind
from connector.pipeline.ports.records import (
    Checkpoint,
    DeadLetter,
    Endpoint,
    Known,
    Rebinding,
    Settlement,
    Sweep,
    SweepKind,
    Venture,
)
from connector.pipeline.ports.store import CheckpointStore
from tests.support.fix_checkpoints import IN_POSTGRES, NewAddress
from tests.support.ledger import entries_taken

SANDBOX, PRODUCTION = "http://127.0.0.1:8080", "https://api.getredo.com/v2.2"
ONE, TWO, THREE = OrderKey("1"), OrderKey("2"), OrderKey("3")
LANES = tuple(Lane)


def rebinding(
    urls: Mapping[str, str],
    *,
    approved: bool = False,
    sweep: Sweep | None = None,
    doubted: bool = False,
    late_until: float | None = None,
) -> Rebinding:
    return Rebinding(urls, approved, Arrival(9, 90.0, Lane.SWEEP), sweep, doubted, late_until)


def entry(key: OrderKey) -> Entry:
    return Entry(key, 1, 1, 1.0, Lane.LIVE, 0, confirm=False)


def accepted(key: OrderKey, fingerprint: bytes = b"f", store: str = "eu") -> Settlement:
    checkpoint = Checkpoint(
        key, f"id-{key}", fingerprint, 5.0, digest=b"d", store_id=store, traits=b"t", row_digest=b"r"
    )
    return Settlement(entry(key), checkpoint, line_items=frozenset({int(key)}))


def letter(key: OrderKey, store: str = "eu", fingerprint: bytes | None = b"x") -> Settlement:
    found = DeadLetter(key, "rejected", "no", (), fingerprint, 1.0, 1.0, 1, 422, "no", store)
    return Settlement(entry(key), dead_letter=found)


async def bound(memory: CheckpointStore) -> CheckpointStore:
    """Two orders and a dead letter at the sandbox."""
    await memory.rebind(rebinding({"eu": SANDBOX}, approved=True))
    await memory.settle([accepted(ONE), accepted(TWO), letter(THREE)])
    return memory


async def test_what_another_address_accepted_is_not_known(memory: CheckpointStore) -> None:
    await bound(memory)
    await memory.enroll({}, [Venture(THREE, Place("eu", "id-3"))])
    await memory.rebind(rebinding({"eu": PRODUCTION}))
    assert await memory.known([ONE, TWO, THREE]) == Known({}, {})
    assert await memory.owners([Place("eu", "id-1")]) == {}
    assert await memory.line_item_owners([1, 2]) == {}
    assert await memory.page_checkpoints(None, 10) == []
    tally = await memory.tally()
    assert (tally.checkpoints, tally.missing, tally.dead_letters) == (0, 0, {})


async def test_coming_back_finds_what_was_accepted_there(memory: CheckpointStore) -> None:
    await bound(memory)
    before = await memory.known([ONE, TWO, THREE])
    await memory.rebind(rebinding({"eu": PRODUCTION}))
    await memory.settle([accepted(ONE, b"other")])
    await memory.rebind(rebinding({"eu": SANDBOX}))
    assert await memory.known([ONE, TWO, THREE]) == before
    assert await memory.line_item_owners([1, 2]) == {1: (ONE,), 2: (TWO,)}
    assert (await memory.tally()).checkpoints == 2
    await memory.rebind(rebinding({"eu": PRODUCTION}))
    assert (await memory.known([ONE, TWO])).checkpoints.keys() == {ONE}


async def test_every_endpoint_is_remembered_with_what_it_accepted_and_whether_it_was_approved(
    memory: CheckpointStore,
) -> None:
    await bound(memory)
    await memory.rebind(rebinding({"eu": PRODUCTION}))
    assert await memory.endpoints() == [
        Endpoint("eu", SANDBOX, active=False, approved=True, orders=2),
        Endpoint("eu", PRODUCTION, active=True, approved=False, orders=0),
    ]
    await memory.approve_endpoints()
    await memory.settle([accepted(ONE)])
    assert (await memory.endpoints())[1] == Endpoint("eu", PRODUCTION, active=True, approved=True, orders=1)


async def test_another_store_is_another_place_and_those_that_stay_are_left_alone(memory: CheckpointStore) -> None:
    await memory.rebind(rebinding({"eu": SANDBOX, "us": SANDBOX}, approved=True))
    await memory.settle([accepted(ONE), accepted(TWO, store="us"), letter(THREE, "us")])
    await memory.rebind(rebinding({"eu": SANDBOX, "jp": SANDBOX}))
    known = await memory.known([ONE, TWO, THREE])
    assert ([*known.checkpoints], [*known.dead_letters]) == ([ONE], [])
    assert await memory.line_item_owners([1, 2]) == {1: (ONE,)}
    await memory.rebind(rebinding({"eu": SANDBOX, "us": SANDBOX}))
    known = await memory.known([ONE, TWO, THREE])
    assert (sorted(known.checkpoints), [*known.dead_letters]) == ([ONE, TWO], [THREE])


async def test_an_order_that_went_to_another_store_meanwhile_is_at_both(memory: CheckpointStore) -> None:
    await memory.rebind(rebinding({"eu": SANDBOX, "us": SANDBOX}, approved=True))
    await memory.settle([accepted(ONE, store="us")])
    await memory.rebind(rebinding({"eu": SANDBOX}))
    await memory.settle([accepted(ONE)])
    await memory.rebind(rebinding({"eu": SANDBOX, "us": SANDBOX}))
    known = await memory.known([ONE])
    assert known.checkpoints[ONE].store_id == "eu"
    assert known.leftovers == {ONE: (Place("us", "id-1"),)}
    assert [one.key for one in await entries_taken(memory, 10, 100.0, frozenset(), LANES)] == [ONE], (
        "it is looked at again"
    )


async def test_what_is_remembered_without_an_address_is_of_the_first_one(memory: CheckpointStore) -> None:
    await memory.settle([accepted(ONE), letter(THREE)])
    await memory.rebind(rebinding({"eu": SANDBOX}, approved=True))
    known = await memory.known([ONE, THREE])
    assert ([*known.checkpoints], [*known.dead_letters]) == ([ONE], [THREE])
    assert await memory.endpoints() == [Endpoint("eu", SANDBOX, active=True, approved=True, orders=1)]


async def test_an_order_whose_outcome_is_open_equals_nothing_when_its_address_comes_back(
    memory: CheckpointStore,
) -> None:
    await bound(memory)
    await memory.arrive([Arrival(2, 2.0, Lane.LIVE, frozenset({ONE}))], [])
    taken = await entries_taken(memory, 1, 3.0, frozenset(), LANES)
    await memory.settle([Settlement(taken[0], again=Again(50.0, 1, confirm=True, late_until=50.0))])
    await memory.rebind(rebinding({"eu": PRODUCTION}))
    await memory.rebind(rebinding({"eu": SANDBOX}))
    checkpoints = (await memory.known([ONE, TWO])).checkpoints
    assert (checkpoints[ONE].fingerprint, checkpoints[ONE].digest, checkpoints[TWO].fingerprint) == (b"", b"", b"f")
    assert (checkpoints[ONE].is_of(b"r"), checkpoints[TWO].is_of(b"r")) == (False, True)
    entries = await entries_taken(memory, 10, 100.0, frozenset(), LANES)
    assert [(one.key, one.confirm, one.late_until) for one in entries] == [(ONE, True, 50.0)]


async def test_an_order_that_failed_at_one_address_is_fine_at_another(memory: CheckpointStore) -> None:
    await bound(memory)
    await memory.arrive([Arrival(2, 2.0, Lane.LIVE, frozenset({ONE}))], [])
    taken = await entries_taken(memory, 1, 3.0, frozenset(), LANES)
    await memory.settle([Settlement(taken[0], again=Again(1e9, 5, confirm=False))])
    await memory.rebind(rebinding({"eu": PRODUCTION}))
    entries = await entries_taken(memory, 10, 3.0, frozenset(), LANES)
    assert [(one.key, one.attempts) for one in entries] == [(ONE, 0)]


async def test_what_was_open_when_an_address_was_left_may_land_there_still_when_it_comes_back(
    memory: CheckpointStore,
) -> None:
    """Whatever became of its ledger entry meanwhile."""
    await bound(memory)
    await memory.enroll({}, [Venture(THREE, Place("eu", "id-3"))])
    await memory.arrive([Arrival(2, 2.0, Lane.LIVE, frozenset({ONE}), confirm=True)], [])
    await memory.rebind(rebinding({"eu": PRODUCTION}))
    taken = await entries_taken(memory, 10, 3.0, frozenset(), LANES)
    await memory.settle([Settlement(one) for one in taken])
    await memory.rebind(rebinding({"eu": SANDBOX}, late_until=70.0))
    entries = await entries_taken(memory, 10, 100.0, frozenset(), LANES)
    assert {(one.key, one.late_until) for one in entries} == {(ONE, 70.0), (THREE, 70.0)}


async def test_every_checkpoint_equals_nothing_where_all_were_in_doubt(memory: CheckpointStore) -> None:
    await bound(memory)
    await memory.rebind(rebinding({"eu": PRODUCTION}, doubted=True))
    await memory.rebind(rebinding({"eu": SANDBOX}))
    found = (await memory.known([ONE, TWO])).checkpoints.values()
    assert [one.fingerprint for one in found] == [b"", b""]


async def test_what_is_parked_equals_nothing_once_the_store_is_known_to_be_an_older_copy(
    memory: CheckpointStore,
) -> None:
    await bound(memory)
    await memory.rebind(rebinding({"eu": PRODUCTION}))
    await memory.settle([accepted(ONE)])
    await memory.doubt_parked()
    assert (await memory.known([ONE])).checkpoints[ONE].fingerprint == b"f", "what is active is pushed anyway"
    await memory.rebind(rebinding({"eu": SANDBOX}))
    assert [one.fingerprint for one in (await memory.known([ONE, TWO])).checkpoints.values()] == [b"", b""]


async def test_holds_end_and_what_was_approved_for_one_address_is_not_for_another(memory: CheckpointStore) -> None:
    await bound(memory)
    hold = await memory.open_hold(HoldKind.CHANGES, "mapping changed", 5.0)
    doubtful = Settlement(entry(TWO), held=Held(hold.number, ("tags",), 4.0, confirm=True))
    await memory.settle([Settlement(entry(ONE), held=Held(hold.number, ("tags",), 4.0)), doubtful])
    await memory.arrive([Arrival(3, 3.0, Lane.LIVE, frozenset({THREE}), approved=True)], [])
    await memory.rebind(rebinding({"eu": PRODUCTION}))
    assert await memory.holds() == []
    assert (await memory.known([ONE, TWO])).held == {}
    entries = await entries_taken(memory, 10, 100.0, frozenset(), LANES)
    assert {(one.key, one.approved, one.confirm) for one in entries} == {(THREE, False, False), (TWO, False, True)}


async def test_a_rebinding_stores_its_sweep_and_forgets_what_was_found_at_another_address(
    memory: CheckpointStore,
) -> None:
    await bound(memory)
    await memory.save_sweep(Sweep(SweepKind.RECONCILE, "asked", 4, 4, 1.0, finished_at=2.0))
    sweep = Sweep(SweepKind.BACKFILL, "another address", 9, 9, 90.0)
    await memory.rebind(rebinding({"eu": PRODUCTION}, sweep=sweep))
    assert await memory.sweep() == sweep
    assert await memory.sweeps(10) == []
    assert await memory.recover() == 9


async def test_a_rebinding_that_is_asked_for_twice_changes_nothing_the_second_time(memory: CheckpointStore) -> None:
    await bound(memory)
    asked = rebinding({"eu": PRODUCTION}, sweep=Sweep(SweepKind.BACKFILL, "another address", 9, 9, 90.0))
    await memory.rebind(asked)
    await memory.settle([accepted(ONE)])
    before = (await memory.endpoints(), await memory.known([ONE, TWO, THREE]))
    await memory.rebind(asked)
    assert (await memory.endpoints(), await memory.known([ONE, TWO, THREE])) == before


async def test_refusals_of_nobody_knows_where_end_nothing_at_another_address(memory: CheckpointStore) -> None:
    await bound(memory)
    await memory.settle([letter(ONE, ""), letter(TWO, "", None)])
    await memory.rebind(rebinding({"eu": PRODUCTION}))
    assert (await memory.known([ONE, TWO])).dead_letters.keys() == {TWO}, "the mapping's own refusals stay"


@pytest.mark.parametrize("kind", ["sqlite", "memory", IN_POSTGRES])
async def test_kept_payloads_come_back_with_their_address(new_address: NewAddress, kind: str) -> None:
    store = open_checkpoints(new_address(kind), Vault([Fernet.generate_key().decode()]))
    try:
        await store.rebind(rebinding({"eu": SANDBOX}, approved=True))
        checkpoint = Checkpoint(ONE, "id-1", b"f", 5.0, store_id="eu")
        await store.settle([Settlement(entry(ONE), checkpoint, payload=b"body")])
        await store.rebind(rebinding({"eu": PRODUCTION}))
        assert await store.payload(ONE, Place("eu", "id-1")) is None
        await store.rebind(rebinding({"eu": SANDBOX}))
        assert await store.payload(ONE, Place("eu", "id-1")) == b"body"
    finally:
        await store.close()


@pytest.mark.parametrize("kind", ["sqlite", IN_POSTGRES])
async def test_endpoints_outlive_the_process_and_a_reader_sees_them(new_address: NewAddress, kind: str) -> None:
    address = new_address(kind)
    store = open_checkpoints(address)
    await bound(store)
    await store.close()
    store = open_checkpoints(address)
    await store.rebind(rebinding({"eu": PRODUCTION}))
    await store.close()
    reader = open_readonly(address)
    try:
        assert [(one.url, one.orders) for one in await reader.endpoints()] == [(SANDBOX, 2), (PRODUCTION, 0)]
    finally:
        await reader.close()


def test_an_endpoint_names_address_and_store() -> None:
    assert str(Endpoint("eu", SANDBOX, active=True, approved=True, orders=1)) == f"{SANDBOX} store eu"
