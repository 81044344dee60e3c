"""`check` is a checklist: what was found of each topic, and what fails in one hides no other."""

from __future__ import annotations

import socket
from typing import Any

from connector.model.checklist import Topic
from tests.support.fixtures.cli import Cli, started, until
from tests.support.fixtures.postgres import Database

COLUMNS = 80


def groups(cli: Cli) -> dict[str, list[dict[str, str]]]:
    found: Any = cli("check", "--json").json["groups"]
    return {one["group"]: one["lines"] for one in found}


def said(lines: list[dict[str, str]], state: str) -> str:
    return "\n".join(line["what"] for line in lines if line["state"] == state)


def test_each_topic_tells_what_was_found(cli: Cli, shop: Database) -> None:
    found = groups(cli)
    assert [*found] == [*Topic]
    assert {line["state"] for lines in found.values() for line in lines} == {"ok"}
    for topic, words in (
        (Topic.DATABASE, f", database {shop.name}, as role postgres\nwal_level logical, "),
        (Topic.PRIVILEGES, "may read all rows of the 3 tables"),
        (Topic.STREAM, "publication redo_connector: not there yet, `run` makes it for 3 tables"),
        (Topic.MAPPING, "mapping.sql: an order is a row of shop.orders, key (id); 3 tables"),
        (Topic.ORDERS, "6 sampled orders: all fit"),
        (Topic.REDO, "knows store shop and takes the API secret"),
        (Topic.CHECKPOINTS, "connector.db: not there yet"),
        (Topic.STATUS, f"http://127.0.0.1:{cli.settings['status']['port']} is free"),
    ):
        assert words in said(found[topic], "ok")


def test_what_runs_already_is_told_from_what_is_to_be_made(cli: Cli) -> None:
    daemon = started(cli)
    until("it reads", lambda: cli.facts()["state"] == "streaming")
    found = groups(cli)
    assert "publication redo_connector carries all 3 tables\nslot " in said(found[Topic.STREAM], "ok")
    assert "a connector reads it, the server keeps " in said(found[Topic.STREAM], "ok")
    assert "a connector with these settings answers at" in said(found[Topic.STATUS], "ok")
    assert daemon.stop() == 0


def test_a_database_out_of_reach_hides_no_other_topic(cli: Cli) -> None:
    cli.set("source", dsn="postgresql://clerk@127.0.0.1:1/shop")
    cli.set("redo", api_secret="not-the-one")
    cli.mapping = "SELECT 'x FROM shop.orders"
    ran = cli("check", "--json")
    assert (ran.code, {problem["where"].partition(":")[0] for problem in ran.json["problems"]}) == (
        1,
        {"source.dsn", "mapping.sql", "redo.api_secret"},
    )
    found = groups(cli)
    for topic in (Topic.PRIVILEGES, Topic.STREAM, Topic.ROUTES, Topic.ORDERS):
        assert said(found[topic], "not looked at") == "the database can't be reached"
    assert said(found[Topic.CHECKPOINTS], "ok")
    assert said(found[Topic.STATUS], "ok")


def test_a_mapping_that_is_not_fit_hides_no_other_topic(cli: Cli) -> None:
    cli.mapping = "SELECT o.id, o.nothing FROM shop.orders o"
    found = groups(cli)
    assert said(found[Topic.MAPPING], "problem") == "o has no column nothing"
    assert "wal_level logical" in said(found[Topic.DATABASE], "ok")
    assert "may replicate" in said(found[Topic.PRIVILEGES], "ok")
    assert "not there yet, `run` makes it" in said(found[Topic.STREAM], "ok")
    assert "only the mapping says which" in said(found[Topic.STREAM], "not looked at")
    assert "takes the API secret" in said(found[Topic.REDO], "ok")
    for topic in (Topic.ROUTES, Topic.ORDERS):
        assert said(found[topic], "not looked at") == "the mapping can't be used as it is"
    cli.set("mapping", path="elsewhere.sql")
    assert said(groups(cli)[Topic.MAPPING], "problem").startswith("can't be read")


def test_a_wrong_path_in_the_settings_leaves_only_orders_unseen(cli: Cli) -> None:
    cli.set("mapping", ignore=["noSuchField"])
    found = groups(cli)
    assert said(found[Topic.SETTINGS], "problem")
    assert said(found[Topic.ORDERS], "not looked at")
    assert said(found[Topic.ROUTES], "ok")


def test_a_status_port_that_another_program_has_is_a_problem(cli: Cli) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        cli.set("status", port=taken.getsockname()[1])
        ran = cli("check")
    assert ran.code == 1
    assert "problem  status.port: port" in ran.out
    assert "is taken by another program" in ran.out
    assert ran.out.endswith("Not ready: 1 problem.\n")


def test_an_answer_of_redo_that_says_nothing_of_the_secret_is_no_problem_and_no_ok(cli: Cli, redo: Any) -> None:
    redo.switch(outage=True)
    found = groups(cli)
    assert {line["state"] for line in found[Topic.REDO]} == {"not looked at"}
    assert "first used by `run`: 503: Redo fails" in found[Topic.REDO][0]["what"]


def test_lines_fit_the_terminal_but_for_sql_to_copy(cli: Cli, shop: Database) -> None:
    with shop.connect() as conn:
        conn.execute("ALTER TABLE shop.note DROP CONSTRAINT note_pkey")
        conn.execute("UPDATE shop.orders SET share = 0 WHERE id = 1")
    ran = cli("check", env={"COLUMNS": str(COLUMNS)})
    wide = [line for line in ran.out.splitlines() if len(line) > COLUMNS]
    assert all(line.rstrip().endswith(";") for line in wide), wide
    assert "\n           " in ran.out
    assert "\x1b" not in ran.out, "a pipe gets no colours"


def test_each_store_of_the_settings_is_asked(cli: Cli) -> None:
    cli.set("redo", **{"stores.other.api_secret": "x"})  # a dotted key
    ran = cli("check", "--json")
    assert ran.code == 1
    [problem] = ran.json["problems"]
    assert problem["where"].startswith("redo.stores.other")
    lines = {one["group"]: one["lines"] for one in ran.json["groups"]}[Topic.REDO]
    assert [line["state"] for line in lines] == ["ok", "problem"]


def test_an_empty_checkpoint_file_counts_as_none(cli: Cli) -> None:
    (cli.folder / "connector.db").touch()  # left by a start that found no room on the disk
    ran = cli("check")
    assert (ran.code, "ok       connector.db: not there yet, `run` makes it" in ran.out) == (0, True)
