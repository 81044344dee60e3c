"""`preview`: what would be sent, and what another mapping would change. Nothing is pushed or written."""

from __future__ import annotations

import re
from typing import Any

from cryptography.fernet import Fernet

from tests.support.fixtures.cli import Cli, LocalRedo, Ran, until
from tests.support.fixtures.postgres import Database


def proposed(cli: Cli, *changes: tuple[str, str], more: str = "") -> str:
    """Another mapping in a file of its own: the configured one with some text replaced and more at its end."""
    text = cli.mapping
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (cli.folder / "new.sql").write_text(text + more)
    return "new.sql"


def counts(ran: Ran) -> dict[str, int]:
    names = ("unchanged", "changed", "rejected", "missing", "new", "mended", "neither")
    return {name: ran.json[name] for name in names if ran.json[name]}


def test_the_payload_is_shown_and_nothing_is_pushed(cli: Cli, redo: LocalRedo) -> None:
    text = cli("preview", "2")
    assert text.code == 0
    assert text.out.startswith("order 2: new\n{")
    [one] = cli("preview", "2", "--json").json
    assert (one["key"], one["verdict"], one["problems"], one["changed_fields"]) == ("2", "new", [], [])
    assert one["payload"]["lineItems"][0]["priceSet"]["shopMoney"] == {"amount": "12.5", "currencyCode": "USD"}
    assert redo.orders() == {}


def test_it_names_the_fields_that_changed_since_redo_accepted_the_order(cli: Cli, shop: Database) -> None:
    daemon = cli.start("run")
    daemon.until_said("started")
    until("all orders are pushed", lambda: cli.facts().get("checkpoints") == 6)
    assert daemon.stop() == 0
    with shop.connect() as conn:
        conn.execute("UPDATE shop.item SET qty = 3 WHERE order_id = 2")
        conn.execute("UPDATE shop.orders SET email = 'another@shop.example' WHERE id = 2")
        conn.commit()
    changed, same = cli("preview", "2", "3", "--json").json
    assert (changed["verdict"], changed["changed_fields"]) == ("changed", ["customer", "lineItems"])
    assert (same["verdict"], same["changed_fields"]) == ("unchanged", [])
    text = cli("preview", "2", "3").out
    assert text.startswith("order 2: changed\n  changed since accepted: customer, lineItems\n{")
    assert text.count("changed since accepted") == 1


def test_values_of_what_changed_since_redo_accepted_it_are_shown_to_who_asks_for_them(cli: Cli, shop: Database) -> None:
    cli.set("checkpoints", keep="payload", payload_keys=Fernet.generate_key().decode())
    daemon = cli.start("run")
    until("all orders are pushed", lambda: daemon.until_said("started") and cli.facts().get("checkpoints") == 6)
    assert daemon.stop() == 0
    with shop.connect() as conn:
        conn.execute("UPDATE shop.item SET qty = 3 WHERE order_id = 2")
    assert "->" not in cli("preview", "2").out
    text = cli("preview", "2", "--values").out
    assert text.startswith(
        "order 2: changed\n  changed since accepted: lineItems\n  lineItems[id=2-1].quantity: 2 -> 3\n{"
    )
    changed, same = cli("preview", "2", "3", "--values", "--json").json
    assert changed["values"] == [{"path": "lineItems[id=2-1].quantity", "old": 2, "new": 3}]
    assert "values" not in same
    cli.set("checkpoints", payload_keys=Fernet.generate_key().decode())
    text = cli("preview", "2", "--values").out
    assert "no values: what Redo accepted wasn't kept, or no key opens it" in text


def test_without_keys_the_newest_order_the_oldest_and_others_are_shown(cli: Cli) -> None:
    assert [one["key"] for one in cli("preview", "--sample", "2", "--json").json] == ["6", "1"]
    newest, oldest, other = (one["key"] for one in cli("preview", "--json").json)
    assert (newest, oldest) == ("6", "1")
    assert other in {"2", "3", "4", "5"}


