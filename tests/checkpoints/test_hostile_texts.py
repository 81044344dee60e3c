"""The longest and oddest texts that may come to a store: each engine keeps them, so that none stops all others."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connector.checkpoints.address import Address
from connector.checkpoints.opening import in_file, in_postgres
from connector.contract.rules.checks import LONGEST_ID
from connector.model.orders import LONGEST_KEY, Lookup, OrderKey, encoded
from connector.pipeline.ports.entries import Arrival, Lane
from connector.pipeline.ports.records import Checkpoint, DeadLetter, Settlement
from connector.pipeline.ports.store import CheckpointStore
from connector.projection.routes.routes import LONGEST_LOOKUP
from connector.redo.answers import LONGEST_ID as LONGEST_REDO_ID
from tests.support.fixtures.postgres import Database
from tests.support.ledger import entries_taken

ANY = random.Random(7)  # noqa: S311 -- texts of a test


def incompressible(characters: int, most: int) -> str:
    """Postgres compresses what it keeps in an index: texts must not be helped by that."""
    return "".join(chr(ANY.randrange(0x20, most)) for _ in range(characters))


@pytest.fixture(params=["sqlite", "postgres"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[CheckpointStore]:
    if request.param == "sqlite":
        made = in_file(tmp_path / "connector.db")
    else:
        database: Database = request.getfixturevalue("database")
        made = in_postgres(Address(database.dsn))
    yield made
    await made.close()


async def test_the_longest_keys_lookups_and_ids_are_kept(store: CheckpointStore) -> None:
    keys = [
        OrderKey(incompressible(LONGEST_KEY, 0x7F)),
        OrderKey(incompressible(LONGEST_KEY // 3, 0xD000)),
        OrderKey("7"),
    ]
    wide = "".join(chr(ANY.randrange(0x20000, 0x2FFFF)) for _ in range(LONGEST_LOOKUP // 8 - 2))
    lookups = frozenset({Lookup("customer", (wide, wide)), Lookup("customer", (incompressible(LONGEST_LOOKUP, 0x7F),))})
    assert all(len(encoded(one.values).encode()) > LONGEST_LOOKUP - 20 for one in lookups)
    await store.arrive([Arrival(1, 1.0, Lane.LIVE, frozenset(keys), lookups)], [])
    entries = await entries_taken(store, 9, 5.0, frozenset(), tuple(Lane))
    assert {entry.key for entry in entries} == set(keys)
    order_id, redo_id = incompressible(LONGEST_ID, 0x7F), incompressible(LONGEST_REDO_ID, 0x7F)
    done = [Settlement(one, Checkpoint(one.key, order_id, b"f", 1.0, redo_id, store_id="shop")) for one in entries]
    letter = DeadLetter(keys[2], "rejected", "\0\x1b\u202e" + "x" * 100_000, ("tags",), None, 1.0, 1.0, 1, 422)
    done[2] = Settlement(entries[2], dead_letter=letter)
    await store.settle(done)
    known = await store.known(keys)
    assert {one.order_id for one in known.checkpoints.values()} == {order_id}
    assert (await store.tally()).lookups == 2
