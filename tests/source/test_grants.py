"""The scripts of `grants`: who runs which part, where the database is hosted, names that try to break out; and that
nothing is left once it was taken back."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import psycopg
import pytest
from psycopg import sql

from connector.cli.verbs.inspection import HOSTINGS
from connector.model.changes import TableName
from connector.source.checks.grants import Access, grants
from connector.source.checks.hosting import Hosting, recognised
from connector.source.checks.preflight import preflight
from connector.source.checks.revocations import revocation
from tests.support.fixtures.postgres import Database, MakeCluster
from tests.support.postgres.followed_database import Followed

ORDERS = TableName("oms", "orders")
LINES = TableName("oms", "lines")


@pytest.fixture
def shop(database: Database) -> Followed:
    shop = Followed(database.dsn, f"slot_{database.name}")
    shop.execute(
        "CREATE SCHEMA oms",
        "CREATE TABLE oms.orders (id int PRIMARY KEY, email text)",
        "CREATE TABLE oms.lines (id int PRIMARY KEY)",
    )
    return shop


def wanted(
    shop: Followed,
    tables: Sequence[TableName] = (ORDERS,),
    read: Mapping[TableName, Sequence[str] | None] | None = None,
    role: str | None = None,
) -> Access:
    schemas = sorted({table.schema for table in tables})
    return Access(role or shop.name, tables, read or dict.fromkeys(tables), schemas)


async def script(shop: Followed, access: Access, hosting: Hosting | None = None) -> str:
    return await grants(shop.dsn, access, shop.name, shop.name, hosting)


def statements(script: str) -> list[str]:
    return [line for line in script.splitlines() if line and not line.startswith("--")]


def as_role(shop: Followed) -> str:
    return shop.dsn.replace("//postgres@", f"//{shop.name}@")


async def test_the_script_is_enough_and_a_second_one_makes_nothing_again(shop: Followed) -> None:
    shop.execute(await script(shop, wanted(shop)))
    assert (await preflight(as_role(shop), shop.name, shop.name, [ORDERS], manage=True)).problems == []
    again = await script(shop, wanted(shop))
    assert "CREATE" not in " ".join(statements(again))
    assert "The publications are there" in again
    shop.execute(again)


async def test_a_table_that_the_mapping_came_to_read_is_added(shop: Followed) -> None:
    shop.execute(await script(shop, wanted(shop)))
    more = await script(shop, wanted(shop, [ORDERS, LINES]))
    assert f'ALTER PUBLICATION "{shop.name}" ADD TABLE ONLY "oms"."lines";' in statements(more)
    shop.execute(more)
    assert (await preflight(as_role(shop), shop.name, shop.name, [ORDERS, LINES], manage=True)).problems == []


async def test_a_role_that_is_there_gets_only_what_it_lacks(shop: Followed) -> None:
    shop.execute(f"CREATE ROLE {shop.name}")
    lines = statements(await script(shop, wanted(shop)))
    assert lines[:2] == [f'ALTER ROLE "{shop.name}" LOGIN;', f'ALTER ROLE "{shop.name}" REPLICATION;']


async def test_only_the_named_columns_are_let_read(shop: Followed) -> None:
    shop.execute(await script(shop, wanted(shop, read={ORDERS: ["id"], LINES: None})))
    with psycopg.connect(as_role(shop), autocommit=True) as role:
        role.execute("SELECT id FROM oms.orders")
        role.execute("TABLE oms.lines")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            role.execute("SELECT email FROM oms.orders")
        for verb in ("INSERT INTO oms.lines VALUES (1)", "DELETE FROM oms.lines", "TRUNCATE oms.lines"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                role.execute(verb.encode())


async def test_each_part_can_be_run_by_the_role_that_it_names(shop: Followed, database: Database) -> None:
    """Nobody but the first part needs a superuser, and the slot is the connector's own to make."""
    anna, bert, both = (f"{name}_{database.name}" for name in ("anna", "bert", "both"))
    shop.execute(
        *[f"CREATE ROLE {name}" for name in (anna, bert, both)],
        f"ALTER SCHEMA oms OWNER TO {anna}",
        f"ALTER TABLE oms.orders OWNER TO {anna}",
        f"ALTER TABLE oms.lines OWNER TO {bert}",
        f"GRANT USAGE ON SCHEMA oms TO {bert}, {both}",
        f"GRANT {anna}, {bert} TO {both}",
        f"GRANT CREATE ON DATABASE {database.name} TO {both}",
    )
    _, role, reading, publishing, slot = (await script(shop, wanted(shop, [ORDERS, LINES]))).split("\n\n")
    assert "Run this as a superuser." in role
    shop.execute(*statements(role))
    owner = ""
    for line in reading.splitlines():
        found = re.fullmatch(r"-- as (\w+):", line)
        owner = found[1] if found else owner
        if not line.startswith("--"):
            shop.execute(f"SET ROLE {owner}; {line}")
    assert owner == bert
    assert f"--    {anna}: oms.orders\n--    {bert}: oms.lines" in publishing
    shop.execute(f"SET ROLE {both}; {' '.join(statements(publishing))}")
    assert statements(slot) == []
    with psycopg.connect(as_role(shop), autocommit=True) as role_itself:
        role_itself.execute(slot.splitlines()[-1].removeprefix("-- ").encode())
    assert (await preflight(as_role(shop), shop.name, shop.name, [ORDERS, LINES], manage=False)).problems == []


