"""What is said of statements that read a table whole: each missing index once, and none that is there.

On tables that are large enough for a plan to matter; what is small is said to be so.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from connector.model.errors import Problem
from connector.model.orders import OrderKey
from connector.projection import Assembler, load
from connector.projection.assembly.plans.whole_reads import WholeRead
from tests.support.fixtures.postgres import Database, create_database, drop_database

MART = """
CREATE SCHEMA mart;
CREATE TABLE mart.orders (id bigint PRIMARY KEY, buyer int, ref text);
CREATE TABLE mart.buyer (id int PRIMARY KEY, name text);
CREATE TABLE mart.item (id bigint PRIMARY KEY, order_id bigint NOT NULL, sku varchar(20), kind text, gone timestamptz);
CREATE TABLE mart.sku (sku varchar(20) PRIMARY KEY, maker int, title text);
CREATE TABLE mart.maker (id int PRIMARY KEY, name text);
CREATE TABLE mart.note (order_id bigint, no int, body text, PRIMARY KEY (no, order_id));
INSERT INTO mart.buyer SELECT n, 'x' FROM generate_series(1, 12000) n;
INSERT INTO mart.orders SELECT n, n % 12000 + 1, 'r' || n FROM generate_series(1, 24000) n;
INSERT INTO mart.sku SELECT 's' || n, n % 100 + 1, 'x' FROM generate_series(1, 12000) n;
INSERT INTO mart.maker SELECT n, 'x' FROM generate_series(1, 100) n;
INSERT INTO mart.item SELECT n, n % 24000 + 1, 's' || n % 12000 + 1, 'line', NULL FROM generate_series(1, 48000) n;
INSERT INTO mart.note SELECT n, n % 1000, 'x' FROM generate_series(1, 12000) n;
"""
ITEMS = "SELECT o.id, (SELECT max(i.sku) FROM mart.item i WHERE i.order_id = o.id{}) AS item FROM mart.orders o"
MADE = """
SELECT o.id, m.name, k.title, i.sku
FROM mart.orders o
JOIN mart.item i ON i.order_id = o.id
JOIN mart.sku k ON k.sku = i.sku
JOIN mart.maker m ON m.id = k.maker
"""
TO_ITEMS = 'CREATE INDEX CONCURRENTLY ON "mart"."item" ("order_id");'
Reads = Callable[..., Awaitable[list[WholeRead]]]
Warned = Callable[[str], Awaitable[list[Problem]]]


@pytest.fixture(scope="module")
def mart_template(cluster: Any) -> Iterator[Database]:
    made = create_database(cluster)
    with made.connect() as connection:
        connection.execute(MART)
        connection.execute("ANALYZE")
    yield made
    drop_database(cluster, made.name)


@pytest.fixture
def mart(cluster: Any, mart_template: Database) -> Iterator[Database]:
    made = create_database(cluster, mart_template.name)
    yield made
    drop_database(cluster, made.name)


@pytest.fixture
async def assembler_of(mart: Database) -> AsyncIterator[Callable[[str], Awaitable[Assembler]]]:
    made: list[Assembler] = []

    async def make(text: str) -> Assembler:
        projection = await load(
            text, path="mapping.sql", read_dsn=mart.dsn, timezone="UTC", statement_timeout_ms=20_000
        )
        made.append(Assembler(projection, read_dsn=mart.dsn, statement_timeout_ms=20_000))
        return made[-1]

    yield make
    for assembler in made:
        await assembler.aclose()


@pytest.fixture
def reads(assembler_of: Callable[[str], Awaitable[Assembler]]) -> Reads:
    async def found(text: str) -> list[WholeRead]:
        return list((await (await assembler_of(text)).plans()).whole_reads)

    return found


@pytest.fixture
def warned(assembler_of: Callable[[str], Awaitable[Assembler]]) -> Warned:
    async def found(text: str) -> list[Problem]:
        return await (await assembler_of(text)).plan_problems()

    return found


def run(mart: Database, *statements: str) -> None:
    with mart.connect() as connection:
        for statement in statements:
            connection.execute(statement.encode())


async def test_a_missing_index_is_named_once_for_all_statements_and_serves_them_once_made(
    mart: Database, reads: Reads
) -> None:
    (found,) = await reads(ITEMS.format(""))
    assert (found.table.name, found.columns, found.why, found.line) == ("item", ("order_id",), "no index", 1)
    assert set(found.statements) == {"assembling an order", "the reverse index of mart.item"}
    assert 45_000 < found.rows < 51_000
    assert found.hint == TO_ITEMS
    run(mart, found.hint)
    assert await reads(ITEMS.format("")) == []


async def test_every_table_on_the_way_is_asked_for_its_own_index_at_once(mart: Database, reads: Reads) -> None:
    found = await reads(MADE)
    assert {(each.table.name, each.columns) for each in found} == {
        ("item", ("order_id",)),
        ("item", ("sku",)),
        ("sku", ("maker",)),
    }
    (by_sku,) = [each for each in found if each.columns == ("sku",)]
    assert set(by_sku.statements) == {"the orders of a changed mart.sku", "the orders of a changed mart.maker"}
    run(mart, *(each.hint for each in found), "ANALYZE")
    assert await reads(MADE) == []


async def test_a_condition_of_the_mapping_goes_into_the_index_that_is_advised(mart: Database, reads: Reads) -> None:
    run(mart, "ALTER TABLE mart.item REPLICA IDENTITY FULL")
    text = ITEMS.format(" AND i.gone IS NULL AND i.kind = 'line'")
    (found,) = await reads(text)
    assert found.hint == (
        'CREATE INDEX CONCURRENTLY ON "mart"."item" ("order_id")'
        """ WHERE ("gone" IS NULL) AND ("kind" = 'line'::text);"""
    )
    run(mart, found.hint)
    assert await reads(text) == []


async def test_a_partial_index_serves_where_the_mapping_says_its_condition_and_is_named_where_it_does_not(
    mart: Database, reads: Reads
) -> None:
    run(
        mart,
        "ALTER TABLE mart.item REPLICA IDENTITY FULL",
        "CREATE INDEX live ON mart.item (order_id) WHERE gone IS NULL",
    )
    assert await reads(ITEMS.format(" AND i.gone IS NULL")) == []
    (found,) = await reads(ITEMS.format(""))
    assert found.why == "no index"
    assert "live only has rows WHERE gone IS NULL" in found.what
    assert found.hint == TO_ITEMS


async def test_an_index_on_the_column_does_not_serve_its_cast(mart: Database, reads: Reads) -> None:
    run(
        mart,
        "ALTER TABLE mart.item REPLICA IDENTITY FULL",
        "CREATE INDEX plain ON mart.item (order_id)",
    )
    text = "SELECT o.id, i.sku FROM mart.orders o LEFT JOIN mart.item i ON i.order_id::text = o.ref"
    found = [each for each in await reads(text) if each.table.name == "item"]
    made = 'CREATE INDEX CONCURRENTLY ON "mart"."item" (("order_id"::text));'
    assert [each.hint for each in found] == [f'{made} -- then ANALYZE "mart"."item";']
    assert "plain is on the column itself, not on its cast" in found[0].what
    run(mart, found[0].hint)
    found = [each for each in await reads(text) if each.table.name == "item"]
    assert [(each.why, each.hint.split(" --")[0]) for each in found] == [("unused index", 'ANALYZE "mart"."item";')]
    run(mart, found[0].hint)
    assert not [each for each in await reads(text) if each.table.name == "item"]


async def test_an_index_of_a_varchar_column_is_on_the_column(reads: Reads) -> None:
    (found,) = [each for each in await reads(MADE) if each.columns == ("sku",)]
    assert found.hint == 'CREATE INDEX CONCURRENTLY ON "mart"."item" ("sku");'


async def test_an_index_that_begins_with_another_column_does_not_serve(mart: Database, reads: Reads) -> None:
    run(mart, "ALTER TABLE mart.note REPLICA IDENTITY FULL")
    text = "SELECT o.id, n.body FROM mart.orders o LEFT JOIN mart.note n ON n.order_id = o.id"
    (found,) = await reads(text)
    assert (found.why, found.hint) == ("no index", 'CREATE INDEX CONCURRENTLY ON "mart"."note" ("order_id");')


async def test_an_index_that_holds_only_what_all_rows_must_have_does_not_serve(mart: Database, reads: Reads) -> None:
    run(mart, "ALTER TABLE mart.item REPLICA IDENTITY FULL", "CREATE INDEX ON mart.item (kind)", "ANALYZE mart.item")
    (found,) = await reads(ITEMS.format(" AND i.kind = 'line'"))
    assert (found.columns, found.why) == (("order_id",), "no index")
    assert found.rows > 45_000
    run(mart, found.hint)
    assert await reads(ITEMS.format(" AND i.kind = 'line'")) == []


@pytest.mark.parametrize("rows", ["false", "id < 4"])
async def test_a_partial_index_of_a_small_table_serves_beside_others_that_cost_the_same(
    mart: Database, reads: Reads, rows: str
) -> None:
    run(
        mart,
        "ALTER TABLE mart.item REPLICA IDENTITY FULL",
        f"DELETE FROM mart.item WHERE NOT ({rows})",
        "CREATE INDEX a_first ON mart.item (gone) WHERE gone IS NULL",
        "CREATE INDEX b_then ON mart.item (kind) WHERE gone IS NULL",
        "VACUUM (FULL, ANALYZE) mart.item",
    )
    text = ITEMS.format(" AND i.gone IS NULL AND i.kind = 'line'")
    (found,) = await reads(text)
    assert found.columns == ("order_id",)
    run(mart, "CREATE INDEX z_last ON mart.item (order_id) WHERE gone IS NULL")
    assert await reads(text) == []


@pytest.mark.parametrize(("only", "where"), [("", ""), (" AND o.buyer IS NULL", ' WHERE "buyer" IS NULL')])
async def test_an_expression_that_leads_from_a_changed_row_to_its_orders_is_asked_for_an_index(
    mart: Database, reads: Reads, only: str, where: str
) -> None:
    run(mart, "UPDATE mart.buyer SET name = 'R' || id", "CREATE INDEX ON mart.orders (buyer)", "VACUUM (FULL, ANALYZE)")
    text = f"SELECT o.id, b.name FROM mart.orders o LEFT JOIN mart.buyer b ON lower(b.name) = lower(o.ref){only}"
    found = await reads(text)
    assert [(each.table.name, each.why, each.hint.partition(" -- then ANALYZE")[0]) for each in found] == [
        ("orders", "no index", f'CREATE INDEX CONCURRENTLY ON "mart"."orders" ((lower("ref"))){where};'),
        ("buyer", "no index", 'CREATE INDEX CONCURRENTLY ON "mart"."buyer" ((lower("name")));'),
    ]
    run(mart, *(each.hint for each in found), "ANALYZE")
    assert await reads(text) == []


ODD_TEXTS = """
SELECT o.id, E'it\\'s' AS "the buyer's", $$it's $1$$ AS price -- the buyer's, $1 and more
FROM mart.orders o /* it's /* a $1 */ all */ WHERE o.ref <> 'o''$1'
"""


async def test_quotes_and_dollars_in_comments_and_texts_are_no_parameters(reads: Reads) -> None:
    assert await reads(ODD_TEXTS) == []


LIVE = """WITH line AS (SELECT order_id, sku FROM mart.item),
live AS (SELECT order_id, sku FROM mart.item)
SELECT o.id, (SELECT count(*) FROM live a JOIN live b ON b.sku = a.sku WHERE a.order_id = o.id) AS alike,
    (SELECT count(*) FROM line WHERE line.order_id = o.id) AS lines
