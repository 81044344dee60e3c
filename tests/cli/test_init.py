"""`init`: from a live schema to files that work, without overwriting anything or writing down a password."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from connector.demo import oms as demo_oms
from connector.settings.json_schema import json_schema
from tests.inspect.starter.truths import REQUIRED
from tests.support.fixtures.cli import PASSWORD, ROOT, TOKEN, WITHIN, Cli, LocalRedo, free_port
from tests.support.fixtures.postgres import Database, create_database, drop_database
from tests.support.postgres.cluster import Cluster

ASKED = ("lineItems.discounts", "lineItems.taxLines", "lineItems.properties", "orderDiscounts", "refunds")
"""Of the demo's tables, in the order of the mapping."""


@pytest.fixture
def oms_database(cluster: Cluster) -> Iterator[Database]:
    """The demo's tables."""
    made = create_database(cluster)
    with made.connect() as conn:
        conn.execute((ROOT / "connector" / "demo" / "oms.sql").read_bytes())
    yield made
    drop_database(cluster, made.name)


def with_password(database: Database) -> str:
    """The DSN with a password, which this server doesn't ask for."""
    return database.dsn.replace("://postgres@", f"://postgres:{PASSWORD}@", 1)


def test_it_writes_files_that_need_only_what_it_says(offline: Cli, oms_database: Database, redo: LocalRedo) -> None:
    ran = offline("init", "--output-dir", "starter", env={"CONNECTOR_SOURCE__DSN": with_password(oms_database)})
    assert ran.code == 0, ran.err
    assert "Orders are rows of oms.order_header." in ran.out
    folder = offline.folder / "starter"
    written = (folder / "connector.toml").read_text()
    assert PASSWORD not in written
    assert tomllib.loads(written)["mapping"]["path"] == "mapping.sql"
    settings = tomllib.loads(written.replace("# TODO: store_id", "store_id"))
    assert list(jsonschema_rs.Draft7Validator(json_schema()).iter_errors(settings)) == []
    steps = [line.partition(". ")[2] for line in ran.out.splitlines() if line.strip()[:1].isdigit()]
    assert tuple(step.split(": ")[1] for step in steps[: len(ASKED)]) == ASKED
    line = int(steps[ASKED.index("orderDiscounts")].split(":")[1])
    assert (folder / "mapping.sql").read_text().splitlines()[line - 1].strip().startswith("-- TODO: discounts on")
    # What it says is left, done:
    (folder / "secrets" / "api_secret").write_text(f"{TOKEN}\n")
    filled_in = written.replace('# TODO: store_id = "..."', f'store_id = "shop"\nbase_url = "{redo.base_url}"')
    # The port that the documentation names may be taken on this machine.
    (folder / "connector.toml").write_text(filled_in.replace("port = 9464", f"port = {free_port()}"))
    checked = offline("check", "--config", "starter/connector.toml")
    assert (checked.code, "Ready: `redo-connector run` can start." in checked.out) == (0, True), checked.out


def parts(value: Any, path: str) -> list[Any]:
    """What is at `lineItems.priceSet` of an order, of every line."""
    name, _, rest = path.partition(".")
    if isinstance(value, list):
        return [found for one in value for found in parts(one, path)]
    return parts(value[name], rest) if name else [value]


def test_what_it_fills_in_is_what_a_person_wrote_for_the_same_tables(offline: Cli, oms_database: Database) -> None:
    with oms_database.connect() as conn:
        demo_oms.seed(conn, 60, seed=7)
    offline.set("source", dsn=oms_database.dsn)
    offline.mapping = demo_oms.mapping()
    ran = offline("init", "--output-dir", "starter", "--dsn", oms_database.dsn)
    assert ran.code == 0, ran.err
    asked = set(re.findall(r"mapping.sql:\d+: ([\w.]+): ", ran.out))
    keys = [str(number) for number in range(1, 61)]
    by_hand = offline("preview", "--json", *keys).json
    offline.mapping = (offline.folder / "starter" / "mapping.sql").read_text()
    by_init = offline("preview", "--json", *keys).json
    problems = {problem for one in by_init for problem in one["problems"]}
    assert all("Redo protection line" in one or "_redo_type" in one or "what was bought" in one for one in problems)
    pairs = [
        (one["payload"], other["payload"]) for one, other in zip(by_hand, by_init, strict=True) if other["payload"]
    ]
    assert len(pairs) > 30
    for path in (*REQUIRED, "cancelledAt", "fulfillments.shippingDate", "fulfillments.deliveryDate"):
        assert path in asked or [parts(one, path) for one, _ in pairs] == [parts(other, path) for _, other in pairs]
    assert asked == set(ASKED)


