"""The order key changes its shape while orders are known by it: a column more for a partitioned table, another type,
another label of an enum. No order is lost over it, nothing is pushed or removed that needn't be, and nothing stops.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
from structlog.testing import capture_logs

from connector.orders import OrderKey, is_former
from connector.redo.sandbox_server import SandboxServer
from tests.fix_connector import Rig, eventually
from tests.fix_postgres import Database
from tests.serving import look_often, serving

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
OTHER: Final = f"""
ALTER TABLE store.orders ADD other int NOT NULL DEFAULT 0;
UPDATE store.orders SET other = {ORDERS + 1} - id;
"""
TAKES_ITS_PLACE: Final = """
ALTER TABLE store.orders DROP id;
ALTER TABLE store.orders RENAME other TO id;
ALTER TABLE store.orders ADD PRIMARY KEY (id);
"""
KEY: Final = "ALTER TABLE store.orders DROP CONSTRAINT orders_pkey, ADD PRIMARY KEY ({})"
UUID: Final = "USING ('00000000-0000-4000-8000-' || lpad(id::text, 12, '0'))::uuid"
PARTITIONED: Final = """
ALTER TABLE store.orders RENAME TO orders_old;
ALTER TABLE store.orders_old RENAME CONSTRAINT orders_pkey TO orders_old_pkey;
CREATE TABLE store.orders (LIKE store.orders_old, PRIMARY KEY (id, placed)) PARTITION BY RANGE (placed);
CREATE TABLE store.orders_1 PARTITION OF store.orders FOR VALUES FROM ('2026-01-01') TO ('2026-01-15');
CREATE TABLE store.orders_2 PARTITION OF store.orders DEFAULT;
CREATE INDEX ON store.orders (number);
INSERT INTO store.orders SELECT * FROM store.orders_old;
"""

CHANGES: Final = {
    "a column more, as a partitioned table needs": (None, KEY.format("id, placed")),
    "a column less": (KEY.format("id, placed"), KEY.format("id")),
    "columns in another order": (KEY.format("channel, id"), KEY.format("id, channel")),
    "another column of the same type": (OTHER, KEY.format("other")),
    "another column of the same type and name": (OTHER, TAKES_ITS_PLACE),
    "a whole number becomes a uuid": (None, f"ALTER TABLE store.orders ALTER id TYPE uuid {UUID}"),
    "a whole number becomes text": (None, "ALTER TABLE store.orders ALTER id TYPE text USING 'x' || id"),
    "an enum's label is renamed": (KEY.format("channel, id"), "ALTER TYPE store.channel RENAME VALUE 'web' TO 'site'"),
    "an enum's labels are swapped": (KEY.format("channel, id"), "ALTER TYPE store.channel RENAME VALUE 'web' TO 'x'; "
        "ALTER TYPE store.channel RENAME VALUE 'phone' TO 'web'; ALTER TYPE store.channel RENAME VALUE 'x' TO 'phone'"),
    "another scale": (KEY.format("rate"), "ALTER TABLE store.orders ALTER rate TYPE numeric(10, 2)"),
    "a domain over another type": (KEY.format("label"), "CREATE DOMAIN store.day AS date; "
        "ALTER TABLE store.orders ALTER label TYPE store.day USING placed"),
    "the table is partitioned": (None, PARTITIONED),
}  # fmt: skip
KEEPING: Final = {
    "a wider whole number": (None, "ALTER TABLE store.orders ALTER id TYPE bigint"),
    "a label more": (KEY.format("channel, id"), "ALTER TYPE store.channel ADD VALUE 'mail' BEFORE 'web'"),
    "a longer char": (KEY.format("code"), "ALTER TABLE store.orders ALTER code TYPE char(9)"),
    "char becomes text": (KEY.format("code"), "ALTER TABLE store.orders ALTER code TYPE text"),
    "a domain becomes its base type": (KEY.format("label"), "ALTER TABLE store.orders ALTER label TYPE text"),
    "another precision with the same scale": (KEY.format("rate"), "ALTER TABLE store.orders ALTER rate TYPE bigint"),
}


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

    async def keys(self) -> list[OrderKey]:
        return await self.rig.running.pipeline.ports.memory.page_checkpoints(None, 1000)

    async def goes_on(self) -> None:
        """Ordinary changes arrive, each at the order that it concerns and nowhere else, and so does a delete."""
        before = self.asked()
        self.run("UPDATE store.orders SET status = 'paid' WHERE number = 'R3'")
        self.run("DELETE FROM store.item WHERE number = 'R4' AND sku = 'sku1'")
        self.run("UPDATE store.item SET number = 'R6' WHERE number = 'R5' AND sku = 'sku2'")
        await self.well()
        changed = {order for order, pushes in self.asked().items() if pushes > before.get(order, 0)}
        assert changed == {"R3", "R4", "R5", "R6"}
        self.run("DELETE FROM store.orders WHERE number = 'R7'")
        await eventually("the order is removed", lambda: "R7" not in self.rig.stored())
        await self.well()
        assert len(self.rig.stored()) == ORDERS - 1


@pytest.fixture
async def shop(database: Database, sandbox: SandboxServer, tmp_path: Path) -> AsyncIterator[Shop]:
    with database.connect() as conn:
        conn.execute(SCHEMA.encode())
    overrides: dict[str, dict[str, Any]] = {"mapping": {"missing": "delete"}}
    rig = Rig(database, sandbox, tmp_path, MAPPING, overrides)
    yield Shop(rig)
    await rig.stop()


async def filled(shop: Shop, before: str | None = None) -> None:
    shop.run(before)
    await shop.rig.start()
    await shop.well()
    assert len(shop.rig.stored()) == ORDERS


@pytest.mark.parametrize("change", CHANGES)
async def test_a_key_of_another_shape_at_a_start_pushes_and_removes_nothing(shop: Shop, change: str) -> None:
    before, after = CHANGES[change]
    await filled(shop, before)
    await shop.rig.stop()
    pushed = shop.asked()
    shop.run(after)
    with capture_logs() as logs:
        await shop.rig.start()
        await shop.well()
    assert shop.asked() == pushed, "everything was known, and still is"
    assert not any(is_former(key) for key in await shop.keys())
    [told] = [each for each in logs if each["event"] == "order_key_changed"]
    [judged] = [each for each in logs if each["event"] == "former_keys_judged"]
    assert (told["checkpoints"], judged["taken_over"], judged["left_the_mapping"]) == (ORDERS, ORDERS, 0)
    assert await shop.rig.running.pipeline.ports.memory.holds() == []
    await shop.goes_on()


@pytest.mark.parametrize("change", KEEPING)
async def test_a_key_whose_texts_stay_the_same_is_the_same_key(shop: Shop, change: str) -> None:
    before, after = KEEPING[change]
    await filled(shop, before)
    await shop.rig.stop()
    pushed = shop.asked()
    shop.run(after)
    with capture_logs() as logs:
        await shop.rig.start()
        await shop.well()
    assert shop.asked() == pushed
    assert not [each for each in logs if each["event"] == "order_key_changed"]
    await shop.goes_on()


@pytest.mark.parametrize("change", CHANGES)
async def test_a_key_of_another_shape_while_running_is_taken_up_by_itself(
    shop: Shop, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_often(monkeypatch)
    before, after = CHANGES[change]
    shop.run(before)
    with capture_logs() as logs:
        async with serving(shop.rig) as served:
            pushed = shop.asked()
            shop.run(after)
            await eventually("it was noticed", lambda: [one for one in logs if one["event"] == "former_keys_judged"])
            await served.quiet()
            assert shop.asked() == pushed, "everything was known, and still is"
            assert (await served.facts())["dead_letters"] == {}
            assert not [one for one in logs if one["event"] == "held_for_approval"]
            shop.run("UPDATE store.orders SET status = 'paid' WHERE number = 'R3'")
            shop.run("DELETE FROM store.orders WHERE number = 'R7'")
            await served.quiet()
            assert "R7" not in shop.rig.stored()