FROM mart.orders o
"""
CURE = "write: live AS NOT MATERIALIZED (...)"


async def test_a_with_query_that_two_places_read_is_told_to_be_written_not_materialized(
    mart: Database, reads: Reads
) -> None:
    run(mart, TO_ITEMS, "CREATE INDEX ON mart.item (sku)")
    (found,) = await reads(LIVE)
    assert (found.why, found.line, found.hint) == ("materialized", 2, CURE)
    assert 45_000 < found.rows < 51_000
    assert await reads(LIVE.replace("live AS (", "live AS NOT MATERIALIZED (")) == []


async def test_what_a_cured_with_query_lacks_is_told_with_the_cure(reads: Reads) -> None:
    found = await reads(LIVE)
    assert {each.hint for each in found} == {
        CURE,
        TO_ITEMS,
        'CREATE INDEX CONCURRENTLY ON "mart"."item" ("sku");',
    }


async def test_an_index_that_is_there_and_is_not_taken_is_never_advised(mart: Database, reads: Reads) -> None:
    run(mart, TO_ITEMS, f"ALTER DATABASE {mart.name} SET random_page_cost = 100000")
    found = await reads(ITEMS.format(""))
    assert {each.why for each in found} == {"unused index"}
    assert not [each for each in found if "CREATE" in each.hint]
    assert all("The planner takes reading it whole for cheaper" in each.what for each in found)
    run(mart, "DELETE FROM pg_statistic")
    assert {each.hint for each in await reads(ITEMS.format("")) if each.table.name == "item"} == {
        'ANALYZE "mart"."item";'
    }


async def test_a_table_that_is_read_whole_only_for_several_orders_at_once_is_told(mart: Database, reads: Reads) -> None:
    text = """