def test_it_reads_the_catalog_alone(offline: Cli, oms_database: Database) -> None:
    with oms_database.connect() as conn:
        demo_oms.seed(conn, 5, seed=7)
        conn.execute(f"CREATE ROLE looker_{oms_database.name} LOGIN".encode())
    dsn = oms_database.dsn.replace("//postgres@", f"//looker_{oms_database.name}@")
    ran = offline("init", "--output-dir", "starter", "--dsn", dsn)
    assert ran.code == 0
    assert "Orders are rows of oms.order_header." in ran.out
    assert 'GRANT SELECT ON "oms"."cust_address"' in ran.err
    refused = offline("init", "--output-dir", "other", "--dsn", dsn, "--sample")
    assert refused.code == 2
    assert "permission denied for schema oms" in refused.err
    may_read = offline("init", "--output-dir", "more", "--dsn", oms_database.dsn)
    assert "dead letters" not in may_read.err
    with oms_database.connect() as conn:
        conn.execute(f"DROP ROLE looker_{oms_database.name}".encode())


def test_secrets_are_kept_out_of_version_control_and_from_other_users(offline: Cli, oms_database: Database) -> None:
    assert offline("init", "--output-dir", "starter", "--dsn", oms_database.dsn).code == 0
    secrets = offline.folder / "starter" / "secrets"
    assert (secrets / ".gitignore").read_text() == "*\n"
    assert secrets.stat().st_mode & 0o077 == 0
    assert (secrets / "api_secret").stat().st_mode & 0o077 == 0
    ran = offline("run", "--config", "starter/connector.toml")
    assert "redo.api_secret_file: names an empty file\n    write the value into starter/secrets/api_secret" in ran.err
    assert "redo.store_id: is required" in ran.err


@pytest.mark.parametrize("name", ["mapping.sql", "connector.toml"])
def test_nothing_is_overwritten(offline: Cli, oms_database: Database, name: str) -> None:
    folder = offline.folder / "starter"
    folder.mkdir()
    (folder / name).write_text("mine")
    ran = offline("init", "--output-dir", "starter", "--dsn", oms_database.dsn, "--yes")
    assert ran.code == 2
    assert f"starter/{name}: is there already" in ran.err
    assert [path.name for path in folder.iterdir()] == [name]
    assert (folder / name).read_text() == "mine"


def test_without_a_terminal_a_doubt_ends_it_with_the_likeliest_tables(offline: Cli, shop: Database) -> None:
    with shop.connect() as conn:
        conn.execute("CREATE SCHEMA old; CREATE TABLE old.orders (LIKE shop.orders INCLUDING ALL)")
        conn.execute("CREATE TABLE old.item (LIKE shop.item INCLUDING ALL)")
    ran = offline("init", "--output-dir", "starter", "--dsn", shop.dsn)
    assert ran.code == 2
    assert "which table holds orders isn't clear" in ran.err
    assert "shop.orders" in ran.err
    assert not (offline.folder / "starter").exists()
    named = offline(
        "init", "--output-dir", "starter", "--dsn", shop.dsn, "--order-table", "shop.orders", "--currency", "eur"
    )
    assert named.code == 0
    assert "'EUR' AS \"shopCurrency\"" in (offline.folder / "starter" / "mapping.sql").read_text()


def test_a_table_that_there_is_not_is_named(offline: Cli, oms_database: Database) -> None:
    ran = offline("init", "--output-dir", "starter", "--dsn", oms_database.dsn, "--order-table", "oms.order_head")
    assert ran.code == 2
    assert "oms.order_head: there is no such table" in ran.err
    assert "oms.order_header" in ran.err


def test_without_a_database_it_says_how_to_name_one(offline: Cli) -> None:
    ran = offline("init", "--output-dir", "starter", env={"PGDATABASE": "", "PGHOST": ""})
    assert ran.code == 2
    assert "source.dsn: which database isn't said" in ran.err
    assert "--dsn" in ran.err


def test_a_database_without_tables_is_told(offline: Cli, cluster: Cluster) -> None:
    empty = create_database(cluster)
    assert f"{empty.name} has no tables\n" in offline("init", "--output-dir", "starter", "--dsn", empty.dsn).err
    elsewhere = offline("init", "--output-dir", "starter", "--dsn", empty.dsn, "--schema", "Shop")
    assert f"{empty.name} has no tables in schema Shop\n" in elsewhere.err
    drop_database(cluster, empty.name)


def test_a_view_of_orders_is_told_from_a_table(offline: Cli, shop: Database) -> None:
    with shop.connect() as conn:
        conn.execute("CREATE VIEW shop.current_orders AS SELECT * FROM shop.orders")
        conn.execute("ALTER TABLE shop.orders RENAME TO t0100")
    for more in ([], ["--order-table", "shop.current_orders"]):
        ran = offline("init", "--output-dir", "starter", "--dsn", shop.dsn, *more)
        assert ran.code == 2
        assert "shop.current_orders" in ran.err
        assert "view" in ran.err
    named = offline("init", "--output-dir", "starter", "--dsn", shop.dsn, "--order-table", '"shop"."t0100"')
    assert "Orders are rows of shop.t0100." in named.out


