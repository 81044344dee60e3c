"""The order key changes its shape while orders are known by it: a column more for a partitioned table, another type,
another label of an enum. No order is lost over it, nothing is pushed or removed that needn't be, and nothing stops.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
from structlog.testing import capture_logs

from connector.orders import is_former
from connector.redo.sandbox_server import SandboxServer
from tests.fix_connector import eventually
from tests.fix_postgres import Database
from tests.key_shop import KEY, ORDERS, PARTITIONED, Shop, filled, opened
from tests.serving import look_often, serving

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