SELECT o.id, k.title, i.sku FROM mart.orders o
JOIN mart.item i ON i.order_id = o.id JOIN mart.sku k ON k.sku = i.sku
"""
    run(mart, TO_ITEMS, "CREATE INDEX ON mart.item (sku)")
    assert await reads(text) == []
    fewer = ("DELETE FROM mart.orders WHERE id > 320", "UPDATE mart.item SET order_id = (id - 1) / 150 + 1")
    run(mart, *fewer, "VACUUM (FULL, ANALYZE)")
    (found,) = await reads(text)
    assert (found.table.name, found.why, found.statements) == ("sku", "unused index", ("assembling several orders",))
    assert 11_000 < found.rows < 13_000
    assert found.hint == 'ANALYZE "mart"."sku"; -- if that isn\'t enough, look at the plan: random_page_cost decides it'


async def test_an_index_that_failed_to_be_built_is_told_to_be_built_again(mart: Database, reads: Reads) -> None:
    run(
        mart,
        "CREATE INDEX half ON mart.item (order_id)",
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'mart.half'::regclass",
    )
    (found,) = await reads(ITEMS.format(""))
    assert found.hint == 'REINDEX INDEX CONCURRENTLY "mart"."half";'
    assert "half is on them, but it is not valid" in found.what


async def test_a_part_that_no_condition_reaches_is_told_so_without_an_index(reads: Reads) -> None:
    text = """
