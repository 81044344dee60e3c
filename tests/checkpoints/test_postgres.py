"""What the store in Postgres promises beyond what every store does: one writer, a session that may be lost, a schema of
its own. What every store does is checked by the other `test_checkpoints_*` files."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from connector.checkpoints.address import Address
from connector.checkpoints.engine import Durability, Session
from connector.checkpoints.opening import (
    in_postgres,
    is_running,
    open_checkpoints,
    open_if_any,
    open_readonly,
    open_requests,
)
from connector.checkpoints.postgres import migrations, writer_claim
from connector.checkpoints.postgres.connection import StoreConnection, connect
from connector.checkpoints.postgres.engine import PostgresEngine
from connector.checkpoints.postgres.preflight import preflight
from connector.checkpoints.requests import RequestState
from connector.checkpoints.store import Checkpoints
from connector.checkpoints.tables import reverse_index
from connector.model.errors import CheckpointsLost, CheckpointsUnwritable, ConfigurationError
from connector.model.orders import OrderKey
from connector.pipeline.ports.entries import Arrival, Entry, Lane
from connector.pipeline.ports.records import Checkpoint, DeadLetter, Settlement
from tests.support.fixtures.pooler import small_pooler
from tests.support.fixtures.postgres import Database, MakeCluster, create_database, drop_database
from tests.support.ledger import entries_taken

A, B = OrderKey("a"), OrderKey("b")
NOBODY: frozenset[OrderKey] = frozenset()


def arrival(revision: int, *names: str) -> Arrival:
    return Arrival(revision, 1.0, Lane.LIVE, frozenset(map(OrderKey, names)))


def accepted(entry: Entry) -> Settlement:
    return Settlement(entry, Checkpoint(entry.key, "1", b"f", 1.0))


async def take(store: Checkpoints) -> dict[str, Entry]:
    return {entry.key: entry for entry in await entries_taken(store, 9, 5.0, NOBODY, tuple(Lane))}


def connection_of(store: Checkpoints) -> StoreConnection:
    """The one that the store writes through."""
    engine = store._engine
    assert isinstance(engine, PostgresEngine)
    assert engine._session is not None
    return engine._session.connection


def session_of(database: Database, schema: str) -> int:
    """The process that holds the writer's lock."""
    with connect(Address(database.dsn, schema), read_only=True) as session:
        found = writer_claim.lock_holder(session, schema)
    assert found is not None
    return found.pid


def end_session(database: Database, pid: int) -> None:
    with database.connect() as conn:
        conn.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))


def refusal(address: Address) -> str:
    with pytest.raises(ConfigurationError) as caught:
        open_checkpoints(address)
    (problem,) = caught.value.problems
    assert (problem.where, bool(problem.hint)) == ("checkpoints.url", True)
    return str(problem)


@pytest.fixture
def own(checkpoint_database: Database) -> Iterator[Database]:
    """A database of the test's own."""
    made = create_database(checkpoint_database.cluster)
    yield made
    drop_database(made.cluster, made.name)


async def test_a_second_writer_is_told_who_holds_the_schema(
    emptied_schema: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_claim, "PATIENCE", 0.1)
    assert not is_running(emptied_schema)
    store = in_postgres(emptied_schema)
    told = refusal(emptied_schema)
    assert f"schema {emptied_schema.schema}: redo-connector of postgres, process " in told
    assert "from 127.0.0.1" in told
    assert "stop that one first" in told
    assert is_running(emptied_schema)
    await store.close()
    await in_postgres(emptied_schema).close()


async def test_schemas_of_one_database_have_writers_of_their_own(schema_of_its_own: Address) -> None:
    other = Address(schema_of_its_own.url, f"{schema_of_its_own.schema}_b")
    first, second = in_postgres(schema_of_its_own), in_postgres(other)
    await first.note("whose", "first")
    assert await second.noted("whose") is None
    await first.close()
    await second.close()


async def test_a_killed_writers_schema_is_free_for_the_next(emptied_schema: Address) -> None:
    program = (
        "import sys, time; from connector.checkpoints.address import Address;"
        "from connector.checkpoints.opening import open_checkpoints;"
        "store = open_checkpoints(Address(*sys.argv[1:])); print('open', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", program, emptied_schema.url, emptied_schema.schema]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        process.kill()
    store = in_postgres(emptied_schema)
    await store.close()


