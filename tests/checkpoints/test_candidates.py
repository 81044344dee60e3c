"""Those that wait for the right to write a store: one has it, and it passes to another one when that one is gone."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg import sql
from structlog.testing import capture_logs

from connector.checkpoints.address import Address
from connector.checkpoints.leader import Leader, read_leader
from connector.checkpoints.opening import candidate, in_postgres, is_waited_for
from connector.checkpoints.postgres import migrations as postgres_migrations
from connector.checkpoints.postgres.candidate import PostgresCandidate
from connector.checkpoints.sqlite import migrations as sqlite_migrations
from connector.checkpoints.sqlite.candidate import FileCandidate
from connector.checkpoints.sqlite.file_system import network_file_system
from connector.model.errors import ConfigurationError
from tests.support.fixtures.connector import eventually
from tests.support.fixtures.postgres import Database, create_database, drop_database
from tests.support.postgres.cluster import Cluster

SILENCE = 3600.0


@pytest.fixture
def own(cluster: Cluster) -> Iterator[Database]:
    """A database of the test's own."""
    made = create_database(cluster)
    yield made
    drop_database(cluster, made.name)


@pytest.fixture(params=["file", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Address:
    if request.param == "file":
        return Address(f"sqlite:///{tmp_path / 'kept.db'}")
    found = request.getfixturevalue("emptied_schema")
    assert isinstance(found, Address)
    return found


async def test_one_leads_the_others_wait_and_are_seen_to(place: Address) -> None:
    first, second = candidate(place, SILENCE), candidate(place, SILENCE)
    assert first is not None
    assert second is not None
    assert not is_waited_for(place)
    assert first.take()
    store = first.open_store(None)
    await store.note("whose", "first")
    assert not is_waited_for(place)
    assert not second.take()
    assert is_waited_for(place)
    assert second.noted("whose") == "first"
    await store.close()
    await eventually("the server has ended the first session", second.take)
    store = second.open_store(None)
    assert not is_waited_for(place)
    assert await store.noted("whose") == "first"
    await store.close()


async def test_one_that_gives_up_lets_the_next_one_lead(place: Address) -> None:
    first, second = candidate(place, SILENCE), candidate(place, SILENCE)
    assert first is not None
    assert second is not None
    assert first.take()
    first.close()
    await eventually("the server has ended the first session", second.take)
    second.close()
    await eventually("the server has ended the second session", lambda: not is_waited_for(place))


async def test_who_waits_keeps_no_transaction_and_no_snapshot(
    checkpoint_database: Database, emptied_schema: Address
) -> None:
    store = in_postgres(emptied_schema)
    waits = PostgresCandidate(emptied_schema, SILENCE)
    for _ in range(3):
        assert not waits.take()
    with checkpoint_database.connect() as conn:
        found = conn.execute(
            "SELECT state, xact_start, backend_xmin FROM pg_stat_activity JOIN pg_locks USING (pid)"
            " WHERE locktype = 'advisory' AND mode = 'ShareLock'"
        ).fetchall()
    assert found == [("idle", None, None)]
    waits.close()
    await store.close()


async def test_a_silent_leaders_session_is_ended_and_one_that_speaks_is_left_alone(emptied_schema: Address) -> None:
    store = in_postgres(emptied_schema)
    patient, impatient = PostgresCandidate(emptied_schema, SILENCE), PostgresCandidate(emptied_schema, 0.3)
    deadline = time.monotonic() + 1.5
    while time.monotonic() < deadline:
        assert not impatient.take()
        await store.answer()
    assert not patient.take()
    deadline = time.monotonic() + 30.0
    while not (led := impatient.take()) and time.monotonic() < deadline:
        pass
    assert led
    impatient.close()
    patient.close()
    await store.close()


async def test_a_leader_whose_session_can_not_be_seen_is_told_of_and_left_alone(own: Database) -> None:
    role, address = f"other_{own.name}", Address(own.dsn, "kept")
    store = in_postgres(address)
    with own.connect() as conn:
        for statement in (
            "CREATE ROLE {} LOGIN",
            "GRANT USAGE ON SCHEMA kept TO {}",
            "GRANT SELECT ON kept.store TO {}",
        ):
            conn.execute(sql.SQL(statement).format(sql.Identifier(role)))
        waits = PostgresCandidate(Address(own.dsn.replace("postgres@", f"{role}@"), "kept"), 0.0)
        with capture_logs() as logs:
            assert not waits.take()
        waits.close()
        conn.execute(sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(sql.Identifier(role)))
    assert [each["event"] for each in logs] == ["leader_unseen"]
    await store.answer()
    await store.close()


@pytest.mark.parametrize("engine", ["file", "postgres"])
async def test_a_version_that_is_too_old_says_so_while_it_waits(
    engine: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_file = engine == "file"
    place = Address(f"sqlite:///{tmp_path / 'kept.db'}") if in_file else request.getfixturevalue("schema_of_its_own")
    older, newer = candidate(place, SILENCE), candidate(place, SILENCE)
    assert older is not None
    assert newer is not None
    migrations = sqlite_migrations if in_file else postgres_migrations
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "UPGRADES", (*migrations.UPGRADES, "CREATE TABLE added (one int)"))
        assert newer.take()
        assert older.noted("leader") is None
        assert not older.take()
        store = newer.open_store(None)
    with pytest.raises(ConfigurationError, match="written by a newer redo-connector"):
        older.noted("leader")
    older.close()
    await store.close()


def test_of_what_a_later_version_says_of_the_leader_the_known_part_is_read_and_nonsense_is_no_leader() -> None:
    leader = Leader("one", 5.0, 2, 1.5, left=True)
    assert read_leader(leader.dump()) == leader
    assert read_leader(json.dumps({**json.loads(leader.dump()), "added": 7})) == leader
    assert [read_leader(note) for note in (None, "", "[]", "7", '{"instance": "x"}', '{"other": 1}')] == [None] * 6


MOUNTS = """\
22 1 8:1 / / rw - ext4 /dev/sda1 rw
30 22 {device} / /data rw,relatime shared:5 - {kind} somewhere rw
"""


@pytest.mark.parametrize(
    ("kind", "refused"),
    [
        ("nfs4", True),
        ("cifs", True),
        ("fuse.sshfs", True),
        ("9p", True),
        ("ext4", False),
        ("fuse.fuse-overlayfs", False),
        ("fuseblk", False),
    ],
)
def test_a_file_system_of_the_network_is_told_by_its_mount(tmp_path: Path, kind: str, refused: bool) -> None:
    device = os.stat(tmp_path).st_dev
    mounts = MOUNTS.format(device=f"{os.major(device)}:{os.minor(device)}", kind=kind)
    assert network_file_system(tmp_path, mounts) == (kind if refused else None)


def test_a_checkpoint_file_on_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = os.stat(tmp_path).st_dev
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS.format(device=f"{os.major(device)}:{os.minor(device)}", kind="nfs4"))
    monkeypatch.setattr("connector.checkpoints.sqlite.file_system._MOUNTS", mounts)
    with pytest.raises(ConfigurationError, match=r"network file system \(nfs4\).*\n.*keep checkpoints in Postgres"):
        FileCandidate(tmp_path / "kept.db").take()
