"""Constant conditions of a mapping: which are understood, what they keep from being looked at, and which indexes they
let our queries use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
import pytest

from connector.model.changes import UNKNOWN, Changes, Image, Operation, TableName, Value
from connector.model.errors import ConfigurationError
from connector.model.orders import Affected
from connector.projection import Projection, load
from connector.projection.assembly import statements
from connector.projection.catalog.column_filters import ColumnFilter, constant_of
from connector.projection.catalog.columns import Column
from tests.projection.cases import CASES, shop, shop_template
from tests.support.fixtures.postgres import Database

__all__ = ["shop", "shop_template"]

LINE, ADJUSTMENT = TableName("shop", "line"), TableName("shop", "adjustment")
PROMOTION, TYPED_LINE = TableName("shop", "promotion"), TableName("shop", "typed_line")
WHOLE_LINE = TableName("shop", "whole_line")


async def projection_of(text: str, dsn: str) -> Projection:
    return await load(text, path="mapping.sql", read_dsn=dsn, timezone="UTC", statement_timeout_ms=10_000)


async def projection_of_case(name: str, dsn: str) -> Projection:
    return await projection_of(next(case.text for case in CASES if case.name == name), dsn)


async def conditions_of(condition: str, dsn: str) -> list[str]:
    """Those that a subquery's condition on lines comes to."""
    lines = f"SELECT count(*) FROM shop.line l WHERE l.order_id = o.id AND {condition}"
    projection = await projection_of(f"SELECT o.id, ({lines}) AS n FROM shop.orders o", dsn)
    (table,) = [each for each in projection.explain()["tables"] if each["table"] == "shop.line"]
    return [condition for use in table["uses"] for condition in use["conditions"]]


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("l.deleted_at ISNULL", ["deleted_at IS NULL"]),
        ("NOT (l.deleted_at IS NULL)", ["deleted_at IS NOT NULL"]),
        ("NOT l.qty IS NOT NULL", ["qty IS NULL"]),
        ("l.active IS TRUE", ["active"]),
        ("l.active = false", ["NOT active"]),
        ("l.active = 't'", ["active"]),
        ("NOT (NOT l.active)", ["active"]),
        ("-5 = l.qty", ["qty = -5"]),
        ("l.qty = '05'::int", ["qty = 5"]),
        ("l.qty::bigint = 5", ["qty = 5"]),
        ("l.kind = 'gift'::shop.line_kind", ["kind = 'gift'"]),
        ("l.kind = ANY (ARRAY['gift', NULL, 'fee']::shop.line_kind[])", ["kind IN ('gift', 'fee')"]),
        ("l.code = 'o''r'", ["code = 'o''r'"]),
        ("(l.qty, l.active) = (1, true)", ["active", "qty = 1"]),
        ("l.qty = 1 AND (l.active AND l.qty IS NOT NULL)", ["active", "qty = 1"]),
    ],
)
async def test_a_constant_condition_is_understood_however_it_is_written(
    written: str, found: list[str], shop_template: Database
) -> None:
    assert await conditions_of(written, shop_template.dsn) == found


@pytest.mark.parametrize(
    "written",
    [
        "l.active IS NOT TRUE",
        "l.active IS NOT FALSE",
        "(l.active OR l.qty = 1)",
        "NOT (l.qty = 1)",
        "NOT (l.qty IN (1, 2))",
        "l.qty = 1.5::int",
        "l.qty = 1 + 1",
        "l.qty IN (1, l.product_id)",
        "l.code = 'abc'::char(2)",
        "l.code = 'abc'::char",
        "l.code = E'a'",
        r"l.code = 'a\b'",
        "l.code || '' = 'a'",
        "l.kind::text = 'gift'",
        "lower(l.code) = 'a'",
        "l.ref::text = 'a'",
        "l.deleted_at = '2024-01-01'",
        "coalesce(l.deleted_at, l.deleted_at) IS NULL",
        "(l.*) IS NULL",
        "l.code = 'a' COLLATE \"C\"",
    ],
)
async def test_a_condition_that_is_not_surely_constant_is_none(written: str, shop_template: Database) -> None:
    assert await conditions_of(written, shop_template.dsn) == []


def create_caseless_table(shop: Database) -> None:
    with shop.connect() as connection:
        try:
            connection.execute("""CREATE COLLATION shop.caseless
                (provider = icu, locale = 'und-u-ks-level2', deterministic = false)""")
        except psycopg.errors.FeatureNotSupported as error:
            pytest.skip(str(error))
        connection.execute(
            "CREATE TABLE shop.loose (id int PRIMARY KEY, order_id bigint, kind text COLLATE shop.caseless)"
        )


