"""Assembly against a real server: exact values, one snapshot, paging, and what each failure becomes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal

import psycopg
import pytest

from connector.model.errors import MappingBroken, OrderUnreadable, SourceUnavailable
from connector.model.orders import Lookup, OrderKey
from connector.model.orders import encoded as encode
from connector.projection import Assembler, load
from tests.projection.cases import create_schema, shop, shop_template
from tests.support.fixtures.postgres import Database, MakeCluster

__all__ = ["shop", "shop_template"]

Make = Callable[..., Awaitable[Assembler]]


@pytest.fixture
async def assembler_of(shop: Database) -> AsyncIterator[Make]:
    made: list[Assembler] = []

    async def make(text: str, timeout_ms: int = 10_000) -> Assembler:
        projection = await load(
            text, path="mapping.sql", read_dsn=shop.dsn, timezone="UTC", statement_timeout_ms=10_000
        )
        made.append(Assembler(projection, read_dsn=shop.dsn, statement_timeout_ms=timeout_ms))
        return made[-1]

    yield make
    for assembler in made:
        await assembler.aclose()


def keys(*texts: str) -> list[OrderKey]:
    return [OrderKey(text) for text in texts]


async def test_numbers_keep_every_digit(shop: Database, assembler_of: Make) -> None:
    with shop.connect() as connection:
        connection.execute("CREATE TABLE shop.exact (id bigint PRIMARY KEY, a numeric(20,10), b numeric, c bigint)")
        connection.execute("INSERT INTO shop.exact VALUES (1, 1.1, 10.00, 9007199254740993)")
    assembler = await assembler_of("SELECT id, a, b, c, jsonb_build_object('b', b) AS j FROM shop.exact")
    (row,) = (await assembler.assemble(keys("1"))).rows[OrderKey("1")]
    document = row.document()
    assert str(document["a"]) == "1.1000000000"
    assert str(document["b"]) == "10.00"
    assert document["c"] == 9007199254740993
    assert str(document["j"]["b"]) == "10.00"
    assert isinstance(document["a"], Decimal)


async def test_time_stamps_come_as_utc_text(shop: Database, assembler_of: Make) -> None:
    with shop.connect() as connection:
        connection.execute("ALTER DATABASE " + shop.name + " SET TimeZone = 'America/New_York'")
        connection.execute("INSERT INTO shop.shipment VALUES (1, 1, 'x', '2024-06-01 12:00:00+02')")
    assembler = await assembler_of("SELECT s.id, s.shipped FROM shop.shipment s")
    (row,) = (await assembler.assemble(keys("1"))).rows[OrderKey("1")]
    document = row.document()
    assert document["shipped"] == "2024-06-01T10:00:00+00:00"


async def test_the_snapshot_shows_a_transaction_exactly_when_its_rows_are_read(
    shop: Database, assembler_of: Make
) -> None:
    assembler = await assembler_of("SELECT o.id, o.status FROM shop.orders o")
    with shop.connect() as writer:
        writer.execute("BEGIN")
        writer.execute("INSERT INTO shop.orders VALUES (1)")
        xid = int(writer.execute("SELECT txid_current()").fetchone()[0]) & 0xFFFFFFFF  # type: ignore[index]
        before = await assembler.assemble(keys("1"))
        writer.execute("COMMIT")
    after = await assembler.assemble(keys("1"))
    assert (before.snapshot.shows(xid, 0), dict(before.rows)) == (False, {})
    assert after.snapshot.shows(xid, 0)
    assert OrderKey("1") in after.rows


async def test_every_statement_is_a_read_only_repeatable_read_transaction(shop: Database, assembler_of: Make) -> None:
    with shop.connect() as connection:
        connection.execute("INSERT INTO shop.orders VALUES (1)")
    text = "SELECT id, current_setting('transaction_isolation') AS i, current_setting('transaction_read_only') AS r"
    assembler = await assembler_of(f"{text} FROM shop.orders")
    (row,) = (await assembler.assemble(keys("1"))).rows[OrderKey("1")]
    document = row.document()
    assert (document["i"], document["r"]) == ("repeatable read", "on")


async def test_two_rows_for_one_key_are_both_told(shop: Database, assembler_of: Make) -> None:
    with shop.connect() as connection:
        connection.execute("INSERT INTO shop.orders (id) VALUES (1), (2)")
        connection.execute("INSERT INTO shop.note VALUES (1, 'a'), (1, 'b'), (2, 'c')")
    assembler = await assembler_of("SELECT o.id, n.body FROM shop.orders o JOIN shop.note n ON n.order_id = o.id")
    rows = (await assembler.assemble(keys("1", "2", "3"))).rows
    assert {key: len(found) for key, found in rows.items()} == {"1": 2, "2": 1}


async def test_a_data_error_is_of_its_order_alone_and_tells_no_value(shop: Database, assembler_of: Make) -> None:
    with shop.connect() as connection:
        connection.execute("INSERT INTO shop.orders (id, status) VALUES (1, 'secret'), (2, '7')")
    assembler = await assembler_of("SELECT o.id, o.status::int AS n FROM shop.orders o")
    with pytest.raises(OrderUnreadable) as caught:
        await assembler.assemble(keys("1"))
    assert caught.value.sqlstate == "22P02"
    assert "invalid text representation" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert OrderKey("2") in (await assembler.assemble(keys("2"))).rows


async def test_a_subquery_with_two_rows_is_the_orders_own_trouble(shop: Database, assembler_of: Make) -> None:
    with shop.connect() as connection:
        connection.execute("INSERT INTO shop.orders (id) VALUES (1)")
        connection.execute("INSERT INTO shop.note VALUES (1, 'a'), (1, 'b')")
    assembler = await assembler_of(
        "SELECT o.id, (SELECT body FROM shop.note n WHERE n.order_id = o.id) AS n FROM shop.orders o"
    )
    with pytest.raises(OrderUnreadable, match="cardinality violation"):
        await assembler.assemble(keys("1"))


async def test_a_key_that_cannot_be_one_is_told_apart_and_keeps_no_other_from_being_read(
    shop: Database, assembler_of: Make
) -> None:
    with shop.connect() as connection:
        connection.execute("INSERT INTO shop.orders (id) SELECT generate_series(1, 50)")
        connection.execute("INSERT INTO shop.tenant_order (tenant, no) VALUES (3, 7)")
    strange = keys("abc", "99999999999999999999", "", '["1"]', "1.5", "x\0", "\udc80", "<former key 1> 2")
    single = await assembler_of("SELECT o.id FROM shop.orders o")
    wanted = [*strange[:4], *keys(*map(str, range(1, 60))), *strange[4:]]
    found = await single.assemble(wanted)
    assert found.misfits == set(strange) == await single.misfits(wanted)
    assert set(found.rows) == set(keys(*map(str, range(1, 51))))
    assert await single.absent(wanted) == {*strange, *keys(*map(str, range(51, 60)))}
    assert (await single.assemble(strange)).rows == {}
    double = await assembler_of("SELECT t.tenant || '-' || t.no AS id FROM shop.tenant_order t")
    strange = keys("7", '["3"]', '["3",7]', '["3","b"]', "[" * 5_000, '["3","7"', '{"3":"7"}')
    seen = await double.assemble([*strange, OrderKey('["3","7"]')])
    assert seen.misfits == set(strange)
    assert set(seen.rows) == set(keys('["3","7"]'))


async def test_texts_that_their_types_cannot_be_read_from_are_found_among_many(
    shop: Database, assembler_of: Make
) -> None:
    with shop.connect() as connection:
        connection.execute("CREATE TYPE shop.tone AS ENUM ('high', 'low')")
        connection.execute("CREATE TABLE shop.song (tone shop.tone, day date, price numeric(6, 2), id uuid,"
                           " PRIMARY KEY (tone, day, price, id))")  # fmt: skip
    assembler = await assembler_of("SELECT s.id FROM shop.song s")
    uuid = "00000000-0000-4000-8000-000000000000"
    good = [encode(["low", f"2026-01-{day:02}", f"{price}.50", uuid]) for day in range(1, 29) for price in range(9)]
    bad = [
        encode(texts)
        for texts in (
            ["deep", "2026-01-01", "1.50", uuid],
            ["low", "2026-02-30", "1.50", uuid],
            ["low", "2026-01-01", "1.5.0", uuid],
            ["low", "2026-01-01", "1.50", "7"],
            ["low", "yester day", "1.50", uuid],
        )
    ]
    found = await assembler.assemble([*good[:100], *bad[:3], *good[100:], *bad[3:]])
    assert (found.misfits, found.rows) == (frozenset(bad), {})
    assert await assembler.misfits(good) == frozenset()


async def test_a_dropped_column_breaks_the_mapping(shop: Database, assembler_of: Make) -> None:
    assembler = await assembler_of("SELECT o.id, o.total FROM shop.orders o")
    await assembler.assemble(keys("1"))
    with shop.connect() as connection:
        connection.execute("ALTER TABLE shop.orders DROP COLUMN total")
    with pytest.raises(MappingBroken, match="undefined column"):
        await assembler.assemble(keys("1"))


async def test_a_statement_that_takes_too_long_is_a_matter_of_time(shop: Database, assembler_of: Make) -> None:
    assembler = await assembler_of("SELECT o.id, o.status FROM shop.orders o", timeout_ms=200)
    with shop.connect() as connection:
        connection.execute("BEGIN")
        connection.execute("LOCK TABLE shop.orders")
        with pytest.raises(SourceUnavailable, match=r"source\.statement_timeout.*"):
            await assembler.assemble(keys("42"))
        connection.execute("ROLLBACK")
    assert not (await assembler.assemble(keys("42"))).rows


async def test_a_cut_connection_is_opened_again(shop: Database, assembler_of: Make) -> None:
    assembler = await assembler_of("SELECT o.id FROM shop.orders o")
    await assembler.assemble(keys("1"))
    with shop.connect() as connection:
        query = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()"""
        connection.execute(query)
    with pytest.raises(SourceUnavailable):
        await assembler.assemble(keys("1"))
    assert not (await assembler.assemble(keys("1"))).rows


