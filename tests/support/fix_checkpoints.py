"""Checkpoint stores for tests: each promise is checked of every implementation."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from psycopg import sql

from connector.checkpoints.address import Address
from connector.checkpoints.opening import open_checkpoints
from connector.pipeline.ports.store import CheckpointStore
from tests.support.fixtures.postgres import Database, create_database, drop_database
from tests.support.postgres.cluster import Cluster

_numbers = itertools.count()
_CENSUS: Final = sql.SQL(
    "UPDATE {} SET highest_revision = 0, writer = '', writes = 0, affected = 0, checkpoints = 0, missing_orders = 0"
)

IN_POSTGRES = pytest.param("postgres", marks=pytest.mark.server)
"""A parameter: the store in Postgres."""


@pytest.fixture
def checkpoint_file(tmp_path: Path) -> Path:
    """Where a checkpoint file may be made."""
    return tmp_path / "connector.db"


@pytest.fixture(scope="session")
def checkpoint_database(cluster: Cluster) -> Iterator[Database]:
    """One database for the checkpoint stores of all tests of a process, each in a schema of its own."""
    made = create_database(cluster)
    yield made
    drop_database(cluster, made.name)


@pytest.fixture
def schema_of_its_own(checkpoint_database: Database) -> Address:
    """Where a store in Postgres may be made."""
    return Address(checkpoint_database.dsn, f"store_{next(_numbers)}")


@pytest.fixture
def emptied_schema(checkpoint_database: Database) -> Address:
    """One schema for all tests of a process, without what was left by the last one: to make one takes ten times as
    long."""
    return emptied(checkpoint_database)


def emptied(database: Database, schema: str = "store_again_and_again") -> Address:
    with database.connect() as conn:
        query = "SELECT tablename FROM pg_tables WHERE schemaname = %s AND tablename NOT IN ('store', 'census')"
        tables = [sql.Identifier(schema, name) for (name,) in conn.execute(query, (schema,))]
        if tables:
            statements = [sql.SQL("DELETE FROM {}").format(table) for table in tables]
            statements.append(_CENSUS.format(sql.Identifier(schema, "census")))
            conn.execute(sql.SQL("; ").join(statements))
            conn.execute("SELECT setval(seqrelid::regclass, 1, false) FROM pg_sequence")
    return Address(database.dsn, schema)


NewAddress = Callable[[str], Address]


@pytest.fixture
def new_address(request: pytest.FixtureRequest, checkpoint_file: Path) -> NewAddress:
    """Where a store may be made: `memory`, `sqlite` or `postgres`."""

    def new(kind: str) -> Address:
        if kind == "postgres":
            address: Address = request.getfixturevalue("emptied_schema")
            return address
        return Address("memory:" if kind == "memory" else f"sqlite:///{checkpoint_file}")

    return new


@pytest.fixture(params=["sqlite", "memory", IN_POSTGRES])
async def memory(request: pytest.FixtureRequest, new_address: NewAddress) -> AsyncIterator[CheckpointStore]:
    """An empty store."""
    store = open_checkpoints(new_address(request.param))
    yield store
    await store.close()
