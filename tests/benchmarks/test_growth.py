"""An OMS of any size, and what is told of several sizes."""

from __future__ import annotations

import psycopg

from benchmarks import furnish, growth, report
from connector.demo import oms as demo_oms
from tests.support.fixtures.postgres import Database

FIGURES = dict.fromkeys(growth.WORDS, 2.0)


def foreign_keys(conn: psycopg.Connection) -> list[tuple[str, str]]:
    """Tables and names of the OMS's foreign keys."""
    return conn.execute(
        "SELECT conrelid::regclass::text, conname FROM pg_constraint"
        " WHERE contype = 'f' AND connamespace = 'oms'::regnamespace"
    ).fetchall()


def test_a_larger_oms_has_as_many_whole_orders_and_customers_of_many(oms: Database) -> None:
    with oms.connect() as conn:
        furnish.fill(conn, 90, 5, seed=1, block=30)
        ids = conn.execute(f"SELECT id::int FROM ({demo_oms.mapping()}) AS answer ORDER BY 1").fetchall()
        assert [number for (number,) in ids] == list(range(1, 91))
        lines = conn.execute("SELECT count(DISTINCT ord_id), count(*) FROM oms.order_item").fetchall()
        assert lines[0][0] == 90
        of_many = "SELECT cust_id, count(*), min(ord_id) FROM oms.order_header WHERE ord_id <= 45 GROUP BY 1 ORDER BY 1"
        wide = furnish.fans(90, 5)
        assert conn.execute(of_many).fetchall() == [(at, 5, 5 * at - 4) for at in range(1, wide + 1)]
        few = "SELECT count(*) FROM oms.order_header WHERE ord_id > 45 AND cust_id <= %s"
        assert conn.execute(few, (wide,)).fetchone() == (0,)
        for table, name in foreign_keys(conn):  # the copies were made without looking
            definition = conn.execute(
                "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", (name,)
            ).fetchone()
            assert definition is not None
            conn.execute(f"ALTER TABLE {table} ADD CONSTRAINT again_{name} {definition[0]}")


def test_the_table_has_a_column_a_size_and_the_ratio_of_the_last_to_the_first() -> None:
    text = growth.section({10_000: FIGURES, 1_000_000: {**FIGURES, "store_mb": 5.0}}, {"cores": "2"})
    assert "| | 10,000 orders | 1,000,000 orders | last by first |" in text
    assert "| the connector's store on disk | 2.0 MB | 5.0 MB | 2.50 |" in text


def test_the_page_has_a_section_for_it() -> None:
    text = report.DOCS.read_text(encoding="utf-8")
    assert text.index(growth.BEGIN) < text.index(growth.END)
