"""A starter for a schema that nobody here has seen: it parses, it routes, and what it fills in is right."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from connector import projection
from connector.inspect.starter.look import look, sampled
from connector.inspect.starter.mapping import propose
from connector.inspect.starter.tables import certain
from connector.inspect.starter.tree import leaves
from connector.model.errors import ConfigurationError
from tests.inspect.starter import measure
from tests.inspect.starter.truths import TRUTHS
from tests.support.fixtures.postgres import Database, create_database, drop_database
from tests.support.postgres.cluster import Cluster


@pytest.fixture
def database(cluster: Cluster) -> Iterator[Database]:
    made = create_database(cluster)
    yield made
    drop_database(cluster, made.name)


def made_of(database: Database, ddl: str) -> Database:
    with database.connect() as conn:
        conn.execute(ddl.encode())
    return database


@pytest.mark.parametrize("name", TRUTHS)
def test_a_starter_routes_as_it_is_and_fills_in_nothing_wrong(database: Database, name: str) -> None:
    made_of(database, measure.schema_sql(name))
    proposed = asyncio.run(measure.proposed_for(database.dsn))
    assert measure.judge(name, proposed).wrong == {}
    loaded = asyncio.run(
        projection.load(
            proposed.text, path="mapping.sql", read_dsn=database.dsn, timezone="UTC", statement_timeout_ms=30_000
        )
    )
    assert str(loaded.explain()["order_table"]) == str(proposed.order.name)


def test_the_table_of_the_documentation_is_current(cluster: Cluster) -> None:
    page = measure.DOCS.read_text(encoding="utf-8")
    written = page.partition(measure.BEGIN)[2].partition(measure.END)[0].strip()
    assert written == measure.table(measure.measured(cluster))


def test_each_question_names_its_line_of_the_mapping(database: Database) -> None:
    made_of(database, measure.schema_sql("traps"))
    proposed = asyncio.run(measure.proposed_for(database.dsn))
    lines = proposed.text.splitlines()
    for question in proposed.questions:
        assert question.text.split()[0] in lines[question.line - 1]
        assert (
            f"'{question.path.rpartition('.')[2]}'" in "\n".join(lines[question.line :][:3]) or "." not in question.path
        )


def test_between_two_tables_of_orders_nobody_decides(database: Database) -> None:
    ddl = """
        CREATE SCHEMA old; CREATE SCHEMA new;
        CREATE TABLE old.orders (id bigint PRIMARY KEY, email text, placed timestamptz, currency char(3));
        CREATE TABLE new.orders (id bigint PRIMARY KEY, email text, placed timestamptz, currency char(3));
        CREATE TABLE old.items (order_id bigint REFERENCES old.orders, no int, qty int, PRIMARY KEY (order_id, no));
        CREATE TABLE new.items (order_id bigint REFERENCES new.orders, no int, qty int, PRIMARY KEY (order_id, no));
    """
    made_of(database, ddl)
    found = asyncio.run(look(database.dsn, ()))
    assert certain(found.ranked) is None
    assert [str(one.table.name) for one in found.ranked[:2]] == ["new.orders", "old.orders"]
    with pytest.raises(ConfigurationError, match=r"new\.orders, old\.orders"):
        found.table("orders")
    assert str(found.table("old.orders").name) == "old.orders"
    only = asyncio.run(look(database.dsn, ["old"]))
    table = certain(only.ranked)
    assert table is not None
    assert str(table.name) == "old.orders"


def test_the_words_of_a_status_are_read_only_when_asked_for(database: Database) -> None:
    ddl = """
        CREATE TABLE orders (
            id bigint PRIMARY KEY, email text, status text, placed timestamptz, updated_at timestamptz
        );
        CREATE TABLE order_items (order_id bigint REFERENCES orders, line int, qty int, PRIMARY KEY (order_id, line));
        INSERT INTO orders SELECT n, 'x', CASE n WHEN 1 THEN 'Cancelled' ELSE 'open' END FROM generate_series(1, 9) n;
    """
    made_of(database, ddl)
    found = asyncio.run(look(database.dsn, ()))
    order = found.table("orders")
    questions = {one.path: one.text for one in propose(found.around, order).questions}
    assert questions["cancelledAt"] == "when it was cancelled, if it was; see status"
    asked = propose(found.around, asyncio.run(sampled(database.dsn, order))).text
    assert """CASE WHEN o.status = 'Cancelled' THEN o.updated_at END AS "cancelledAt\"""" in asked


def test_names_that_would_end_a_comment_or_a_string_do_no_harm(database: Database) -> None:
    ddl = """
        CREATE TABLE orders (id bigint PRIMARY KEY, "e-mail" text, "mail */ --" text, "e
        mail" text, "discount '" numeric, placed timestamptz);
        CREATE TABLE "order'items" (order_id bigint REFERENCES orders, no int, "qty " int, PRIMARY KEY (order_id, no));
    """
    made_of(database, ddl)
    found = asyncio.run(look(database.dsn, ()))
    proposed = propose(found.around, found.table("orders"))
    loading = projection.load(
        proposed.text, path="m.sql", read_dsn=database.dsn, timezone="UTC", statement_timeout_ms=30_000
    )
    asyncio.run(loading)


def test_rows_that_are_only_marked_as_deleted_are_left_out(database: Database) -> None:
    ddl = """
        CREATE TABLE orders (id bigint PRIMARY KEY, email text, placed timestamptz NOT NULL, deleted_at timestamptz);
        CREATE TABLE order_items (
            order_id bigint REFERENCES orders, line int, qty int, deleted_at timestamptz, PRIMARY KEY (order_id, line)
        );
    """
    made_of(database, ddl)
    found = asyncio.run(look(database.dsn, ()))
    text = propose(found.around, found.table("orders")).text
    assert "WHERE l.order_id = o.id AND l.deleted_at IS NULL" in text
    assert text.endswith("not placed yet, or marked as deleted\nWHERE o.deleted_at IS NULL\n")


