"""Rows that vanish without a delete: nothing is removed from Redo for them, and nothing goes there that lacks them.

The whole connector as `run` serves it, read by a plain role with what `grants` prints, on every version of Postgres.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography.fernet import Fernet
from structlog.testing import capture_logs

from connector.checkpoints.address import Address
from connector.checkpoints.opening import open_requests
from connector.inspect import grants
from connector.pipeline.holds.limits import Limits
from connector.sandbox.server import SandboxServer
from tests.support.fixtures.connector import Rig, eventually
from tests.support.fixtures.postgres import Database
from tests.support.fixtures.served_connector import Served, look_often, serving
from tests.support.narrowing import narrowed_pairs

ORDERS = 12
SHOP = f"""
CREATE SCHEMA core;
CREATE TABLE core.orders (
    id int, shop int NOT NULL DEFAULT 1, tag text NOT NULL DEFAULT 'new', PRIMARY KEY (id)
) PARTITION BY RANGE (id);
CREATE TABLE core.orders_low PARTITION OF core.orders FOR VALUES FROM (0) TO (4);
CREATE TABLE core.orders_high PARTITION OF core.orders FOR VALUES FROM (4) TO (1000);
CREATE TABLE core.item (order_id int, line int, sku text NOT NULL DEFAULT 'mug', PRIMARY KEY (order_id, line));
CREATE VIEW core.shown AS SELECT id, shop, tag FROM core.orders;
CREATE FUNCTION core.tidy(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower($1)';
INSERT INTO core.orders SELECT id FROM generate_series(1, {ORDERS}) AS id;
INSERT INTO core.item SELECT id, line FROM core.orders, generate_series(1, 2) AS line;
ANALYZE;
"""
MAPPING = """
SELECT
    o.id::text AS id,
    '2026-01-05 10:00Z'::timestamptz AS created_at,
    'USD' AS presentment_currency,
    'USD' AS shop_currency,
    'web' AS sales_channel,
    jsonb_build_array(core.tidy(o.tag)) AS tags,
    jsonb_build_object('email', 'ada@shop.example', 'first_name', 'Ada', 'last_name', 'Byron') AS customer,
    jsonb_build_object(
        'address1', '1 Main St', 'city', 'Provo', 'province_code', 'UT', 'zip', '84601', 'country_code', 'US'
    ) AS shipping_address,
    (SELECT jsonb_agg(jsonb_build_object(
        'id', i.order_id || '-' || i.line, 'product_id', i.sku, 'sku', i.sku, 'title', i.sku,
        'quantity', 1, 'price_set', 12.5
    ) ORDER BY i.line) FROM core.item i WHERE i.order_id = o.id) AS line_items,
    NULL::jsonb AS order_discounts,
    NULL::jsonb AS shipping_lines,
    NULL::jsonb AS fulfillments
FROM core.orders o
WHERE core.tidy(o.tag) <> 'left'
"""
BY_VIEW = MAPPING.replace("FROM core.orders o", "FROM core.shown o")
EVERY = "UPDATE core.orders SET tag = 'meanwhile'; UPDATE core.item SET sku = 'cup'"
pytestmark = pytest.mark.usefixtures("often")


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    look_often(monkeypatch)


@pytest.fixture
def role(database: Database) -> Iterator[str]:
    name = f"reader_{database.name}"
    with database.connect() as conn:
        conn.execute(SHOP)
    yield name
    with database.connect() as conn:
        conn.execute(f"DROP OWNED BY {name} CASCADE".encode())


@pytest.fixture
async def shop(database: Database, role: str, sandbox: SandboxServer, tmp_path: Path) -> AsyncIterator[Rig]:
    made = Rig(database, sandbox, tmp_path, MAPPING)
    made.overrides["mapping"] = {"missing": "delete"}
    made.overrides["checkpoints"] = {"keep": "payload", "payload_keys": Fernet.generate_key().decode()}
    yield made
    await made.stop()


@asynccontextmanager
async def read_by(rig: Rig, role: str, *, fits: bool = True) -> AsyncIterator[Served]:
    rig.overrides["source"] = {"dsn": rig.database.dsn}
    with rig.database.connect() as conn:
        script = await grants.grants(rig.settings(), role, None)
        conn.execute(script.encode())
    rig.overrides["source"] = {"dsn": rig.database.cluster.dsn(rig.database.name, user=role)}
    async with serving(rig, fits=fits) as served:
        yield served


def touched(rig: Rig) -> list[str]:
    """What was taken away from Redo."""
    state = rig.sandbox.state
    deleted = [answer for answer in state.answers if answer.startswith("DELETE")]
    return [*deleted, *(name for name, order in rig.stored().items() if order.get("cancelledAt"))]


async def stalls(served: Served, *words: str) -> dict[str, Any]:
    async def so() -> dict[str, Any] | None:
        facts = await served.facts()
        told = f"{facts['reason']} {facts.get('next_step', '')}"
        return facts if facts["state"] == "stalled" and all(word in told for word in words) else None

    found: dict[str, Any] = await eventually(f"it stands still and says {words}", so)
    return found


async def held(served: Served, orders: int, *words: str) -> dict[str, Any]:
    async def so() -> dict[str, Any] | None:
        facts = await served.facts()
        holds = [hold for hold in facts.get("holds", []) if hold["state"] == "held" and hold["kind"] == "vanished"]
        right = sum(hold["orders"] for hold in holds) == orders and all(
            any(word in hold["cause"] for hold in holds) for word in words
        )
        return holds[0] if holds and right else None

    found: dict[str, Any] = await eventually(f"{orders} orders are held because {words}", so)
    return found


async def compared(served: Served, *words: str) -> None:
    """Every order, since, and that is over."""

    async def so() -> bool:
        facts = await served.facts()
        last, sweep = facts.get("last_reconcile"), facts.get("sweep")
        over = sweep is None or sweep["finished_at"] is not None
        return bool(over and last is not None and all(word in last["cause"] for word in words))

    await eventually(f"every order was compared because {words}", so)


async def read_so_far(served: Served) -> None:
    end = served.rig.wal_end()
    await eventually("all of it was read", lambda: served.flushed(end))


async def approve(rig: Rig, hold: int) -> None:
    requests = open_requests(Address(rig.settings().checkpoints.url.get_secret_value()))
    number = requests.ask("approve", {"hold": hold, "limit": None}, 0.0)

    def done() -> bool:
        request = requests.get(number)
        return request is not None and request.finished

    await eventually("it is approved", done)
    requests.close()


@pytest.mark.parametrize(
    ("missing", "table"),
    narrowed_pairs(
        ["delete", "cancel", "ignore"],
        ["orders", "item"],
        *(("delete", "orders"), ("cancel", "item"), ("ignore", "orders")),
    ),
)
async def test_row_security_that_is_turned_on_stops_reading_before_anything_is_removed_or_changed(
    shop: Rig, role: str, missing: str, table: str
) -> None:
    shop.overrides["mapping"] = {"missing": missing}
    async with read_by(shop, role) as served:
        before = shop.stored()
        shop.execute(f"ALTER TABLE core.{table} ENABLE ROW LEVEL SECURITY")
        shop.execute(EVERY)
        await stalls(served, "row-level security", f"core.{table}", "CREATE POLICY")
        await read_so_far(served)
        assert (shop.stored(), touched(shop)) == (before, [])
        assert not (await served.facts())["ready"]
        shop.execute(f"ALTER TABLE core.{table} DISABLE ROW LEVEL SECURITY")
        await served.quiet()
        await compared(served)
        assert shop.stored()["1"]["tags"] == ["meanwhile"]
        assert (touched(shop), (await served.facts())["held_orders"]) == ([], 0)


async def test_row_security_and_the_change_in_one_transaction(shop: Rig, role: str) -> None:
    async with read_by(shop, role) as served:
        with shop.database.connect() as conn, conn.transaction():
            conn.execute("UPDATE core.orders SET tag = 'before'")
            conn.execute("ALTER TABLE core.orders ENABLE ROW LEVEL SECURITY")
            conn.execute("UPDATE core.orders SET tag = 'after'")
        await stalls(served, "row-level security")
        assert (len(shop.stored()), touched(shop)) == (ORDERS, [])
        shop.execute("ALTER TABLE core.orders DISABLE ROW LEVEL SECURITY")
        await served.quiet()
        assert touched(shop) == []


async def test_a_role_that_loses_its_right_to_bypass_row_security_reads_nothing(shop: Rig, role: str) -> None:
    shop.execute("ALTER TABLE core.orders ENABLE ROW LEVEL SECURITY")
    shop.execute(f"CREATE ROLE {role} LOGIN REPLICATION BYPASSRLS")
    async with read_by(shop, role) as served:
        shop.execute(f"DROP POLICY IF EXISTS {role} ON core.orders")
        await served.until("it streams", state="streaming")
        shop.execute(f"ALTER ROLE {role} NOBYPASSRLS")
        shop.execute(EVERY)
        await stalls(served, "row-level security", "core.orders")
        assert (len(shop.stored()), touched(shop)) == (ORDERS, [])
        shop.execute(f"ALTER ROLE {role} BYPASSRLS")
        await served.quiet()
        assert touched(shop) == []


async def test_a_view_whose_owner_row_security_hides_rows_from_is_seen_through(shop: Rig, role: str) -> None:
    shop.mapping = BY_VIEW
    owner = f"owner_{shop.database.name}"
    shop.execute(f"CREATE ROLE {owner}; GRANT USAGE ON SCHEMA core TO {owner}; GRANT SELECT ON core.orders TO {owner}")
    shop.execute(f"ALTER VIEW core.shown OWNER TO {owner}")
    async with read_by(shop, role) as served:
        shop.execute("ALTER TABLE core.orders ENABLE ROW LEVEL SECURITY")
        shop.execute(f"CREATE POLICY ours ON core.orders TO {role} USING (true)")
        shop.execute(EVERY)
        await stalls(served, "row-level security", "core.orders", owner)
        assert (len(shop.stored()), touched(shop)) == (ORDERS, [])
        shop.execute(f"CREATE POLICY theirs ON core.orders TO {owner} USING (true)")
        await served.quiet()
        assert touched(shop) == []
    shop.execute(f"DROP OWNED BY {owner} CASCADE")


async def test_a_policy_that_hides_rows_since_is_refused_until_somebody_says_that_it_is_meant_to(
    shop: Rig, role: str
) -> None:
    shop.execute(f"CREATE ROLE {role} LOGIN REPLICATION")
    shop.execute("ALTER TABLE core.orders ENABLE ROW LEVEL SECURITY")
    async with read_by(shop, role) as served:
        shop.execute(f"ALTER POLICY {role} ON core.orders USING (id < 3)")
        shop.execute(EVERY)
        await stalls(served, "row-level security", "core.orders", "mapping.filtered_tables")
        assert (len(shop.stored()), touched(shop)) == (ORDERS, [])
    async with read_by(shop, role, fits=False) as served:
        await stalls(served, "row-level security", "mapping.filtered_tables")
    shop.overrides["mapping"] = {"missing": "delete", "filtered_tables": ["core.orders"]}
    async with read_by(shop, role, fits=False) as served:
        await held(served, ORDERS - 2, "row-level security", "core.orders")
        assert (len(shop.stored()), touched(shop)) == (ORDERS, [])
        shop.execute(f"ALTER POLICY {role} ON core.orders USING (true)")
        await served.until("nothing is held", held_orders=0)
        await served.quiet()
        assert touched(shop) == []


async def test_a_table_swapped_for_a_view_with_a_filter_removes_nothing(shop: Rig, role: str) -> None:
    async with read_by(shop, role) as served:
        with shop.database.connect() as conn, conn.transaction():
            conn.execute("ALTER TABLE core.orders RENAME TO orders_all")
            conn.execute("CREATE VIEW core.orders AS SELECT * FROM core.orders_all WHERE id < 3")
            conn.execute(f"GRANT SELECT ON core.orders TO {role}".encode())
            conn.execute("UPDATE core.orders_all SET tag = 'meanwhile'")
        shop.execute("UPDATE core.item SET sku = 'cup'")

        async def noticed() -> bool:
            facts = await served.facts()
            return bool(facts["state"] == "stalled" or facts.get("held_orders", 0) == ORDERS - 2)

        await eventually("it is noticed", noticed)
        assert (len(shop.stored()), touched(shop)) == (ORDERS, [])
        with shop.database.connect() as conn, conn.transaction():
            conn.execute("DROP VIEW core.orders")
            conn.execute("ALTER TABLE core.orders_all RENAME TO orders")
        await served.quiet()
        assert touched(shop) == []


@pytest.mark.parametrize(
    ("away", "back"),
    [
        (
            "CREATE OR REPLACE VIEW core.shown AS SELECT id, shop, tag FROM core.orders WHERE id > 3",
            "CREATE OR REPLACE VIEW core.shown AS SELECT id, shop, tag FROM core.orders",
        ),
        (
            "CREATE OR REPLACE FUNCTION core.tidy(text) RETURNS text LANGUAGE sql IMMUTABLE AS"
            " $$SELECT CASE WHEN $1 <> 'a' THEN 'left' ELSE $1 END$$",
            "CREATE OR REPLACE FUNCTION core.tidy(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower($1)'",
        ),
        (
            "ALTER TABLE core.orders DETACH PARTITION core.orders_low",
            "ALTER TABLE core.orders ATTACH PARTITION core.orders_low FOR VALUES FROM (0) TO (4)",
        ),
    ],
    ids=["view redefined", "function redefined", "partition detached"],
)
@pytest.mark.parametrize("down", [False, True], ids=["running", "down"])
async def test_what_vanishes_with_a_redefinition_is_held_and_no_change_meanwhile_removes_it(
    shop: Rig, role: str, away: str, back: str, down: bool
) -> None:
    shop.mapping = BY_VIEW
    shop.execute("UPDATE core.orders SET tag = 'a' WHERE id > 3")
    async with read_by(shop, role) as served:
        if not down:
            shop.execute(f"{away}; UPDATE core.item SET sku = 'cup'")
            await held(served, 3, "no delete was seen")
    if down:
        shop.execute(f"{away}; UPDATE core.item SET sku = 'cup'")
    async with read_by(shop, role, fits=False) as served:
        await held(served, 3, "no delete was seen")
        shop.execute("UPDATE core.item SET sku = 'pot'")
        await read_so_far(served)
        await served.until("the others are in step", affected=0)
        assert (len(shop.stored()), touched(shop)) == (ORDERS, [])
        await held(served, 3, "no delete was seen")
        shop.execute(back)
        await served.until("nothing is held", held_orders=0)
        await served.quiet()
        assert touched(shop) == []


async def test_what_vanished_is_removed_once_a_person_approves(shop: Rig, role: str) -> None:
    async with read_by(shop, role) as served:
        await asyncio.to_thread(shop.execute, "ALTER TABLE core.orders DETACH PARTITION core.orders_low")
        hold = await held(served, 3)
        await approve(shop, hold["number"])
        await served.quiet()
        assert sorted(shop.stored(), key=int) == [str(id_) for id_ in range(4, ORDERS + 1)]


async def test_a_delete_that_the_stream_shows_is_evidence_also_while_others_are_held(shop: Rig, role: str) -> None:
    async with read_by(shop, role) as served:
        await asyncio.to_thread(shop.execute, "ALTER TABLE core.orders DETACH PARTITION core.orders_low")
        await held(served, 3)
        shop.execute("DELETE FROM core.orders WHERE id = 12; DELETE FROM core.item WHERE order_id = 12")
        await eventually("it is gone at Redo", lambda: "12" not in shop.stored())
        await held(served, 3)


async def test_a_grant_a_truncate_and_a_new_partition_stop_nothing(shop: Rig, role: str) -> None:
    async with read_by(shop, role) as served:
        for statement in (
            f"GRANT SELECT ON core.orders TO {role}",
            "CREATE TABLE core.orders_more PARTITION OF core.orders FOR VALUES FROM (1000) TO (2000)",
            "TRUNCATE core.item; INSERT INTO core.item SELECT id, 1 FROM core.orders",
        ):
            shop.execute(f"{statement}; {EVERY}")
            await served.quiet()
        assert (touched(shop), (await served.facts())["held_orders"]) == ([], 0)


async def test_row_security_toggled_a_hundred_times_under_traffic_removes_nothing(shop: Rig, role: str) -> None:
    def toggle() -> None:
        with psycopg.connect(shop.database.dsn, autocommit=True) as conn:
            for number in range(100):
                table = ("orders", "item")[number % 2]
                conn.execute(f"ALTER TABLE core.{table} ENABLE ROW LEVEL SECURITY".encode())
                conn.execute(f"UPDATE core.orders SET tag = 'on {number}' WHERE id % 3 = {number % 3}".encode())
                conn.execute(f"ALTER TABLE core.{table} DISABLE ROW LEVEL SECURITY".encode())
                conn.execute(f"UPDATE core.item SET sku = 'off {number}' WHERE order_id % 3 = {number % 3}".encode())

    async with read_by(shop, role) as served:
        lines = {
            len(order["line_items"] if "line_items" in order else order["lineItems"])
            for order in shop.stored().values()
        }
        assert lines == {2}
        await asyncio.to_thread(toggle)
        await served.quiet()
        await served.until("it streams", state="streaming")
        assert (touched(shop), (await served.facts())["held_orders"]) == ([], 0)


@pytest.mark.parametrize(
    ("before", "hides", "shows"),
    [
        (
            "ALTER TABLE core.orders OWNER TO {role}; ALTER TABLE core.orders ENABLE ROW LEVEL SECURITY",
            "ALTER TABLE core.orders FORCE ROW LEVEL SECURITY",
            "ALTER TABLE core.orders NO FORCE ROW LEVEL SECURITY",
        ),
        (
            "ALTER TABLE core.orders ENABLE ROW LEVEL SECURITY; CREATE ROLE {role}_all; GRANT {role}_all TO {role};"
            "CREATE POLICY few ON core.orders TO {role} USING (id < 3);"
            "CREATE POLICY many ON core.orders TO {role}_all USING (true)",
            "REVOKE {role}_all FROM {role}",
            "GRANT {role}_all TO {role}",
        ),
    ],
    ids=["forced for the owner", "a membership revoked"],
)
async def test_row_security_that_begins_to_apply_by_other_means_stops_reading(
    shop: Rig, role: str, before: str, hides: str, shows: str
) -> None:
    shop.execute(f"CREATE ROLE {role} LOGIN REPLICATION")
    shop.execute(before.format(role=role))
    async with read_by(shop, role) as served:
        shop.execute(f"DROP POLICY IF EXISTS {role} ON core.orders")
        shop.execute(f"UPDATE core.item SET sku = 'settled'; {hides.format(role=role)}; {EVERY}")
        await stalls(served, "row-level security", "core.orders")
        assert (len(shop.stored()), touched(shop)) == (ORDERS, [])
        shop.execute(shows.format(role=role))
        await served.quiet()
        assert touched(shop) == []


async def test_what_vanished_stays_held_when_a_store_is_added(shop: Rig, role: str) -> None:
    async with read_by(shop, role) as served:
        await asyncio.to_thread(shop.execute, "ALTER TABLE core.orders DETACH PARTITION core.orders_low")
        await held(served, 3)
        await compared(served)
    shop.sandbox.state.stores["second"] = "secret-of-the-second"
    shop.overrides["redo"] = {"stores": {"second": {"api_secret": "secret-of-the-second"}}}
    async with read_by(shop, role, fits=False) as served:
        await compared(served)
        await held(served, 3)
        assert (len(shop.stored()), touched(shop)) == (ORDERS, [])
        await asyncio.to_thread(
            shop.execute, "ALTER TABLE core.orders ATTACH PARTITION core.orders_low FOR VALUES FROM (0) TO (4)"
        )
        await served.until("nothing is held", held_orders=0)
        assert touched(shop) == []


async def test_what_was_let_go_to_be_pushed_is_held_once_it_has_vanished(
    shop: Rig, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Limits, "off", property(lambda self: False))
    async with read_by(shop, role):
        pass
    shop.mapping = MAPPING.replace("'web' AS", "CASE WHEN o.id <= 6 THEN 'shop' ELSE 'web' END AS")
    shop.switch(outage=True)
    async with read_by(shop, role, fits=False) as served:

        async def let_go() -> bool:
            facts = await served.facts()
            return facts["state"] == "paused" and facts["affected"] >= 6 and not facts["holds"]

        await eventually("what the sweep found is on its way, and Redo is down", let_go)
        with capture_logs() as logs:
            await asyncio.to_thread(shop.execute, "ALTER TABLE core.orders DETACH PARTITION core.orders_low")
            await eventually("it is noticed", lambda: "mapping_reloaded" in [entry["event"] for entry in logs])
        shop.switch(outage=False)
        await held(served, 3, "detached")
        await served.until("the others are in step", affected=0)
        assert (len(shop.stored()), touched(shop)) == (ORDERS, [])


async def test_an_approval_of_what_vanished_for_one_reason_is_none_for_another(shop: Rig, role: str) -> None:
    shop.execute("UPDATE core.orders SET tag = 'a' WHERE id <= 9")
    async with read_by(shop, role) as served:
        await asyncio.to_thread(shop.execute, "ALTER TABLE core.orders DETACH PARTITION core.orders_low")
        hold = await held(served, 3)
        await compared(served)
        shop.execute(
            "CREATE OR REPLACE FUNCTION core.tidy(text) RETURNS text LANGUAGE sql IMMUTABLE AS"
            " $$SELECT CASE WHEN $1 <> 'a' THEN 'left' ELSE $1 END$$; UPDATE core.item SET sku = 'cup'"
        )
        await held(served, 6, "detached", "tidy")
        await approve(shop, hold["number"])
        await held(served, 3, "tidy")
        await eventually("what was approved is removed", lambda: len(shop.stored()) == ORDERS - 3)
        await served.until("nothing else goes on", affected=0)
        assert sorted(shop.stored(), key=int) == [str(id_) for id_ in range(4, ORDERS + 1)]