async def test_a_single_owner_is_named_with_what_it_needs_to_publish(shop: Followed, database: Database) -> None:
    anna = f"anna_{database.name}"
    shop.execute(
        f"CREATE ROLE {anna}", f"ALTER TABLE oms.orders OWNER TO {anna}", f"GRANT USAGE ON SCHEMA oms TO {anna}"
    )
    publishing = (await script(shop, wanted(shop))).split("\n\n")[3]
    assert f"Run this as {anna}, who owns the tables" in publishing
    grant = re.search(r"needs for that: (GRANT CREATE ON DATABASE .+;)", publishing)
    assert grant is not None
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        shop.execute(f"SET ROLE {anna}; {' '.join(statements(publishing))}")
    shop.execute(grant[1], f"SET ROLE {anna}; {' '.join(statements(publishing))}")


EVIL = 'x"\n; DROP TABLE oms.orders; --\r'
"""A name that ends a comment and a quoted name, if it is let."""


async def test_names_that_try_to_break_out_are_only_names(shop: Followed, database: Database) -> None:
    role, owner = f"role {EVIL}{database.name}", f"owner {EVIL}{database.name}"
    table = TableName(EVIL, EVIL)
    with database.connect() as conn:
        names = {"role": sql.Identifier(owner), "schema": sql.Identifier(EVIL), "table": sql.Identifier(EVIL, EVIL)}
        for statement in (
            "CREATE ROLE {role}",
            "CREATE SCHEMA {schema} AUTHORIZATION {role}",
            "CREATE TABLE {table} ({schema} int PRIMARY KEY)",
            "ALTER TABLE {table} OWNER TO {role}",
            "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        ):
            conn.execute(sql.SQL(statement).format(**names))
        found = await script(shop, wanted(shop, [ORDERS, table], {ORDERS: None, table: [EVIL]}, role))
        conn.execute(found.encode())
        assert conn.execute("SELECT count(*) FROM oms.orders").fetchone() == (0,)
        query = (
            "SELECT has_column_privilege(%s, c.oid, %s, 'SELECT') FROM pg_class c WHERE relname = %s AND relkind = 'r'"
        )
        assert conn.execute(query, (role, EVIL, EVIL)).fetchone() == (True,)
        drop = "DROP OWNED BY {0}; DROP ROLE {0}"
        conn.execute(sql.SQL(drop).format(sql.Identifier(role)).as_string().encode())


def test_the_command_offers_every_hosting() -> None:
    assert set(HOSTINGS) == set(Hosting)


@pytest.mark.parametrize(
    ("roles", "aurora", "hosting"),
    [
        ({"postgres"}, False, Hosting.SELF_HOSTED),
        ({"rds_superuser", "rds_replication"}, False, Hosting.RDS),
        ({"rds_superuser", "rds_replication"}, True, Hosting.AURORA),
        ({"cloudsqlsuperuser", "cloudsqladmin"}, False, Hosting.CLOUD_SQL),
        ({"azure_pg_admin"}, False, Hosting.AZURE),
        ({"supabase_admin", "postgres"}, False, Hosting.SUPABASE),
    ],
)
def test_a_managed_service_is_recognised_by_its_roles(roles: set[str], aurora: bool, hosting: Hosting) -> None:
    assert recognised(frozenset(roles), aurora=aurora) is hosting


async def test_on_rds_a_role_replicates_by_membership_and_the_parameter_is_named(make_cluster: MakeCluster) -> None:
    shop = Followed(make_cluster(settings={"wal_level": "replica"}).dsn(), "reader")
    shop.execute(
        "CREATE ROLE rds_superuser",
        "CREATE ROLE rds_replication",
        "CREATE SCHEMA oms",
        "CREATE TABLE oms.orders (id int PRIMARY KEY)",
    )
    found = await script(shop, wanted(shop))
    assert "-- 1. The role. Run this as a member of rds_superuser." in found
    assert "rds.logical_replication = 1 in the DB parameter group, then reboot" in found
    assert statements(found)[:2] == ['CREATE ROLE "reader" LOGIN;', 'GRANT "rds_replication" TO "reader";']
    shop.execute("CREATE ROLE reader LOGIN")
    problems = (await preflight(as_role(shop), "reader", "reader", [], manage=True)).problems
    mending = {problem.what: problem.hint for problem in problems}
    assert mending["role reader may not replicate"].endswith('GRANT "rds_replication" TO "reader";')
    assert "rds.logical_replication" in mending["wal_level is replica"]
    shop.execute('GRANT "rds_replication" TO "reader"')
    problems = (await preflight(as_role(shop), "reader", "reader", [], manage=True)).problems
    assert "role reader may not replicate" not in [problem.what for problem in problems]


@pytest.mark.parametrize("hosting", list(Hosting))
async def test_every_hosting_has_its_own_words_and_a_way_to_replicate(shop: Followed, hosting: Hosting) -> None:
    found = await script(shop, wanted(shop), hosting)
    by_membership = hosting in (Hosting.RDS, Hosting.AURORA)
    assert ("LOGIN REPLICATION;" in found) is not by_membership
    assert ('GRANT "rds_replication"' in found) is by_membership


async def taken_back(shop: Followed) -> str:
    return await revocation(shop.dsn, shop.name, shop.name, shop.name)


async def test_revoking_leaves_nothing_of_what_was_granted(shop: Followed, database: Database) -> None:
    anna = f"anna_{database.name}"
    shop.execute(
        f"CREATE ROLE {anna}",
        f"ALTER TABLE oms.orders OWNER TO {anna}",
        "ALTER TABLE oms.lines ENABLE ROW LEVEL SECURITY",
        "CREATE FUNCTION oms.tidy(text, OUT tidied text) LANGUAGE sql IMMUTABLE AS 'SELECT lower($1)'",
        "REVOKE EXECUTE ON FUNCTION oms.tidy(text) FROM PUBLIC",
    )
    reads = {ORDERS: ["id"], LINES: None}
    functions = [("oms", "tidy", "text")]
    access = Access(shop.name, [ORDERS, LINES], reads, ["oms"], functions, ["oms"])
    shop.execute(await script(shop, access))
    # The connector's own part.
    with psycopg.connect(as_role(shop), autocommit=True) as role:
        role.execute(f"SELECT pg_create_logical_replication_slot('{shop.name}', 'pgoutput')".encode())
    revoking = await taken_back(shop)
    assert f'-- as {anna}:\nREVOKE ALL ON TABLE "oms"."orders" FROM "{shop.name}";' in revoking
    assert f'DROP POLICY "{shop.name}" ON "oms"."lines";' in revoking
    shop.execute(revoking)
    for query in (
        f"SELECT count(*) FROM pg_roles WHERE rolname = '{shop.name}'",
        f"SELECT count(*) FROM pg_publication WHERE pubname LIKE '{shop.name}%'",
        f"SELECT count(*) FROM pg_replication_slots WHERE slot_name = '{shop.name}'",
        "SELECT count(*) FROM pg_policy",
    ):
        assert shop.ask(query) == 0, query
    again = await taken_back(shop)
    assert "nothing any more" in again
    assert f"there is no role {shop.name}" in again
    shop.execute(again)


async def test_revoking_drops_no_role_that_something_else_needs(shop: Followed) -> None:
    shop.execute(await script(shop, wanted(shop)), f"CREATE SCHEMA checkpoints AUTHORIZATION {shop.name}")
    revoking = await taken_back(shop)
    assert "3. The role: it still has to do with schema checkpoints." in revoking
    shop.execute(revoking)
    assert shop.ask(f"SELECT count(*) FROM pg_roles WHERE rolname = '{shop.name}'") == 1
    assert shop.ask(f"SELECT has_table_privilege('{shop.name}', 'oms.orders', 'SELECT')") is False
    shop.execute(f"DROP SCHEMA checkpoints; DROP ROLE {shop.name}")


async def test_revoking_takes_names_that_try_to_break_out_for_names(shop: Followed, database: Database) -> None:
    role, table = f"role {EVIL}{database.name}", TableName(EVIL, EVIL)
    with database.connect() as conn:
        names = {"schema": sql.Identifier(EVIL), "table": sql.Identifier(EVIL, EVIL)}
        conn.execute(sql.SQL("CREATE SCHEMA {schema}; CREATE TABLE {table} (id int PRIMARY KEY)").format(**names))
        conn.execute((await script(shop, wanted(shop, [ORDERS, table], {ORDERS: None, table: ["id"]}, role))).encode())
        conn.execute((await revocation(shop.dsn, role, shop.name, shop.name)).encode())
        assert conn.execute("SELECT count(*) FROM pg_roles WHERE rolname = %s", (role,)).fetchone() == (0,)
        assert conn.execute("SELECT count(*) FROM oms.orders").fetchone() == (0,)
