"""The checkpoint file is removed or replaced under a running connector."""

from __future__ import annotations

import pytest

from tests.support.fixtures.cli import Cli, LocalRedo, started, until
from tests.support.fixtures.postgres import Database


def change(shop: Database, email: str) -> None:
    with shop.connect() as conn:
        conn.execute("UPDATE shop.orders SET email = %s WHERE id = 2", (email,))


def flushed(shop: Database, slot: str) -> str:
    with shop.connect() as conn:
        query = "SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = %s"
        (found,) = conn.execute(query, (slot,)).fetchone() or ("",)
    return str(found)


def test_a_removed_file_is_told_nothing_is_acknowledged_and_once_it_is_back_it_goes_on(
    cli: Cli, shop: Database, redo: LocalRedo
) -> None:
    daemon = started(cli)
    until("the backfill is over", lambda: len(redo.orders()) == 6)
    until("it rests", lambda: cli.facts()["state"] == "streaming")
    file = cli.folder / "connector.db"
    file.rename(cli.folder / "away")
    change(shop, "meanwhile@shop.example")
    daemon.until_said("checkpoints_unwritable .*removed or replaced while it is in use")
    until("it isn't ready", lambda: not cli.facts()["ready"])
    before = flushed(shop, cli.settings["source"]["slot"])
    assert str(file) in str(cli.facts()["reason"]) or "connector.db" in str(cli.facts()["reason"])
    with shop.connect() as conn:
        conn.execute("SELECT pg_switch_wal()")
    change(shop, "later@shop.example")
    assert flushed(shop, cli.settings["source"]["slot"]) == before
    (cli.folder / "away").rename(file)
    daemon.until_said("checkpoints_writable")
    until("the change arrives", lambda: redo.orders()["2"]["customer"]["email"] == "later@shop.example")
    assert daemon.stop() == 0


@pytest.mark.parametrize("put", [pytest.param("nothing", marks=pytest.mark.long), "an older copy"])
def test_a_connector_whose_file_is_gone_ends_when_told_and_the_next_start_makes_everything_right(
    cli: Cli, shop: Database, redo: LocalRedo, put: str
) -> None:
    daemon = started(cli)
    until("the backfill is over", lambda: len(redo.orders()) == 6)
    assert daemon.stop() == 0
    copy = (cli.folder / "connector.db").read_bytes()
    daemon = started(cli)
    change(shop, "meanwhile@shop.example")
    until("the change arrives", lambda: redo.orders()["2"]["customer"]["email"] == "meanwhile@shop.example")
    for each in cli.folder.glob("connector.db*"):
        each.unlink()
    if put == "an older copy":
        (cli.folder / "connector.db").write_bytes(copy)
    change(shop, "later@shop.example")
    daemon.until_said("checkpoints_unwritable")
    assert daemon.stop() == 0
    started(cli)
    until("all is right", lambda: redo.orders()["2"]["customer"]["email"] == "later@shop.example")
    until("it rests", lambda: cli.facts()["state"] == "streaming" and cli.facts()["checkpoints"] == 6)
