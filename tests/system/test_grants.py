"""The whole connector as the role that `grants` prints: a password, REPLICATION, and what the script gives, no more.

The server lets nobody but its superuser in without a password, and nothing is left to PUBLIC.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from connector.demo import oms as demo_oms
from connector.inspect import grants
from connector.inspect.checks import check
from connector.model.errors import ConfigurationError, Problem
from connector.sandbox.server import SandboxServer
from connector.source.objects.teardown import teardown
from tests.support.fixtures.connector import Rig
from tests.support.fixtures.postgres import Database, create_database, drop_database
from tests.support.postgres.cluster import Cluster, Template

PASSWORD = "correct horse"

# What customers' addresses are must stay in `core`; the mapping reads views.
SHOP = """
CREATE SCHEMA core; CREATE SCHEMA face; CREATE SCHEMA kinds;
CREATE TYPE kinds.channel AS ENUM ('web', 'phone');
CREATE TABLE core.orders (
    id bigint PRIMARY KEY, email text NOT NULL, notes text, channel kinds.channel NOT NULL DEFAULT 'web'
) PARTITION BY RANGE (id);
CREATE TABLE core.orders_low PARTITION OF core.orders FOR VALUES FROM (0) TO (4);
CREATE TABLE core.orders_high PARTITION OF core.orders FOR VALUES FROM (4) TO (100);
CREATE TABLE core.item (
    order_id bigint, line int, product_id int NOT NULL, qty int NOT NULL, PRIMARY KEY (order_id, line)
) PARTITION BY HASH (order_id);
CREATE TABLE core.item_0 PARTITION OF core.item FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE core.item_1 PARTITION OF core.item FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE core.product (id int PRIMARY KEY, sku text NOT NULL, cost numeric);
CREATE VIEW face.orders AS SELECT id, email, channel, notes FROM core.orders;
CREATE VIEW face.items AS
    SELECT i.order_id, i.line, i.qty, p.sku FROM core.item i JOIN core.product p ON p.id = i.product_id;