async def test_a_server_that_is_not_there_is_unavailable(assembler_of: Make) -> None:
    assembler = await assembler_of("SELECT o.id FROM shop.orders o")
    away = Assembler(assembler.projection, read_dsn="host=127.0.0.1 port=1", statement_timeout_ms=1000)
    with pytest.raises(SourceUnavailable):
        await away.scan(None, 1)


async def test_scan_walks_all_orders_once_in_key_order(shop: Database, assembler_of: Make) -> None:
    with shop.connect() as connection:
        connection.execute("INSERT INTO shop.tenant_order SELECT n % 3, n FROM generate_series(9, 12) n")
    assembler = await assembler_of("SELECT t.tenant || '-' || t.no AS id FROM shop.tenant_order t")
    found: list[OrderKey] = []
    cursor: str | None = None
    while True:
        page = await assembler.scan(cursor, 3)
        found += page.keys
        cursor = page.cursor
        if cursor is None:
            break
    assert found == ['["0","9"]', '["0","12"]', '["1","10"]', '["2","11"]']
    assert await assembler.absent(keys('["0","9"]', '["0","8"]')) == {'["0","8"]'}


async def test_text_keys_are_paged_in_their_own_collation(shop: Database, assembler_of: Make) -> None:
    with shop.connect() as connection:
        connection.execute("CREATE TABLE shop.named (name text PRIMARY KEY)")
        connection.execute("""INSERT INTO shop.named VALUES ('a,"b'), ('\\'), ('{}'), ('B'), ('a'), ('é'), ('')""")
        rows = connection.execute("SELECT name FROM shop.named ORDER BY name").fetchall()
    assembler = await assembler_of("SELECT n.name AS id FROM shop.named n")
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = await assembler.scan(cursor, 2)
        found += page.keys
        cursor = page.cursor
        if cursor is None:
            break
    assert found == [row[0] for row in rows]
    assert set((await assembler.assemble(keys(*found))).rows) == set(found)


