"""An OMS whose order key is made to change its shape, a connector beside it, and what Redo was asked."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, Final

from connector.model.orders import OrderKey
from connector.pipeline.ports.store import CheckpointStore
from connector.sandbox.server import SandboxServer
from tests.support.fixtures.connector import Rig, eventually
from tests.support.fixtures.postgres import Database

ORDERS: Final = 30
SCHEMA: Final = f"""
CREATE SCHEMA store;
CREATE TYPE store.channel AS ENUM ('web', 'phone');
CREATE DOMAIN store.code AS varchar(20);
CREATE TABLE store.orders (
    id int PRIMARY KEY, placed date NOT NULL, channel store.channel NOT NULL, code char(6) NOT NULL,
    rate numeric(8, 0) NOT NULL, label store.code NOT NULL, number text NOT NULL UNIQUE, status text NOT NULL
);
CREATE TABLE store.item (id int PRIMARY KEY, number text NOT NULL, sku text NOT NULL);
CREATE INDEX ON store.item (number);
CREATE FUNCTION store.place(n int) RETURNS void LANGUAGE sql AS $$
    INSERT INTO store.orders SELECT n, date '2026-01-01' + n, (ARRAY['web', 'phone'])[1 + n % 2]::store.channel,
        'c' || n, n, 'l' || n, 'R' || n, 'new';
    INSERT INTO store.item SELECT 10 * n + k, 'R' || n, 'sku' || k FROM generate_series(1, 2) AS k
$$;
SELECT store.place(n) FROM generate_series(1, {ORDERS}) AS n;
ANALYZE;
"""
MAPPING: Final = """
SELECT
    o.number AS id,
    '2026-01-05 10:00Z'::timestamptz AS created_at,
    'USD' AS presentment_currency,
    'USD' AS shop_currency,
    o.status AS sales_channel,
    jsonb_build_object('email', 'a@store.example', 'first_name', 'Ada', 'last_name', 'Byron') AS customer,
    jsonb_build_object(
        'address1', '1 Main St', 'city', 'Provo', 'province_code', 'UT', 'zip', '84601', 'country_code', 'US'
    ) AS shipping_address,
    jsonb_build_array(jsonb_build_object(
        'id', o.number || '-1', 'product_id', 'mug', 'sku', 'mug', 'title', 'Mug', 'quantity', 1, 'price_set', 12.5
    )) AS line_items,
    NULL::jsonb AS order_discounts,
    NULL::jsonb AS shipping_lines,
    NULL::jsonb AS fulfillments,
    (SELECT jsonb_agg(i.sku ORDER BY i.id) FROM store.item AS i WHERE i.number = o.number) AS tags
FROM store.orders AS o
"""
KEY: Final = "ALTER TABLE store.orders DROP CONSTRAINT orders_pkey, ADD PRIMARY KEY ({})"
RENAMED_AWAY: Final = """
ALTER TABLE store.orders RENAME TO orders_old;
ALTER TABLE store.orders_old RENAME CONSTRAINT orders_pkey TO orders_old_pkey;
"""
MADE_ANEW: Final = """
CREATE TABLE store.orders (LIKE store.orders_old, PRIMARY KEY (id, placed)) PARTITION BY RANGE (placed);
CREATE TABLE store.orders_1 PARTITION OF store.orders FOR VALUES FROM ('2026-01-01') TO ('2026-01-15');
CREATE TABLE store.orders_2 PARTITION OF store.orders DEFAULT;
CREATE INDEX ON store.orders (number);
"""
COPIED: Final = "INSERT INTO store.orders SELECT * FROM store.orders_old"
PARTITIONED: Final = RENAMED_AWAY + MADE_ANEW + COPIED


class Shop:
    """The OMS above, a connector, and what Redo was asked."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig

    def run(self, script: str | None) -> None:
        """One transaction."""
        if script:
            with self.rig.database.connect() as conn, conn.transaction():
                conn.execute(script.encode())

    def asked(self) -> dict[str, int]:
        """How often each order was pushed."""
        return dict(self.rig.sandbox.state.pushes)

    async def well(self) -> None:
        await self.rig.quiet()
        verdict = await self.rig.verdict()
        assert verdict.clean, str(verdict)
        assert (await self.rig.tally()).dead_letters == {}

    @property
    def memory(self) -> CheckpointStore:
        return self.rig.running.pipeline.ports.store

    async def keys(self) -> list[OrderKey]:
        """Of checkpoints that aren't marked missing."""
        return await self.memory.page_checkpoints(None, 1000)

    def altered(self, statement: str, *bindings: object) -> None:
        """In the checkpoint file, while the connector is down."""
        with closing(sqlite3.connect(self.rig.folder / "connector.db")) as file, file:
            file.create_function("letter_group", 2, lambda reason, cause: f"{reason} {cause}"[:8])
            file.execute(statement, bindings)

    async def waiting(self, orders: int) -> None:
        async def so() -> bool:
            return (await self.rig.tally()).affected >= orders

        await eventually("changes wait in the ledger", so)

    async def goes_on(self) -> None:
        """Ordinary changes arrive, each at the order that it concerns and nowhere else, and so does a delete."""
        before = self.asked()
        self.run("UPDATE store.orders SET status = 'shipped' WHERE number = 'R3'")
        self.run("DELETE FROM store.item WHERE number = 'R4' AND sku = 'sku1'")
        self.run("UPDATE store.item SET number = 'R6' WHERE number = 'R5' AND sku = 'sku2'")
        await self.well()
        changed = {order for order, pushes in self.asked().items() if pushes > before.get(order, 0)}
        assert changed == {"R3", "R4", "R5", "R6"}
        self.run("DELETE FROM store.orders WHERE number = 'R7'")
        await eventually("the order is removed", lambda: "R7" not in self.rig.stored())
        await self.well()
        assert len(self.rig.stored()) == ORDERS - 1


@asynccontextmanager
async def opened(database: Database, sandbox: SandboxServer, folder: Path) -> AsyncIterator[Shop]:
    """The connector isn't started yet."""
    with database.connect() as conn:
        conn.execute(SCHEMA.encode())
    overrides: dict[str, dict[str, Any]] = {"mapping": {"missing": "delete"}}
    rig = Rig(database, sandbox, folder, MAPPING, overrides)
    yield Shop(rig)
    await rig.stop()


async def filled(shop: Shop, before: str | None = None) -> None:
    shop.run(before)
    await shop.rig.start()
    await shop.well()
    assert len(shop.rig.stored()) == ORDERS