def test_files_that_find_no_room_are_not_left_half_written(offline: Cli, oms_database: Database) -> None:
    offline("check")
    command = (
        f"ulimit -f 2; exec {sys.executable} -m connector init --output-dir starter --dsn {oms_database.dsn} --yes"
    )
    ran = subprocess.run(
        ["bash", "-c", command], cwd=offline.folder, env=offline._environment(), capture_output=True, check=False
    )
    assert (ran.returncode, b"starter: can't be written: File too large" in ran.stderr) == (2, True), ran.stderr
    assert [path.name for path in (offline.folder / "starter").iterdir()] == ["secrets"]
    assert offline("init", "--output-dir", "starter", "--dsn", oms_database.dsn).code == 0


class Terminal:
    """The command in front of somebody who reads and types."""

    def __init__(self, folder: Path, *arguments: str, **more: str) -> None:
        self._ours, theirs = pty.openpty()
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("CONNECTOR_", "PG"))}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "connector", *arguments],
            cwd=folder,
            env={**environment, "PYTHONPATH": str(ROOT), "COLUMNS": "200", **more},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        self.shown = ""

    def until(self, words: str) -> None:
        deadline = time.monotonic() + WITHIN
        while words not in self.shown:
            assert time.monotonic() < deadline, self.shown
            if not self._read():
                raise AssertionError(f"ended without {words!r}:\n{self.shown}")

    def type(self, text: str) -> None:
        os.write(self._ours, f"{text}\n".encode())

    def ended(self) -> int:
        while self._read():
            pass
        os.close(self._ours)
        return self._process.wait(WITHIN)

    def _read(self) -> bool:
        """Whether there may be more."""
        select.select([self._ours], [], [], WITHIN)
        try:
            more = os.read(self._ours, 65_536).decode(errors="replace")
        except OSError:  # the other end is closed
            return False
        self.shown += more.replace("\r\n", "\n")
        return bool(more)


@pytest.mark.parametrize(("more", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_colours_are_for_terminals_that_have_them_and_people_who_want_them(
    tmp_path: Path, more: dict[str, str], coloured: bool
) -> None:
    terminal = Terminal(tmp_path, "check", **{"TERM": "xterm", "NO_COLOR": "", **more})
    assert terminal.ended() == 2
    assert ("\x1b[" in terminal.shown) == coloured


def test_on_a_terminal_it_asks_and_enter_takes_what_it_proposes(tmp_path: Path, oms_database: Database) -> None:
    terminal = Terminal(tmp_path, "init", "--dsn", oms_database.dsn)
    terminal.until("Which one, by number or name? [oms.order_header]")
    assert "1  oms.order_header: its name, oms.order_item refers to it" in terminal.shown
    terminal.type("oms.orders")
    terminal.until(
        "Error: there is no such table, or the role may not see its schema; the likeliest are oms.order_header"
    )
    terminal.type("")
    terminal.until("Left to do, in order:")
    assert terminal.ended() == 0
    assert "FROM oms.order_header AS o" in (tmp_path / "mapping.sql").read_text()


def test_on_a_terminal_enter_takes_no_table_of_which_it_is_not_certain(tmp_path: Path, database: Database) -> None:
    with database.connect() as conn:
        conn.execute(
            "CREATE TABLE shipment (id int PRIMARY KEY, sent timestamptz); CREATE TABLE zakaz (id int PRIMARY KEY)"
        )
    terminal = Terminal(tmp_path, "init", "--dsn", database.dsn)
    terminal.until("Which one, by number or name?:")
    terminal.type("")
    terminal.type("zakaz")
    terminal.until("Which currency are orders in?")
    terminal.type("")
    assert terminal.ended() == 0
    assert "FROM public.zakaz AS o" in (tmp_path / "mapping.sql").read_text()


def test_on_a_terminal_what_names_do_not_tell_is_asked(tmp_path: Path, shop: Database) -> None:
    with shop.connect() as conn:
        conn.execute("CREATE TABLE shop.address (id int PRIMARY KEY, street text, city text, zip text)")
        conn.execute("ALTER TABLE shop.orders ADD home_address int REFERENCES shop.address")
        conn.execute("ALTER TABLE shop.orders ADD work_address int REFERENCES shop.address")
    terminal = Terminal(tmp_path, "init")
    terminal.until("Which database?")
    terminal.type(shop.dsn)
    terminal.until("Which one, by number or name?")
    terminal.type("shop.orders")
    terminal.until("Which one is it sent to?")
    terminal.type("work_address")
    terminal.until("Which currency are orders in? [USD]")
    terminal.type("cad")
    assert terminal.ended() == 0
    text = (tmp_path / "mapping.sql").read_text()
    assert "LEFT JOIN shop.address AS sa ON o.work_address = sa.id" in text
    assert "'CAD' AS \"presentmentCurrency\"" in text