async def test_a_nondeterministic_collation_is_left_to_the_server(shop: Database) -> None:
    create_caseless_table(shop)
    text = "SELECT o.id, l.kind FROM shop.orders o LEFT JOIN shop.loose l ON l.order_id = o.id AND l.kind = 'gift'"
    projection = await projection_of(text, shop.dsn)
    loose = TableName("shop", "loose")
    assert inserted(projection, loose, order_id="7", kind="GIFT").keys == {"7"}
    assert "\"kind\" = 'gift'" in next(iter(projection.indexes.values())).sql


async def test_what_a_nullable_child_makes_of_a_column_that_its_parent_has_as_not_null(shop: Database) -> None:
    """NULL IN (...) is NULL wherever there is any row, so such a row changes every order."""
    with shop.connect() as connection:
        connection.execute("CREATE TABLE shop.strict (id int PRIMARY KEY, region int NOT NULL)")
        connection.execute("CREATE TABLE shop.lenient () INHERITS (shop.strict)")
        text = "SELECT o.id, o.region IN (SELECT s.region FROM shop.strict s) AS known FROM shop.aorder o"
        assert "shop.lenient" in {str(table) for table in (await projection_of(text, shop.dsn)).tables}
        try:
            connection.execute("ALTER TABLE shop.lenient ALTER region DROP NOT NULL")
        except psycopg.errors.InvalidTableDefinition as error:
            pytest.skip(str(error))
    with pytest.raises(ConfigurationError, match=r"no way leads from a changed row of shop\.strict"):
        await projection_of(text, shop.dsn)


def create_equality(shop: Database, left: str, right: str) -> None:
    with shop.connect() as connection:
        connection.execute(f"""CREATE FUNCTION shop.caseless({left}, {right}) RETURNS boolean LANGUAGE sql IMMUTABLE
            AS 'SELECT lower($1::text) = lower($2::text)'""")
        connection.execute(f"CREATE OPERATOR shop.= (FUNCTION = shop.caseless, LEFTARG = {left}, RIGHTARG = {right})")
        connection.execute(f"ALTER DATABASE {shop.name} SET search_path = shop, public")


@pytest.mark.parametrize(
    ("left", "right", "condition"),
    [("varchar", "varchar", "a.source_type = 'order'::varchar"), ("shop.line_kind", "text", "l.kind = 'gift'")],
)
async def test_a_constant_condition_by_somebodys_own_operator_is_none(
    left: str, right: str, condition: str, shop: Database
) -> None:
    text = f"""SELECT o.id, (SELECT count(*) FROM shop.line l JOIN shop.adjustment a ON a.id = l.id
        WHERE l.order_id = o.id AND a.source_id = l.qty AND {condition}) AS n FROM shop.orders o"""
    written = {each.on("x") for use in (await projection_of(text, shop.dsn)).uses for each in use.route.filters}
    assert [each for each in written if "'" in each]
    create_equality(shop, left, right)
    written = {each.on("x") for use in (await projection_of(text, shop.dsn)).uses for each in use.route.filters}
    assert not [each for each in written if "'" in each]


async def test_a_join_by_somebodys_own_operator_leads_nowhere(shop: Database) -> None:
    text = "SELECT o.id FROM shop.web_order o JOIN shop.carrier c ON c.code = o.vref"
    assert (await projection_of(text, shop.dsn)).tables
    create_equality(shop, "varchar", "varchar")
    with pytest.raises(ConfigurationError, match=r"no way leads from a changed row of shop\.carrier"):
        await projection_of(text, shop.dsn)


async def test_a_row_that_is_a_value_may_be_neither_null_nor_not_null(shop: Database) -> None:
    with shop.connect() as connection:
        connection.execute("CREATE TYPE shop.size AS (width int, height int)")
        connection.execute("CREATE TABLE shop.box (id int PRIMARY KEY, order_id bigint, size shop.size)")
    boxes = "SELECT count(*) FROM shop.box b WHERE b.order_id = o.id AND NOT (b.size IS NULL)"
    projection = await projection_of(f"SELECT o.id, ({boxes}) AS n FROM shop.orders o", shop.dsn)
    assert not any(use.route.filters for use in projection.uses)