async def test_a_lost_session_is_replaced_and_what_was_in_flight_is_confirmed(
    checkpoint_database: Database, emptied_schema: Address
) -> None:
    """The server may have lost how an order was settled; a standby that takes over may."""
    store = in_postgres(emptied_schema, clock=lambda: 100.0)
    await store.recover(late_until=160.0)
    await store.arrive([arrival(1, "a"), arrival(2, "b")], [])
    await store.settle([accepted((await take(store))["a"])])
    end_session(checkpoint_database, session_of(checkpoint_database, emptied_schema.schema))
    with pytest.raises(CheckpointsUnwritable, match="a running connector goes on by itself"):
        await store.note("x", "y")
    await store.note("x", "y")
    assert session_of(checkpoint_database, emptied_schema.schema)
    assert await store.noted("x") == "y"
    entries = await take(store)
    assert [(key, entry.confirm, entry.late_until) for key, entry in entries.items()] == [("b", True, 160.0)]
    await store.close()


async def test_a_writer_that_lost_its_session_never_writes_after_another_one(
    checkpoint_database: Database, emptied_schema: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_claim, "PATIENCE", 0.1)
    old = in_postgres(emptied_schema)
    end_session(checkpoint_database, session_of(checkpoint_database, emptied_schema.schema))
    new = in_postgres(emptied_schema)
    with pytest.raises(CheckpointsUnwritable):
        await old.note("whose", "old")
    with pytest.raises(CheckpointsLost, match="another redo-connector took it over: redo-connector of postgres"):
        await old.note("whose", "old")
    await new.note("whose", "new")
    await new.close()
    with pytest.raises(CheckpointsLost, match="took it over"):
        await old.note("whose", "old")
    reader = open_readonly(emptied_schema)
    assert await reader.noted("whose") == "new"
    await reader.close()
    await old.close()


async def test_a_writer_that_another_one_wrote_after_does_not_go_on(
    checkpoint_database: Database, emptied_schema: Address
) -> None:
    old = in_postgres(emptied_schema)
    end_session(checkpoint_database, session_of(checkpoint_database, emptied_schema.schema))
    await in_postgres(emptied_schema).close()
    with pytest.raises(CheckpointsUnwritable):
        await old.unseen()
    with pytest.raises(CheckpointsLost, match="another redo-connector has written there"):
        await old.unseen()
    await old.close()


async def test_a_database_that_went_back_in_time_is_not_written_any_more(
    checkpoint_database: Database, emptied_schema: Address
) -> None:
    store = in_postgres(emptied_schema)
    with checkpoint_database.connect() as conn:
        before = conn.execute(f"SELECT writes FROM {emptied_schema.schema}.census").fetchone()
        assert before is not None
        await store.arrive([arrival(1, "a")], [])
        conn.execute(f"UPDATE {emptied_schema.schema}.census SET writes = %s", before)
    end_session(checkpoint_database, session_of(checkpoint_database, emptied_schema.schema))
    with pytest.raises(CheckpointsUnwritable):
        await take(store)
    with pytest.raises(CheckpointsLost, match="went back to an earlier state"):
        await take(store)
    await store.close()


