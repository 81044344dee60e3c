"""What of the mapping fails when every order does: its place, and the order whose row is at fault."""

from __future__ import annotations

from contextlib import aclosing

import pytest

from connector.model.errors import OrderUnreadable
from connector.model.orders import Diagnosis, OrderKey
from connector.projection import Assembler, load
from tests.support.fixtures.postgres import Database

TABLES = """
CREATE TABLE orders (no int PRIMARY KEY, note text);
CREATE TABLE lines (id int PRIMARY KEY, order_no int NOT NULL, amount int NOT NULL DEFAULT 1, extra text NOT NULL);
CREATE TABLE refunds (id int PRIMARY KEY, order_no int NOT NULL, line_id int NOT NULL);
INSERT INTO orders SELECT n FROM generate_series(1, 500) AS n;
INSERT INTO lines SELECT n, n, 1, '{}' FROM generate_series(1, 500) AS n;
INSERT INTO refunds SELECT n, n, n FROM generate_series(1, 500) AS n;
"""
TWICE = """WITH line AS (
  SELECT l.id, l.order_no, {column} AS extra FROM lines l
)
SELECT o.no AS id,
  (SELECT jsonb_agg(l.extra) FROM line l WHERE l.order_no = o.no) AS bought,
  (SELECT jsonb_agg(l.extra) FROM refunds r JOIN line l ON l.id = r.line_id WHERE r.order_no = o.no) AS refunded
FROM orders o
"""
TOTALS = """WITH kept AS (SELECT l.* FROM lines l),
  line (id, order_no, extra) AS MATERIALIZED (SELECT k.id, k.order_no, k.extra::jsonb FROM kept k)
SELECT o.no AS id, (SELECT jsonb_agg(l.extra) FROM line l WHERE l.order_no = o.no) AS bought,
  (SELECT jsonb_agg(l.extra) FROM refunds r JOIN line l ON l.id = r.line_id WHERE r.order_no = o.no) AS refunded
FROM orders o
"""
ALL = "SELECT o.no AS id, (SELECT max(l.extra::jsonb ->> 'a') FROM lines l) AS most FROM orders o"


async def assembler_of(database: Database, text: str) -> Assembler:
    projection = await load(
        text,
        path="mapping.sql",
        read_dsn=database.dsn,
        timezone="UTC",
        statement_timeout_ms=10_000,
        sweep_tables=["public.lines"],
    )
    return Assembler(projection, read_dsn=database.dsn, statement_timeout_ms=10_000)


@pytest.mark.parametrize(
    ("column", "poison", "sqlstate"),
    [
        ("l.extra::jsonb", "extra = 'no JSON'", "22P02"),
        ("100 / l.amount", "amount = 0", "22012"),
        ("l.extra::text || (l.amount * 2000000000)", "amount = 2", "22003"),
    ],
)
@pytest.mark.parametrize("order", [1, 317, 500])
async def test_the_cte_that_fails_for_every_order_is_named_and_whose_row_it_is(
    database: Database, column: str, poison: str, sqlstate: str, order: int
) -> None:
    with database.connect() as connection:
        connection.execute(TABLES)
        async with aclosing(await assembler_of(database, TWICE.format(column=column))) as assembler:
            assert await assembler.diagnose(sqlstate) is None
            connection.execute(f"UPDATE lines SET {poison} WHERE order_no = {order}")
            with pytest.raises(OrderUnreadable) as caught:
                await assembler.assemble([OrderKey("44")])
            assert caught.value.sqlstate == sqlstate
            assert await assembler.diagnose(sqlstate) == Diagnosis(
                "the CTE line (mapping.sql:1:6)", OrderKey(str(order))
            )


async def test_a_cte_that_reads_another_is_named_rather_than_those_before_it(database: Database) -> None:
    with database.connect() as connection:
        connection.execute(TABLES)
        connection.execute("UPDATE lines SET extra = '{' WHERE order_no = 44")
    async with aclosing(await assembler_of(database, TOTALS)) as assembler:
        assert await assembler.diagnose("22P02") == Diagnosis("the CTE line (mapping.sql:2:3)", OrderKey("44"))


async def test_a_row_of_no_order_is_nobodys_fault(database: Database) -> None:
    with database.connect() as connection:
        connection.execute(TABLES)
        connection.execute("INSERT INTO lines VALUES (1000, 9999, 1, '{')")
    async with aclosing(await assembler_of(database, TWICE.format(column="l.extra::jsonb"))) as assembler:
        assert await assembler.diagnose("22P02") == Diagnosis("the CTE line (mapping.sql:1:6)", None)


async def test_a_subquery_for_no_order_is_named_alone(database: Database) -> None:
    with database.connect() as connection:
        connection.execute(TABLES)
        connection.execute("UPDATE lines SET extra = '{' WHERE order_no = 44")
    async with aclosing(await assembler_of(database, ALL)) as assembler:
        assert await assembler.diagnose("22P02") == Diagnosis("the subquery (mapping.sql:1:21)", None)


async def test_a_sample_of_orders_is_from_all_over_the_keys(database: Database) -> None:
    with database.connect() as connection:
        connection.execute(TABLES)
    async with aclosing(await assembler_of(database, ALL)) as assembler:
        assert [int(key) for key in await assembler.sample(3)] == [1, 251, 500]
