"""`explain`: how a changed row of each table leads to orders, what it costs, and what to ask the DBA for."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.support.fixtures.cli import Cli
from tests.support.fixtures.postgres import Database

MAKERS = """
CREATE TABLE shop.sku (sku text PRIMARY KEY, maker int, title text);
CREATE TABLE shop.maker (id int PRIMARY KEY, name text);
INSERT INTO shop.maker SELECT id, 'maker ' || id FROM generate_series(1, 4) AS id;
INSERT INTO shop.sku SELECT 'sku-' || id, id % 2 + 1, 'Mug' FROM generate_series(1, 20) AS id;
INSERT INTO shop.orders SELECT id, 'x' || id || '@shop.example' FROM generate_series(7, 400) AS id;
TRUNCATE shop.item;
INSERT INTO shop.item
SELECT id, line, 'sku-' || (id + line) % 20 + 1, 1 FROM shop.orders, generate_series(1, 2) AS line;
"""


@pytest.fixture
def makers(cli: Cli, shop: Database) -> Cli:
    """Items lead to their maker by two joins, and no index leads back. Nothing was analysed yet."""
    with shop.connect() as conn:
        conn.execute(MAKERS)
    cli.mapping = cli.mapping.replace("coalesce(n.body, '')", "k.title || m.name").replace(
        "FROM shop.item i WHERE",
        "FROM shop.item i JOIN shop.sku k ON k.sku = i.sku JOIN shop.maker m ON m.id = k.maker WHERE",
    )
    return cli


def uses(cli: Cli) -> dict[str, Any]:
    return {use["alias"]: use for table in cli("explain", "--json").json["tables"] for use in table["uses"]}


def hints(cli: Cli) -> dict[str, list[str]]:
    """What to ask the DBA for, and which statements it is for."""
    return {read["hint"]: read["statements"] for read in cli("explain", "--json").json["whole_reads"]}


def test_each_use_of_each_table_is_shown(cli: Cli) -> None:
    plan = cli("explain", "--json").json
    assert (plan["order_table"], plan["order_key"]) == ("shop.orders", ["id"])
    assert [table["table"] for table in plan["tables"]] == ["shop.item", "shop.note", "shop.orders"]
    fields = {"alias", "line", "route", "columns", "conditions", "reverse_sql", "deletes", "fan_out", "by_size"}
    assert all(set(use) == fields for table in plan["tables"] for use in table["uses"])
    assert plan["whole_reads"] == []
    text = cli("explain")
    assert text.code == 0
    assert "as o (line 19): the order's own row, key id; about 1 order a row" in text.out
    assert "as i (line 15): carries the order's key in order_id; about 1 order a row" in text.out
    assert "\x1b" not in text.out


def test_it_fits_the_width_it_is_given_and_never_cuts_a_query_short(cli: Cli) -> None:
    cli.mapping = cli.mapping.replace("o.email,", "p.email,") + "JOIN shop.orders p ON p.email = o.email"
    narrow = cli("explain", env={"COLUMNS": "80"}).out
    assert max(map(len, narrow.splitlines())) <= 80
    [query] = [line for line in cli("explain").out.splitlines() if "SELECT DISTINCT" in line]
    assert query.endswith("IS NOT NULL")
    assert "no index serves shop.orders (email)" in narrow


def test_an_index_that_lacks_on_any_hop_is_named_once_and_serves_once_it_is_made(makers: Cli, shop: Database) -> None:
    to_items = 'CREATE INDEX CONCURRENTLY ON "shop"."item" ("sku");'
    to_skus = 'CREATE INDEX CONCURRENTLY ON "shop"."sku" ("maker");'
    found = hints(makers)
    assert found.keys() == {to_items, to_skus}
    assert set(found[to_items]) == {"the orders of a changed shop.sku", "the orders of a changed shop.maker"}
    assert found[to_skus] == ["the orders of a changed shop.maker"]
    text = makers("explain").out
    assert "no index serves shop.item (sku): about " in text
    assert text.count(to_items) == 1
    with shop.connect() as conn:
        conn.execute(to_items.encode())
    assert hints(makers).keys() == {to_skus}
    with shop.connect() as conn:
        conn.execute(to_skus.encode())
    assert hints(makers) == {}


def test_the_fan_out_is_what_the_planner_knows_and_unknown_before_an_analyze(makers: Cli, shop: Database) -> None:
    before = uses(makers)
    assert (before["o"]["fan_out"], before["i"]["fan_out"]) == (1, 1)
    assert (before["k"]["fan_out"], before["m"]["fan_out"]) == (None, None)
    assert "how many orders a row: unknown until there are rows and ANALYZE ran" in makers("explain").out
    with shop.connect() as conn:
        conn.execute("ANALYZE shop.orders, shop.item, shop.sku, shop.maker")
    after = uses(makers)
    # 800 items of 20 skus, a few of them twice in an order; 10 skus a maker. No more orders than there are.
    assert 38 <= after["k"]["fan_out"] <= 40
    assert after["m"]["fan_out"] == 400
    assert "as m (line 15): its orders are looked up by id; about 400 orders a row" in makers("explain").out


def test_a_partitioned_table_is_not_asked_for_an_index_that_postgres_refuses(cli: Cli, shop: Database) -> None:
    with shop.connect() as conn:
        conn.execute(
            "CREATE TABLE shop.visit (order_id bigint, guest int, PRIMARY KEY (order_id, guest)) "
            "PARTITION BY HASH (order_id)"
        )
        conn.execute("CREATE TABLE shop.visit_all PARTITION OF shop.visit FOR VALUES WITH (MODULUS 1, REMAINDER 0)")
        conn.execute("CREATE TABLE shop.guest (id int PRIMARY KEY, name text)")
        cli.mapping += (
            "LEFT JOIN shop.visit v ON v.order_id = o.id LEFT JOIN shop.guest g ON g.id = v.guest AND g.name <> ''"
        )
        [statement] = hints(cli)
        assert "CONCURRENTLY ON" not in statement
        conn.execute(statement.encode())
    assert hints(cli) == {}


def test_how_deletes_and_moves_are_resolved_is_said(cli: Cli, shop: Database) -> None:
    with shop.connect() as conn:
        conn.execute("CREATE TABLE shop.parcel (id int PRIMARY KEY, order_id bigint)")
        conn.execute("CREATE TABLE shop.refund (id inet PRIMARY KEY, order_id bigint)")
        conn.execute("CREATE TABLE shop.claim (id int PRIMARY KEY, order_id bigint)")
        conn.execute("ALTER TABLE shop.claim REPLICA IDENTITY FULL")
    cli.mapping += "".join(
        f"LEFT JOIN shop.{name} {name} ON {name}.order_id = o.id\n" for name in ("parcel", "refund", "claim")
    )
    found = {alias: use["deletes"] for alias, use in uses(cli).items()}
    assert found == {
        "o": "replica identity",
        "i": "replica identity",
        "n": "replica identity",
        "claim": "replica identity",
        "parcel": "reverse index",
        # The text of an inet is another one in the stream than in a query.
        "refund": "sweep",
    }
    text = cli("explain").out
    assert "deletes and moves: by the reverse index kept with the checkpoints" in text
    assert "deletes and moves: every order is looked at" in text


def test_a_table_that_is_only_swept_leads_to_every_order(cli: Cli) -> None:
    cli.set("mapping", sweep_tables=["shop.diary"])
    cli.mapping = cli.mapping.replace("'shelf ' || 100 / o.share", "(SELECT max(d.entry) FROM shop.diary d)")
    use = uses(cli)["d"]
    assert (use["route"], use["columns"], use["deletes"], use["fan_out"]) == ("sweep", [], "reconcile", 6)
    text = cli("explain").out
    assert re.search(r"as d \(line \d+\): after any change of it, every order is looked at; about 6 orders a row", text)
