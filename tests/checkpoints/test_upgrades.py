"""A store that an earlier version made becomes what this one makes, with all that is in it.

`version_1/` holds the schemas as that version made them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import apsw
import pytest
from psycopg import Connection

from connector.checkpoints.address import Address
from connector.checkpoints.opening import in_file, in_postgres, open_readonly
from connector.checkpoints.postgres import connection as connections
from connector.checkpoints.postgres import migrations
from connector.checkpoints.sqlite.migrations import APPLICATION_ID
from connector.checkpoints.store import Checkpoints
from connector.model.errors import CheckpointsUnwritable
from connector.pipeline.ports.records import DeadLetter
from tests.support.fixtures.postgres import Database, create_database, drop_database

FIRST = Path(__file__).parent / "version_1"
ROWS = (
    "INSERT INTO dead_letter (key, reason, message, paths, first_seen, last_seen, attempts, cause, store_id,"
    " letter_group) VALUES ('a', 'rejected', 'not accepted', '[]', 1, 2, 3, 'not accepted', 'shop', 'g');"
    "INSERT INTO hold (kind, cause, state, opened_at) VALUES ('removals', 'many', 'held', 1);"
    "INSERT INTO held (key, hold, spread, fields, since, confirm) SELECT 'b', number, 7, '[]', 1, false FROM hold;"
)
_SQLITE = "SELECT type, name, tbl_name FROM sqlite_schema ORDER BY 1, 2"
_COLUMNS = (
    "SELECT m.name, p.name, p.type, p.[notnull], p.dflt_value, p.pk FROM sqlite_schema m, pragma_table_info(m.name) p"
)
_INDEXES = "SELECT m.name, p.seqno, p.name FROM sqlite_schema m, pragma_index_info(m.name) p WHERE m.type = 'index'"
_POSTGRES = (
    "SELECT table_name, column_name, ordinal_position, data_type, is_nullable, column_default, collation_name"
    " FROM information_schema.columns WHERE table_schema = %s ORDER BY 1, 3",
    "SELECT tablename, indexname, replace(indexdef, schemaname || '.', '') FROM pg_indexes WHERE schemaname = %s"
    " ORDER BY 1, 2",
    "SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
    " WHERE c.relnamespace = to_regnamespace(%s) ORDER BY 1, 2",
)


@pytest.fixture
def own(checkpoint_database: Database) -> Iterator[Database]:
    """A database of the test's own."""
    made = create_database(checkpoint_database.cluster)
    yield made
    drop_database(made.cluster, made.name)


def old_file(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.execute((FIRST / "sqlite.sql").read_text() + ROWS)
    connection.pragma("user_version", 1)
    connection.pragma("application_id", APPLICATION_ID)
    connection.close()


def of_file(path: Path) -> Sequence[Any]:
    connection = apsw.Connection(str(path))
    found = [
        connection.execute(_SQLITE).fetchall(),
        *(sorted(connection.execute(q), key=str) for q in (_COLUMNS, _INDEXES)),
    ]
    connection.close()
    return found


def old_schema(database: Database) -> Address:
    with database.connect() as conn:
        conn.execute("CREATE SCHEMA old; SET search_path = old")
        conn.execute((FIRST / "postgres.sql").read_bytes() + ROWS.encode())
        conn.execute("INSERT INTO store (program, version) VALUES ('redo-connector', 1)")
    return Address(database.dsn, "old")


def of_schema(conn: Connection[Any], schema: str) -> Sequence[Any]:
    return [conn.execute(query.encode(), [schema]).fetchall() for query in _POSTGRES]


async def what_is_in(store: Checkpoints) -> tuple[DeadLetter | None, int]:
    (hold,) = await store.holds()
    letter = next((each for each in await store.dead_letters(None, 9) if each.key == "a"), None)
    return letter, hold.orders


async def test_a_file_of_version_1_becomes_what_a_new_one_is_and_keeps_its_rows(tmp_path: Path) -> None:
    old, new = tmp_path / "old.db", tmp_path / "new.db"
    old_file(old)
    store = in_file(old)
    letter, held = await what_is_in(store)
    await store.close()
    await in_file(new).close()
    assert letter is not None
    assert (letter.attempts, letter.order_id, held) == (3, "", 1)
    assert of_file(old) == of_file(new)


async def test_a_schema_of_version_1_becomes_what_a_new_one_is_and_keeps_its_rows(
    own: Database,
) -> None:
    store = in_postgres(old_schema(own))
    letter, held = await what_is_in(store)
    await store.close()
    await in_postgres(Address(own.dsn, "new")).close()
    assert letter is not None
    assert (letter.attempts, letter.order_id, held) == (3, "", 1)
    with own.connect() as conn:
        for old, new in zip(of_schema(conn, "old"), of_schema(conn, "new"), strict=True):
            assert set(old) ^ set(new) == set()


async def test_an_upgrade_may_take_longer_than_a_statement_may(own: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connections._SESSION, "statement_timeout", "100ms")
    monkeypatch.setattr(migrations, "UPGRADES", ("SELECT pg_sleep(0.3)",))
    await in_postgres(old_schema(own)).close()
    with own.connect() as conn:
        assert conn.execute("SELECT version FROM old.store").fetchone() == (2,)


async def test_a_reader_of_an_older_store_says_what_upgrades_it(tmp_path: Path, own: Database) -> None:
    old_file(tmp_path / "old.db")
    for address in (Address(f"sqlite:///{tmp_path}/old.db"), old_schema(own)):
        reader = open_readonly(address)
        assert (await reader.tally()).held == 1
        with pytest.raises(
            CheckpointsUnwritable, match="start `redo-connector run` of this version, which upgrades it"
        ):
            await reader.letter_groups()
        await reader.close()