async def test_a_former_session_that_the_server_still_keeps_is_ended(
    emptied_schema: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half-open: our end is closed, the server's isn't."""
    store = in_postgres(emptied_schema)
    kept: list[StoreConnection] = []
    monkeypatch.setattr(StoreConnection, "closed", property(lambda self: self in kept or self.pgconn.status == 1))
    session = connection_of(store)
    kept.append(session)
    await store.note("x", "y")
    assert connection_of(store) is not session
    assert await store.noted("x") == "y"
    await store.close()
    kept.clear()
    session.close()


async def test_a_server_that_says_nothing_is_given_up(emptied_schema: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    store = in_postgres(emptied_schema)
    monkeypatch.setattr(StoreConnection, "patience", 0.2)
    with pytest.raises(CheckpointsUnwritable, match=r"no answer for 0\.2 s"):
        await store._engine.read(lambda _: connection_of(store).execute("SELECT pg_sleep(3)"))
    monkeypatch.undo()
    assert await store.unseen() == []
    await store.close()


async def test_a_standby_is_no_place_to_write_and_another_server_is_looked_for(own: Database) -> None:
    address = Address(own.dsn, "mine")
    store = in_postgres(address)
    with own.connect() as conn:
        name = sql.Identifier(own.name)
        conn.execute(sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(name))
        end_session(own, session_of(own, "mine"))
        for _ in range(2):
            with pytest.raises(CheckpointsUnwritable):
                await store.note("x", "y")
        with pytest.raises(CheckpointsUnwritable, match=r"session is read-only.*name the primary"):
            await store.note("x", "y")
        conn.execute("SET default_transaction_read_only = off")
        conn.execute(sql.SQL("ALTER DATABASE {} RESET default_transaction_read_only").format(name))
    await store.note("x", "y")
    await store.close()


async def test_a_schema_of_a_newer_version_or_of_others_is_refused_and_left_alone(own: Database) -> None:
    with own.connect() as conn:
        conn.execute("CREATE SCHEMA theirs; CREATE TABLE theirs.store (one int); CREATE SCHEMA empty")
        await in_postgres(Address(own.dsn, "newer")).close()
        conn.execute("UPDATE newer.store SET version = 99")
        told = refusal(Address(own.dsn, "newer"))
        assert f"written by a newer redo-connector (schema 99, this one knows {migrations.newest()})" in told
        assert "the schema theirs holds tables, but is not a checkpoint store" in refusal(Address(own.dsn, "theirs"))
        with pytest.raises(ConfigurationError, match="written by a newer redo-connector"):
            open_readonly(Address(own.dsn, "newer"))
        tables = conn.execute("SELECT schemaname, tablename FROM pg_tables WHERE schemaname = 'theirs'").fetchall()
        assert tables == [("theirs", "store")]
    await in_postgres(Address(own.dsn, "empty")).close()


async def test_a_schema_of_an_older_version_is_upgraded_by_the_next_start(
    own: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, older, version = Address(own.dsn, "old"), migrations.UPGRADES, migrations.newest()
    entry = Entry(OrderKey("1"), 1, 1, 1.0, Lane.LIVE, 0, False)
    store = in_postgres(address)
    await store.settle([accepted(entry)])
    await store.close()
    monkeypatch.setattr(migrations, "UPGRADES", (*older, "CREATE TABLE added (one int); INSERT INTO added VALUES (7)"))
    reader = open_readonly(address)
    assert (await reader.tally()).checkpoints == 1
    await reader.close()
    for _ in range(2):
        store = in_postgres(address)
        assert (await store.tally()).checkpoints == 1
        await store.close()
    with own.connect() as conn:
        assert conn.execute("SELECT one, (SELECT version FROM old.store) FROM old.added").fetchall() == [
            (7, version + 1)
        ]
    monkeypatch.setattr(migrations, "UPGRADES", older)
    assert f"written by a newer redo-connector (schema {version + 1}, this one knows {version})" in refusal(address)


async def test_a_reader_needs_a_store_and_never_makes_one(own: Database) -> None:
    address = Address(own.dsn, "mine")
    assert await open_if_any(address) is None
    with pytest.raises(ConfigurationError, match="there is no checkpoint store in"):
        open_readonly(address)
    assert not open_requests(address).waiting()
    assert preflight(address) == []
    with own.connect() as conn:
        assert conn.execute("SELECT count(*) FROM pg_namespace WHERE nspname = 'mine'").fetchone() == (0,)


async def test_a_reader_reads_beside_a_writer_and_outlives_its_session(
    checkpoint_database: Database, emptied_schema: Address
) -> None:
    store = in_postgres(emptied_schema)
    reader = open_readonly(emptied_schema)
    await store.arrive([arrival(1, "a", "b")], [])
    assert (await reader.tally()).affected == 2
    await store.settle([accepted((await take(store))["a"])])
    assert (await reader.known([A])).checkpoints.keys() == {A}
    assert await reader.random_keys(5) == [A]
    with checkpoint_database.connect() as conn:
        others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        conn.execute(f"SELECT pg_terminate_backend(pid, 5000) {others}")
    with pytest.raises(CheckpointsUnwritable):
        await reader.tally()
    assert (await reader.tally()).checkpoints == 1
    await reader.close()
    await store.close()


async def test_a_role_with_a_schema_made_for_it_is_enough_and_what_is_missing_is_told_as_sql(own: Database) -> None:
    role, schema = f"keeper_{own.name}", "kept"
    with own.connect() as conn:
        conn.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
        address = Address(own.dsn.replace("postgres@", f"{role}@"), schema)
        assert role in address.url
        (problem,) = preflight(address)
        assert problem.hint == f'let a DBA run: GRANT CREATE ON DATABASE "{own.name}" TO "{role}";'
        with pytest.raises(CheckpointsUnwritable, match="permission denied for database"):
            open_checkpoints(address)
        conn.execute("CREATE SCHEMA kept")
        (problem,) = preflight(address)
        assert problem.hint == f'let a DBA run: GRANT USAGE, CREATE ON SCHEMA "kept" TO "{role}";'
        conn.execute(sql.SQL(problem.hint.removeprefix("let a DBA run: ")))
        assert preflight(address) == []
        store = in_postgres(address)
        await store.arrive([arrival(1, "a")], [])
        await store.close()
        assert preflight(address) == []
        conn.execute(sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(sql.Identifier(role)))


async def test_what_no_text_can_hold_is_kept_nevertheless(emptied_schema: Address) -> None:
    """Redo's words of a refused order may be anything."""
    store = in_postgres(emptied_schema)
    letter = DeadLetter(
        A, "rejected", "no\0\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"), (), None, 1.0, 1.0, 1
    )
    await store.settle([Settlement(Entry(A, 1, 1, 0.0, Lane.LIVE, 0, False), dead_letter=letter)])
    assert [found.message for found in await store.dead_letters(None, 1)] == ["no\ufffd\U0001f600"]
    await store.close()