async def test_a_join_with_a_column_of_a_nondeterministic_collation_leads_nowhere(shop: Database) -> None:
    """From the column in it, the value would be compared in the other one's collation."""
    create_caseless_table(shop)
    text = "SELECT o.id, l.kind FROM shop.orders o JOIN shop.loose l ON l.kind = o.status"
    with pytest.raises(ConfigurationError, match=r"no way leads from a changed row of shop\.loose"):
        await projection_of(text, shop.dsn)


# changes of rows


def image_of(projection: Projection, table: TableName, values: dict[str, str | None]) -> Image:
    """The rest is UNKNOWN."""
    return tuple(values.get(column, UNKNOWN) for column in projection.routes.interest[table])


def affected(projection: Projection, table: TableName, operation: Operation, *images: Image) -> Affected:
    return projection.routes.affected(Changes(table, operation, 1, images))


def inserted(projection: Projection, table: TableName, **values: str | None) -> Affected:
    return affected(projection, table, Operation.INSERT, image_of(projection, table, values))


def updated(projection: Projection, table: TableName, **values: str | None) -> Affected:
    """Without the old row."""
    return affected(projection, table, Operation.UPDATE, image_of(projection, table, values))


async def test_an_inserted_row_that_fails_a_condition_concerns_no_order(shop_template: Database) -> None:
    projection = await projection_of_case("where_deleted_in_on", shop_template.dsn)
    assert inserted(projection, LINE, id="1", order_id="7", deleted_at=None).keys == {"7"}
    assert inserted(projection, LINE, id="1", order_id="7").keys == {"7"}
    assert inserted(projection, LINE, id="1", order_id="7", deleted_at="2024-01-01 00:00:00") == Affected()


async def test_an_updated_row_that_fails_asks_the_reverse_index_alone(shop_template: Database) -> None:
    projection = await projection_of_case("where_deleted_in_on", shop_template.dsn)
    found = updated(projection, LINE, id="1", order_id="7", deleted_at="2024-01-01 00:00:00")
    (lookup,) = found.lookups
    assert (lookup.route, lookup.values) == (*projection.indexes, ("1",))
    assert (found.keys, found.sweep) == (frozenset(), None)
    assert updated(projection, LINE, id="1", order_id="7", deleted_at=None).keys == {"7"}


async def test_a_condition_on_the_replica_identity_holds_for_the_old_row_too(shop_template: Database) -> None:
    projection = await projection_of_case("where_in_the_identity", shop_template.dsn)
    row: dict[str, str | None] = {"order_id": "7", "line": "1"}
    # By the other use: `qty` isn't in the identity, so that the old row may have been NULL there.
    assert updated(projection, TYPED_LINE, **row, kind="b", qty="1").keys == {"7"}
    assert inserted(projection, TYPED_LINE, **row, kind="b", qty="1") == Affected()
    text = "SELECT o.id, t.qty FROM shop.orders o JOIN shop.typed_line t ON t.order_id = o.id AND t.kind = 'a'"
    projection = await projection_of(text, shop_template.dsn)
    assert updated(projection, TYPED_LINE, **row, kind="b") == Affected()
    assert affected(
        projection,
        TYPED_LINE,
        Operation.UPDATE,
        image_of(projection, TYPED_LINE, {**row, "kind": "a"}),
        image_of(projection, TYPED_LINE, {**row, "order_id": "8", "kind": "b"}),
    ).keys == {"7"}


async def test_under_a_full_identity_both_rows_say_whether_they_count(shop_template: Database) -> None:
    projection = await projection_of_case("where_whole_identity", shop_template.dsn)

    def row(kind: str, deleted_at: str | None) -> Image:
        return image_of(projection, WHOLE_LINE, {"id": "1", "order_id": "7", "kind": kind, "deleted_at": deleted_at})

    now = "2024-01-01 00:00:00"
    assert affected(projection, WHOLE_LINE, Operation.UPDATE, row("a", now), row("b", None)) == Affected()
    assert affected(projection, WHOLE_LINE, Operation.UPDATE, row("a", now), row("x", None)).keys == {"7"}
    assert affected(projection, WHOLE_LINE, Operation.UPDATE, row("a", None), row("a", now)).keys == {"7"}
    assert affected(projection, WHOLE_LINE, Operation.DELETE, row("a", now)) == Affected()


