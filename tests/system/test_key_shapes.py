"""The order key changes its shape while orders are known by it: a column more for a partitioned table, another type,
another label of an enum. No order is lost over it, nothing is pushed or removed that needn't be, and nothing stops.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Final

import psycopg
import pytest
from structlog.testing import capture_logs

from connector.checkpoints.address import Address
from connector.daemon import request_client
from connector.inspect.checks import check
from connector.model.errors import Problem
from connector.model.orders import is_former
from connector.sandbox.server import SandboxServer
from tests.support.fixtures.connector import eventually
from tests.support.fixtures.postgres import Database
from tests.support.fixtures.served_connector import Served, look_often, serving
from tests.support.narrowing import narrowed
from tests.support.oms.key_shapes import (
    COPIED,
    KEY,
    MADE_ANEW,
    ORDERS,
    PARTITIONED,
    RENAMED_AWAY,
    Shop,
    filled,
    opened,
)

OTHER: Final = f"""
ALTER TABLE store.orders ADD other int NOT NULL DEFAULT 0;
UPDATE store.orders SET other = {ORDERS + 1} - id;
"""
TAKES_ITS_PLACE: Final = """
ALTER TABLE store.orders DROP id;
ALTER TABLE store.orders RENAME other TO id;
ALTER TABLE store.orders ADD PRIMARY KEY (id);
"""
UUID: Final = "USING ('00000000-0000-4000-8000-' || lpad(id::text, 12, '0'))::uuid"
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
NOTICED: Final = (
    "a column more, as a partitioned table needs",
    "another column of the same type and name",
    "a whole number becomes text",
    "an enum's labels are swapped",
    "a domain over another type",
)
"""One of each way in which a running connector notices a changed key; a partitioned table has tests of its own."""
KEEPING: Final = {
    "a wider whole number": (None, "ALTER TABLE store.orders ALTER id TYPE bigint"),
    "a label more": (KEY.format("channel, id"), "ALTER TYPE store.channel ADD VALUE 'mail' BEFORE 'web'"),
    "a longer char": (KEY.format("code"), "ALTER TABLE store.orders ALTER code TYPE char(9)"),
    "char becomes text": (KEY.format("code"), "ALTER TABLE store.orders ALTER code TYPE text"),
    "a domain becomes its base type": (KEY.format("label"), "ALTER TABLE store.orders ALTER label TYPE text"),
    "another precision with the same scale": (KEY.format("rate"), "ALTER TABLE store.orders ALTER rate TYPE bigint"),
}


@pytest.fixture
async def shop(database: Database, sandbox: SandboxServer, tmp_path: Path) -> AsyncIterator[Shop]:
    async with opened(database, sandbox, tmp_path) as made:
        yield made


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
    assert await shop.rig.running.pipeline.ports.store.holds() == []
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


@pytest.mark.parametrize("change", narrowed(CHANGES, *NOTICED))
async def test_a_key_of_another_shape_while_running_is_taken_up_by_itself(
    shop: Shop, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_often(monkeypatch)
    before, after = CHANGES[change]
    shop.run(before)
    with capture_logs() as logs:
        async with serving(shop.rig) as served:
            pushed = shop.asked()
            await asyncio.to_thread(shop.run, after)
            await eventually("it was noticed", lambda: [one for one in logs if one["event"] == "former_keys_judged"])
            await served.quiet()
            assert shop.asked() == pushed, "everything was known, and still is"
            assert (await served.facts())["dead_letters"] == {}
            assert not [one for one in logs if one["event"] == "held_for_approval"]
            await asyncio.to_thread(shop.run, "UPDATE store.orders SET status = 'paid' WHERE number = 'R3'")
            await asyncio.to_thread(shop.run, "DELETE FROM store.orders WHERE number = 'R7'")
            await served.quiet()
            assert "R7" not in shop.rig.stored()


async def test_check_says_beforehand_what_a_changed_key_will_lead_to(shop: Shop) -> None:
    async def said() -> list[Problem]:
        return [one for one in (await check.check(shop.rig.settings())).problems if "order key changed" in one.what]

    await filled(shop)
    assert await said() == []
    await shop.rig.stop()
    shop.run(KEY.format("id, placed"))
    [problem] = await said()
    changed = "the order key changed from store.orders (id integer) to store.orders (id integer, placed date)"
    assert (problem.what, problem.warning) == (changed, True)
    assert "30 orders" in problem.hint
    assert "held for approval" in problem.hint
    shop.altered("DELETE FROM note WHERE name = 'order_key'")
    [problem] = await said()
    assert problem.what == "the order key changed to store.orders (id integer, placed date)"
    await shop.rig.start()
    await shop.well()
    assert await said() == []


class Traffic:
    """The OMS's own work, which goes on whatever becomes of its tables."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._stop = asyncio.Event()
        self.committed = 0

    async def __aenter__(self) -> Traffic:
        self._task = asyncio.create_task(self._work())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        await self._task

    async def goes_on(self) -> None:
        wanted = self.committed + 20
        await eventually("the OMS goes on with its work", lambda: self.committed >= wanted)

    async def _work(self) -> None:
        random = Random(5)  # noqa: S311 -- traffic, no secret
        async with await psycopg.AsyncConnection.connect(self._dsn, autocommit=True) as conn:
            while not self._stop.is_set():
                order = f"R{random.randint(1, ORDERS)}"
                for statement in ("UPDATE store.orders SET status = %s WHERE number = %s", _RENAMED):
                    with suppress(psycopg.errors.UndefinedTable):
                        await conn.execute(statement.encode(), [f"s{self.committed}", order])
                    self.committed += 1
                await asyncio.sleep(0.01)


