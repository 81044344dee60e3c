"""Transactions of uncommon shape, in front of the real command: prepared ones, subtransactions that are rolled back,
and one that is open while the connector starts."""

from __future__ import annotations

from collections.abc import Callable

import psycopg

from tests.support.fixtures.cli import SHOP, Cli, LocalRedo, free_port, started, until
from tests.support.fixtures.postgres import Database, MakeCluster, create_database


def mails(redo: LocalRedo, *wanted: tuple[int, str]) -> Callable[[], bool]:
    def there() -> bool:
        held = redo.orders()
        return all(held.get(str(key), {}).get("customer", {}).get("email") == mail for key, mail in wanted)

    return there


def test_a_prepared_transaction_counts_when_it_is_committed_even_after_a_restart(
    offline: Cli, redo: LocalRedo, make_cluster: MakeCluster
) -> None:
    shop = create_database(make_cluster({"max_prepared_transactions": "5"}))
    with shop.connect() as conn:
        conn.execute(SHOP)
    offline.set("source", dsn=shop.dsn)
    offline.set("redo", base_url=redo.base_url)
    offline.set("status", port=free_port())
    daemon = started(offline)
    until("the first fill", lambda: len(redo.orders()) == 6)
    with psycopg.connect(shop.dsn) as conn:
        conn.execute("UPDATE shop.orders SET email = 'kept@shop.example' WHERE id = 1")
        conn.execute("PREPARE TRANSACTION 'kept'")
    with psycopg.connect(shop.dsn) as conn:
        conn.execute("UPDATE shop.orders SET email = 'undone@shop.example' WHERE id = 2")
        conn.execute("PREPARE TRANSACTION 'undone'")
    with shop.connect() as conn:
        conn.execute("UPDATE shop.orders SET email = 'between@shop.example' WHERE id = 3")
        until("what was committed since arrives", mails(redo, (3, "between@shop.example")))
        assert daemon.stop() == 0
        daemon = started(offline)
        conn.execute("ROLLBACK PREPARED 'undone'")
        conn.execute("COMMIT PREPARED 'kept'")
    until("it arrives once it is committed", mails(redo, (1, "kept@shop.example")))
    assert redo.orders()["2"]["customer"]["email"] != "undone@shop.example"
    assert daemon.stop() == 0


def test_of_subtransactions_only_what_was_not_rolled_back_arrives(cli: Cli, shop: Database, redo: LocalRedo) -> None:
    daemon = started(cli)
    until("the first fill", lambda: len(redo.orders()) == 6)
    with psycopg.connect(shop.dsn) as conn:
        for key in range(1, 7):
            conn.execute("SAVEPOINT outer_one")
            conn.execute("UPDATE shop.orders SET email = %s WHERE id = %s", (f"outer-{key}@shop.example", key))
            conn.execute("SAVEPOINT inner_one")
            conn.execute("UPDATE shop.orders SET email = 'never@shop.example' WHERE id = %s", (key,))
            conn.execute("INSERT INTO shop.orders VALUES (%s, 'never@shop.example')", (100 + key,))
            conn.execute(f"ROLLBACK TO SAVEPOINT {'inner_one' if key % 2 else 'outer_one'}")
        conn.execute("UPDATE shop.orders SET email = 'last@shop.example' WHERE id = 6")
    kept = [(key, f"outer-{key}@shop.example") for key in (1, 3, 5)]
    until("all of it arrives", mails(redo, *kept, (6, "last@shop.example")))
    held = redo.orders()
    assert sorted(map(int, held)) == [1, 2, 3, 4, 5, 6]
    assert not [key for key, order in held.items() if order["customer"]["email"] == "never@shop.example"]
    assert all(not held[key]["customer"]["email"].startswith("outer") for key in ("2", "4"))
    assert daemon.stop() == 0


def test_a_transaction_that_is_open_while_the_connector_starts_arrives_when_it_commits(
    cli: Cli, shop: Database, redo: LocalRedo
) -> None:
    daemon = started(cli)
    until("the first fill", lambda: len(redo.orders()) == 6)
    with psycopg.connect(shop.dsn) as nightly:
        nightly.execute("UPDATE shop.orders SET email = 'before@shop.example' WHERE id = 1")
        assert daemon.stop() == 0
        with shop.connect() as conn:
            conn.execute("UPDATE shop.orders SET email = 'meanwhile@shop.example' WHERE id = 2")
        daemon = started(cli)
        until("others don't wait for it", mails(redo, (2, "meanwhile@shop.example")))
        nightly.execute("UPDATE shop.orders SET email = 'after@shop.example' WHERE id = 3")
    until("both halves arrive", mails(redo, (1, "before@shop.example"), (3, "after@shop.example")))
    assert daemon.stop() == 0
