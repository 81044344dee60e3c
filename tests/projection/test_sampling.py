"""Keys from all over the key range, of tables small and large, and what becomes of an order that changes meanwhile."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest

from connector.contract.order_builder import RedoContract
from connector.inspect.orders.compare_mappings import Answer, MappingReader, answer_pairs
from connector.inspect.orders.sampling import sample_orders
from connector.model.orders import OrderKey
from connector.model.rows import Assembly
from connector.projection import Assembler, Projection, load
from connector.projection.assembly import statements
from tests.support.fixtures.cli import MAPPING
from tests.support.fixtures.postgres import Database
from tests.support.slow_mapping import never_in_time

TIMEOUT_MS = 30_000


async def projection_of(text: str, shop: Database) -> Projection:
    return await load(text, path="mapping.sql", read_dsn=shop.dsn, timezone="UTC", statement_timeout_ms=TIMEOUT_MS)


async def keys(projection: Projection, shop: Database, size: int) -> tuple[OrderKey, ...]:
    assembler = Assembler(projection, read_dsn=shop.dsn, statement_timeout_ms=TIMEOUT_MS)
    try:
        return await assembler.sample(size)
    finally:
        await assembler.aclose()


@pytest.mark.parametrize(
    ("size", "expected"),
    [(1, "1"), (2, "1 6"), (3, "1 4 6"), (5, "1 3 4 5 6"), (6, "1 2 3 4 5 6"), (200, "1 2 3 4 5 6")],
)
async def test_keys_are_at_equal_distances_from_the_first_to_the_last(shop: Database, size: int, expected: str) -> None:
    projection = await projection_of("SELECT o.id FROM shop.orders o", shop)
    assert " ".join(await keys(projection, shop, size)) == expected


async def test_a_composite_key_is_taken_once_and_in_its_own_order(shop: Database) -> None:
    with shop.connect() as conn:
        conn.execute("INSERT INTO shop.item SELECT 1, n, 'mug', 1 FROM generate_series(2, 12) AS n")
    projection = await projection_of(
        "SELECT i.order_id, i.line AS id FROM shop.item i\n-- order_key: shop.item(order_id, line)", shop
    )
    found = await keys(projection, shop, 3)
    assert found == ('["1","1"]', '["1","9"]', '["6","1"]')


async def test_the_newest_orders_are_the_last_by_key_the_last_one_first(shop: Database) -> None:
    with shop.connect() as conn:
        conn.execute("INSERT INTO shop.item SELECT 1, n, 'mug', 1 FROM generate_series(2, 12) AS n")
        conn.execute("INSERT INTO shop.note SELECT id, 1, '' FROM shop.orders")
    one = await projection_of("SELECT o.id FROM shop.orders o", shop)
    two = await projection_of(
        "SELECT i.order_id, i.line AS id FROM shop.item i\n-- order_key: shop.item(order_id, line)",
        shop,
    )
    found = []
    for projection in (one, two):
        assembler = Assembler(projection, read_dsn=shop.dsn, statement_timeout_ms=TIMEOUT_MS)
        found.append(await assembler.newest(2))
        await assembler.aclose()
    assert found == [("6", "5"), ('["6","1"]', '["5","1"]')]


@pytest.mark.parametrize(
    "text",
    [
        "SELECT o.id FROM shop.orders o",
        "SELECT DISTINCT i.order_id AS id FROM shop.item i\n-- order_key: shop.item(order_id)",
    ],
)
async def test_the_newest_and_the_oldest_of_100000_orders_are_read_from_the_ends_of_an_index(
    text: str, shop: Database
) -> None:
    with shop.connect() as conn:
        conn.execute("INSERT INTO shop.orders SELECT id, '' FROM generate_series(7, 100000) AS id")
        conn.execute("INSERT INTO shop.item SELECT id, l, 'mug', 1 FROM shop.orders, generate_series(2, 4) AS l")
        conn.execute("ANALYZE")
    projection = await projection_of(text, shop)
    for query in (statements.last(projection), statements.page(projection, None, continued=False)):
        with shop.connect() as conn:
            plan = "\n".join(row[0] for row in conn.execute("EXPLAIN " + query.replace("$1", "400")))
        assert "Index Only Scan" in plan
        assert not re.search(r"Seq Scan|Sort|Aggregate", plan), plan


async def test_a_sample_is_of_the_newest_the_oldest_and_others_that_the_mapping_has_and_ends_within_bounds(
    shop: Database,
) -> None:
    with shop.connect() as conn:
        conn.execute("INSERT INTO shop.orders SELECT id, '' FROM generate_series(7, 5000) AS id")
    assembler = Assembler(
        await projection_of("SELECT o.id FROM shop.orders o", shop), read_dsn=shop.dsn, statement_timeout_ms=TIMEOUT_MS
    )
    batches: list[int] = []

    async def in_mapping(keys: Sequence[OrderKey]) -> list[OrderKey]:
        batches.append(len(keys))
        return [key for key in keys if int(key) % 10 == 3]

    found = await sample_orders(assembler, 20, in_mapping)
    keys = sorted(int(key) for key in found.keys)
    assert len(keys) == 20
    assert (keys[0], keys[-1], any(500 < key < 4500 for key in keys)) == (3, 4993, True)
    none = await sample_orders(assembler, 20, lambda _: _nothing())
    assert (none.keys, none.looked_at <= 1_300, max(batches) <= 50) == ((), True, True)
    await assembler.aclose()


async def _nothing() -> tuple[OrderKey, ...]:
    return ()


async def test_an_empty_table_has_none(shop: Database) -> None:
    with shop.connect() as conn:
        conn.execute("TRUNCATE shop.orders")
    assert await keys(await projection_of("SELECT o.id FROM shop.orders o", shop), shop, 3) == ()


async def test_of_a_large_table_only_some_pages_are_read_and_still_all_parts_of_it_are_there(shop: Database) -> None:
    rows = 120_000
    with shop.connect() as conn:
        conn.execute("INSERT INTO shop.orders SELECT id, '' FROM generate_series(7, %s::int) AS id", (rows,))
        conn.execute("ANALYZE shop.orders")
    projection = await projection_of("SELECT o.id FROM shop.orders o", shop)
    found = [int(key) for key in await keys(projection, shop, 50)]
    assert len(found) == 50
    assert found == sorted(set(found))
    assert {number * 8 // (rows + 1) for number in found} == set(range(8))
    assert await keys(projection, shop, 50) == tuple(map(str, found))


class Interrupted(MappingReader):
    """The order changes just before it is read for the first time."""

    shop: Database | None = None

    async def answers(self, keys: Sequence[OrderKey], together: int = 50) -> dict[OrderKey, Answer]:
        if self.shop is not None:
            with self.shop.connect() as conn:
                conn.execute("UPDATE shop.orders SET share = 2 WHERE id = 3")
            self.shop = None
        return await super().answers(keys, together)


async def test_an_order_that_changes_between_two_readings_is_no_difference_of_the_mappings(shop: Database) -> None:
    projection = await projection_of(MAPPING, shop)
    assembler = Assembler(projection, read_dsn=shop.dsn, statement_timeout_ms=TIMEOUT_MS)
    try:
        present, proposed = (kind(assembler, RedoContract(), 0.0) for kind in (MappingReader, Interrupted))
        assert isinstance(proposed, Interrupted)
        proposed.shop = shop
        pairs = await answer_pairs(present, proposed, [OrderKey("2"), OrderKey("3")])
    finally:
        await assembler.aclose()
    assert all(one == other and one.order is not None for one, other in pairs.values())
    assert b"shelf 50" in (pairs[OrderKey("3")][0].order or pairs[OrderKey("2")][0].order).body  # type: ignore[union-attr]


class Counted(Assembler):
    """Notes how many orders each query asks for."""

    asked: list[int]

    async def assemble(self, keys: Sequence[OrderKey], largest: int | None = None, *, brief: bool = False) -> Assembly:
        self.asked.append(len(keys))
        return await super().assemble(keys, largest, brief=brief)


async def test_of_a_mapping_too_slow_for_any_order_only_a_few_are_waited_for(shop: Database) -> None:
    never_in_time(shop)
    projection = await projection_of("SELECT o.id, shop.slept(o.id) AS note FROM shop.orders o", shop)
    assembler = Counted(projection, read_dsn=shop.dsn, statement_timeout_ms=200)
    assembler.asked = []
    try:
        answers = await MappingReader(assembler, RedoContract(), 0.0).answers(
            [OrderKey(str(key)) for key in range(1, 7)]
        )
    finally:
        await assembler.aclose()
    assert assembler.asked == [6, 1, 1, 1]
    assert [key for key, answer in answers.items() if answer.unread] == [str(key) for key in range(1, 7)]
