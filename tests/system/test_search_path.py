"""Nothing that an unprivileged role puts into a schema of the search path is run, nor changes what an order says.

Each runs on a database in which everybody may create in `public`, as it is up to Postgres 14 unless a DBA forbade it.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from connector.checkpoints.address import Address
from connector.checkpoints.postgres.preflight import preflight
from connector.model.changes import TableName
from connector.model.errors import ConfigurationError, MappingBroken, ReadingVoid
from connector.model.orders import OrderKey
from connector.postgres import connections
from connector.projection import Assembler, Projection, access, load
from connector.projection.assembly.sessions import ReadSettings, Session, connect
from connector.source.checks.grants import Access, grants
from tests.support.fixtures.postgres import Database
from tests.support.postgres.cluster import Cluster

_numbers = itertools.count()

MAPPING = "SELECT o.id,\n  lower(o.email) AS email\nFROM orders o WHERE o.state = 'paid'"
TABLE = """
CREATE TABLE orders (id int PRIMARY KEY, email varchar(99), state varchar(9));
INSERT INTO orders VALUES (1, 'ANN@SHOP', 'paid'), (2, 'BOB@SHOP', 'new');
"""
_RUN = "LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE EXCEPTION 'it ran'; END $$;"
PLANTS = {
    "a function that fits better": f"CREATE FUNCTION public.lower(varchar) RETURNS text {_RUN}",
    "an operator that fits better": f"""CREATE FUNCTION public.eq(varchar, varchar) RETURNS bool {_RUN}
        CREATE OPERATOR public.= (LEFTARG = varchar, RIGHTARG = varchar, PROCEDURE = public.eq)""",
    "an aggregate": f"""CREATE FUNCTION public.step(int8, varchar) RETURNS int8 {_RUN}
        CREATE AGGREGATE public.lower(varchar) (SFUNC = public.step, STYPE = int8)""",
}
TAKEN_AWAY = "DROP ROUTINE IF EXISTS public.lower(varchar)"


@dataclass(frozen=True, slots=True)
class Shop:
    """`owner` owns the tables, `reader` reads them, `mallory` may do nothing but what everybody may."""

    database: Database
    owner: str
    reader: str
    mallory: str

    def dsn(self, role: str) -> str:
        return make_conninfo(self.database.dsn, user=role)

    def execute(self, role: str, *statements: str) -> None:
        with psycopg.connect(self.dsn(role), autocommit=True) as conn:
            for statement in statements:
                conn.execute(statement.encode())

    def admin(self, *statements: str) -> None:
        with self.database.connect() as conn:
            for statement in statements:
                conn.execute(statement.encode())

    async def load(self, text: str = MAPPING) -> Projection:
        dsn = self.dsn(self.reader)
        return await load(text, path="mapping.sql", read_dsn=dsn, timezone="UTC", statement_timeout_ms=30_000)

    def assembler(self, projection: Projection) -> Assembler:
        return Assembler(projection, read_dsn=self.dsn(self.reader), statement_timeout_ms=30_000)


@pytest.fixture
def roles(cluster: Cluster) -> Iterator[tuple[str, str, str]]:
    number = next(_numbers)
    names = (f"owner_{number}", f"reader_{number}", f"mallory_{number}")
    with psycopg.connect(cluster.dsn(), autocommit=True) as conn:
        for name in names:
            conn.execute(f"CREATE ROLE {name} LOGIN".encode())
        yield names
        for name in names:
            conn.execute(f"DROP ROLE {name}".encode())


@pytest.fixture
def shop(roles: tuple[str, str, str], database: Database) -> Shop:
    made = Shop(database, *roles)
    made.admin("GRANT CREATE ON SCHEMA public TO PUBLIC")
    made.execute(made.owner, TABLE, f"GRANT SELECT ON orders TO {made.reader}")
    return made


@pytest.fixture
async def exposed(shop: Shop) -> AsyncIterator[Assembler]:
    """Reads by a mapping that needs a function of the schema in which everybody may create."""
    shop.execute(
        shop.owner, "CREATE FUNCTION public.tidy(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT trim($1)'"
    )
    made = shop.assembler(await shop.load(MAPPING.replace("lower(", "lower(tidy(").replace(") AS", ")) AS")))
    yield made
    await made.aclose()


async def email(assembler: Assembler, number: str = "1") -> Any:
    key = OrderKey(number)
    found = (await assembler.assemble([key])).rows
    return found[key][0].document()["email"] if key in found else None


# before it is loaded


@pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS)
async def test_what_was_planted_before_the_start_is_refused_with_its_owner_and_the_remedy(
    shop: Shop, plant: str
) -> None:
    shop.execute(shop.mallory, plant)
    with pytest.raises(ConfigurationError) as refused:
        await shop.load()
    (problem,) = refused.value.problems
    assert problem.where in ("mapping.sql:2:3", "mapping.sql:3:29")
    assert f"belongs to {shop.mallory}" in problem.what
    statement = problem.hint.partition("run: ")[2].partition(";")[0]
    shop.admin(statement)
    assert 'REVOKE CREATE ON SCHEMA "public" FROM PUBLIC;' in problem.hint
    assert await shop.load(), "what is to be run ends it"


@pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS)
async def test_what_is_left_of_a_plant_in_a_schema_that_was_closed_since_is_refused(shop: Shop, plant: str) -> None:
    shop.execute(shop.mallory, plant)
    shop.admin("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    with pytest.raises(ConfigurationError, match=f"belongs to {shop.mallory}"):
        await shop.load()


async def test_a_function_that_calls_what_was_planted_is_refused(shop: Shop) -> None:
    body = "LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN upper($1); END $$"
    shop.execute(shop.owner, f"CREATE FUNCTION public.tidy(varchar) RETURNS text {body}")
    shop.execute(shop.mallory, f"CREATE FUNCTION public.upper(varchar) RETURNS text {_RUN}")
    with pytest.raises(ConfigurationError, match=f"function public.upper.* belongs to {shop.mallory}"):
        await shop.load(MAPPING.replace("lower(", "tidy("))


async def test_a_type_of_somebody_else_before_the_one_that_is_meant_is_refused(shop: Shop) -> None:
    shop.admin("CREATE SCHEMA app; GRANT USAGE ON SCHEMA app TO PUBLIC; CREATE TYPE app.mood AS ENUM ('paid')")
    shop.admin(f"ALTER ROLE {shop.reader} SET search_path = public, app")
    shop.execute(shop.mallory, "CREATE TYPE public.mood AS ENUM ('paid', 'new')")
    with pytest.raises(ConfigurationError, match=f"type public.mood belongs to {shop.mallory}"):
        await shop.load(MAPPING.replace("'paid'", "('paid'::mood)::text"))


async def test_a_table_of_somebody_else_before_the_one_that_is_meant_is_refused_with_its_place(shop: Shop) -> None:
    shop.admin("CREATE SCHEMA app; GRANT USAGE ON SCHEMA app TO PUBLIC; ALTER TABLE orders SET SCHEMA app")
    shop.admin(f"ALTER ROLE {shop.reader} SET search_path = public, app")
    assert (await shop.load()).path_names["orders"].table == TableName("app", "orders")
    shop.execute(shop.mallory, "CREATE TABLE public.orders (id int PRIMARY KEY, email varchar(99), state varchar(9))")
    shop.execute(shop.mallory, "GRANT SELECT ON public.orders TO PUBLIC")
    with pytest.raises(
        ConfigurationError, match=r"mapping.sql:3:6: orders means public.orders, .* there is app.orders"
    ):
        await shop.load()
    assert await shop.load(MAPPING.replace("FROM orders", "FROM app.orders"))


async def test_types_in_a_schema_that_everybody_may_create_in_are_found_wherever_they_are_named(shop: Shop) -> None:
    shop.execute(shop.owner, "CREATE TYPE public.mood AS ENUM ('paid')")
    text = 'SELECT o.id, r.mood FROM orders o, json_to_record(\'{"mood": "paid"}\') AS r(mood mood)'
    assert (await shop.load(text)).columns["mood"] == "public.mood"


async def test_a_function_with_a_path_of_its_own_is_looked_into(shop: Shop) -> None:
    shop.admin(f"CREATE SCHEMA app; GRANT USAGE ON SCHEMA app TO PUBLIC; GRANT CREATE ON SCHEMA app TO {shop.owner}")
    body = "LANGUAGE plpgsql IMMUTABLE SET search_path = public AS $$ BEGIN RETURN upper($1); END $$"
    shop.execute(shop.owner, f"CREATE FUNCTION app.tidy(varchar) RETURNS text {body}")
    shop.admin(f"ALTER ROLE {shop.reader} SET search_path = app")
    text = MAPPING.replace("lower(", "tidy(").replace("FROM orders", "FROM public.orders")
    assert await shop.load(text)
    shop.execute(shop.mallory, f"CREATE FUNCTION public.upper(varchar) RETURNS text {_RUN}")
    with pytest.raises(ConfigurationError, match=f"function public.upper.* belongs to {shop.mallory}"):
        await shop.load(text)


async def test_what_the_tables_owner_made_is_used_and_what_does_not_concern_the_mapping_is_let_be(
    shop: Shop, exposed: Assembler
) -> None:
    assert exposed.projection.search_path.schemas == ("public",)
    shop.execute(shop.mallory, f"CREATE FUNCTION public.something_else(varchar) RETURNS text {_RUN}")
    assert await email(exposed) == "ann@shop"
    assert await email(exposed, "2") is None


async def test_what_belongs_to_an_extension_is_trusted(shop: Shop) -> None:
    body = "RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT pg_catalog.upper($1)'"
    shop.execute(shop.mallory, f"CREATE FUNCTION public.lower(varchar) {body}")
    shop.admin("ALTER EXTENSION plpgsql ADD FUNCTION public.lower(varchar)")
    assembler = shop.assembler(await shop.load(MAPPING.replace("'paid'", "'new'")))
    try:
        assert await email(assembler, "2") == "BOB@SHOP"
    finally:
        await assembler.aclose()


async def test_an_operator_of_the_tables_owner_is_the_one_that_is_meant(shop: Shop) -> None:
    body = "SELECT pg_catalog.lower($1) OPERATOR(pg_catalog.=) pg_catalog.lower($2)"
    shop.execute(
        shop.owner,
        f"CREATE FUNCTION public.alike(varchar, varchar) RETURNS bool LANGUAGE sql IMMUTABLE AS '{body}'",
        "CREATE OPERATOR public.= (LEFTARG = varchar, RIGHTARG = varchar, PROCEDURE = public.alike)",
    )
    assembler = shop.assembler(await shop.load(MAPPING.replace("'paid'", "'PAID'")))
    try:
        assert await email(assembler) == "ann@shop"
    finally:
        await assembler.aclose()


async def test_a_schema_named_like_the_role_that_somebody_else_made_is_not_trusted(shop: Shop) -> None:
    shop.admin(f"GRANT CREATE ON DATABASE {shop.database.name} TO {shop.mallory}")
    shop.execute(
        shop.mallory,
        f"CREATE SCHEMA {shop.reader}; GRANT USAGE ON SCHEMA {shop.reader} TO PUBLIC",
        f"CREATE FUNCTION {shop.reader}.lower(varchar) RETURNS text {_RUN}",
    )
    with pytest.raises(ConfigurationError, match=f"belongs to {shop.mallory}"):
        await shop.load()


async def test_a_schema_that_others_may_create_in_is_named_with_the_remedy(shop: Shop) -> None:
    projection = await shop.load()
    assert projection.search_path.schemas == (), "nothing of it is needed"
    (warning,) = projection.search_path.problems()
    assert "schema public is in the search path" in warning.what
    assert 'let a DBA run: REVOKE CREATE ON SCHEMA "public" FROM PUBLIC;' in warning.hint
    assert warning.warning
    shop.admin("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    assert (await shop.load()).search_path.problems() == []


# while it runs


@pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS)
async def test_what_is_planted_while_running_changes_nothing_where_the_schema_is_not_needed(
    shop: Shop, plant: str
) -> None:
    assembler = shop.assembler(await shop.load())
    try:
        assert await email(assembler) == "ann@shop"
        shop.execute(shop.mallory, plant)
        shop.admin("ANALYZE orders")  # has prepared statements parsed anew
        assert await email(assembler) == "ann@shop"
        assert await assembler.redefined(), "it is noticed all the same"
    finally:
        await assembler.aclose()


@pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS)
async def test_what_is_planted_while_running_stops_the_very_next_reading_until_it_is_gone(
    shop: Shop, exposed: Assembler, plant: str
) -> None:
    assert await email(exposed) == "ann@shop"
    shop.execute(shop.mallory, plant)
    shop.admin("ANALYZE orders")
    for read in (email(exposed), exposed.scan(None, 9), exposed.absent([OrderKey("1")]), exposed.estimate()):
        with pytest.raises(MappingBroken, match=f"belongs to {shop.mallory}"):
            await read
    assert await exposed.redefined()
    shop.execute(shop.mallory, TAKEN_AWAY, "DROP OPERATOR IF EXISTS public.= (varchar, varchar)")
    assert await email(exposed) == "ann@shop"


async def test_a_process_that_is_stopped_while_it_analyses_keeps_no_lock(shop: Shop) -> None:
    connection = await connect(ReadSettings(shop.dsn(shop.reader), 30_000))
    try:
        await connection.execute("BEGIN")
        await connection.execute("PREPARE seen AS SELECT id FROM public.orders")
        await asyncio.to_thread(
            shop.execute, shop.owner, "SET lock_timeout = '20s'", "ALTER TABLE orders ADD note text"
        )
    finally:
        await connection.close()


async def test_only_functions_that_can_be_meant_make_a_reading_void_when_they_are_others(shop: Shop) -> None:
    shop.admin(f"CREATE SCHEMA tools AUTHORIZATION {shop.mallory}", f"GRANT USAGE ON SCHEMA tools TO {shop.reader}")
    shop.admin(f"CREATE SCHEMA apart AUTHORIZATION {shop.mallory}")
    tidy = "CREATE OR REPLACE FUNCTION {}.tidy(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT {}($1)'"
    shop.execute(shop.mallory, tidy.format("tools", "trim"), tidy.format("apart", "trim"))
    assembler = shop.assembler(await shop.load(MAPPING.replace("lower(", "tools.tidy(")))
    try:
        assert await email(assembler) == "ANN@SHOP"
        shop.execute(shop.mallory, tidy.format("apart", "lower"), "DROP FUNCTION apart.tidy(text)")
        assert await email(assembler) == "ANN@SHOP"
        shop.execute(shop.mallory, tidy.format("tools", "lower"))
        with pytest.raises(ReadingVoid, match=r"tools\.tidy"):
            await email(assembler)
    finally:
        await assembler.aclose()


async def test_what_is_planted_during_a_search_for_what_fails_is_not_run(
    shop: Shop, exposed: Assembler, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = """WITH a AS MATERIALIZED (SELECT id, tidy(email) AS email FROM orders),
        b AS MATERIALIZED (SELECT id, lower(email) AS email FROM orders)
        SELECT o.id, a.email, b.email AS other FROM orders o JOIN a ON a.id = o.id JOIN b ON b.id = o.id"""
    assembler, rows, ran = shop.assembler(await shop.load(text)), Session.rows, list[str]()

    async def planted(session: Session, query: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        if "MATERIALIZED" in query:
            ran.append(query)
            found = await rows(session, query, parameters)
            shop.execute(shop.mallory, TAKEN_AWAY, PLANTS["a function that fits better"])
            return found
        return await rows(session, query, parameters)

    monkeypatch.setattr(Session, "rows", planted)
    with pytest.raises(MappingBroken, match="may be taken for what the mapping means"):
        await assembler.diagnose("P0001")
    assert len(ran) == 1
    await assembler.aclose()


async def test_a_schema_that_is_opened_to_others_while_running_is_noticed(shop: Shop, exposed: Assembler) -> None:
    shop.admin("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    text = exposed.projection.statement.replace('"public".', "")
    closed = shop.assembler(await shop.load(text))
    try:
        assert not closed.projection.search_path.exposed
        assert not await closed.redefined()
        shop.admin("GRANT CREATE ON SCHEMA public TO PUBLIC")
        assert await closed.redefined()
        assert (await shop.load(text)).signature != closed.projection.signature, "it is taken up anew, and watched"
    finally:
        await closed.aclose()


async def test_a_session_in_which_a_plant_was_found_runs_the_mapping_by_its_own_path_again(shop: Shop) -> None:
    shop.admin(f"CREATE SCHEMA app AUTHORIZATION {shop.owner}; GRANT USAGE ON SCHEMA app TO PUBLIC")
    shop.execute(shop.owner, "CREATE FUNCTION app.tidy(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT trim($1)'")
    shop.admin(f"ALTER ROLE {shop.reader} SET search_path = app, public")
    assembler = shop.assembler(await shop.load(MAPPING.replace("lower(", "lower(tidy(").replace(") AS", ")) AS")))
    try:
        assert await email(assembler) == "ann@shop"
        shop.admin(f"GRANT CREATE ON SCHEMA app TO {shop.mallory}")
        shop.execute(shop.mallory, f"CREATE FUNCTION app.lower(varchar) RETURNS text {_RUN}")
        assert await assembler.redefined()
        shop.execute(shop.mallory, "DROP FUNCTION app.lower(varchar)")
        shop.admin("ANALYZE orders")
        assert await email(assembler) == "ann@shop"
    finally:
        await assembler.aclose()


async def test_what_is_planted_is_not_run_where_plans_are_looked_at(shop: Shop, exposed: Assembler) -> None:
    shop.execute(shop.mallory, f"CREATE FUNCTION public.cardinality(regtype[]) RETURNS int {_RUN}")
    assert await exposed.plans()


async def test_a_planted_cast_changes_nothing(shop: Shop, exposed: Assembler) -> None:
    shop.execute(
        shop.mallory,
        "CREATE TYPE public.evil AS (x int)",
        f"CREATE FUNCTION public.evil_of(varchar) RETURNS public.evil {_RUN}",
        "CREATE CAST (varchar AS public.evil) WITH FUNCTION public.evil_of(varchar) AS IMPLICIT",
        f"CREATE FUNCTION public.evil_like(public.evil, public.evil) RETURNS bool {_RUN}",
    )
    shop.admin("ANALYZE orders")
    assert await email(exposed) == "ann@shop"
    assert (await shop.load()).fingerprint
    shop.execute(
        shop.mallory,
        "CREATE OPERATOR public.= (LEFTARG = public.evil, RIGHTARG = public.evil, PROCEDURE = public.evil_like)",
    )
    with pytest.raises(MappingBroken, match=r"operator public\.="):
        await email(exposed)


# our own queries


async def test_every_session_of_ours_looks_its_own_names_up_in_pg_catalog_alone(shop: Shop) -> None:
    shop.admin(
        f"ALTER ROLE {shop.reader} SET search_path = public, pg_catalog", f"ALTER ROLE {shop.reader} REPLICATION"
    )
    shop.execute(shop.mallory, f"CREATE FUNCTION public.set_config(text, text, bool) RETURNS text {_RUN}")
    shop.execute(shop.mallory, f"CREATE FUNCTION public.pg_backend_pid() RETURNS int {_RUN}")
    dsn = shop.dsn(shop.reader)

    async def path(conn: psycopg.AsyncConnection[Any]) -> Any:
        return (await (await conn.execute("SHOW search_path")).fetchone() or (None,))[0]

    async with connections.connection(dsn) as conn:
        assert await path(conn) == "pg_catalog, pg_temp"
    async with connections.replication(dsn) as conn:
        assert await path(conn) == "pg_catalog, pg_temp"
    async with await connect(ReadSettings(dsn, 30_000)) as conn:
        assert await path(conn) == "pg_catalog, pg_temp"
    assembler = shop.assembler(await shop.load("SELECT o.id, o.email FROM public.orders o"))
    try:
        assert await email(assembler) == "ANN@SHOP"
    finally:
        await assembler.aclose()


async def test_a_checkpoint_schema_that_others_may_create_in_is_named_with_the_remedy(shop: Shop) -> None:
    address = Address(shop.dsn(shop.owner), "checkpoints")
    shop.admin(f"CREATE SCHEMA checkpoints AUTHORIZATION {shop.owner}")
    assert await asyncio.to_thread(preflight, address) == []
    shop.admin(f"GRANT CREATE ON SCHEMA checkpoints TO {shop.mallory}")
    (warning,) = await asyncio.to_thread(preflight, address)
    assert warning.warning
    assert warning.hint == f'let a DBA run: REVOKE CREATE ON SCHEMA "checkpoints" FROM {shop.mallory};'


async def test_grants_pins_the_path_by_which_the_names_are_resolved(shop: Shop) -> None:
    found = await access(MAPPING, path="m", read_dsn=shop.dsn(shop.reader), statement_timeout_ms=30_000)
    assert found.path == ("pg_catalog", "public")
    wanted = Access(shop.reader, found.tables, dict.fromkeys(found.tables), ["public"], path=found.path)
    script = await grants(shop.database.dsn, wanted, "redo_connector", "redo_connector")
    assert f'ALTER ROLE "{shop.reader}" SET search_path = "pg_catalog", "public", "pg_temp";' in script
    shop.admin(*(line for line in script.splitlines() if line.startswith("ALTER ROLE") and "search_path" in line))
    assert (await shop.load()).path_names["orders"].table == TableName("public", "orders")
