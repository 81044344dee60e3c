"""A first fill that Redo would refuse nearly all of, with the real command: held with its cause, until the mapping is
mended or somebody approves it."""

from __future__ import annotations

import pytest

from tests.support.fixtures.cli import Cli, LocalRedo, started, until
from tests.support.fixtures.postgres import Database

ORDERS = 2_500
RIGHT, WRONG = "jsonb_build_object('email', o.email,", "jsonb_build_object('email', 'nobody-' || o.id,"


@pytest.fixture
def large_shop(shop: Database) -> Database:
    with shop.connect() as conn:
        conn.execute(
            "INSERT INTO shop.orders SELECT id, 'buyer@shop.example' FROM generate_series(7, %s::int) AS id", (ORDERS,)
        )
        conn.execute("INSERT INTO shop.item SELECT id, 1, 'mug', 2 FROM shop.orders WHERE id > 6")
        conn.execute("ANALYZE")
    return shop


def held_orders(cli: Cli) -> int:
    return sum(hold["orders"] for hold in cli.facts()["holds"] if hold["kind"] == "first_fill")


def test_a_mapping_that_gets_nearly_all_refused_is_held_and_mending_it_ends_that_by_itself(
    cli: Cli, large_shop: Database, redo: LocalRedo
) -> None:
    right = cli.mapping
    cli.mapping = right.replace(RIGHT, WRONG)
    daemon = started(cli)
    daemon.until_said("held_for_approval")

    def kept() -> bool:
        facts = cli.facts()
        return bool(held_orders(cli) + sum(facts["dead_letters"].values()) == ORDERS and not facts["affected"])

    until("all others are held", kept)
    facts = cli.facts()
    assert facts["state"] == "held"
    assert "orders are refused" in facts["reason"]
    assert "because customer.email: must be an email address" in facts["reason"]
    assert "mend the mapping" in facts["next_step"]
    assert held_orders(cli) > ORDERS * 3 / 4, "only the first few hundred were read"
    assert redo.orders() == {}
    listed = cli("approve", "--list")
    assert f"{held_orders(cli):,} orders of the first fill, not looked at" in listed.out
    assert facts["reason"].partition(": ")[2] in listed.out
    (cli.folder / "mapping.sql").write_text(right)
    cli.mapping = right
    until("every order is at Redo", lambda: len(redo.orders()) == ORDERS)
    until(
        "nothing is held or refused", lambda: not cli.facts()["holds"] and not any(cli.facts()["dead_letters"].values())
    )
    assert daemon.stop() == 0


def test_approving_it_looks_at_the_rest_and_live_changes_flow_meanwhile(
    cli: Cli, large_shop: Database, redo: LocalRedo
) -> None:
    late = ORDERS - 100
    cli.mapping = cli.mapping.replace(
        RIGHT, f"jsonb_build_object('email', CASE WHEN o.id < {late} THEN 'no' ELSE o.email END,"
    )
    daemon = started(cli)
    daemon.until_said("held_for_approval")
    with large_shop.connect() as conn:
        conn.execute("UPDATE shop.orders SET share = 2 WHERE id = %s", (ORDERS,))
    until("the live change arrives", lambda: [*redo.orders()] == [str(ORDERS)])
    assert daemon.stop() == 0
    daemon = started(cli)
    until("it is held after a restart, too", lambda: cli.facts()["state"] == "held")
    assert [*redo.orders()] == [str(ORDERS)]
    approved = cli("approve", "--yes")
    assert approved.code == 0
    until("the rest was looked at", lambda: len(redo.orders()) == ORDERS - late + 1)
    until("the others are refused", lambda: sum(cli.facts()["dead_letters"].values()) == late - 1)
    assert cli.facts()["holds"] == []
    assert daemon.stop() == 0
