"""Tables of the source are dropped and made anew, or replaced, while the connector runs: no change is missed."""

from __future__ import annotations

import pytest

from tests.support.fixtures.connector import Rig, eventually
from tests.support.fixtures.served_connector import look_often, serving


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    look_often(monkeypatch)


async def test_a_table_put_in_anothers_place_by_renaming_is_followed(rig: Rig) -> None:
    async with serving(rig) as served:
        with rig.database.connect() as conn, conn.transaction():
            conn.execute("CREATE TABLE oms.promo_new (LIKE oms.promo INCLUDING ALL)")
            conn.execute("INSERT INTO oms.promo_new SELECT * FROM oms.promo")
            conn.execute("ALTER TABLE oms.order_promo DROP CONSTRAINT order_promo_promo_cd_fkey")
            conn.execute("ALTER TABLE oms.promo RENAME TO promo_old")
            conn.execute("ALTER TABLE oms.promo_new RENAME TO promo")
        rig.execute("UPDATE oms.promo SET promo_desc = promo_desc || ' again'")
        await served.quiet()


async def test_a_table_taken_out_of_the_publication_comes_back_and_what_was_missed_is_found(rig: Rig) -> None:
    async with serving(rig) as served:
        rig.execute("ALTER PUBLICATION redo_connector DROP TABLE oms.order_header")
        rig.execute("UPDATE oms.order_header SET tag_list = 'unseen'")
        await served.quiet()


async def test_a_table_that_loses_its_primary_key_stays_writable_for_the_oms_and_true_at_redo(rig: Rig) -> None:
    async with serving(rig) as served:
        rig.execute("ALTER TABLE oms.order_promo DROP CONSTRAINT order_promo_pkey")

        async def writable() -> bool:
            with rig.database.connect() as conn:
                row = conn.execute(
                    "SELECT count(*) FROM pg_publication_tables WHERE tablename = 'order_promo' AND pubname = %s",
                    ("redo_connector",),
                ).fetchone()
            return row == (0,)

        await eventually("it left the publication that publishes updates", writable)
        rig.execute("UPDATE oms.order_promo SET amt = amt + 1")
        rig.execute("ALTER TABLE oms.order_promo ADD PRIMARY KEY (ord_id, promo_cd)")
        await served.quiet()


async def test_partitions_that_are_truncated_detached_or_attached_filled_are_found(rig: Rig) -> None:
    """Published via the root, the stream tells nothing of them."""
    with rig.database.connect() as conn, conn.transaction():
        conn.execute(
            "CREATE TABLE oms.gift (ord_id bigint, gift_no integer, PRIMARY KEY (ord_id, gift_no))"
            " PARTITION BY LIST (gift_no)"
        )
        for number in (1, 2, 3):
            conn.execute(f"CREATE TABLE oms.gift_{number} (LIKE oms.gift INCLUDING ALL)".encode())
            conn.execute(f"INSERT INTO oms.gift_{number} SELECT ord_id, {number} FROM oms.order_header".encode())
        conn.execute("ALTER TABLE oms.gift ATTACH PARTITION oms.gift_1 FOR VALUES IN (1)")
        conn.execute("ALTER TABLE oms.gift ATTACH PARTITION oms.gift_2 FOR VALUES IN (2)")
    gifts = "(SELECT jsonb_agg('gift ' || g.gift_no ORDER BY g.gift_no) FROM oms.gift AS g WHERE g.ord_id = o.ord_id)"
    rig.mapping = rig.mapping.replace("to_jsonb(string_to_array(o.tag_list, ',')) AS tags", f"{gifts} AS tags")
    async with serving(rig) as served:
        assert rig.stored()["1"]["tags"] == ["gift 1", "gift 2"]
        for statement, tags in (
            ("TRUNCATE oms.gift_1", ["gift 2"]),
            ("ALTER TABLE oms.gift ATTACH PARTITION oms.gift_3 FOR VALUES IN (3)", ["gift 2", "gift 3"]),
            ("ALTER TABLE oms.gift DETACH PARTITION oms.gift_2", ["gift 3"]),
        ):
            rig.execute(statement)
            await served.quiet()
            assert rig.stored()["1"]["tags"] == tags


@pytest.mark.parametrize(
    "ddl",
    [
        "ALTER TABLE oms.product ALTER prod_nm TYPE varchar(120) USING upper(prod_nm)",
        "CREATE OR REPLACE VIEW oms.channel AS SELECT ord_id, lower(chan_cd)::varchar(8) AS chan_cd"
        " FROM oms.order_header",
    ],
    ids=["values rewritten", "a view replaced"],
)
async def test_ddl_while_the_connector_is_down_is_noticed_at_the_next_start(rig: Rig, ddl: str) -> None:
    rig.execute("CREATE VIEW oms.channel AS SELECT ord_id, chan_cd FROM oms.order_header")
    channel = "(SELECT v.chan_cd::text FROM oms.channel AS v WHERE v.ord_id = o.ord_id) AS sales_channel"
    case = "CASE o.chan_cd WHEN 'WEB' THEN 'web' WHEN 'PHONE' THEN 'phone' ELSE 'store' END AS sales_channel"
    assert case in rig.mapping
    rig.mapping = rig.mapping.replace(case, channel)
    async with serving(rig):
        before = rig.stored()
    rig.execute(ddl)
    async with serving(rig) as served:
        await served.quiet()
        assert rig.stored() != before