def test_what_names_do_not_tell_comments_do(database: Database) -> None:
    ddl = """
        CREATE TABLE f4201 (kcoo int PRIMARY KEY, an8 text, trdj timestamptz NOT NULL, crcd char(3) NOT NULL);
        CREATE TABLE f4211 (
            kcoo int REFERENCES f4201, lnid int, uorg int, litm text, uprc numeric, PRIMARY KEY (kcoo, lnid)
        );
        COMMENT ON TABLE f4201 IS 'Sales order header';
        COMMENT ON COLUMN f4201.an8 IS 'E-mail of the customer';
        COMMENT ON COLUMN f4201.trdj IS 'Order date';
        COMMENT ON COLUMN f4201.crcd IS 'Currency code';
        COMMENT ON COLUMN f4211.uorg IS 'Quantity';
        COMMENT ON COLUMN f4211.litm IS 'Item number (SKU)';
    """
    made_of(database, ddl)
    found = asyncio.run(look(database.dsn, ()))
    assert str(found.ranked[0].table.name) == "public.f4201"
    assert "its comment" in found.ranked[0].reasons
    filled = {path: leaf.sql for path, leaf in leaves(propose(found.around, found.table("f4201")).outputs)}
    assert filled["createdAt"] == "o.trdj"
    assert filled["shopCurrency"] == "o.crcd"
    assert filled["customer.email"] == "o.an8"


def test_of_two_tables_of_orders_the_one_with_rows_is_meant(database: Database) -> None:
    ddl = """
        CREATE TABLE orders (id bigint PRIMARY KEY, email text, placed timestamptz, currency char(3));
        CREATE TABLE sales (id bigint PRIMARY KEY, email text, placed timestamptz, currency char(3));
        INSERT INTO sales SELECT n, 'x', now(), 'USD' FROM generate_series(1, 50) n;
    """
    made_of(database, ddl)
    assert certain(asyncio.run(look(database.dsn, ())).ranked) is None
    made_of(database, "ANALYZE")
    found = asyncio.run(look(database.dsn, ())).ranked
    table = certain(found)
    assert table is not None
    assert str(table.name) == "public.sales"
    assert "about 50 rows" in found[0].reasons


def test_what_would_cost_the_shopper_is_asked_for_where_there_is_a_sign_of_it(database: Database) -> None:
    ddl = """
        CREATE TABLE orders (id bigint PRIMARY KEY, email text, placed timestamptz, is_cancelled boolean);
        CREATE TABLE order_items (
            order_id bigint REFERENCES orders, line int, vat numeric, cover_cd char, qty int,
            PRIMARY KEY (order_id, line)
        );
        CREATE TABLE credit_notes (id bigint PRIMARY KEY, order_id bigint REFERENCES orders, amount numeric);
    """
    made_of(database, ddl)
    found = asyncio.run(look(database.dsn, ()))
    asked = {one.path: one.text for one in propose(found.around, found.table("orders")).questions}
    assert asked["cancelledAt"].endswith("see is_cancelled")
    assert asked["lineItems.taxLines"].endswith("see vat")
    assert asked["lineItems.properties"].endswith("see cover_cd")
    assert asked["refunds"].endswith("see public.credit_notes")
    assert "lineItems.discounts" not in asked


def test_a_partner_or_a_user_is_not_taken_for_the_shopper(database: Database) -> None:
    ddl = """
        CREATE TABLE customers (id bigint PRIMARY KEY, email text);
        CREATE TABLE partners (id bigint PRIMARY KEY, email text);
        CREATE TABLE users (id bigint PRIMARY KEY, email text);
        CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint, partner_id bigint, user_id bigint);
        CREATE TABLE guest_orders (id bigint PRIMARY KEY, email text, partner_id bigint);
    """
    made_of(database, ddl)
    found = asyncio.run(look(database.dsn, ()))
    assert propose(found.around, found.table("orders")).joins == [
        "LEFT JOIN public.customers AS c ON o.customer_id = c.id"
    ]
    assert propose(found.around, found.table("guest_orders")).joins == []


def test_purchases_from_suppliers_are_no_orders(database: Database) -> None:
    ddl = """
        CREATE TABLE purchases (id bigint PRIMARY KEY, supplier_id bigint, ordered_at timestamptz, currency char(3));
        CREATE TABLE purchase_items (purchase_id bigint, no int, sku text, qty int, PRIMARY KEY (purchase_id, no));
    """
    made_of(database, ddl)
    assert certain(asyncio.run(look(database.dsn, ())).ranked) is None


def test_words_that_were_parted_by_capitals_are_one_again(database: Database) -> None:
    ddl = """
        CREATE TABLE auftrag (id bigint PRIMARY KEY, email text, "LieferStrasse" text, "LieferHausNr" text,
            "LieferOrt" text, "LieferPLZ" text);
        CREATE TABLE position (auftrag_id bigint, nr int, menge int, "MwSt" numeric, PRIMARY KEY (auftrag_id, nr));
    """
    made_of(database, ddl)
    found = asyncio.run(look(database.dsn, ()))
    asked = {one.path: one.text for one in propose(found.around, found.table("auftrag")).questions}
    assert asked["shippingAddress.address1"].endswith("it may be one of LieferStrasse, LieferHausNr")
    assert asked["lineItems.taxLines"].endswith("see MwSt")
