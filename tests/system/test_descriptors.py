"""File descriptors: visitors can't take those that delivery needs; without any left it says so and loses nothing."""

from __future__ import annotations

import socket
from contextlib import ExitStack

from tests.support.fixtures.cli import Cli, LocalRedo, started, until
from tests.support.fixtures.postgres import Database
from tests.support.processes.descriptors import no_more_descriptors
from tests.support.programs.few_files import FILES


def cut(shop: Database) -> None:
    """Every connection of others to the database, as a restart of the server does."""
    with shop.connect() as conn:
        conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def change(shop: Database, email: str) -> None:
    with shop.connect() as conn:
        conn.execute("UPDATE shop.orders SET email = %s WHERE id = 2", (email,))


def email_of(redo: LocalRedo) -> object:
    return redo.orders()["2"]["customer"]["email"]


def test_silent_visitors_leave_delivery_the_descriptors_that_it_needs(
    cli: Cli, shop: Database, redo: LocalRedo
) -> None:
    daemon = cli.start("run", program="tests.support.programs.few_files")
    daemon.until_said("started")
    until("the backfill is over", lambda: len(redo.orders()) == 6)
    with ExitStack() as visitors:
        for _ in range(2 * FILES):
            visitors.enter_context(socket.create_connection(("127.0.0.1", cli.settings["status"]["port"])))
        cut(shop)
        change(shop, "meanwhile@shop.example")
        until("the change arrives", lambda: email_of(redo) == "meanwhile@shop.example")
        assert cli.facts()["ready"]
    assert "Too many open files" not in daemon.said()
    assert daemon.stop() == 0


def test_without_descriptors_it_says_so_blames_nothing_else_and_goes_on_once_there_are(
    cli: Cli, shop: Database, redo: LocalRedo
) -> None:
    daemon = started(cli)
    until("the backfill is over", lambda: len(redo.orders()) == 6)
    with no_more_descriptors(daemon.process.pid):
        cut(shop)
        said = daemon.until_said(r"stream_lost .*Too many open files, in this process.*")
        assert "limit of open files" in said
        change(shop, "meanwhile@shop.example")
        daemon.until_said(r"source_objects .*Too many open files, in this process")
    until("the change arrives", lambda: email_of(redo) == "meanwhile@shop.example")
    assert "mapping" not in daemon.said()
    assert cli("dead-letters", "list").out == "No dead letters.\n"
    assert daemon.stop() == 0