def test_without_keys_only_orders_that_the_mapping_has_are_shown(cli: Cli, shop: Database) -> None:
    with shop.connect() as conn:
        conn.execute("INSERT INTO shop.orders SELECT id, '' FROM generate_series(7, 2000) AS id")
    cli.mapping += "WHERE o.email <> ''"
    ran = cli("preview", "--json")
    assert (ran.code, ran.err) == (0, "")
    assert {one["verdict"] for one in ran.json} == {"new"}
    assert len({one["key"] for one in ran.json} & set("123456")) == 3
    compared = cli("preview", "--mapping", proposed(cli), "--sample", "5", "--json").json
    assert (compared["unchanged"], compared["orders"] - compared["neither"]) == (5, 5)


def test_where_the_mapping_has_none_of_the_rows_that_is_said(cli: Cli) -> None:
    cli.mapping += "WHERE o.email = 'nobody'"
    ran = cli("preview", "--json")
    assert (ran.code, ran.json) == (0, [])
    assert "warning: mapping.sql: of 6 sampled keys of shop.orders none is in the mapping" in ran.err


def test_an_order_that_there_is_not_exits_1(cli: Cli) -> None:
    absent, wrong = cli("preview", "4711"), cli("preview", "nine")
    assert (absent.code, wrong.code) == (1, 1)
    assert "order 4711: absent\n  the mapping has no row for this order" in absent.out
    assert "is nine an order key? That is shop.orders (id int8)" in wrong.out


def test_the_same_mapping_in_another_file_changes_nothing(cli: Cli, redo: LocalRedo) -> None:
    before = redo.stats()
    ran = cli("preview", "--mapping", proposed(cli), "--json")
    assert (ran.code, counts(ran)) == (0, {"unchanged": 6})
    assert (ran.json["orders"], ran.json["fields"], ran.json["examples"]) == (6, {}, [])
    assert redo.stats() == before
    assert {path.name for path in cli.folder.iterdir()} == {"connector.toml", "mapping.sql", "new.sql"}


def test_changed_fields_are_counted_by_path_without_list_indexes_and_without_values(cli: Cli, shop: Database) -> None:
    with shop.connect() as conn:
        conn.execute("INSERT INTO shop.item VALUES (2, 2, 'cup', 1)")
    new = proposed(
        cli,
        ("'shelf ' || 100 / o.share", "CASE WHEN o.id < 4 THEN 'web' ELSE 'shelf 100' END"),
        ("'title', i.sku", "'title', CASE o.id WHEN 2 THEN 'A ' ELSE '' END || i.sku"),
    )
    ran = cli("preview", "--mapping", new, "--json")
    assert (ran.code, counts(ran)) == (0, {"unchanged": 3, "changed": 3})
    assert ran.json["fields"] == {"salesChannel": 3, "lineItems.title": 1}
    assert ran.json["examples"] == [
        {"key": "1", "fields": ["salesChannel"]},
        {"key": "2", "fields": ["salesChannel", "lineItems.title"]},
        {"key": "3", "fields": ["salesChannel"]},
    ]
    text = cli("preview", "--mapping", new).out
    assert re.search(r"^ +3 would change$", text, re.MULTILINE)
    assert re.search(r"^ +1 lineItems.title$", text, re.MULTILINE)
    assert "order 2: salesChannel, lineItems.title" in text
    assert "shelf" not in ran.out + text


def test_values_are_shown_to_who_asks_for_them(cli: Cli) -> None:
    new = proposed(cli, ("'title', i.sku", "'title', 'A ' || i.sku"))
    ran = cli("preview", "3", "--mapping", new, "--values", "--json")
    [example] = ran.json["examples"]
    assert example["values"] == [{"path": "lineItems[id=3-1].title", "old": "mug", "new": "A mug"}]
    assert '  lineItems[id=3-1].title: "mug" -> "A mug"' in cli("preview", "3", "--mapping", new, "--values").out
    alone = cli("preview", "--values")
    assert (alone.code, "--values needs --mapping, or payloads that are kept" in alone.err) == (2, True)