async def test_a_lookup_of_a_route_that_is_gone_leads_to_every_order(shop: Database, assembler_of: Make) -> None:
    with shop.connect() as connection:
        connection.execute("INSERT INTO shop.orders (id) VALUES (1), (2)")
    assembler = await assembler_of("SELECT o.id FROM shop.orders o")
    page = await assembler.resolve([Lookup("shop.gone:0", ("5",))], None, 10)
    assert (page.keys, page.cursor) == (("1", "2"), None)


async def test_orders_are_counted_only_where_the_planner_takes_them_for_few(shop: Database, assembler_of: Make) -> None:
    assembler = await assembler_of("SELECT o.id FROM shop.orders o")
    with shop.connect() as connection:
        connection.execute("INSERT INTO shop.orders (id) SELECT generate_series(1, 500)")
        assert await assembler.estimate() == 500
        connection.execute("INSERT INTO shop.orders (id) SELECT generate_series(501, 30000)")
        connection.execute("ANALYZE shop.orders")
        connection.execute("DELETE FROM shop.orders WHERE id > 20")
    assert await assembler.estimate() == 30_000


@pytest.mark.parametrize("partitions", [0, 64, 65])
async def test_orders_are_planned_once_unless_many_partitions_are_to_be_told_apart(
    shop: Database, assembler_of: Make, partitions: int
) -> None:
    with shop.connect() as connection:
        if connection.info.server_version < 140_000:
            pytest.skip("before Postgres 14 a server doesn't say how it planned")
        by = " PARTITION BY HASH (id)" if partitions else ""
        connection.execute(f"CREATE TABLE shop.parted (id bigint PRIMARY KEY){by}".encode())
        for number in range(partitions):
            values = f"FOR VALUES WITH (MODULUS {partitions}, REMAINDER {number})"
            connection.execute(f"CREATE TABLE shop.p{number} PARTITION OF shop.parted {values}".encode())
        connection.execute("INSERT INTO shop.parted VALUES (1), (2)")
    assembler = await assembler_of("SELECT p.id FROM shop.parted p")
    for some in (keys("1"), keys("2"), keys("1", "2"), keys("2", "1"), keys("1", "2", "3")):
        await assembler.assemble(some)
    query = """
SELECT position('ARRAY[(' IN statement) > 0, sum(custom_plans)::int, sum(generic_plans)::int
FROM pg_prepared_statements WHERE name LIKE 'pair%' AND statement LIKE '%row_to_json%' GROUP BY 1 ORDER BY 1
"""
    async with assembler._pool.session("looking at plans") as session:
        planned = await session.rows(query)
    several, one = (3, 0), (2, 0)
    if partitions <= 64:
        several, one = (0, 3), (0, 2)
    assert planned == [(False, *several), (True, *one)]


