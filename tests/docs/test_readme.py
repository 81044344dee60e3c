"""README.md, executed: what it tells a reader to type under "Your database, in five minutes" and "Then Redo itself", in
order, as written.

What can't be done on any machine is told apart here, each with its reason:

- `docker build`, `uv tool install`, `pipx install`: need a daemon, or the index.
- `sslmode=verify-full`: the embedded Postgres is built without TLS, so that the rehearsal's address comes from the
  environment, which beats the file; the host's name in it is resolved by PGHOSTADDR.
- Redo itself: a second sandbox is in its place, whose address comes from the environment.
- `$EDITOR`: a program that does what a person is told to do there.
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
from tests.support.fixtures.postgres import MakeCluster
from tests.support.postgres.cluster import Cluster

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FIVE_MINUTES = section(README, "Your database, in five minutes")
REDO_ITSELF = section(README, "Then Redo itself")
ORDERS = 40
SCREEN = 50
"""Lines."""
EDITOR = """#!/bin/sh
for file; do
  case "$file" in
    mapping.sql) cp {mapping} "$file" ;;
    connector.toml) sed -i 's#//postgres@#//redo_connector@#' "$file" ;;
    secrets/api_secret) echo a-token-of-redo > "$file" ;;
  esac
done
"""


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
    """Somebody who has just got the sources."""
    sources, installed = tmp_path / "sources", tmp_path / "installed"
    sources.mkdir()
    for name in ("pyproject.toml", "README.md", "mapping.sql"):
        shutil.copy(ROOT / name, sources)
    shutil.copytree(ROOT / "connector", sources / "connector", ignore=shutil.ignore_patterns("__pycache__"))
    (sources / "requirements").mkdir()
    (sources / "requirements/run.lock").write_text("# nothing that isn't there\n")
    editor = tmp_path / "editor"
    editor.write_text(EDITOR.format(mapping=ROOT / "mapping.sql"))
    editor.chmod(0o755)
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
            "EDITOR": str(editor),
        },
    )
    yield made
    made.end()


def test_the_readmes_steps_end_with_every_order_in_the_rehearsal_and_then_at_redo(
    reader: Reader, server: Cluster
) -> None:
    page, production = blocks(FIVE_MINUTES), blocks(REDO_ITSELF)
    rehearsal = next(at for at, block in enumerate(page) if block.file)
    dsn, mapping = server.dsn("shop"), (ROOT / "mapping.sql").read_text(encoding="utf-8")

    def amiss() -> str:
        lines = httpx.get("http://127.0.0.1:9465/_sandbox/orders").text.splitlines()
        verdict = compare(dsn, mapping, {order["id"]: order for order in map(read, lines)})
        return "" if verdict.clean and verdict.orders == ORDERS else str(verdict)

    with the_documented_ports():
        walked = reader.walk(page[:rehearsal])
        as_role = {"CONNECTOR_SOURCE__DSN": "postgresql://redo_connector@oms-db.internal/shop"}
        reader.environment = {**reader.environment, **as_role}
        assert walked + reader.walk(page[rehearsal:]) == FIVE_MINUTES.count("```sh") > 5
        until(amiss)
        until(
            lambda: "" if "redo_connector_orders_total" in httpx.get("http://127.0.0.1:9464/metrics").text else "none"
        )
        ran = reader.type("command -v redo-connector; python -P -c 'import connector; print(connector.__file__)'")
        assert ran.split() == [str(reader.folder.parent / "installed" / path) for path in (
            "bin/redo-connector", "connector/__init__.py"
        )], "it ran as pip installed it"  # fmt: skip
        reader.interrupt()
        reader.environment = {**reader.environment, "CONNECTOR_REDO__BASE_URL": "http://127.0.0.1:9465"}
        sandbox = f"redo-connector sandbox --store-id {store_id()} --api-secret a-token-of-redo"
        said = reader.leave_running(sandbox)
        until(lambda: "" if "A local Redo" in said.read_text() else said.read_text())
        assert reader.walk(production) == REDO_ITSELF.count("```sh") == 2
        until(amiss)
        reader.interrupt()


def store_id() -> str:
    (found,) = re.findall(r"--store-id (\w{24})", FIVE_MINUTES)
    return str(found)


def test_two_screens_lead_to_the_first_accepted_order() -> None:
    assert len(FIVE_MINUTES.splitlines()) < 2 * SCREEN


def test_the_targets_of_make_that_the_readme_names_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z][a-z-]*)", "\n".join(block.text for block in blocks(README))))
    assert named
    assert named <= targets
