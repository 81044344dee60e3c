"""Fixtures with a real Postgres: one server a test process, one database a test.

The same tests run against versions 13 to 18: `--postgres 15` takes a server that `python -m tests.support.servers
fetch 15` brought, REDO_CONNECTOR_POSTGRES_BINDIR the programs of a folder. Without either it is the wheel's.

Every test that uses a server is marked `server`; those of them that look after what the connector has to do with the
source are marked `source`.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

import psycopg
import pytest
from psycopg import sql

from connector.demo import oms as demo_oms
from connector.demo.postgres import Cluster, Template
from tests.support import servers

_numbers = itertools.count()

_SETTINGS: Final = {"fsync": "off", "autovacuum": "off"}
"""Without autovacuum, tables have statistics when a test has made them, and never else."""

_AT_THE_ENDS: Final = (
    "projection/test_disguised_calls",
    "system/test_idle_cost",
    "system/test_key_shapes",
    "system/test_names",
    "system/test_search_path",
    "system/test_vanished_rows",
)
"""Those of `_OF_THE_SOURCE` that only the oldest and the newest version run of `-m source`: what differs begins or ends
between."""
_OF_THE_SOURCE: Final = (
    *_AT_THE_ENDS,
    "daemon/test_source_objects",
    "daemon/test_wal_budget",
    "source/test_*",
    "system/test_connection_limits",
    "system/test_database_settings",
    "system/test_failover",
    "system/test_slot_loss",
    "system/test_synchronous",
)
"""The files whose tests are marked `source`, as far as they use a server."""

_MEMORY: Final = Path("/dev/shm")  # noqa: S108 (folders in it are made by mkdtemp)
_ROOM: Final = 6 << 30
"""Bytes that must be free there: three test processes' servers keep up to 1 GiB of WAL each."""


@dataclass(frozen=True, slots=True)
class Database:
    """A database of one test's own, on a cluster that others share."""

    cluster: Cluster
    name: str

    @property
    def dsn(self) -> str:
        return self.cluster.dsn(self.name)

    def connect(self) -> psycopg.Connection:
        """An autocommit connection as superuser; close it (or use it in a `with`)."""
        return psycopg.connect(self.dsn, autocommit=True, client_encoding="UTF8")


MakeCluster = Callable[..., Cluster]
"""`make_cluster(settings={...})`: a server of the test's own, destroyed at the test's end."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--postgres", type=int, metavar="MAJOR", help="test on this version; python -m tests.support.servers"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    _stay_in_memory()
    _bindir(config)  # a server that isn't there is one error at the start, not one of each test


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "template" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.server)
            if _is_one_of(item.path, _OF_THE_SOURCE):
                item.add_marker(pytest.mark.source)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With `-m source` the other files need not even be imported."""
    if collection_path.suffix != ".py" or config.option.markexpr != "source":
        return None
    between = config.getoption("--postgres") not in (None, min(servers.pins()), max(servers.pins()))
    left_out = between and _is_one_of(collection_path, _AT_THE_ENDS)
    return True if left_out or not _is_one_of(collection_path, _OF_THE_SOURCE) else None


def _is_one_of(path: Path, patterns: Iterable[str]) -> bool:
    return any(fnmatch(f"{path.parent.name}/{path.stem}", pattern) for pattern in patterns)


def _stay_in_memory() -> None:
    """A database is three hundred files, which a disk's file system may take a third of a second to make."""
    if "TMPDIR" in os.environ or not os.access(_MEMORY, os.W_OK) or shutil.disk_usage(_MEMORY).free < _ROOM:
        return
    os.environ["TMPDIR"] = tempfile.tempdir = str(_MEMORY)


def _bindir(config: pytest.Config) -> Path | None:
    major: int | None = config.getoption("--postgres")
    if major is not None:
        try:
            return servers.bindir(major)
        except servers.ServerMissing as error:
            raise pytest.UsageError(str(error)) from None
    named = os.environ.get("REDO_CONNECTOR_POSTGRES_BINDIR")
    return Path(named) if named else None


@pytest.fixture(scope="session")
def template(request: pytest.FixtureRequest) -> Iterator[Template]:
    with Template(bindir=_bindir(request.config)) as made:
        assert request.config.getoption("--postgres") in (None, made.installation.version)
        yield made


@pytest.fixture(scope="session")
def cluster(template: Template) -> Iterator[Cluster]:
    """The test process's shared server: don't stop it, and don't change its settings."""
    with Cluster.create(template=template, settings=_SETTINGS) as made:
        yield made


@pytest.fixture
def make_cluster(template: Template) -> Iterator[MakeCluster]:
    made: list[Cluster] = []

    def make(settings: Mapping[str, str] | None = None) -> Cluster:
        made.append(Cluster.create(template=template, settings={**_SETTINGS, **(settings or {})}))
        return made[-1]

    yield make
    for each in made:
        each.destroy()


@pytest.fixture
def database(cluster: Cluster) -> Iterator[Database]:
    """An empty database, dropped at the end together with its replication slots."""
    made = create_database(cluster)
    yield made
    drop_database(cluster, made.name)


@pytest.fixture(scope="session")
def oms_template(cluster: Cluster) -> Database:
    made = create_database(cluster)
    with made.connect() as conn:
        demo_oms.create(conn)
    return made


@pytest.fixture
def oms(cluster: Cluster, oms_template: Database) -> Iterator[Database]:
    """A database with the demo's OMS schema and no rows."""
    made = create_database(cluster, oms_template.name)
    yield made
    drop_database(cluster, made.name)


def create_database(cluster: Cluster, template: str = "template0") -> Database:
    name = f"test_{next(_numbers)}"
    with psycopg.connect(cluster.dsn(), autocommit=True) as conn:
        query = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        conn.execute(query.format(sql.Identifier(name), sql.Identifier(template)))
    return Database(cluster, name)


def drop_database(cluster: Cluster, name: str) -> None:
    """Drop a database that connections and replication slots may still hold on to."""
    with psycopg.connect(cluster.dsn(), autocommit=True) as conn:
        conn.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(sql.Identifier(name)))
        _end_sessions(conn, name)
        conn.execute(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = %s", (name,)
        )
        conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _end_sessions(conn: psycopg.Connection, name: str) -> None:
    """A terminated walsender lets go of its slot a moment later: ask until the server says that all are gone."""
    for _ in range(500):
        left = conn.execute(
            "SELECT count(pg_terminate_backend(pid)), count(pg_sleep(0.01)) FROM pg_stat_activity WHERE datname = %s",
            (name,),
        ).fetchone()
        active = conn.execute(
            "SELECT count(*) FROM pg_replication_slots WHERE database = %s AND active", (name,)
        ).fetchone()
        if left is not None and active is not None and left[0] == 0 and active[0] == 0:
            return
    raise AssertionError(f"sessions of {name} did not end")