async def test_keys_are_the_texts_that_the_stream_sends(shop: Database, assembler_of: Make) -> None:
    with shop.connect() as connection:
        connection.execute(
            "CREATE TABLE shop.typed (u uuid, t timestamptz, d date, n numeric(6,2), b bytea, c char(4), "
            "PRIMARY KEY (u, t, d, n, b, c))"
        )
        connection.execute(
            "INSERT INTO shop.typed VALUES ('A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', '2024-01-01 00:00:00.25+02', "
            "'2024-02-29', 1.5, '\\x00ff', 'a')"
        )
        connection.execute("SET TimeZone = 'UTC'")
        result = connection.execute("SELECT * FROM shop.typed").pgresult
        assert result is not None
        image = tuple((result.get_value(0, number) or b"").decode() for number in range(6))
    assembler = await assembler_of("SELECT t.u::text || t.t || t.d || t.n AS id FROM shop.typed t")
    route = assembler.projection.routes.by_table[assembler.projection.order_table][0]
    (key,) = (await assembler.scan(None, 10)).keys
    texts = route.read(image)
    assert isinstance(texts, tuple)
    assert encode(texts) == key
    assert list((await assembler.assemble([key])).rows) == [key]


async def test_a_mapping_that_answers_differently_each_time_is_found(shop: Database, assembler_of: Make) -> None:
    with shop.connect() as connection:
        connection.execute("INSERT INTO shop.orders (id) SELECT generate_series(1, 30)")
        body = "BEGIN RETURN random(); END"
        query = "CREATE FUNCTION shop.drawn() RETURNS float8 LANGUAGE plpgsql IMMUTABLE AS '{}'"
        connection.execute(query.format(body))
    steady = await assembler_of("SELECT o.id, o.total FROM shop.orders o")
    assert await steady.cross_check((await steady.scan(None, 20)).keys) == []
    restless = await assembler_of("SELECT o.id, shop.drawn() + o.id AS r FROM shop.orders o")
    (problem,) = await restless.cross_check((await restless.scan(None, 20)).keys)
    assert "20 of those of 20 orders" in problem.what