@pytest.mark.parametrize("operation", [Operation.INSERT, Operation.UPDATE])
async def test_a_change_to_one_kind_of_adjustment_looks_at_no_order_of_another_kind(
    operation: Operation, shop_template: Database
) -> None:
    projection = await projection_of_case("where_polymorphic_aggregate", shop_template.dsn)

    def looks(kind: str) -> list[tuple[str, ...]]:
        values: dict[str, str | None] = {"id": "1", "source_id": "7", "source_type": kind}
        found = affected(projection, ADJUSTMENT, operation, image_of(projection, ADJUSTMENT, values))
        assert found.sweep is None
        # The reverse index knows which orders the row belonged to.
        lines = [lookup.values for lookup in found.lookups if not lookup.route.startswith("@")]
        return [*((key,) for key in sorted(found.keys)), *(("line", *values) for values in lines)]

    assert looks("a") == [("7",)]
    assert looks("b") == [("line", "7")]
    assert looks("c") == []


async def test_the_row_of_an_order_that_the_mapping_leaves_out_is_still_known_to_be_there(
    shop_template: Database,
) -> None:
    projection = await projection_of_case("where_of_the_order", shop_template.dsn)
    found = inserted(projection, projection.order_table, id="7", status="b", placed=None)
    assert not found.keys
    assert found.own == {"7"}


async def test_uses_of_a_table_under_other_conditions_have_indexes_of_their_own(shop_template: Database) -> None:
    projection = await projection_of_case("where_boolean", shop_template.dsn)
    assert len(projection.indexes) == 3
    assert len({index.sql for index in projection.indexes.values()}) == 3


async def test_columns_of_conditions_are_among_those_that_the_role_must_read(shop_template: Database) -> None:
    text = """SELECT o.id, v.kind, p.name FROM shop.orders o JOIN shop.live_lines v ON v.order_id = o.id
        LEFT JOIN shop.promotion p ON p.id = v.product_id AND p.kind = 'x' """
    privileges = (await projection_of(text, shop_template.dsn)).privileges
    # Of the table behind the view, for our own queries.
    read = privileges.columns[LINE]
    assert read is not None
    assert set(read) == {"id", "order_id", "product_id", "kind", "active", "deleted_at"}


# what a value says


def column(kind: str, *, schema: str = "pg_catalog", deterministic: bool = True, enum: bool = False) -> Column:
    return Column("c", kind, f"{schema}.{kind}", schema, -1, enum, deterministic, True)