_RENAMED: Final = "UPDATE store.item SET sku = %s WHERE number = %s"
MIGRATIONS: Final = {
    "in one transaction": [PARTITIONED],
    "in several, under another name at first": [
        RENAMED_AWAY,
        re.sub(r"store\.orders\b", "store.orders_new", MADE_ANEW),
        re.sub(r"store\.orders\b", "store.orders_new", COPIED) + " WHERE id % 2 = 0",
        re.sub(r"store\.orders\b", "store.orders_new", COPIED) + " WHERE id % 2 = 1",
        "ALTER TABLE store.orders_new RENAME TO orders",
    ],
    "there and back": [PARTITIONED, "DROP TABLE store.orders; ALTER TABLE store.orders_old RENAME TO orders"],
}  # fmt: skip


@pytest.mark.parametrize("migration", MIGRATIONS)
async def test_a_table_is_partitioned_while_its_orders_go_on_changing(
    shop: Shop, migration: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_often(monkeypatch)
    with capture_logs() as logs:
        async with serving(shop.rig) as served, Traffic(shop.rig.dsn) as traffic:
            for script in MIGRATIONS[migration]:
                await traffic.goes_on()
                await asyncio.to_thread(shop.run, script)
            await traffic.goes_on()
            await traffic.__aexit__()
            if migration != "there and back":
                await eventually(
                    "it was noticed", lambda: [one for one in logs if one["event"] == "former_keys_judged"]
                )
            await served.quiet()
            assert (await served.facts())["dead_letters"] == {}
            assert not [one for one in logs if one["event"] == "held_for_approval"]
            await asyncio.to_thread(shop.run, "DELETE FROM store.orders WHERE number = 'R7'")
            # Nobody told when a table was back in the publication: a delete before that was not seen, and is held.
            await eventually("it is removed, or held", lambda: _removed_or_held(shop, served))
            if (await served.facts())["held_orders"]:
                await request_client.ask(shop.rig.settings(), "approve", {}, wait=True, on_progress=lambda _: None)
            await served.quiet()
            assert "R7" not in shop.rig.stored()


async def _removed_or_held(shop: Shop, served: Served) -> bool:
    return "R7" not in shop.rig.stored() or (await served.facts())["held_orders"] == 1


async def test_a_table_that_is_partitioned_and_filled_bit_by_bit_loses_no_order_at_redo(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_often(monkeypatch)
    with capture_logs() as logs:
        async with serving(shop.rig) as served:
            pushed = shop.asked()
            await asyncio.to_thread(shop.run, RENAMED_AWAY + MADE_ANEW)
            await eventually("all are held", lambda: [one for one in logs if one["event"] == "held_for_approval"])
            await asyncio.to_thread(shop.run, f"{COPIED} WHERE id <= 7")
            await asyncio.to_thread(shop.run, f"{COPIED} WHERE id > 7")
            await served.quiet()
            await eventually("none is held any more", lambda: _nothing_held(served))
            assert shop.asked() == pushed
            assert len(shop.rig.stored()) == ORDERS


async def _nothing_held(served: Served) -> bool:
    return bool((await served.facts())["held_orders"] == 0)


async def test_a_label_that_is_renamed_before_anybody_has_looked_removes_nothing(shop: Shop) -> None:
    """The stream brings keys with the new label, the store has the old one, and the ledger too."""
    await filled(shop, KEY.format("channel, id"))
    pushed, control = shop.asked(), shop.rig.running.pipeline.control
    await control.pause()
    shop.run("UPDATE store.orders SET status = 'paid' WHERE number = 'R3'")
    await shop.waiting(1)
    shop.run("ALTER TYPE store.channel RENAME VALUE 'phone' TO 'call'")
    shop.run("UPDATE store.orders SET status = 'paid' WHERE number = 'R5'")
    await control.resume()
    await eventually("it arrives", lambda: shop.rig.stored()["R5"]["salesChannel"] == "paid")
    await shop.rig.quiet()
    assert len(shop.rig.stored()) == ORDERS
    await shop.rig.stop()
    await shop.rig.start()
    await shop.well()
    assert {order for order, times in shop.asked().items() if times > pushed[order]} == {"R3", "R5"}
    await shop.goes_on()


async def test_a_store_in_postgres_takes_up_a_changed_key_too(
    shop: Shop, checkpoint_database: Database, schema_of_its_own: Address
) -> None:
    shop.rig.overrides["checkpoints"] = {"url": schema_of_its_own.url}
    await filled(shop)
    await shop.rig.stop()
    pushed = shop.asked()
    shop.run(KEY.format("id, placed"))
    await shop.rig.start()
    await shop.well()
    assert shop.asked() == pushed
    assert not any(is_former(key) for key in await shop.keys())
    await shop.goes_on()