async def test_a_grouped_cte_is_restricted_inside(shop: Database, assembler_of: Make) -> None:
    with shop.connect() as connection:
        connection.execute("INSERT INTO shop.orders (id) SELECT generate_series(1, 20000)")
        connection.execute(
            "INSERT INTO shop.item SELECT n, l, l, 1, 1 FROM generate_series(1, 20000) n, generate_series(1, 3) l"
        )
        connection.execute("ANALYZE")
    assembler = await assembler_of(
        "WITH sums AS (SELECT order_id, sum(qty) AS n FROM shop.item GROUP BY order_id), "
        "ranked AS (SELECT order_id, line, rank() OVER (PARTITION BY order_id ORDER BY line) AS r FROM shop.item) "
        "SELECT o.id, s.n, r.line FROM shop.orders o LEFT JOIN sums s ON s.order_id = o.id "
        "LEFT JOIN ranked r ON r.order_id = o.id AND r.r = 1"
    )
    assert await assembler.plan_problems() == []
    with psycopg.connect(shop.dsn) as connection:
        some = "{" + ",".join(str(n) for n in range(1, 201)) + "}"
        restricted = assembler.projection.restricted.replace("$1", "%s")
        plan = str(
            connection.execute(f"EXPLAIN (FORMAT JSON) {restricted}", (some,) * restricted.count("%s")).fetchall()
        )
    assert "Seq Scan" not in plan


async def test_a_standby_says_how_far_it_has_replayed_until_it_is_promoted(make_cluster: MakeCluster) -> None:
    cluster = make_cluster()
    with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
        create_schema(connection)
        connection.execute("INSERT INTO shop.orders (id) VALUES (1)")
    cluster.stop()
    # A standby without a primary: it stays in recovery at the end of its WAL.
    (cluster.data / "standby.signal").touch()
    cluster.start()
    projection = await load(
        "SELECT o.id FROM shop.orders o",
        path="mapping.sql",
        read_dsn=cluster.dsn(),
        timezone="UTC",
        statement_timeout_ms=5000,
    )
    assembler = Assembler(projection, read_dsn=cluster.dsn(), statement_timeout_ms=5000)
    standing_by = await assembler.assemble(keys("1"))
    assert standing_by.snapshot.replay_lsn is not None
    assert list(standing_by.rows) == ["1"]
    with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
        connection.execute("SELECT pg_promote(true, 30)")
    assert (await assembler.assemble(keys("1"))).snapshot.replay_lsn is None
    await assembler.aclose()


async def test_a_key_is_wider_than_the_columns_that_refer_to_it(shop: Database, assembler_of: Make) -> None:
    """As when an OMS has widened its order numbers, and not yet all that names them; or the other way round."""
    with shop.connect() as connection:
        connection.execute("CREATE TABLE shop.wide_parent (id bigint PRIMARY KEY)")
        connection.execute("CREATE TABLE shop.wide_kid (id int PRIMARY KEY, parent int)")
        connection.execute("CREATE TABLE shop.wide_grandkid (id int PRIMARY KEY, kid bigint)")
        connection.execute("INSERT INTO shop.wide_parent VALUES (1), (3000000000)")
        connection.execute("INSERT INTO shop.wide_kid VALUES (7, 1)")
    assembler = await assembler_of(
        """SELECT p.id, (SELECT count(*) FROM shop.wide_kid k JOIN shop.wide_grandkid g ON g.kid = k.id
        WHERE k.parent = p.id) AS n FROM shop.wide_parent p"""
    )
    assert len((await assembler.assemble(keys("1", "3000000000"))).rows) == 2
    [route] = [use.route.name for use in assembler.projection.uses if use.alias == "g"]
    found = await assembler.resolve([Lookup(route, ("7",)), Lookup(route, ("3000000000",))], None, 10)
    assert found.keys == (OrderKey("1"),)
