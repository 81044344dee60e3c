"""README.md, executed: what it tells a reader to type under "Your database, in five minutes", in order, as written.

What can't be done on any machine is told apart here, each with its reason:

- `docker build`: needs a Docker daemon, and downloads.
- `sslmode=verify-full`: the embedded Postgres is built without TLS, so that one address comes from the environment,
  which beats the file; the host's name in it is resolved by PGHOSTADDR.
- `make demo`, `make test`: they install what this runs in, and `make test` runs this; only the targets are looked up.
- `pip install .` really installs, into a folder of its own, from a copy of the sources, without the index. What the
  lock names this runs in already (the lock is checked by the installation of the tests), so here it names nothing.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx2 as httpx
import psycopg
import pytest

from connector.demo import oms as demo_oms
from connector.demo.verdict import compare
from tests.docs.reader_environment import environment, the_documented_ports
from tests.docs.walkthrough import Reader, blocks, read, section, until
from tests.support.fixtures.postgres import Database, MakeCluster
from tests.support.postgres.cluster import Cluster

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FIVE_MINUTES = section(README, "Your database, in five minutes")
ORDERS = 40


@pytest.fixture
def server(make_cluster: MakeCluster) -> Cluster:
    """A server whose database `shop` is the demo's OMS, which the README's mapping.sql is for."""
    cluster = make_cluster()
    with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE shop")
    with psycopg.connect(cluster.dsn("shop"), autocommit=True) as connection:
        demo_oms.create(connection)
        demo_oms.seed(connection, ORDERS, 7)
        connection.execute("ANALYZE")
    return cluster


@pytest.fixture
def reader(server: Cluster, tmp_path: Path) -> Iterator[Reader]:
    """Somebody who has just got the sources, and a token from Redo."""
    sources, installed = tmp_path / "sources", tmp_path / "installed"
    sources.mkdir()
    for name in ("pyproject.toml", "README.md", "mapping.sql"):
        shutil.copy(ROOT / name, sources)
    shutil.copytree(ROOT / "connector", sources / "connector", ignore=shutil.ignore_patterns("__pycache__"))
    (sources / "requirements").mkdir()
    (sources / "requirements/run.lock").write_text("# nothing that isn't there\n")
    (sources / "redo.token").write_text("a-token-of-redo\n")
    made = Reader(
        sources,
        {
            **environment(server, installed / "bin"),
            "PGHOSTADDR": "127.0.0.1",
            "PIP_TARGET": str(installed),
            "PIP_NO_DEPS": "1",
            "PIP_NO_INDEX": "1",
            "PIP_NO_BUILD_ISOLATION": "0",  # pip's way of saying that there is to be none
            "PIP_QUIET": "1",
            "PYTHONPATH": str(installed),
            "CONNECTOR_SOURCE__DSN": "postgresql://redo_connector@oms-db.internal/shop",
        },
    )
    yield made
    made.end()


def test_the_readmes_five_minutes_end_with_every_order_at_redo(reader: Reader, server: Cluster) -> None:
    page = blocks(FIVE_MINUTES)
    with the_documented_ports():
        assert reader.walk(page) == FIVE_MINUTES.count("```sh") > 5
        dsn, mapping = server.dsn("shop"), (ROOT / "mapping.sql").read_text(encoding="utf-8")

        def amiss() -> str:
            lines = httpx.get("http://127.0.0.1:9465/_sandbox/orders").text.splitlines()
            verdict = compare(dsn, mapping, {order["id"]: order for order in map(read, lines)})
            return "" if verdict.clean and verdict.orders == ORDERS else str(verdict)

        until(amiss)
        until(
            lambda: "" if "redo_connector_orders_total" in httpx.get("http://127.0.0.1:9464/metrics").text else "none"
        )
        ran = reader.type("command -v redo-connector; python -P -c 'import connector; print(connector.__file__)'")
        assert ran.split() == [str(reader.folder.parent / "installed" / path) for path in (
            "bin/redo-connector", "connector/__init__.py"
        )], "it ran as pip installed it"  # fmt: skip
        reader.interrupt()


def test_the_sql_that_the_readme_shows_is_sql(oms: Database) -> None:
    (shown,) = (block.text for block in blocks(FIVE_MINUTES) if block.language == "sql")
    with psycopg.connect(oms.dsn) as connection:
        connection.execute(shown.encode())
        published = connection.execute("SELECT tablename FROM pg_publication_tables ORDER BY 1").fetchall()
        connection.rollback()
    assert published == [("order_header",), ("order_item",)]


def test_the_targets_of_make_that_the_readme_names_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z][a-z-]*)", "\n".join(block.text for block in blocks(README))))
    assert named
    assert named <= targets
