"""`check` judges the mapping by some of its orders: how many would be refused and why, and whether it answers for
single orders as it does for all."""

from __future__ import annotations

import shlex

from tests.support.fixtures.cli import MAPPING, Cli
from tests.support.fixtures.postgres import Database
from tests.support.slow_mapping import never_in_time

EMAIL = "jsonb_build_object('email', o.email,"


def add_orders(shop: Database, last: int) -> None:
    with shop.connect() as conn:
        conn.execute(
            "INSERT INTO shop.orders SELECT id, 'a@shop.example' FROM generate_series(7, %s::int) AS id", (last,)
        )
        conn.execute("INSERT INTO shop.item SELECT id, 1, 'mug', 2 FROM shop.orders WHERE id > 6")


def wrong_where(cli: Cli, condition: str) -> None:
    assert EMAIL in MAPPING
    cli.mapping = MAPPING.replace(
        EMAIL, f"jsonb_build_object('email', CASE WHEN {condition} THEN 'nobody' ELSE o.email END,"
    )


def test_nearly_all_refused_is_a_problem_with_its_causes_and_exits_1(cli: Cli, shop: Database) -> None:
    add_orders(shop, 40)
    wrong_where(cli, "o.id > 1")
    ran = cli("check", "--json")
    assert ran.code == 1
    (problem,) = [one for one in ran.json["problems"] if not one["warning"]]
    assert "19 of 20 sampled orders would become dead letters: 19 because customer.email: must be" in problem["what"]
    assert "`redo-connector preview 40` shows one; mend the mapping" in problem["hint"]


def test_some_refused_is_a_warning_with_causes_by_count(cli: Cli, shop: Database) -> None:
    add_orders(shop, 20)
    wrong_where(cli, "o.id > 10")
    with shop.connect() as conn:
        conn.execute("UPDATE shop.orders SET share = 0 WHERE id IN (1, 2)")
    ran = cli("check")
    assert ran.code == 0
    assert "warning  mapping.path: 12 of 20 sampled orders would become dead letters: 10 because customer" in ran.out
    assert "; 2 because the mapping fails for its data: division by zero" in ran.out


def test_of_few_orders_all_refused_are_a_problem_and_one_that_is_fit_makes_it_a_warning(cli: Cli) -> None:
    wrong_where(cli, "o.id > 1")
    ran = cli("check")
    assert (ran.code, "warning  mapping.path: 5 of 6 sampled orders would become dead letters" in ran.out) == (0, True)
    wrong_where(cli, "true")
    ran = cli("check")
    assert (ran.code, "problem  mapping.path: 6 of 6 sampled orders would become dead letters" in ran.out) == (1, True)


def test_a_mapping_too_slow_for_any_order_is_a_problem(cli: Cli, shop: Database) -> None:
    never_in_time(shop)
    cli.set("source", statement_timeout="300ms")
    cli.mapping = cli.mapping.replace("'shelf ' || 100 / o.share", "'shelf ' || shop.slept(o.id)")
    ran = cli("check")
    assert ran.code == 1
    assert "problem  mapping.path: 6 of 6 sampled orders would become dead letters: 6 because reading" in ran.out


def test_rows_that_the_mapping_leaves_out_are_no_dead_letters(cli: Cli, shop: Database) -> None:
    with shop.connect() as conn:
        conn.execute("INSERT INTO shop.orders SELECT id, '' FROM generate_series(7, 900) AS id")
    cli.mapping += "WHERE o.email <> ''"
    assert "dead letters" not in cli("check").out


def test_a_mapping_that_has_none_of_the_rows_is_warned_of(cli: Cli) -> None:
    cli.mapping += "WHERE o.email = 'nobody'"
    ran = cli("check")
    assert (ran.code, "warning  mapping.sql: of 6 sampled keys of shop.orders none is in" in ran.out) == (0, True)


def test_the_answers_are_compared_with_the_whole_mapping_though_an_order_would_be_refused(
    cli: Cli, shop: Database
) -> None:
    with shop.connect() as conn:
        body = "'BEGIN RETURN random(); END'"
        conn.execute(f"CREATE FUNCTION shop.drawn() RETURNS float8 LANGUAGE plpgsql IMMUTABLE AS {body}")
    wrong_where(cli, "o.id = 2")
    cli.mapping = cli.mapping.replace("'shelf ' || 100 / o.share", "'shelf ' || shop.drawn() + o.id")
    ran = cli("check")
    assert ran.code == 1
    assert "1 of 6 sampled orders would become dead letters" in ran.out
    assert "problem  mapping.sql: restricted to single orders the mapping gives other rows" in ran.out


def test_orders_that_share_an_id_do_not_all_fit(cli: Cli) -> None:
    cli.mapping = cli.mapping.replace("o.id::text AS id", "(o.id / 3)::text AS id")
    ran = cli("check")
    assert "3 of 6 sampled orders would become dead letters: 3 because id: the mapping gives this order the" in ran.out
    assert "`redo-connector preview --all` shows them" in ran.out
    assert "all fit" not in ran.out


def test_an_order_of_a_composite_key_is_named_so_that_a_shell_takes_it(cli: Cli, shop: Database) -> None:
    with shop.connect() as conn:
        conn.execute("ALTER TABLE shop.orders DROP CONSTRAINT orders_pkey, ADD PRIMARY KEY (share, id)")
    wrong_where(cli, "true")
    cli.mapping = "-- order_key: shop.orders(share, id)\n" + cli.mapping
    hint = next(line for line in cli("check").out.splitlines() if "shows one" in line)
    command = shlex.split(hint.split("`")[1])
    assert command[:2] == ["redo-connector", "preview"]
    assert "customer.email: must be" in cli(*command[1:]).out
    assert """written as '["share","id"]'""" in cli("preview", "6").out
