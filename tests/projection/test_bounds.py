"""Inequalities beside an equality: a changed row leads to the orders between its bounds; what is still wide is said."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import psycopg
import pytest

from connector.model.changes import Changes, Operation, TableName
from connector.model.orders import Affected
from connector.projection import Assembler, Projection, load
from connector.projection.assembly import statements
from tests.projection.cases import CASES, shop, shop_template
from tests.support.fixtures.postgres import Database, create_database, drop_database

__all__ = ["shop", "shop_template"]

RATE = TableName("shop", "period_rate")
DAY_RATE = TableName("shop", "day_rate")
DAYS = 600
SALES = 30_000


@pytest.fixture(scope="module")
def market(cluster: Any, shop_template: Database) -> Iterator[Database]:
    """Fifty sales a day for 600 days, the last two of them without an end in the rates; a rate every ten days."""
    made = create_database(cluster, shop_template.name)
    with made.connect() as connection:
        connection.execute(f"""INSERT INTO shop.sale (id, currency, sold_on, sold)
            SELECT n, 'EUR', day, day + time '12:00' FROM generate_series(1, {SALES}) n,
            LATERAL (SELECT date '2024-01-01' + n % {DAYS} AS day) d""")
        connection.execute(f"""INSERT INTO shop.period_rate
            SELECT 'EUR', date '2024-01-01' + n, CASE WHEN n < {DAYS} - 10 THEN date '2024-01-01' + n + 10 END, 1
            FROM generate_series(0, {DAYS} - 1, 10) n""")
        connection.execute("INSERT INTO shop.zoned_sale SELECT id, currency, sold AT TIME ZONE 'UTC' FROM shop.sale")
        connection.execute("INSERT INTO shop.day_rate SELECT currency, day_from, rate FROM shop.period_rate")
        connection.execute("CREATE INDEX sale_by_day ON shop.sale (currency, sold_on)")
        connection.execute("CREATE INDEX sale_by_time ON shop.sale (currency, sold)")
        connection.execute("CREATE INDEX zoned_sale_by_time ON shop.zoned_sale (currency, placed_at); ANALYZE")
    yield made
    drop_database(cluster, made.name)


@pytest.fixture
async def opened(market: Database) -> AsyncIterator[Any]:
    made: list[Assembler] = []

    async def load_case(name: str) -> tuple[Projection, Assembler]:
        text = next((case.text for case in CASES if case.name == name), name)
        reading: dict[str, Any] = {"read_dsn": market.dsn, "statement_timeout_ms": 20_000}
        projection = await load(text, path="mapping.sql", timezone="UTC", **reading)
        made.append(Assembler(projection, **reading))
        return projection, made[-1]

    yield load_case
    for assembler in made:
        await assembler.aclose()


def inserted(projection: Projection, **values: str | None) -> Affected:
    """Of the rates in the projection."""
    (table,) = projection.routes.interest.keys() & {RATE, DAY_RATE}
    image = tuple(values[column] for column in projection.routes.interest[table])
    return projection.routes.affected(Changes(table, Operation.INSERT, 1, (image,)))


async def orders_of(assembler: Assembler, affected: Affected) -> set[int]:
    page = await assembler.resolve(list(affected.lookups), None, SALES)
    return set(map(int, page.keys))


@pytest.mark.parametrize(
    ("case", "day_from", "day_to", "days"),
    [
        ("bounds_period", "2024-02-01", "2024-02-04", range(31, 34)),
        ("bounds_period", "2024-02-01", "infinity", range(31, DAYS)),
        ("bounds_between_after_a_left_join", "2024-02-01", "2024-02-04", range(31, 34)),
        ("bounds_open_ended", "2024-02-01", "2024-02-04", range(31, 35)),
        ("bounds_open_ended", "2025-08-21", None, range(598, DAYS)),
        ("bounds_latest_before", "2025-08-21", None, range(598, DAYS)),
    ],
)
async def test_a_changed_rate_looks_only_at_the_orders_of_its_period(
    case: str, day_from: str, day_to: str | None, days: range, opened: Any
) -> None:
    """The end of a period that may have none counts as in it."""
    projection, assembler = await opened(case)
    found = await orders_of(assembler, inserted(projection, currency="EUR", day_from=day_from, day_to=day_to))
    wanted = {number for number in range(1, SALES + 1) if number % DAYS in days}
    # `sold` is at noon.
    assert found == wanted


@pytest.mark.parametrize(
    ("case", "day", "days"),
    [
        ("bounds_day", "2024-02-01", range(31, 32)),
        ("bounds_day_in_utc", "2024-02-01", range(31, 32)),
        ("bounds_day_latest", "2025-08-21", range(598, DAYS)),
        # A day of another zone is none of the session's.
        ("bounds_day_in_another_zone", "2024-02-01", range(DAYS)),
        # The ends of the calendar are days, too.
        *(("bounds_day", day, range(0)) for day in ("infinity", "-infinity", "5874897-12-31", "4713-01-01 BC")),
    ],
)
async def test_a_changed_rate_of_a_day_looks_only_at_the_orders_of_that_day(
    case: str, day: str, days: range, opened: Any
) -> None:
    projection, assembler = await opened(case)
    found = await orders_of(assembler, inserted(projection, currency="EUR", day=day))
    assert found == {number for number in range(1, SALES + 1) if number % DAYS in days}


async def test_several_changed_rates_at_once_look_each_at_its_own_period(opened: Any) -> None:
    projection, assembler = await opened("bounds_period")
    periods = [("EUR", "01", "02"), ("EUR", "04", "05"), ("USD", "02", "09")]
    affected = [
        inserted(projection, currency=currency, day_from=f"2024-01-{first}", day_to=f"2024-01-{end}")
        for currency, first, end in periods
    ]
    lookups = frozenset(lookup for each in affected for lookup in each.lookups)
    assert {number % DAYS for number in await orders_of(assembler, Affected(lookups=lookups))} == {0, 3}


async def test_a_bound_that_is_null_leads_to_no_order_unless_the_mapping_lets_it_pass(opened: Any) -> None:
    row: dict[str, str | None] = {"currency": "EUR", "day_from": "2024-01-01", "day_to": None}
    assert inserted((await opened("bounds_period"))[0], **row) == Affected()
    assert inserted((await opened("bounds_open_ended"))[0], **row).lookups


async def test_the_reverse_index_knows_the_orders_of_an_old_period_and_of_no_other(opened: Any) -> None:
    projection, assembler = await opened("bounds_period")
    ((name, index),) = projection.indexes.items()
    members = (await assembler.assemble(["35"])).members["35"][name]
    assert [column.name for column in index.columns] == ["currency", "day_from"]
    assert members == {'["EUR","2024-01-31"]'}


@pytest.mark.parametrize(
    ("case", "ends", "index", "column"),
    [
        ("bounds_period", ["{2024-02-02,2024-03-03}"], "sale_by_day", "sold_on"),
        ("bounds_day", [], "sale_by_time", "sold"),
        ("bounds_day_in_utc", [], "zoned_sale_by_time", "placed_at"),
    ],
)
async def test_an_index_on_the_equal_column_and_the_bounded_one_serves(
    case: str, ends: list[str], index: str, column: str, market: Database, opened: Any
) -> None:
    projection, _ = await opened(case)
    (lookup,) = [use.route.lookup for use in projection.uses if use.route.lookup]
    values = ["{EUR,EUR}", "{2024-02-01,2024-03-01}", *ends, "1000"]
    with psycopg.connect(market.dsn, cursor_factory=psycopg.RawCursor) as connection:
        query = f"EXPLAIN (ANALYZE, FORMAT JSON) {statements.page(projection, lookup, False)}"
        found = connection.execute(query.encode(), values).fetchone()
    assert found is not None
    waiting, scans = [found[0][0]["Plan"]], []
    while waiting:
        node = waiting.pop()
        waiting += node.get("Plans", ())
        scans += [node] if "Relation Name" in node or "Index Name" in node else []
    (scan,) = [node for node in scans if "Index Cond" in node]
    assert scan["Index Name"] == index
    assert scan["Index Cond"].count(column) == 2
    # 50 orders of one day and as many of another, or 100 of two, as the mean of two searches.
    assert scan["Actual Rows"] * scan["Actual Loops"] == (150 if ends else 100)


@pytest.mark.parametrize(
    ("case", "least", "most"),
    [
        ("bounds_period", 300, 800),
        ("bounds_open_ended", 300, 800),
        ("bounds_day", 30, 200),
        ("bounds_day_in_utc", 30, 200),
        # About half of the sales are later than a rate.
        ("bounds_latest_before_distinct_on", 12_000, 18_000),
        # Of whole currencies.
        ("bounds_until_the_next", SALES, SALES),
        ("bounds_day_in_another_zone", SALES, SALES),
        ("bounds_one_side_that_old_rows_lack", SALES, SALES),
    ],
)
async def test_explain_says_how_many_orders_a_row_leads_to_and_check_warns_where_it_is_wide(
    case: str, least: int, most: int, opened: Any
) -> None:
    projection, assembler = await opened(case)
    tables = projection.explain((await assembler.plans()).fan_outs)["tables"]
    (rate,) = [table for table in tables if table["table"] in map(str, (RATE, DAY_RATE))]
    assert [least <= use["fan_out"] <= most for use in rate["uses"]] == [True]
    wide = [each.what for each in await assembler.plan_problems() if "orders be looked at" in each.what]
    assert len(wide) == (1 if least > 10_000 else 0)
    assert all(f"a changed row of {rate['table']} makes about" in what for what in wide)