async def test_a_pooler_in_transaction_mode_is_refused_and_one_in_session_mode_is_not(own: Database) -> None:
    def through(port: int) -> Address:
        return Address(f"postgresql://postgres@127.0.0.1:{port}/{own.name}", "mine")

    with small_pooler(own.cluster, "transaction") as port:
        told = refusal(through(port))
        with psycopg.connect(through(port).url) as other:
            assert other.execute("SHOW search_path").fetchone() == ('"$user", public',)
    assert "a connection pooler in transaction mode" in told
    assert "give the address of Postgres itself" in told
    with small_pooler(own.cluster, "session") as port:
        await in_postgres(through(port)).close()


async def test_a_database_in_another_encoding_is_refused(checkpoint_database: Database) -> None:
    with checkpoint_database.connect() as conn:
        conn.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
        try:
            assert "latin, schema x is in LATIN1" in refusal(Address(checkpoint_database.cluster.dsn("latin"), "x"))
        finally:
            conn.execute("DROP DATABASE latin WITH (FORCE)")


async def test_what_is_durable_waits_for_the_disk_and_an_enrolment_of_nothing_writes_nothing(
    checkpoint_database: Database, emptied_schema: Address
) -> None:
    store = in_postgres(emptied_schema)

    def flushed() -> tuple[object, ...] | None:
        with checkpoint_database.connect() as conn:
            return conn.execute("SELECT pg_current_wal_insert_lsn(), pg_current_wal_insert_lsn()").fetchone()

    async def synchronous(durability: Durability) -> str:
        def ask(_: Session) -> object:
            return connection_of(store).execute("SHOW synchronous_commit").fetchone()

        return str(await store._engine.write(ask, durability))

    told = {durability: await synchronous(durability) for durability in Durability}
    assert told == {**dict.fromkeys(Durability, "('on',)"), Durability.UNSYNCED: "('off',)"}
    await store.enroll({A: {"item": frozenset({"1", "2"})}})
    before = flushed()
    await store.enroll({A: {"item": frozenset({"1", "2"})}})
    assert flushed() == before
    await store.close()


async def test_given_up_indexes_leave_the_database_step_by_step(
    checkpoint_database: Database, emptied_schema: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reverse_index, "STEP", 10)
    store = in_postgres(emptied_schema)
    await store.enroll({OrderKey(f"{n}"): {"old": frozenset({f"{n}"}), "kept": frozenset({"7"})} for n in range(35)})
    await store.forget_indexes(frozenset({"kept"}))
    with checkpoint_database.connect() as conn:
        counts = "SELECT (SELECT count(*) FROM {0}.member), (SELECT count(*) FROM {0}.member_index)"
        query = sql.SQL(counts).format(sql.Identifier(emptied_schema.schema))
        assert conn.execute(query).fetchall() == [(35, 1)]
    await store.close()


def test_the_inbox_serves_both_sides_and_a_request_may_come_before_the_store(own: Database) -> None:
    address = Address(own.dsn, "mine")
    desk, connector = open_requests(address), open_requests(address)
    assert desk.get(1) is None
    number = desk.ask("resend", {"keys": ["a"]}, 10.0)
    assert connector.waiting()
    taken = connector.next()
    assert taken is not None
    assert (taken.number, taken.verb, taken.arguments) == (number, "resend", {"keys": ["a"]})
    assert connector.next() is None
    connector.recover()
    assert connector.next() == taken
    connector.progress(number, 1, 2)
    end_session(own, session_of_other(own))
    with pytest.raises(CheckpointsUnwritable):
        connector.finish(number, ok=True, message="done")
    connector.finish(number, ok=True, message="done")
    found = desk.get(number)
    assert found is not None
    assert (found.state, found.done, found.total, found.message) == (RequestState.DONE, 1, 2, "done")
    desk.close()
    connector.close()


def session_of_other(database: Database) -> int:
    """The latest session of the inbox."""
    with database.connect() as conn:
        row = conn.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = %s AND query LIKE 'UPDATE request SET done%%'",
            (database.name,),
        ).fetchone()
    assert row is not None
    return int(row[0])


async def test_a_server_that_was_stopped_is_gone_on_with(make_cluster: MakeCluster) -> None:
    cluster = make_cluster()
    store = in_postgres(Address(cluster.dsn(), "mine"))
    await store.arrive([arrival(1, "a")], [])
    cluster.stop()
    for _ in range(2):
        with pytest.raises(CheckpointsUnwritable):
            await store.note("x", "y")
    cluster.start()
    await store.note("x", "y")
    assert (await take(store)).keys() == {A}
    await store.close()
