"""A database that isn't fit: one message with the remedy, SQL where a DBA must act, and the OMS left as it was."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import sql

from tests.support.fixtures.cli import PASSWORD, SHOP, Cli
from tests.support.fixtures.postgres import Database, MakeCluster


def test_a_closed_port_is_named_without_the_password(offline: Cli) -> None:
    check, run = offline("check"), offline("run")
    assert (check.code, run.code) == (1, 2)
    for said in (check.out, run.err):
        assert "source.dsn: the database 127.0.0.1:1/shop is not available" in said
        assert "Connection refused" in said
        assert "check host and port" in said


@pytest.mark.parametrize(
    ("old", "new", "message", "hint"),
    [
        ("postgres@", f"stranger:{PASSWORD}@", 'role "stranger" does not exist', "check the user name"),
        ("/test_", "/nowhere_", "does not exist", "check the database's name"),
        ("127.0.0.1", "db.invalid", "failed to resolve host 'db.invalid'", "check the host's name"),
    ],
)
def test_a_database_that_does_not_answer_is_named(
    cli: Cli, shop: Database, old: str, new: str, message: str, hint: str
) -> None:
    cli.set("source", dsn=shop.dsn.replace(old, new))
    ran = cli("explain")
    assert ran.code == 2
    assert message in ran.err
    assert hint in ran.err


def test_a_connection_string_that_cannot_be_read_is_not_quoted(offline: Cli) -> None:
    offline.set("source", dsn=f"postgresql://clerk:{PASSWORD}#@host:x/y")
    ran = offline("preview")
    assert ran.code == 2
    assert "source.dsn: the connection string can't be read\n    write postgresql://" in ran.err


def test_wal_level_and_a_full_house_are_said_with_the_setting_to_raise(cli: Cli, make_cluster: MakeCluster) -> None:
    settings = {"wal_level": "replica", "max_wal_senders": "10", "max_replication_slots": "1"}
    cluster = make_cluster(settings=settings)
    with psycopg.connect(cluster.dsn(), autocommit=True) as conn:
        conn.execute(SHOP)
        conn.execute("SELECT pg_create_physical_replication_slot('standby')")
    cli.set("source", dsn=cluster.dsn())
    ran = cli("run")
    assert ran.code == 2
    assert "source.dsn: wal_level is replica\n    ALTER SYSTEM SET wal_level = 'logical'" in ran.err
    assert "all 1 replication slots are taken\n    raise max_replication_slots above 1" in ran.err
    with psycopg.connect(cluster.dsn()) as conn:
        assert conn.execute("SELECT count(*) FROM pg_publication").fetchone() == (0,)


@pytest.fixture
def clerk(cli: Cli, shop: Database) -> str:
    """A role that may only log in, in the place of the superuser."""
    role = f"clerk_{shop.name}"
    with shop.connect() as conn:
        conn.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
    cli.set("source", dsn=shop.cluster.dsn(shop.name, user=role))
    return role


def test_a_role_without_privileges_gets_the_sql_that_a_dba_runs_until_it_is_ready(
    cli: Cli, shop: Database, clerk: str
) -> None:
    first = cli("run")
    assert first.code == 2
    assert f'GRANT USAGE ON SCHEMA "shop" TO "{clerk}";' in first.err
    grant = f'GRANT SELECT ON "shop"."item", "shop"."note", "shop"."orders" TO "{clerk}";'
    assert grant in first.err
    with shop.connect() as conn:
        conn.execute(f'GRANT USAGE ON SCHEMA shop TO "{clerk}"'.encode())
        conn.execute(grant.encode())
    second = cli("run")
    assert second.code == 2
    assert f'ALTER ROLE "{clerk}" REPLICATION;' in second.err
    create = (
        'CREATE PUBLICATION "redo_connector" FOR TABLE ONLY "shop"."item", ONLY "shop"."note", ONLY "shop"."orders"'
    )
    assert create in second.err
    with shop.connect() as conn:
        conn.execute(f'ALTER ROLE "{clerk}" REPLICATION'.encode())
        conn.execute(f"{create} WITH (publish_via_partition_root = true)".encode())
    ready = cli("check")
    assert (ready.code, "warning" in ready.out) == (0, False)


def test_what_grants_prints_is_enough_for_a_connector_that_manages_nothing(cli: Cli, shop: Database) -> None:
    role, slot = f"reader_{shop.name}", cli.settings["source"]["slot"]
    printed = cli("grants", "--role", role, "--for", "self-hosted")
    assert printed.code == 0
    create = printed.out.splitlines()[-1].removeprefix("-- ")
    with shop.connect() as conn:
        conn.execute(printed.out.encode())
        conn.execute(create.encode())
    cli.set("source", dsn=shop.cluster.dsn(shop.name, user=role), manage=False)
    checked = cli("check")
    assert (checked.code, "warning" in checked.out) == (0, False)
    daemon = cli.start("run")
    daemon.until_said("streaming")
    assert daemon.stop() == 0
    assert "slot_created" not in daemon.said()
    refused = cli("teardown", "--yes")
    assert refused.code == 2
    assert f"WHERE slot_name = '{slot}';" in refused.err
    assert 'DROP PUBLICATION IF EXISTS "redo_connector";' in refused.err


def test_a_table_without_replica_identity_is_told_with_its_remedy_and_stays_writable(cli: Cli, shop: Database) -> None:
    with shop.connect() as conn:
        conn.execute("ALTER TABLE shop.note DROP CONSTRAINT note_pkey")
        conn.execute("INSERT INTO shop.note VALUES (1, 1, '')")
    checked = cli("check")
    assert "shop.note: it has no usable replica identity" in checked.out + checked.err
    assert 'ALTER TABLE "shop"."note" ADD PRIMARY KEY (...)' in checked.out + checked.err
    assert "all orders be looked at" not in checked.out + checked.err
    assert "updates and deletes: found by the reconcile sweep" in cli("explain").out
    printed = cli("grants").out
    assert 'ALTER PUBLICATION "redo_connector" ADD TABLE ONLY "shop"."item";' in printed
    assert 'ALTER PUBLICATION "redo_connector" ADD TABLE ONLY "shop"."orders";' in printed
    assert 'ALTER PUBLICATION "redo_connector_inserts" ADD TABLE ONLY "shop"."note";' in printed
    daemon = cli.start("run")
    daemon.until_said("streaming")
    assert "it has no usable replica identity" in daemon.said()
    with shop.connect() as conn:
        assert conn.execute("UPDATE shop.note SET body = 'still written'").rowcount == 1
        assert conn.execute("DELETE FROM shop.note").rowcount == 1
    assert daemon.stop() == 0


def test_check_tells_of_the_slot_that_a_changed_setting_left_behind(cli: Cli, shop: Database) -> None:
    daemon = cli.start("run")
    daemon.until_said("streaming")
    assert daemon.stop() == 0
    former = cli.settings["source"]["slot"]
    cli.set("source", slot=f"other_{shop.name}")
    checked = cli("check")
    assert checked.code == 0
    assert f"warning  slot {former}: a slot of ours, in database {shop.name}, that nobody has read" in checked.out
    assert f"SELECT pg_drop_replication_slot('{former}');" in checked.out


def test_a_slot_of_another_plugin_or_database_is_left_alone(cli: Cli, shop: Database) -> None:
    slot = cli.settings["source"]["slot"]
    with shop.connect() as conn:
        conn.execute("SELECT pg_create_physical_replication_slot(%s)", (slot,))
        run, teardown = cli("run"), cli("teardown", "--yes")
        conn.execute("SELECT pg_drop_replication_slot(%s)", (slot,))
    for ran in (run, teardown):
        assert ran.code == 2
        assert f"slot {slot}: it is a physical slot, not a logical one\n    choose another name" in ran.err
    with psycopg.connect(shop.cluster.dsn(), autocommit=True) as elsewhere:
        elsewhere.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", (slot,))
        run = cli("run")
        elsewhere.execute("SELECT pg_drop_replication_slot(%s)", (slot,))
    assert run.code == 2
    assert f"slot {slot}: it belongs to database postgres, not {shop.name}" in run.err
