"""A name without a schema means what it meant when it was resolved: a table that appears earlier on the search path, or
another path, changes no order, removes none, and is told of. The whole connector, on every supported Postgres."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest
from structlog.testing import capture_logs

from connector.inspect import explain
from connector.inspect.checks import check
from connector.projection import load
from tests.support.fixtures.connector import Rig, eventually
from tests.support.fixtures.served_connector import Served, look_often, serving

APPEARS = """
CREATE TABLE front.order_header (LIKE oms.order_header INCLUDING ALL);
INSERT INTO front.order_header SELECT * FROM oms.order_header WHERE ord_id <= 3;
"""


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    look_often(monkeypatch)


@pytest.fixture
def rig(rig: Rig) -> Rig:
    """Tables without schemas, found in the second schema of the path; orders that leave the mapping are deleted."""
    rig.execute("CREATE SCHEMA front")
    rig.execute(f"ALTER DATABASE {rig.database.name} SET search_path = front, oms, public")
    rig.mapping = rig.mapping.replace("oms.", "")
    rig.overrides = {"mapping": {"missing": "delete"}}
    return rig


async def tagged(rig: Rig, tag: str) -> None:
    """A change of an order of the table that is meant, and of the other one, if there is one."""
    rig.execute("UPDATE oms.order_header SET tag_list = %s WHERE ord_id IN (1, 39)", tag)
    await eventually("the change arrives", lambda: all(tags(rig, key) == [tag] for key in ("1", "39")))


def tags(rig: Rig, key: str) -> Any:
    return rig.stored()[key]["tags"]


def orders(rig: Rig) -> set[str]:
    return set(rig.stored())


async def says(served: Served, *words: str) -> None:
    async def so() -> bool:
        facts = await served.facts()
        return all(word in str(facts) for word in words)

    await eventually(f"it says {words}", so)


async def test_a_table_that_appears_earlier_on_the_path_while_running_changes_no_order_and_removes_none(
    rig: Rig,
) -> None:
    async with serving(rig) as served:
        before = orders(rig)
        rig.execute(APPEARS)
        await tagged(rig, "still")
        with capture_logs() as logs:
            rig.execute("ALTER TABLE oms.order_header ADD more int")  # has the mapping analysed anew
            refused = "order_header means front.order_header now, and meant oms.order_header"
            await eventually("the log says so", lambda: refused in str(logs))
        rig.execute("DELETE FROM front.order_header")
        await tagged(rig, "and still")
        rig.execute("DELETE FROM oms.refund_item WHERE true; DELETE FROM oms.payment WHERE ord_id = 39")
        await eventually("a child's change arrives", lambda: rig.stored()["39"]["transactions"] == [])
        assert orders(rig) == before
        await served.until("it streams", state="streaming")


async def test_over_a_restart_nothing_is_removed_and_it_says_what_to_write(rig: Rig) -> None:
    async with serving(rig) as served:
        before = orders(rig)
    rig.execute(APPEARS)
    async with serving(rig, fits=False) as served:
        await served.until("it reads nothing", state="stalled")
        await says(served, "order_header means front.order_header now", "mapping.sql:", 'write "oms"."order_header"')
        problems = (await check.check(rig.settings())).problems
        (problem,) = [each for each in problems if "order_header means front.order_header now" in each.what]
        assert problem.where.startswith("mapping.sql:")
        rig.execute("UPDATE oms.order_header SET tag_list = 'meanwhile' WHERE ord_id IN (1, 39)")
        rig.mapping = rig.mapping.replace("FROM order_header", "FROM oms.order_header")
        await asyncio.to_thread((rig.folder / "mapping.sql").write_text, rig.mapping)
        await served.until("it goes on by the table that was meant", state="streaming")
        await eventually("what changed meanwhile arrives", lambda: tags(rig, "39") == ["meanwhile"])
        assert orders(rig) == before


async def test_the_same_once_the_other_table_is_gone(rig: Rig) -> None:
    async with serving(rig):
        before = orders(rig)
    rig.execute(APPEARS)
    async with serving(rig, fits=False) as served:
        await served.until("it reads nothing", state="stalled")
        rig.execute("DROP TABLE front.order_header")
        await served.until("it goes on", state="streaming")
        await tagged(rig, "again")
        assert orders(rig) == before


async def test_another_search_path_of_the_role_changes_no_order_and_removes_none(rig: Rig) -> None:
    rig.execute(APPEARS)
    rig.execute(f"ALTER DATABASE {rig.database.name} SET search_path = oms, public")
    async with serving(rig) as served:
        before = orders(rig)
        rig.execute(f"ALTER DATABASE {rig.database.name} SET search_path = front, oms, public")
        with psycopg.connect(rig.dsn, autocommit=True) as conn:
            conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                " AND application_name = 'redo-connector' AND pid <> pg_backend_pid()"
            )
        await tagged(rig, "over new sessions")
        assert orders(rig) == before
    async with serving(rig, fits=False) as served:
        await served.until("it reads nothing", state="stalled")
        await says(served, "order_header means front.order_header now")
        assert orders(rig) == before


async def test_a_table_that_is_moved_to_another_schema_is_still_the_one_that_is_meant(rig: Rig) -> None:
    async with serving(rig):
        before = orders(rig)
    rig.execute("ALTER TABLE oms.carrier SET SCHEMA front")
    async with serving(rig):
        rig.execute("UPDATE front.carrier SET carrier_nm = carrier_nm || '!'")
        await eventually("its changes arrive", lambda: "!" in str(rig.stored()))
        assert orders(rig) == before


async def test_a_function_planted_while_running_stops_reading_before_it_runs_and_says_what_to_do(rig: Rig) -> None:
    """In the worst case: a schema that everybody may create in, and that the mapping needs, read by a superuser."""
    mallory = f"mallory_of_{rig.database.name}"
    rig.execute(f"GRANT CREATE ON SCHEMA public TO PUBLIC; CREATE ROLE {mallory}")
    rig.execute(
        "CREATE FUNCTION public.tidy(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT pg_catalog.btrim($1)'"
    )
    rig.mapping = rig.mapping.replace("string_to_array(o.tag_list, ',')", "string_to_array(tidy(o.tag_list), ',')")
    plant = (
        "CREATE FUNCTION public.string_to_array(varchar, varchar) RETURNS text[] LANGUAGE plpgsql IMMUTABLE"
        " AS $$ BEGIN RETURN ARRAY['planted', current_user]; END $$"
    )
    try:
        async with serving(rig) as served:
            assert "string_to_array(tidy(" in rig.mapping
            before = rig.stored()
            rig.execute(f"SET ROLE {mallory}; {plant}")
            rig.execute("UPDATE oms.order_header SET tag_list = 'meanwhile' WHERE ord_id IN (1, 39); ANALYZE")
            await served.until("it stops reading", state="stalled")
            await says(served, "function public.string_to_array(", f"belongs to {mallory}", "DROP ROUTINE", "REVOKE")
            assert rig.stored() == before
            rig.execute("DROP FUNCTION public.string_to_array(varchar, varchar)")
            await served.until("it goes on", state="streaming")
            await eventually("what changed meanwhile arrives", lambda: tags(rig, "39") == ["meanwhile"])
            assert "planted" not in str(rig.stored())
    finally:
        rig.execute(f"DROP OWNED BY {mallory}; DROP ROLE {mallory}")


async def test_what_the_names_mean_is_explained(rig: Rig) -> None:
    plan = await explain.explain(rig.settings())
    assert plan["names"]["order_header"] == "oms.order_header"
    assert plan["search_path"][0] == "pg_catalog"


async def test_what_runs_is_named_in_full_and_otherwise_as_it_was_written(rig: Rig) -> None:
    with rig.database.connect() as conn:
        conn.execute("CREATE VIEW oms.headers AS SELECT * FROM oms.order_header")
    text = (
        "WITH carrier AS (SELECT p.pay_id, p.ord_id FROM ONLY payment AS p)\n"
        "SELECT h.ord_id AS id, (SELECT count(*) FROM carrier c WHERE c.ord_id = h.ord_id) AS n, x.cust_no\n"
        'FROM headers AS h JOIN "order_header" ON order_header.ord_id = h.ord_id, LATERAL (SELECT h.cust_no) x'
    )
    text = text.replace("cust_no", "ord_no")
    made = await load(text, path="m", read_dsn=rig.dsn, timezone="UTC", statement_timeout_ms=30_000)
    written = text.replace("ONLY payment", 'ONLY "oms".payment').replace("FROM headers", 'FROM "oms".headers')
    assert made.statement == written.replace('JOIN "order', 'JOIN "oms"."order')
    qualified = text.replace("ONLY payment", "ONLY oms.payment").replace("FROM headers", "FROM oms.headers")
    qualified = qualified.replace('JOIN "order', 'JOIN oms."order')
    same = await load(qualified, path="m", read_dsn=rig.dsn, timezone="UTC", statement_timeout_ms=30_000)
    assert same.fingerprint == made.fingerprint, "to write the schemas down makes no order be compared"