@pytest.mark.parametrize(
    ("kind", "text", "is_string", "found"),
    [
        ("int4", "007", False, "7"),
        ("int8", "-0", False, "0"),
        ("int4", "1.0", False, None),
        ("int4", "0x10", True, None),
        ("int4", "٣", True, None),
        ("numeric", "1.50", False, "1.50"),
        ("numeric", "NaN", True, None),
        ("text", "a ", True, "a "),
        ("text", "5", False, None),
        ("bpchar", "a ", True, "a"),
        ("uuid", "{A0EEBC999C0B4EF8BB6D6BB9BD380A11}", True, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ("uuid", "a0", True, None),
        ("bool", "TRUE", True, "t"),
        ("bool", "yes", True, None),
        ("float8", "1", False, None),
        ("timestamp", "2024-01-01", True, None),
        ("jsonb", "1", True, None),
    ],
)
def test_a_constant_is_put_as_its_column_puts_it(kind: str, text: str, is_string: bool, found: str | None) -> None:
    assert constant_of(column(kind), text, is_string=is_string) == found


@pytest.mark.parametrize(
    ("on", "texts", "value", "passes"),
    [
        (column("int4"), ("7",), "7", True),
        (column("int4"), ("7",), "8", False),
        (column("int4"), ("7",), None, False),
        (column("int4"), ("7",), UNKNOWN, True),
        (column("bool"), ("t",), "f", False),
        (column("bpchar"), ("a",), "a  ", True),
        (column("text"), ("a",), "a ", False),
        (column("kind", schema="shop", enum=True), ("a", "b"), "c", False),
    ],
)
def test_a_streamed_value_fails_only_when_that_is_sure(
    on: Column, texts: tuple[str, ...], value: Value, passes: bool
) -> None:
    tested = ColumnFilter(on, "among", texts)
    assert tested.testable
    assert tested.passes(value) is passes


@pytest.mark.parametrize(
    ("value", "null", "not_null"), [(None, True, False), ("infinity", False, True), (UNKNOWN, True, True)]
)
def test_a_streamed_value_is_null_or_not(value: Value, null: bool, not_null: bool) -> None:
    on = column("timestamp")
    assert (ColumnFilter(on, "null").passes(value), ColumnFilter(on, "not null").passes(value)) == (null, not_null)


@pytest.mark.parametrize(
    "untold",
    [
        # Other texts are equal, too.
        ColumnFilter(column("numeric"), "among", ("1.50",)),
        ColumnFilter(column("text", deterministic=False), "among", ("a",)),
        ColumnFilter(column("text"), "among", ("é",)),
        # A row type's value is NULL when all of its fields are.
        ColumnFilter(column("address", schema="shop"), "null"),
        # Long values would be held for nothing.
        ColumnFilter(column("jsonb"), "not null"),
        ColumnFilter(column("text"), "null"),
    ],
)
def test_a_condition_that_a_streamed_value_does_not_tell_is_not_asked_of_it(untold: ColumnFilter) -> None:
    assert not untold.testable


# plans

ROWS = 20_000


@pytest.fixture
def large(shop: Database) -> Database:
    """Lines whose only indexes are partial ones. One in a hundred isn't deleted."""
    with shop.connect() as connection:
        connection.execute(f"INSERT INTO shop.orders (id, status) SELECT n, 'a' FROM generate_series(1, {ROWS}) n")
        connection.execute(f"""INSERT INTO shop.line (id, order_id, product_id, kind, active, deleted_at)
            SELECT n, n, n % 5000, 'gift', true, CASE WHEN n % 100 > 0 THEN timestamp '2024-01-01' END
            FROM generate_series(1, {ROWS}) n""")
        connection.execute("INSERT INTO shop.promotion (id, name) SELECT n, 'p' FROM generate_series(0, 4999) n")
        connection.execute("""CREATE INDEX adjustment_of_gift ON shop.adjustment (source_id) WHERE source_type = 'gift';
            CREATE INDEX active_gift ON shop.line (qty) WHERE active AND kind IN ('gift', 'goods') AND ref IS NULL""")
        connection.execute(f"""INSERT INTO shop.adjustment (id, source_id, source_type)
            SELECT n, n, CASE n % 20 WHEN 0 THEN 'gift' ELSE 'other' END FROM generate_series(1, {ROWS}) n""")
        connection.execute("ANALYZE")
    return shop


@pytest.mark.parametrize(
    ("text", "indexes"),
    [
        (
            """SELECT o.id, p.name FROM shop.orders o
            LEFT JOIN shop.line l ON l.order_id = o.id AND l.deleted_at IS NULL
            LEFT JOIN shop.promotion p ON p.id = l.product_id""",
            {"line_order_id_idx", "line_product_id_idx"},
        ),
        (
            """SELECT o.id, a.amount FROM shop.orders o
            LEFT JOIN shop.adjustment a ON a.source_type = 'gift' AND a.source_id = o.id""",
            {"adjustment_of_gift"},
        ),
        (
            """SELECT o.id, p.name FROM shop.orders o
            LEFT JOIN shop.line l ON l.order_id = o.id AND l.deleted_at IS NULL
            AND l.active AND l.kind IN ('gift', 'goods') AND l.ref IS NULL
            LEFT JOIN shop.promotion p ON p.id = l.qty""",
            {"line_order_id_idx", "active_gift"},
        ),
    ],
)
async def test_lookups_and_the_reverse_index_are_served_by_partial_indexes(
    text: str, indexes: set[str], large: Database
) -> None:
    projection = await projection_of(text, large.dsn)
    lookups = [use.route.lookup for use in projection.uses if use.route.lookup]
    queries = [(statements.assemble(projection), ["{7}", "1000"])]
    queries += [(statements.page(projection, lookup, False), ["{7}", "10"]) for lookup in lookups]
    with psycopg.connect(large.dsn, cursor_factory=psycopg.RawCursor) as connection:
        nodes = [node for query, values in queries for node in planned(connection, query, values)]
    scanned = {node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"}
    assert not scanned
    assert indexes <= {node.get("Index Name") for node in nodes}


def planned(connection: Any, query: str, values: Sequence[str]) -> list[dict[str, Any]]:
    """All nodes of the plan."""
    waiting = [connection.execute(f"EXPLAIN (FORMAT JSON) {query}", values).fetchone()[0][0]["Plan"]]
    found = []
    while waiting:
        node = waiting.pop()
        found.append(node)
        waiting += node.get("Plans", ())
    return found
