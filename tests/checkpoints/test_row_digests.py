"""What every checkpoint store promises about orders that are known by their rows: only settled ones are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connector.model.orders import OrderKey, Place
from connector.pipeline.ports.entries import Again, Arrival, Entry, Lane
from connector.pipeline.ports.holds import Held, HoldKind
from connector.pipeline.ports.records import Checkpoint, DeadLetter, Settlement
from connector.pipeline.ports.store import CheckpointStore
from tests.support.ledger import entries_taken

KEY, OTHER = OrderKey("1"), OrderKey("2")
ENTRY = Entry(KEY, 1, 1, 1.0, Lane.LIVE, 0, confirm=False)
ACCEPTED = Checkpoint(KEY, "#1", b"f", 2.0, digest=b"d", store_id="eu", row_digest=b"r")
LETTER = DeadLetter(KEY, "rejected", "no", (), None, 1.0, 1.0, 1)


async def known(memory: CheckpointStore) -> dict[OrderKey, bytes]:
    return dict(await memory.row_digests([KEY, OTHER]))


async def test_a_settled_order_is_known_by_its_row(memory: CheckpointStore) -> None:
    other = replace(ACCEPTED, key=OTHER, row_digest=b"\x00s")
    await memory.settle([Settlement(ENTRY, ACCEPTED), Settlement(replace(ENTRY, key=OTHER), other)])
    assert await known(memory) == {KEY: b"r", OTHER: b"\x00s"}
    assert await memory.row_digests([]) == {}
    assert await memory.row_digests([OrderKey("3"), OTHER]) == {OTHER: b"\x00s"}


@pytest.mark.parametrize(
    "checkpoint",
    [replace(ACCEPTED, missing=True), replace(ACCEPTED, fingerprint=b""), replace(ACCEPTED, row_digest=b"")],
    ids=["it left the mapping", "it is doubted", "its row isn't known"],
)
async def test_an_order_whose_checkpoint_may_not_be_relied_on_is_not(
    memory: CheckpointStore, checkpoint: Checkpoint
) -> None:
    await memory.settle([Settlement(ENTRY, checkpoint)])
    assert await known(memory) == {}


@pytest.mark.parametrize(
    "settlement",
    [
        Settlement(ENTRY, dead_letter=LETTER),
        Settlement(ENTRY, leftovers=(Place("us", "#1"),)),
        Settlement(ENTRY, forget=True),
    ],
    ids=["a dead letter", "a leftover", "Redo has it no longer"],
)
async def test_an_order_of_which_something_else_is_remembered_is_not(
    memory: CheckpointStore, settlement: Settlement
) -> None:
    await memory.settle([Settlement(ENTRY, ACCEPTED)])
    await memory.settle([settlement])
    assert await known(memory) == {}


async def test_a_held_order_is_not(memory: CheckpointStore) -> None:
    await memory.settle([Settlement(ENTRY, ACCEPTED)])
    hold = await memory.open_hold(HoldKind.CHANGES, "why", 1.0)
    await memory.settle([Settlement(ENTRY, held=Held(hold.number, ("tags",), 1.0))])
    assert await known(memory) == {}


async def test_an_order_that_waits_or_is_in_work_is_not_until_it_is_settled(memory: CheckpointStore) -> None:
    await memory.settle([Settlement(ENTRY, ACCEPTED)])
    await memory.arrive([Arrival(7, 1.0, Lane.LIVE, frozenset({KEY}))], [])
    assert await known(memory) == {}, "it waits"
    [taken] = await entries_taken(memory, 9, 9.0, frozenset(), [*Lane])
    assert await known(memory) == {}, "it is in work"
    await memory.settle([Settlement(taken, again=Again(50.0, 1, confirm=False))])
    assert await known(memory) == {}, "it backs off"
    await memory.settle([Settlement(taken)])
    assert await known(memory) == {KEY: b"r"}