SELECT o.id, s.n FROM mart.orders o
LEFT JOIN mart.buyer b ON b.id = o.buyer
LEFT JOIN (SELECT max(x.id) AS id, x.buyer, count(*) AS n FROM mart.orders x GROUP BY x.buyer) s ON s.buyer = b.id
"""
    found = [each for each in await reads(text) if "assembling an order" in each.statements]
    assert [(each.table.name, each.why) for each in found] == [("orders", "no condition")]
    assert "CREATE" not in found[0].hint


async def test_small_tables_are_no_warning_and_are_shown_as_what_they_are(
    mart: Database, reads: Reads, warned: Warned
) -> None:
    run(mart, "DELETE FROM mart.item WHERE id > 200", "VACUUM (FULL, ANALYZE) mart.item")
    assert await warned(ITEMS.format("")) == []
    (found,) = await reads(ITEMS.format(""))
    assert (found.columns, found.rows) == (("order_id",), 200)
    assert not found.large


async def test_an_empty_oms_that_has_its_indexes_is_asked_for_none(mart: Database, reads: Reads) -> None:
    found = await reads(MADE)
    run(mart, *(each.hint for each in found), "TRUNCATE mart.orders, mart.item, mart.sku, mart.maker", "ANALYZE")
    assert await reads(MADE) == []


async def test_a_partitioned_table_is_one_table_and_its_index_one_index(mart: Database, reads: Reads) -> None:
    run(
        mart,
        "CREATE TABLE mart.visit (order_id bigint, guest int, PRIMARY KEY (guest, order_id)) PARTITION BY HASH (guest)",
        *(
            f"CREATE TABLE mart.visit_{n} PARTITION OF mart.visit FOR VALUES WITH (MODULUS 2, REMAINDER {n})"
            for n in range(2)
        ),
        "ALTER TABLE mart.visit REPLICA IDENTITY FULL",
        "INSERT INTO mart.visit SELECT n, n FROM generate_series(1, 24000) n",
        "ANALYZE",
    )
    text = "SELECT o.id, v.guest FROM mart.orders o LEFT JOIN mart.visit v ON v.order_id = o.id"
    (found,) = await reads(text)
    assert (found.table.name, found.columns) == ("visit", ("order_id",))
    assert 23_000 < found.rows < 25_000
    assert found.hint.startswith('CREATE INDEX ON "mart"."visit" ("order_id");')
    run(mart, found.hint)
    assert await reads(text) == []


@pytest.mark.parametrize(
    ("condition", "of_orders", "of_rates"),
    [
        ("r.currency = o.currency AND r.day <= o.placed", "currency, placed", "currency, day"),
        ("r.currency = o.currency AND o.placed BETWEEN r.day AND r.until", "currency, placed", "currency, day"),
        ("o.placed >= r.day AND o.placed < r.until AND r.currency = o.currency", "currency, placed", "currency, day"),
        ("r.currency = o.currency AND r.day = o.placed::date", "currency, placed", "currency, day"),
        ("r.day = o.placed::date", "placed", "day"),
    ],
)
async def test_an_index_for_a_range_has_what_is_equal_first_and_then_one_column_that_is_bounded(
    condition: str, of_orders: str, of_rates: str, mart: Database, reads: Reads
) -> None:
    run(
        mart,
        "ALTER TABLE mart.orders ADD currency text DEFAULT 'USD', ADD placed timestamptz",
        "UPDATE mart.orders SET placed = timestamptz '2026-01-01' + id * interval '1 hour'",
        "CREATE TABLE mart.rate (id int PRIMARY KEY, currency text, day date, until date, rate int)",
        "ALTER TABLE mart.rate REPLICA IDENTITY FULL",
        "INSERT INTO mart.rate SELECT n, 'USD', d, d + 1, 1 FROM generate_series(1, 12000) n, date(now()) d",
        "ANALYZE",
    )
    text = f"SELECT o.id, (SELECT max(r.rate) FROM mart.rate r WHERE {condition}) AS rate FROM mart.orders o"
    found = await reads(text)
    assert {(each.table.name, ", ".join(each.columns)) for each in found} == {("orders", of_orders), ("rate", of_rates)}
    run(mart, *(each.hint for each in found))
    assert [each.why for each in await reads(text) if each.why != "unused index"] == []


async def test_where_no_index_can_be_on_a_day_the_range_that_one_serves_is_told(mart: Database, reads: Reads) -> None:
    run(
        mart,
        "ALTER TABLE mart.orders ADD day date",
        "CREATE TABLE mart.visit (id int PRIMARY KEY, at timestamptz)",
        "ALTER TABLE mart.visit REPLICA IDENTITY FULL",
    )
    text = "SELECT o.id, v.id AS visit FROM mart.orders o LEFT JOIN mart.visit v ON {}"
    found = [each for each in await reads(text.format("v.at::date = o.day")) if each.table.name == "visit"]
    (hint,) = [each.hint for each in found]
    assert hint.startswith("no index can be on a day that depends on the time zone; add the range")
    assert hint.endswith("AND at >= day AND at < day + 1")
    both = "v.at::date = o.day AND v.at >= o.day AND v.at < o.day + 1"
    found = [each for each in await reads(text.format(both)) if each.table.name == "visit"]
    assert [each.hint for each in found] == ['CREATE INDEX CONCURRENTLY ON "mart"."visit" ("at");']
    run(mart, found[0].hint)
    assert not [each for each in await reads(text.format(both)) if each.table.name == "visit"]


async def test_an_order_key_without_an_index_is_asked_for_one(mart: Database, reads: Reads) -> None:
    run(mart, "ALTER TABLE mart.orders ALTER ref SET NOT NULL")
    text = "-- order_key: mart.orders(ref)\nSELECT o.ref AS id FROM mart.orders o"
    (found,) = [each for each in await reads(text) if each.columns == ("ref",)]
    assert set(found.statements) >= {"assembling an order", "whether orders are still there", "a page of a sweep"}
    run(mart, found.hint)
    assert await reads(text) == []


async def test_a_warning_names_cost_place_statements_and_remedy(warned: Warned) -> None:
    (problem,) = await warned(ITEMS.format(""))
    assert problem.warning
    assert problem.where == "mapping.sql:1"
    assert problem.what.startswith("no index serves mart.item (order_id): about 48,000 rows are read for ")
    assert problem.hint == TO_ITEMS


async def test_a_row_that_leads_to_very_many_orders_is_told_once_its_table_changes(
    mart: Database, warned: Warned, assembler_of: Callable[[str], Awaitable[Assembler]]
) -> None:
    run(mart, "UPDATE mart.orders SET buyer = id % 10 + 1", "CREATE INDEX ON mart.orders (buyer)", "ANALYZE")
    text = "SELECT o.id, b.name FROM mart.orders o JOIN mart.buyer b ON b.id = o.buyer"
    plans = await (await assembler_of(text)).plans()
    (orders,) = plans.fan_outs.values()
    assert orders is not None
    assert 2_000 < orders < 2_800
    assert await warned(text) == []
    run(mart, "UPDATE mart.buyer SET name = 'y' WHERE id = 1")
    found = await _once(lambda: warned(text))
    assert "a changed row of mart.buyer makes about 2," in found[0].what
    assert "(10% of all)" in found[0].what


@pytest.mark.parametrize(
    ("condition", "index"),
    [
        ("lower(b.name) = lower(o.ref)", "(lower(ref))"),
        ("o.ref = 'Buyer' || b.id", "(ref)"),
        ("b.id = ANY (o.tags)", "USING gin (tags)"),
        ("o.tags @> ARRAY[b.id]", "USING gin (tags)"),
        ("b.name = o.meta ->> 'name'", "((meta ->> 'name'))"),
        # The changed row has the array.
        ("o.buyer = ANY (b.others)", "(buyer)"),
    ],
)
async def test_how_many_orders_a_row_leads_to_is_known_of_expressions_and_arrays_that_have_statistics(
    condition: str, index: str, mart: Database, reads: Reads, assembler_of: Callable[[str], Awaitable[Assembler]]
) -> None:
    """Each of 240 buyers has 100 orders."""
    run(
        mart,
        "DELETE FROM mart.buyer WHERE id > 240",
        "ALTER TABLE mart.buyer ADD others int[]",
        "UPDATE mart.buyer SET name = 'buyer' || id, others = ARRAY[id]",
        "ALTER TABLE mart.orders ADD tags int[], ADD meta jsonb",
        "UPDATE mart.orders SET buyer = id % 240 + 1",
        "UPDATE mart.orders SET ref = 'Buyer' || buyer, tags = ARRAY[buyer, 999]",
        "UPDATE mart.orders SET meta = jsonb_build_object('name', 'buyer' || buyer)",
        f"CREATE INDEX ON mart.orders {index}",
        "VACUUM (FULL, ANALYZE) mart.orders, mart.buyer",
    )
    text = f"SELECT o.id, (SELECT max(b.name) FROM mart.buyer b WHERE {condition}) AS name FROM mart.orders o"
    (orders,) = (await (await assembler_of(text)).plans()).fan_outs.values()
    assert orders is not None
    assert 60 < orders < 160
    assert not [each for each in await reads(text) if each.table.name == "orders"]


async def _once(ask: Callable[[], Awaitable[list[Problem]]]) -> list[Problem]:
    """The first answer that isn't empty: what changed is counted a moment after the change."""
    async with asyncio.timeout(30):
        found: list[Problem] = []
        while not found:
            found = await ask()
    return found