CREATE FUNCTION core.tidy(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower($1)';
REVOKE EXECUTE ON FUNCTION core.tidy(text) FROM PUBLIC;
INSERT INTO core.product VALUES (1, 'mug', 2), (2, 'cup', 3);
INSERT INTO core.orders SELECT id, 'Buyer' || id || '@shop.example' FROM generate_series(1, 6) AS id;
INSERT INTO core.item SELECT id, 1, 1 + id % 2, 2 FROM core.orders;
ANALYZE;
"""

MAPPING = """
SELECT
    o.id::text AS id,
    '2026-01-05 10:00Z'::timestamptz AS created_at,
    'USD' AS presentment_currency,
    'USD' AS shop_currency,
    o.channel::text AS sales_channel,
    jsonb_build_object('email', core.tidy(o.email), 'first_name', 'Ada', 'last_name', 'Byron') AS customer,
    jsonb_build_object(
        'address1', '1 Main St', 'city', 'Provo', 'province_code', 'UT', 'zip', '84601', 'country_code', 'US'
    ) AS shipping_address,
    (SELECT jsonb_agg(jsonb_build_object(
        'id', i.order_id || '-' || i.line, 'product_id', i.sku, 'sku', i.sku, 'title', i.sku,
        'quantity', i.qty, 'price_set', 12.5
    ) ORDER BY i.line) FROM face.items i WHERE i.order_id = o.id) AS line_items,
    NULL::jsonb AS order_discounts,
    NULL::jsonb AS shipping_lines,
    NULL::jsonb AS fulfillments
FROM face.orders o
WHERE o.channel <> 'phone'::kinds.channel
"""


@pytest.fixture(scope="module")
def strict(template: Template) -> Iterator[Cluster]:
    """A server that asks every role but its superuser for a password."""
    settings = {"fsync": "off", "password_encryption": "scram-sha-256"}
    with Cluster.create(template=template, settings=settings) as made:
        made.stop()
        rules = ["host all postgres 127.0.0.1/32 trust", "host all all 127.0.0.1/32 scram-sha-256"]
        (made.data / "pg_hba.conf").write_text("\n".join([*rules, ""]))
        made.start()
        yield made


def closed(cluster: Cluster) -> Database:
    """A database that is nobody's but its owner's."""
    made = create_database(cluster)
    with made.connect() as conn:
        conn.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(made.name)))
        conn.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    return made


@dataclass(slots=True)
class Let:
    """A database, and the role that the script let into it."""

    rig: Rig
    role: str

    @property
    def dsn(self) -> str:
        return dsn_of(self.rig.database, self.role)

    def execute(self, *statements: str) -> None:
        with self.rig.database.connect() as conn:
            for statement in statements:
                conn.execute(statement.encode())

    def refused(self, statement: str) -> bool:
        """Whether the role may not do it."""
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            try:
                conn.execute(statement.encode())
            except psycopg.errors.InsufficientPrivilege:
                return True
        return False

    async def problems(self) -> list[Problem]:
        return [each for each in (await check.check(self.rig.settings())).problems if not each.warning]


def dsn_of(database: Database, role: str) -> str:
    return database.cluster.dsn(database.name, user=role).replace("@", f":{PASSWORD.replace(' ', '%20')}@")


async def let_in(rig: Rig) -> Let:
    """As an operator would: with a role that may do nothing, print the script; a DBA runs it and sets a password."""
    database = rig.database
    bare, role = f"bare_{database.name}", f"reader_{database.name}"
    with database.connect() as conn:
        conn.execute(f"CREATE ROLE {bare} LOGIN PASSWORD '{PASSWORD}'".encode())
        conn.execute(f"GRANT CONNECT ON DATABASE {database.name} TO {bare}".encode())
        rig.overrides["source"] = {"dsn": dsn_of(database, bare)}
        conn.execute((await grants.grants(rig.settings(), role, None)).encode())
        conn.execute(f"ALTER ROLE {role} PASSWORD '{PASSWORD}'".encode())
    rig.overrides["source"] = {"dsn": dsn_of(database, role)}
    return Let(rig, role)


async def follows(let: Let, change: str) -> None:
    """Check, backfill, follow a change, and take back what the role may."""
    rig = let.rig
    assert await let.problems() == []
    await rig.start()
    await rig.quiet()
    assert (await rig.verdict()).clean
    before = rig.stored()
    rig.execute(change)
    await rig.quiet()
    assert (await rig.verdict()).clean
    assert rig.stored() != before
    await rig.stop()
    assert await let.problems() == []
    dropped = await teardown(let.dsn, rig.slot, "redo_connector")
    assert str(dropped) == f"slot {rig.slot}"
    assert [each.where for each in dropped.others] == [
        "publication redo_connector",
        "publication redo_connector_inserts",
    ]


async def test_the_sample_oms_is_followed_by_a_role_with_what_the_script_gives(
    strict: Cluster, sandbox: SandboxServer, tmp_path: Path
) -> None:
    database = closed(strict)
    with database.connect() as conn:
        demo_oms.create(conn)
        demo_oms.seed(conn, 20, 3)
    let = await let_in(Rig(database, sandbox, tmp_path, demo_oms.mapping()))
    await follows(let, "UPDATE oms.product SET prod_nm = prod_nm || ' II'")
    assert let.refused("UPDATE oms.product SET prod_nm = ''")
    drop_database(strict, database.name)


async def test_a_mapping_by_views_lets_the_role_see_of_their_tables_what_joins_them_only(
    strict: Cluster, sandbox: SandboxServer, tmp_path: Path
) -> None:
    database = closed(strict)
    with database.connect() as conn:
        conn.execute(SHOP)
    let = await let_in(Rig(database, sandbox, tmp_path, MAPPING))
    await follows(let, "UPDATE core.product SET sku = 'mug II' WHERE id = 1")
    for statement, refused in {
        "SELECT email FROM core.orders": True,
        "SELECT id FROM core.orders": False,
        "SELECT id FROM core.orders_low": True,
        "SELECT qty FROM core.item": True,
        "SELECT order_id, product_id FROM core.item": False,
        "SELECT id FROM core.product": True,
        "SELECT * FROM face.items": False,
    }.items():
        assert let.refused(statement) is refused, statement
    drop_database(strict, database.name)


@pytest.fixture(scope="module")
def shop_of_views(strict: Cluster) -> Iterator[Database]:
    made = closed(strict)
    with made.connect() as conn:
        conn.execute(SHOP)
    yield made
    drop_database(strict, made.name)


@pytest.fixture
async def let(shop_of_views: Database, sandbox: SandboxServer, tmp_path: Path) -> Let:
    rig = Rig(shop_of_views, sandbox, tmp_path, MAPPING)
    role = f"reader_{shop_of_views.name}"
    with shop_of_views.connect() as conn:
        there = conn.execute("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %s)", (role,)).fetchone()
    if there != (True,):
        return await let_in(rig)
    rig.overrides["source"] = {"dsn": dsn_of(shop_of_views, role)}
    return Let(rig, role)


def statement_in(hint: str) -> str:
    """The SQL that the advice says to run."""
    found = re.search(r"(?:GRANT|ALTER|CREATE|SELECT pg_create)[^;]+;", hint)
    assert found is not None, hint
    return found.group()


BREAKING = {
    "to connect": (
        "REVOKE CONNECT ON DATABASE {db} FROM {role}",
        "permission denied for database",
    ),
    "to replicate": ("ALTER ROLE {role} NOREPLICATION", "role {role} may not replicate"),
    "to use a schema of views": ("REVOKE USAGE ON SCHEMA face FROM {role}", "role {role} may not use schema face"),
    "to use the schema that our queries read": (
        "REVOKE USAGE ON SCHEMA core FROM {role}",
        "role {role} may not use schema core",
    ),
    "to use the schema of a type": ("REVOKE USAGE ON SCHEMA kinds FROM {role}", "role {role} may not use schema kinds"),
    "to read a view": ("REVOKE SELECT ON face.items FROM {role}", "role {role} may not read face.items"),
    "to read a key column": (
        "REVOKE SELECT (id) ON core.orders FROM {role}",
        "role {role} may not read id of core.orders",
    ),
    "to read a joining column": (
        "REVOKE SELECT (product_id) ON core.item FROM {role}",
        "role {role} may not read product_id of core.item",
    ),
    "to call a function": (
        "REVOKE EXECUTE ON FUNCTION core.tidy(text) FROM {role}",
        'role {role} may not call "core"."tidy"(text)',
    ),
    "to see rows": ("ALTER TABLE core.orders ENABLE ROW LEVEL SECURITY", "every row is hidden"),
    "a publication": ("DROP PUBLICATION redo_connector", "there is no such publication"),
    "a published table": (
        "ALTER PUBLICATION redo_connector DROP TABLE core.product",
        "it does not cover core.product",
    ),
}


async def test_each_missing_privilege_is_named_alone_with_the_sql_that_mends_it(let: Let) -> None:
    for missing in BREAKING:
        breaking, words = (text.format(role=let.role, db=let.rig.database.name) for text in BREAKING[missing])
        let.execute(breaking)
        found = await let.problems()
        assert [words in problem.what for problem in found] == [True], (missing, found)
        let.execute(statement_in(found[0].hint))
    assert await let.problems() == []


async def test_all_that_is_missing_is_told_at_once(let: Let) -> None:
    alone = ["to replicate", "to use a schema of views", "to read a view", "to call a function", "a published table"]
    let.execute(*[BREAKING[each][0].format(role=let.role) for each in alone])
    found = await let.problems()
    for each in alone:
        assert any(BREAKING[each][1].format(role=let.role) in problem.what for problem in found), each
    let.execute(*[statement_in(problem.hint) for problem in found])
    assert await let.problems() == []


async def test_privileges_on_single_columns_are_enough_where_the_mapping_reads_no_more(let: Let) -> None:
    let.execute(
        f"REVOKE SELECT ON face.orders FROM {let.role}",
        f"GRANT SELECT (id, email, channel) ON face.orders TO {let.role}",
    )
    assert await let.problems() == []
    let.execute(f"REVOKE SELECT (email) ON face.orders FROM {let.role}")
    [problem] = await let.problems()
    assert problem.what == f"role {let.role} may not read email of face.orders"
    let.execute(statement_in(problem.hint))
    assert await let.problems() == []
    let.execute(f"GRANT SELECT ON face.orders TO {let.role}")


async def test_a_function_of_which_another_may_be_called_is_named_once_the_server_refuses_it(let: Let) -> None:
    """Which of several functions of a name is meant, only the server knows."""
    let.execute(
        "CREATE FUNCTION core.tidy(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1'",
        f"REVOKE EXECUTE ON FUNCTION core.tidy(text) FROM {let.role}",
    )
    try:
        [problem] = await let.problems()
        assert problem.what == f"permission denied for function tidy (role {let.role})"
        assert statement_in(problem.hint) == f'GRANT EXECUTE ON FUNCTION "core"."tidy"(text) TO "{let.role}";'
        let.execute(statement_in(problem.hint))
        assert await let.problems() == []
    finally:
        let.execute("DROP FUNCTION core.tidy(int)")


async def warned(let: Let, table: str) -> Sequence[Problem]:
    return [each for each in (await check.check(let.rig.settings())).problems if each.where == table]


async def test_row_level_security_refuses_when_it_hides_all_and_warns_when_it_may_hide_some(let: Let) -> None:
    let.execute("ALTER TABLE core.item ENABLE ROW LEVEL SECURITY")
    try:
        [hides_all] = await warned(let, "core.item")
        assert not hides_all.warning
        with pytest.raises(ConfigurationError, match="every row is hidden"):
            await let.rig.start()
        await let.rig.abandon()
        let.execute(f"CREATE POLICY few ON core.item FOR SELECT TO {let.role} USING (qty > 0)")
        [hides_some] = await warned(let, "core.item")
        assert hides_some.warning
        assert "may be hidden" in hides_some.what
        let.execute(statement_in(hides_some.hint))
        assert await warned(let, "core.item") == []
        let.execute(f"CREATE POLICY never ON core.item AS RESTRICTIVE FOR SELECT TO {let.role} USING (qty < 9)")
        [restricted] = await warned(let, "core.item")
        assert restricted.warning
        let.execute(f"ALTER ROLE {let.role} BYPASSRLS")
        assert await warned(let, "core.item") == []
    finally:
        let.execute(f"ALTER ROLE {let.role} NOBYPASSRLS", "ALTER TABLE core.item DISABLE ROW LEVEL SECURITY")


async def test_tables_of_a_view_with_the_readers_rights_are_let_read(let: Let) -> None:
    if let.rig.database.cluster.version < 15:
        pytest.skip("Postgres 15 brought such views")
    let.execute("ALTER VIEW face.items SET (security_invoker = true)")
    try:
        told = [problem.what for problem in await let.problems()]
        columns = f"role {let.role} may not read line, qty of core.item"
        assert told == [f"role {let.role} may not read core.product", columns]
        let.execute(await grants.grants(let.rig.settings(), let.role, None))
        assert await let.problems() == []
    finally:
        let.execute("ALTER VIEW face.items SET (security_invoker = false)")
        let.execute(f"REVOKE SELECT ON core.item, core.product FROM {let.role}")
        let.execute(await grants.grants(let.rig.settings(), let.role, None))
