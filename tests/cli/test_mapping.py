"""A mapping that is wrong: named with line and column, and nothing of it runs."""

from __future__ import annotations

import pytest

from tests.support.fixtures.cli import Cli
from tests.support.fixtures.postgres import Database


@pytest.mark.parametrize(
    ("mapping", "message", "hint"),
    [
        ("SELECT o.id\nFRO shop.orders o", "2:5: syntax error at or near 'shop'", "psql"),
        ("SELECT o.id,\n  o.emial FROM shop.orders o", "2:3: o has no column emial", "did you mean email?"),
        ("SELECT id FROM shop.orders;\nSELECT 2", "2:1: there are 2 statements, not one", "keep one SELECT"),
        ("UPDATE shop.orders SET email = ''", "1:1: this is not a SELECT but UPDATE", "one SELECT"),
        ("SELECT o.email FROM shop.orders o", "1:8: there is no output column id", "AS id"),
        (
            "SELECT d.day AS id FROM shop.diary d",
            "1:8: id comes from shop.diary, which has no primary key",
            "order_key",
        ),
        ("SELECT o.id, x.y FROM shop.orders o, shop.gone x", "there is no table shop.gone", "correct the name"),
        ("SELECT 'x FROM shop.orders", "1:1: the SQL can't be read", "never closed"),
        ("SELECT o.id AS \u201cid\u201d FROM shop.orders o", "1:16: a left double quotation mark", "type it anew"),
        ("SELECT o.id::text\u00a0AS id FROM shop.orders o", "1:18: a no-break space stands in the SQL", "plain blank"),
    ],
)
def test_a_wrong_mapping_is_named_with_line_and_column(cli: Cli, mapping: str, message: str, hint: str) -> None:
    cli.mapping = mapping
    ran = cli("check", "--json")
    assert ran.code == 1
    [problem] = ran.json["problems"]
    assert problem["where"].startswith("mapping.sql:")
    assert message in f"{problem['where']}: {problem['what']}"
    assert hint in problem["hint"]


def test_typographic_characters_may_stand_in_comments_texts_and_names(cli: Cli) -> None:
    cli.mapping = cli.mapping.replace("'Ada'", "'\u201cAda\u201d\u00a0'").replace(
        "o.id::text", "/* \u2018id\u2019 */ o.id::text"
    )
    assert cli("check").code == 0


def test_run_refuses_a_wrong_mapping_and_makes_nothing(cli: Cli) -> None:
    cli.mapping = "SELECT o.id, o.nothing FROM shop.orders o"
    ran = cli("run")
    assert ran.code == 2
    assert "problem: mapping.sql:1:14: o has no column nothing" in ran.err
    assert not (cli.folder / "connector.db").exists()


def test_a_mapping_that_is_not_there_is_named(cli: Cli) -> None:
    cli.set("mapping", path="elsewhere.sql")
    ran = cli("explain")
    assert ran.code == 2
    assert "problem: elsewhere.sql: can't be read: No such file or directory\n    set mapping.path" in ran.err


def test_a_mapping_that_reads_a_table_no_order_can_be_found_from_is_refused(cli: Cli) -> None:
    cli.mapping = "SELECT o.id, d.entry FROM shop.orders o JOIN shop.diary d ON d.entry > o.id::text"
    ran = cli("check")
    assert ran.code == 1
    told = " ".join(ran.out.split())
    assert "no way leads from a changed row of shop.diary" in told
    assert "is no equality: rows of any order may meet it" in told
    assert "put an = between columns of the two beside it" in told


def test_a_table_of_settings_that_nothing_joins_is_told_by_explain_and_check(cli: Cli) -> None:
    cli.mapping = "SELECT o.id, d.entry FROM shop.orders o CROSS JOIN shop.diary d"
    explained = " ".join(cli("explain").out.split())
    assert "after any change of it, every order is looked at" in explained
    assert "nothing joins it to an order: followed so while it has few rows, about 1,000" in explained
    ran = cli("check")
    assert ran.code == 0
    told = " ".join(ran.out.split())
    assert "no way leads from shop.diary to single orders: any change of it makes all orders be looked at" in told
    assert 'list "shop.diary" in mapping.sweep_tables' in told


def test_a_table_that_nothing_joins_is_refused_once_it_has_many_rows(cli: Cli, shop: Database) -> None:
    with shop.connect() as conn:
        conn.execute("INSERT INTO shop.diary SELECT now(), 'rain' FROM generate_series(1, 5000)")
        conn.execute("ANALYZE shop.diary")
    cli.mapping = "SELECT o.id, d.entry FROM shop.orders o CROSS JOIN shop.diary d"
    ran = cli("check")
    assert ran.code == 1
    assert "no way leads from a changed row of shop.diary" in ran.out