def test_what_would_be_rejected_is_grouped_by_path_and_message_and_exits_1(cli: Cli, shop: Database) -> None:
    with shop.connect() as conn:
        conn.execute("UPDATE shop.orders SET share = 0 WHERE id = 6")
        conn.execute("UPDATE shop.orders SET email = 'nonsense' WHERE id = 1")
    new = proposed(
        cli,
        ("o.email,", "CASE WHEN o.id < 3 THEN 'nonsense' ELSE o.email END,"),
        ("i.qty", "nullif(i.qty, i.qty) + 0 / (o.id - 5)"),
    )
    ran = cli("preview", "--mapping", new, "--json")
    assert ran.code == 1
    assert (ran.json["rejected"], ran.json["rejected_already"]) == (6, 2)
    found: dict[str, Any] = {one["path"]: one for one in ran.json["rejections"]}
    assert found["customer.email"]["keys"] == ["1", "2"]
    assert found["lineItems.quantity"]["orders"] == 4
    assert (sorted(found[""]["keys"]), found[""]["message"]) == (
        ["5", "6"],
        "the mapping fails for its data: division by zero (SQLSTATE 22012)",
    )
    text = cli("preview", "--mapping", new)
    assert text.code == 1
    assert "6 would be rejected (2 of them are already)" in text.out
    assert "rejected, 2 of them (1, 2): customer.email: must be an email address" in text.out
    assert "nonsense" not in ran.out + text.out


def test_orders_that_are_missing_or_new_are_counted(cli: Cli, shop: Database) -> None:
    with shop.connect() as conn:
        conn.execute("UPDATE shop.orders SET share = 0 WHERE id = 2")
    new = proposed(cli, ("100 / o.share", "100"), more="WHERE o.id NOT IN (1, 5)")
    cli.mapping += "WHERE o.id NOT IN (1, 6)"
    ran = cli("preview", "--mapping", new, "--json")
    assert counts(ran) == {"unchanged": 2, "missing": 1, "new": 1, "mended": 1, "neither": 1}
    assert (ran.code, ran.json["missing_keys"]) == (0, ["5"])
    assert "missing: 5\n" in cli("preview", "--mapping", new).out


def test_orders_are_named_by_their_ids_at_redo_too(cli: Cli) -> None:
    cli.mapping = cli.mapping.replace("o.id::text AS id", "'W/' || o.id AS id")
    changes = (
        ("o.email,", "CASE WHEN o.id < 3 THEN 'nonsense' ELSE o.email END,"),
        ("'title', i.sku", "'title', 'A mug'"),
    )
    new = proposed(cli, *changes, more="WHERE o.id < 6")
    out = cli("preview", "--mapping", new).out
    assert "order 5 (W/5): lineItems.title\n" in out
    assert "1 (W/1)" in out
    assert "missing: 6 (W/6)\n" in out


def test_fields_that_make_no_difference_are_not_counted(cli: Cli) -> None:
    cli.set("mapping", ignore=["updatedAt", "line_items.title"])
    new = proposed(
        cli,
        ("'title', i.sku", "'title', 'A ' || i.sku"),
        ("'quantity', i.qty", "'quantity', CASE i.order_id WHEN 2 THEN 9 ELSE i.qty END"),
        ("NULL::jsonb AS order_discounts", "NULL::jsonb AS order_discounts, '2026-01-06Z'::timestamptz AS updated_at"),
    )
    ran = cli("preview", "--mapping", new, "--json")
    assert ran.json["fields"] == {"lineItems.quantity": 1}


def test_a_wrong_mapping_is_named_with_line_and_column(cli: Cli) -> None:
    ran = cli("preview", "--mapping", proposed(cli, ("o.email", "o.emial")))
    assert (ran.code, ran.out) == (2, "")
    assert "problem: new.sql:8:33: o has no column emial\n    did you mean email?" in ran.err


def test_a_mapping_with_another_order_key_is_refused(cli: Cli) -> None:
    new = proposed(cli, more="JOIN shop.item x ON x.order_id = o.id\n-- order_key: shop.item(order_id, line)")
    ran = cli("preview", "--mapping", new)
    assert (ran.code, ran.out) == (2, "")
    assert "new.sql: an order is a row of shop.item (order_id, line) here, and of shop.orders (id)" in ran.err


def test_a_mapping_file_that_is_not_there_is_wrong_usage(cli: Cli) -> None:
    ran = cli("preview", "--mapping", "elsewhere.sql")
    assert ran.code == 2
    assert "elsewhere.sql" in ran.err
