"""`preview --all`: what would become of every order. The counts are those of the mapping run whole."""

from __future__ import annotations

from collections import Counter

from connector.demo import oms as demo_oms
from connector.demo.verdict import answer
from tests.support.fixtures.cli import MAPPING, Cli, LocalRedo, started, until
from tests.support.fixtures.postgres import Database
from tests.support.slow_mapping import never_in_time

ORDERS = 700
"""More than one query reads."""


def verdicts(cli: Cli) -> dict[str, int]:
    found = cli("preview", "--all", "--json").json
    names = ("new", "changed", "unchanged", "refused", "missing", "left_out")
    assert found["orders"] == sum(found[name] for name in names)
    return {name: found[name] for name in names if found[name]}


def test_the_counts_are_those_of_the_mapping_run_whole(cli: Cli, oms: Database, redo: LocalRedo) -> None:
    with oms.connect() as conn:
        demo_oms.seed(conn, ORDERS, seed=7)
        conn.execute("UPDATE oms.customer SET email_addr = 'nobody' WHERE cust_id % 9 = 0")
        conn.execute("ANALYZE")
    cli.set("source", dsn=oms.dsn)
    cli.mapping = demo_oms.mapping()
    orders, refused = answer(oms.dsn, cli.mapping)
    assert refused
    ran = cli("preview", "--all", "--json")
    assert (ran.code, ran.json["orders"]) == (1, ORDERS)
    assert (ran.json["new"], ran.json["refused"]) == (len(orders), len(refused))
    [cause] = ran.json["causes"]
    assert (cause["orders"], len(cause["keys"])) == (len(refused), 5)
    assert cause["cause"].startswith("customer.email: must be an email address")
    assert redo.orders() == {}


def test_orders_are_told_by_what_redo_accepted_and_why_some_would_be_refused(cli: Cli, shop: Database) -> None:
    daemon = started(cli)
    until("all orders are pushed", lambda: cli.facts().get("checkpoints") == 6)
    assert daemon.stop() == 0
    assert verdicts(cli) == {"unchanged": 6}
    with shop.connect() as conn:
        conn.execute("INSERT INTO shop.orders SELECT id, 'a@shop.example' FROM generate_series(7, 9) AS id")
        conn.execute("INSERT INTO shop.item SELECT id, 1, 'mug', 2 FROM shop.orders WHERE id > 6")
        conn.execute("UPDATE shop.item SET qty = 3 WHERE order_id = 2")
        conn.execute("UPDATE shop.orders SET email = 'nobody' WHERE id IN (3, 8)")
        conn.execute("UPDATE shop.orders SET share = 0 WHERE id = 4")
        conn.execute("UPDATE shop.orders SET email = 'left' WHERE id IN (5, 9)")
    cli.mapping += "WHERE o.email <> 'left'"
    assert verdicts(cli) == {"new": 1, "changed": 1, "unchanged": 2, "refused": 3, "missing": 1, "left_out": 1}
    found = cli("preview", "--all", "--json").json
    assert found["fields"] == {"lineItems": 1}
    assert [(one["orders"], one["keys"]) for one in found["causes"]] == [(2, ["3", "8"]), (1, ["4"])]
    assert (found["keys"]["missing"], found["keys"]["left_out"]) == (["5"], ["9"])
    text = cli("preview", "--all")
    assert text.code == 1
    assert text.out.startswith("9 orders looked at, nothing pushed\n")
    assert "\n        3 would be refused: 3, 4, 8\n" in text.out
    assert "refused, 2 orders (3, 8): customer.email: must be an email address" in text.out
    assert "refused, 1 order (4): the mapping fails for its data: division by zero" in text.out


def test_orders_that_share_an_id_are_refused_but_for_one(cli: Cli) -> None:
    cli.mapping = MAPPING.replace("o.id::text AS id", "(o.id % 4)::text || coalesce(n.body, '') AS id")
    cli.mapping = "-- order_key: shop.orders(id)\n" + cli.mapping
    ran = cli("preview", "--all", "--json")
    assert (ran.code, ran.json["new"], ran.json["refused"]) == (1, 4, 2)
    assert ran.json["causes"][0]["cause"] == "id: the mapping gives this order the same id as another one"


def test_many_orders_that_fail_alone_keep_no_other_from_being_counted(cli: Cli, shop: Database) -> None:
    with shop.connect() as conn:
        conn.execute("INSERT INTO shop.orders SELECT id, 'a@shop.example' FROM generate_series(7, 1100) AS id")
        conn.execute("INSERT INTO shop.item SELECT id, 1, 'mug', 2 FROM shop.orders WHERE id > 6")
        conn.execute("UPDATE shop.orders SET share = 0 WHERE id % 100 = 0")
    ran = cli("preview", "--all", "--json")
    assert Counter(new=ran.json["new"], refused=ran.json["refused"]) == Counter(new=1089, refused=11)
    assert cli("preview", "--all").err == "", "a line only every ten seconds"


def test_a_mapping_too_slow_for_any_order_ends_it_instead_of_waiting_for_each(cli: Cli, shop: Database) -> None:
    never_in_time(shop)
    cli.set("source", statement_timeout="300ms")
    cli.mapping = cli.mapping.replace("'shelf ' || 100 / o.share", "'shelf ' || shop.slept(o.id)")
    ran = cli("preview", "--all")
    assert (ran.code, ran.out) == (2, "")
    assert "so did each of the first 6: no further one was read" in ran.err
    assert "raise source.statement_timeout" in ran.err


def test_it_goes_with_no_key_and_no_sample(offline: Cli) -> None:
    for more in (["7"], ["--sample", "3"], ["--values"]):
        ran = offline("preview", "--all", *more)
        assert (ran.code, "--all looks at every order" in ran.err) == (2, True)
