"""What every checkpoint store promises about places: kept payloads, leftovers, forgetting, line items, adoption."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from connector.checkpoints.address import Address
from connector.checkpoints.opening import open_checkpoints, open_readonly
from connector.checkpoints.vault import Vault
from connector.model.errors import ConfigurationError
from connector.model.orders import OrderKey, Place
from connector.pipeline.ports.entries import Entry, Lane
from connector.pipeline.ports.records import Checkpoint, Settlement, Venture
from connector.pipeline.ports.store import CheckpointStore
from tests.support.fix_checkpoints import IN_POSTGRES, NewAddress

A, B = OrderKey("a"), OrderKey("b")
HERE, THERE = Place("eu", "1"), Place("us", "1")
BODY = b'{"customer":"Ann"}' * 20
KEY = Fernet.generate_key().decode()


def entry(key: OrderKey = A) -> Entry:
    return Entry(key, 1, 1, 1.0, Lane.LIVE, 0, False)


def checkpoint(place: Place = HERE, key: OrderKey = A, missing: bool = False) -> Checkpoint:
    return Checkpoint(key, place.order_id, b"1", 2.0, missing=missing, store_id=place.store_id)


@pytest.fixture(params=["sqlite", "memory", IN_POSTGRES])
async def sealing(request: pytest.FixtureRequest, new_address: NewAddress) -> AsyncIterator[CheckpointStore]:
    """An empty store that keeps payloads."""
    store = open_checkpoints(new_address(request.param), Vault([KEY]))
    yield store
    await store.close()


async def test_a_payload_is_kept_until_another_is_accepted(sealing: CheckpointStore) -> None:
    await sealing.settle([Settlement(entry(), checkpoint(), payload=BODY)])
    await sealing.settle([Settlement(entry(), checkpoint(missing=True))])
    assert await sealing.payload(A, HERE) == BODY
    assert await sealing.payload(A, THERE) is None
    assert await sealing.payload(B, HERE) is None
    await sealing.settle([Settlement(entry(), checkpoint(), payload=b"newer")])
    assert await sealing.payload(A, HERE) == b"newer"


async def test_a_place_is_remembered_from_before_the_first_push_to_it(sealing: CheckpointStore) -> None:
    await sealing.settle([Settlement(entry(), checkpoint(), payload=BODY)])
    await sealing.enroll({}, [Venture(A, THERE, b"new"), Venture(B, HERE, b"other")])
    assert (await sealing.known([A, B])).leftovers == {A: (THERE,), B: (HERE,)}
    assert (await sealing.payload(A, HERE), await sealing.payload(A, THERE)) == (BODY, b"new")
    await sealing.enroll({}, [Venture(A, THERE, b"newer")])
    assert await sealing.payload(A, THERE) == b"new", "which one Redo holds isn't known"
    await sealing.settle([Settlement(entry(), settled_places=(THERE,))])
    assert (await sealing.known([A])).leftovers == {}
    assert await sealing.payload(A, THERE) is None


async def test_a_payload_without_a_vault_is_an_error(memory: CheckpointStore) -> None:
    with pytest.raises(ValueError, match="no vault"):
        await memory.settle([Settlement(entry(), checkpoint(), payload=BODY)])
    with pytest.raises(ValueError, match="no vault"):
        await memory.enroll({}, [Venture(A, HERE, BODY)])
    assert (await memory.known([A])).checkpoints == {}
    assert (await memory.known([A])).leftovers == {}


async def test_the_file_shows_nothing_of_a_payload_and_opens_with_any_key_but_not_without(
    checkpoint_file: Path,
) -> None:
    url, older, newer = f"sqlite:///{checkpoint_file}", KEY, Fernet.generate_key().decode()
    store = open_checkpoints(Address(url), Vault([older]))
    await store.settle([Settlement(entry(), checkpoint(), payload=BODY)])
    await store.close()
    assert b"Ann" not in checkpoint_file.read_bytes()
    for vault, found in ((None, None), (Vault([newer]), None), (Vault([newer, older]), BODY)):
        reader = open_readonly(Address(url), vault)
        assert await reader.payload(A, HERE) == found
        await reader.close()


async def test_a_leftover_takes_the_checkpoints_payload_with_it_until_it_is_settled(sealing: CheckpointStore) -> None:
    await sealing.settle([Settlement(entry(), checkpoint(), payload=b"old")])
    await sealing.settle([Settlement(entry(), checkpoint(THERE), payload=b"new", leftovers=(HERE,))])
    assert (await sealing.known([A, B])).leftovers == {A: (HERE,)}
    assert [await sealing.payload(A, place) for place in (HERE, THERE)] == [b"old", b"new"]
    await sealing.settle([Settlement(entry(), settled_places=(HERE,))])
    assert (await sealing.known([A])).leftovers == {}
    assert [await sealing.payload(A, place) for place in (HERE, THERE)] == [None, b"new"]


async def test_a_place_that_is_left_without_a_leftover_drops_its_payload(sealing: CheckpointStore) -> None:
    await sealing.settle([Settlement(entry(), checkpoint(), payload=BODY)])
    await sealing.settle([Settlement(entry(), checkpoint(THERE))])
    await sealing.settle([Settlement(entry(), checkpoint(HERE))])
    assert await sealing.payload(A, HERE) is None


async def test_forgetting_removes_checkpoint_payload_and_line_items(sealing: CheckpointStore) -> None:
    both = [
        Settlement(entry(), checkpoint(), payload=BODY, line_items=frozenset({1})),
        Settlement(entry(B), checkpoint(THERE, B, missing=True), payload=b"b", line_items=frozenset({1})),
    ]
    await sealing.settle(both)
    await sealing.settle([Settlement(entry(), forget=True)])
    assert (await sealing.known([A, B])).checkpoints.keys() == {B}
    assert await sealing.line_item_owners([1]) == {1: (B,)}
    assert [await sealing.payload(A, HERE), await sealing.payload(B, THERE)] == [None, b"b"]
    tally = await sealing.tally()
    assert (tally.checkpoints, tally.missing) == (1, 1)
    await sealing.settle([Settlement(entry(B), forget=True)])
    tally = await sealing.tally()
    assert (tally.checkpoints, tally.missing) == (0, 0)


async def test_a_forgotten_checkpoint_may_leave_a_leftover_with_its_payload(sealing: CheckpointStore) -> None:
    await sealing.settle([Settlement(entry(), checkpoint(), payload=BODY)])
    await sealing.settle([Settlement(entry(), forget=True, leftovers=(HERE,))])
    known = await sealing.known([A])
    assert (known.checkpoints, known.leftovers) == ({}, {A: (HERE,)})
    assert await sealing.payload(A, HERE) == BODY


async def test_who_is_displaced_is_forgotten_where_it_still_has_the_place(sealing: CheckpointStore) -> None:
    rows = {"payment": frozenset({"1"})}
    theirs = Settlement(entry(B), checkpoint(key=B), payload=b"b", line_items=frozenset({1}), members=rows)
    await sealing.settle([theirs])
    await sealing.settle([Settlement(entry(), checkpoint(THERE), payload=BODY, displaces=(B,))])
    assert (await sealing.known([B])).checkpoints.keys() == {B}, "it is elsewhere"
    await sealing.settle([Settlement(entry(), checkpoint(HERE), payload=BODY, displaces=(B,))])
    assert (await sealing.known([A, B])).checkpoints.keys() == {A}
    assert await sealing.owners([HERE]) == {HERE: (A,)}
    assert await sealing.line_item_owners([1]) == {}
    assert await sealing.enrolled("payment", ["1"], None, 9) == []
    assert [await sealing.payload(A, HERE), await sealing.payload(B, HERE)] == [BODY, None]


async def test_what_redo_may_hold_at_a_leftover_keeps_its_payload_too(sealing: CheckpointStore) -> None:
    await sealing.settle([Settlement(entry(), checkpoint(), payload=b"old")])
    await sealing.settle([Settlement(entry(), leftovers=(THERE,), payload=BODY)])
    assert [await sealing.payload(A, place) for place in (HERE, THERE)] == [b"old", BODY]
    await sealing.settle([Settlement(entry(), settled_places=(THERE,))])
    assert [await sealing.payload(A, place) for place in (HERE, THERE)] == [b"old", None]


async def test_two_owners_of_a_place_are_named_and_no_more(memory: CheckpointStore) -> None:
    await memory.settle([Settlement(entry(OrderKey(key)), checkpoint(key=OrderKey(key))) for key in ("c", "b", "a")])
    assert await memory.owners([HERE]) == {HERE: (A, B)}


async def test_line_items_name_their_orders_and_are_left_as_they_are_unless_given(memory: CheckpointStore) -> None:
    least, most = -(2**63), 2**63 - 1
    await memory.settle(
        [Settlement(entry(OrderKey(key)), line_items=frozenset({least, most})) for key in ("c", "a", "b")]
    )
    assert await memory.line_item_owners([least, 5]) == {least: ("a", "b")}
    await memory.settle([Settlement(entry(), line_items=frozenset({most, 5})), Settlement(entry(B))])
    assert await memory.line_item_owners([least, most, 5]) == {least: ("b", "c"), most: ("a", "b"), 5: ("a",)}


def test_a_sealed_body_opens_for_its_own_order_and_place_only() -> None:
    vault = Vault([KEY])
    sealed = vault.seal(A, HERE, BODY)
    assert vault.open(A, HERE, sealed) == BODY
    assert vault.open(B, HERE, sealed) is None
    assert vault.open(A, THERE, sealed) is None
    assert vault.open(A, HERE, sealed[:-1] + bytes([sealed[-1] ^ 1])) is None
    assert vault.open(A, HERE, b"") is None


def test_the_first_key_seals() -> None:
    first = Fernet.generate_key().decode()
    sealed = Vault([first, KEY]).seal(A, HERE, BODY)
    assert Vault([first]).open(A, HERE, sealed) == BODY
    assert Vault([KEY]).open(A, HERE, sealed) is None


@pytest.mark.parametrize("keys", [[], ["hunter2"], [KEY, "hunter2é"]])
def test_a_bad_key_is_a_problem_that_does_not_show_it(keys: list[str]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Vault(keys)
    (problem,) = caught.value.problems
    assert problem.where == "checkpoints.payload_keys"
    assert "hunter2" not in str(problem)