async def test_more_orders_than_can_be_looked_at_in_passing_are_always_told(mart: Database, warned: Warned) -> None:
    run(mart, "UPDATE mart.orders SET buyer = id % 2 + 1", "CREATE INDEX ON mart.orders (buyer)", "ANALYZE")
    (problem,) = await warned("SELECT o.id, b.name FROM mart.orders o JOIN mart.buyer b ON b.id = o.buyer")
    assert "(50% of all)" in problem.what
    assert problem.where == "mapping.sql:1"


PARTITIONED = """
CREATE TABLE mart.sale (id int PRIMARY KEY, buyer int) PARTITION BY RANGE (id);
DO $$ BEGIN FOR n IN 0..64 LOOP
    EXECUTE format('CREATE TABLE mart.sale_%s PARTITION OF mart.sale FOR VALUES FROM (%s) TO (%s)',
        n, n * 99, n * 99 + 99);
END LOOP; END $$;
INSERT INTO mart.sale SELECT n, n * 7919 % 12000 + 1 FROM generate_series(0, 99 * 65 - 1) n;
ANALYZE;
"""


async def test_of_many_partitions_those_are_planned_for_in_which_the_orders_are(
    mart: Database, assembler_of: Callable[[str], Awaitable[Assembler]]
) -> None:
    """A plan for any orders takes each partition for one that has ten of them, and reads all buyers."""
    run(mart, PARTITIONED)
    assembler = await assembler_of("SELECT s.id, b.name FROM mart.sale s JOIN mart.buyer b ON b.id = s.buyer")
    assert "buyer" not in {read.table.name for read in (await assembler.plans()).whole_reads}
    for keys in (["7"], ["7", "8", "9"]):
        with mart.connect() as holder, holder.transaction():
            holder.execute("LOCK TABLE mart.sale_64")
            # A plan for any orders would have to lock it, and give up.
            assert set((await assembler.assemble([OrderKey(key) for key in keys])).rows) == set(keys)
