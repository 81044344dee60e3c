"""The connector's own disk is full: it says so, acknowledges nothing, and goes on without a loss once there is room."""

from __future__ import annotations

import asyncio
import itertools
import os
import resource
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx2 as httpx
import psycopg
import pytest

from connector.daemon.health.watchdog import Watchdog
from connector.model.changes import parse_lsn
from connector.status.facts import State
from connector.status.verdict import ready
from tests.support.fixtures.cli import Cli, LocalRedo, until
from tests.support.fixtures.connector import Rig, eventually
from tests.support.fixtures.postgres import Database


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left on device"):
        file.writelines(itertools.repeat(bytes(4096)))


def confirmed(dsn: str, slot: str) -> int:
    with psycopg.connect(dsn, autocommit=True) as conn:
        query = "SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = %s"
        row = conn.execute(query, (slot,)).fetchone()
    assert row is not None
    return parse_lsn(row[0])


async def test_a_full_disk_is_told_nothing_is_acknowledged_and_all_arrives_when_there_is_space(
    rig: Rig, small_disk: Path
) -> None:
    rig.overrides = {"checkpoints": {"url": f"sqlite:///{small_disk / 'connector.db'}"}}
    rig.watchdog = Watchdog(60.0, None)
    await rig.start()
    await rig.quiet()
    ballast = small_disk / "ballast"
    fill(ballast)
    before = rig.wal_end()
    rig.execute("UPDATE oms.order_header SET tag_list = 'on a full disk'")
    end = rig.wal_end()
    await eventually("it is told", lambda: rig.facts().state is State.STALLED)
    is_ready, reason = ready(rig.facts())
    assert not is_ready
    assert "the disk" in reason
    assert str(small_disk / "connector.db") in reason
    assert "make room there" in rig.facts().next_step
    # The stream goes on being read and kept alive, later transactions too, and the slot stays where it is.
    for _ in range(10):
        rig.execute("INSERT INTO oms.audit_log (log_ts, who, what) VALUES (now(), 'x', 'y')")
    await asyncio.sleep(1.0)  # the promise is about a time
    assert confirmed(rig.dsn, rig.slot) <= before < end
    assert rig.facts().state is State.STALLED, "no store that can be read makes it look well"
    ballast.unlink()
    await rig.quiet()
    assert confirmed(rig.dsn, rig.slot) >= before
    assert {order["tags"][0] for order in rig.stored().values()} == {"on a full disk"}
    assert (await rig.verdict()).clean
    await eventually("it is ready again", lambda: ready(rig.facts())[0])


async def test_a_connector_whose_disk_is_full_can_be_stopped_and_the_next_start_loses_nothing(
    rig: Rig, small_disk: Path
) -> None:
    rig.overrides = {"checkpoints": {"url": f"sqlite:///{small_disk / 'connector.db'}"}}
    await rig.start()
    await rig.quiet()
    pipeline = rig.running.pipeline
    pipeline.options = replace(pipeline.options, drain_bound=2.5)
    rig.switch(late=5, late_seconds=1.5)
    rig.execute("UPDATE oms.order_header SET tag_list = 'in flight' WHERE ord_id <= 5")
    await eventually("requests are in flight", lambda: rig.sandbox.state.in_flight["5"])
    fill(small_disk / "ballast")
    rig.execute("UPDATE oms.order_header SET tag_list = 'on a full disk' WHERE ord_id > 5")
    await eventually("it is told", lambda: pipeline.trouble is not None)
    async with asyncio.timeout(30):
        await rig.stop()
    (small_disk / "ballast").unlink()
    await rig.start()
    await rig.quiet()
    assert {order["tags"][0] for order in rig.stored().values()} == {"in flight", "on a full disk"}
    assert (await rig.verdict()).clean


def test_a_file_that_may_not_grow_stops_the_slot_but_not_the_process_until_it_may(
    cli: Cli, shop: Database, redo: LocalRedo
) -> None:
    """The same without mounting anything: the kernel refuses to let files of the process grow."""
    cli.set("health", stalled_after="1s", exit_after="2s")
    daemon = cli.start("run")
    until("the backfill is over", lambda: len(redo.orders()) == 6)
    port = cli.settings["status"]["port"]
    until("it is ready", lambda: _readyz(port).status_code == 200)
    pid, slot = daemon.process.pid, f"slot_{shop.name}"
    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    # What was written before is written over; only what is longer than that is refused. The log is far shorter.
    size = os.stat(cli.folder / "connector.db-wal").st_size
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))
    with shop.connect() as conn:
        conn.execute("UPDATE shop.item SET sku = 'cup'")
        row = conn.execute("SELECT pg_current_wal_flush_lsn()::text").fetchone()
    assert row is not None
    end = parse_lsn(row[0])
    refused = until("it is told", lambda: _refusal(port))
    assert "connector.db" in refused["reason"]
    assert "the connector goes on by itself" in refused["next"]
    daemon.until_said("checkpoints_unwritable")
    began = time.monotonic()
    until("it has lasted for longer than a stall may", lambda: time.monotonic() > began + 3 and _refusal(port))
    assert confirmed(shop.dsn, slot) < end
    assert daemon.process.poll() is None, "a new start would end nothing"
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))
    until("all arrived", lambda: {order["lineItems"][0]["sku"] for order in redo.orders().values()} == {"cup"})
    until("the slot moves on", lambda: confirmed(shop.dsn, slot) >= end)
    until("it is ready", lambda: _readyz(port).status_code == 200)
    assert "stalled_exit" not in daemon.said()
    assert daemon.stop() == 0


def _readyz(port: int) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{port}/readyz")


def _refusal(port: int) -> dict[str, str] | None:
    answer = _readyz(port)
    return answer.json() if answer.status_code == 503 and answer.json()["state"] == "stalled" else None
