"""How each kind of change reaches its orders: renames, truncates, deletes, moves, fan-outs, a changed mapping.

The whole connector, real Postgres, a real HTTP server for Redo.
"""

from __future__ import annotations

import psycopg
import pytest

from connector.demo.shop.traffic import Kind, Traffic
from connector.pipeline.sweeps import lookups
from tests.support.fixtures.connector import Rig, eventually
from tests.system.test_invariants import lookups_wait, play


async def test_two_oms_orders_with_one_redo_id_do_not_overwrite_each_other(rig: Rig) -> None:
    rig.mapping = rig.mapping.replace(
        "o.ord_id::text AS id,", "(CASE o.ord_id WHEN 8 THEN 7 ELSE o.ord_id END)::text AS id,"
    )
    await rig.start()
    await rig.quiet()
    letters = await rig.running.pipeline.ports.store.dead_letters(None, 100)
    assert [letter.reason for letter in letters] == ["duplicate"]
    assert rig.sandbox.state.pushes["7"] == 1


async def test_a_product_rename_reaches_every_order_that_holds_it(rig: Rig) -> None:
    await rig.start()
    await rig.quiet()
    rig.execute("UPDATE oms.product SET prod_nm = prod_nm || ' (new)'")
    await rig.quiet()
    assert (await rig.verdict()).clean
    titles = {item["title"] for order in rig.stored().values() for item in order["lineItems"]}
    assert all(title.endswith(" (new)") for title in titles)


async def test_a_truncated_table_makes_every_order_be_looked_at(rig: Rig) -> None:
    await rig.start()
    await rig.quiet()
    rig.execute("TRUNCATE oms.order_promo")
    await rig.quiet()
    assert (await rig.verdict()).clean
    assert all(order["orderDiscounts"] == [] for order in rig.stored().values())


async def test_a_delete_that_does_not_carry_its_order_is_found_by_the_reverse_index(rig: Rig) -> None:
    """A payment's primary key says nothing of its order, and the default replica identity carries nothing else."""
    await rig.start()
    await rig.quiet()
    sweep = rig.running.pipeline.sweeps.current
    rig.execute("DELETE FROM oms.payment WHERE pay_id IN (SELECT pay_id FROM oms.payment ORDER BY pay_id LIMIT 5)")
    await rig.quiet()
    assert (await rig.verdict()).clean
    assert rig.running.pipeline.sweeps.current == sweep, "no sweep was needed"


async def test_a_row_that_moves_to_another_order_changes_both(rig: Rig) -> None:
    """The stream says only where the row is now."""
    await rig.start()
    await rig.quiet()
    rig.execute("UPDATE oms.payment SET ord_id = 2 WHERE ord_id = 1")
    await rig.quiet()
    assert rig.stored()["1"]["transactions"] == []
    assert (await rig.verdict()).clean


async def test_a_row_that_moves_on_while_redo_is_down_leaves_nothing_behind(rig: Rig) -> None:
    await rig.start()
    await rig.quiet()
    rig.switch(outage=True, retry_after=0)
    for order in (2, 3, 4):
        rig.execute("UPDATE oms.payment SET ord_id = %s WHERE pay_id = (SELECT min(pay_id) FROM oms.payment)", order)
        await rig.read_up_to(rig.wal_end())
    rig.switch(outage=False)
    await rig.quiet()
    assert (await rig.verdict()).clean


async def test_a_deleted_row_is_remembered_over_a_restart(rig: Rig) -> None:
    await rig.start()
    await rig.quiet()
    await rig.stop()
    rig.execute("DELETE FROM oms.payment WHERE ord_id IN (5, 6, 7)")
    await rig.start()
    await rig.quiet()
    assert (await rig.verdict()).clean


async def test_a_narrow_change_is_not_delayed_by_a_wide_one(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookups, "PAGE", 2)
    await rig.start()
    await rig.quiet()
    rig.switch(latency_ms=50)
    await rig.stop()
    rig.overrides = {"redo": {"max_concurrency": 1}}
    await rig.start()
    rig.execute("UPDATE oms.carrier SET carrier_nm = carrier_nm || '!'")
    await eventually("the wide one is on its way", lambda: lookups_wait(rig))
    pushes = rig.sandbox.state.pushes.total()
    rig.execute("UPDATE oms.order_header SET tag_list = 'narrow' WHERE ord_id = 39")
    await eventually("the narrow one arrived", lambda: rig.stored()["39"]["tags"] == ["narrow"])
    assert rig.sandbox.state.pushes.total() - pushes < 12
    await rig.quiet()
    assert (await rig.verdict()).clean


async def test_a_change_of_a_table_that_leads_to_no_order_makes_every_order_be_compared(rig: Rig) -> None:
    rig.execute("CREATE TABLE oms.shop_setting (name text PRIMARY KEY, value text NOT NULL)")
    rig.execute("INSERT INTO oms.shop_setting VALUES ('channel', 'kiosk')")
    setting = "(SELECT value FROM oms.shop_setting WHERE name = 'channel')"
    rig.mapping = rig.mapping.replace("ELSE 'store' END AS sales_channel", f"ELSE {setting} END AS sales_channel")
    rig.overrides = {"mapping": {"sweep_tables": ["oms.shop_setting"]}}
    await rig.start()
    await rig.quiet()
    assert (await rig.verdict()).clean
    rig.execute("UPDATE oms.shop_setting SET value = 'booth'")
    await rig.quiet()
    assert (await rig.verdict()).clean
    assert "booth" in {order["salesChannel"] for order in rig.stored().values()}


async def test_a_terminated_walsender_is_replaced_and_nothing_is_lost(rig: Rig) -> None:
    await rig.start()
    await rig.quiet()
    for _ in range(3):
        await play(rig, 20)
        with rig.database.connect() as conn:
            conn.execute(
                "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = %s", (rig.slot,)
            )
    await rig.quiet()
    assert (await rig.verdict()).clean


async def test_a_changed_mapping_is_compared_with_the_checkpoints_and_only_differences_are_pushed(rig: Rig) -> None:
    await rig.start()
    await rig.quiet()
    await rig.stop()
    pushes = rig.sandbox.state.pushes.total()
    rig.mapping = rig.mapping.replace("ELSE 'store' END AS sales_channel", "ELSE 'shop' END AS sales_channel")
    with rig.database.connect() as conn:
        row = conn.execute("SELECT count(*) FROM oms.order_header WHERE chan_cd NOT IN ('WEB', 'PHONE')").fetchone()
    assert row is not None
    await rig.start()
    await rig.quiet()
    assert (await rig.verdict()).clean
    assert rig.sandbox.state.pushes.total() - pushes == row[0]


async def test_each_kind_of_edit_arrives(rig: Rig) -> None:
    await rig.start()
    await rig.quiet()
    async with await psycopg.AsyncConnection.connect(rig.dsn, autocommit=True) as conn:
        traffic = Traffic(conn, 5)
        for kind in Kind:
            await traffic.do(kind)
            await rig.quiet()
            verdict = await rig.verdict()
            assert verdict.clean, f"{kind}: {verdict}"
