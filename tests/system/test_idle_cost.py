"""What a connector that has nothing to do costs the OMS's server: processor time and connections."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from connector.demo import oms as demo_oms
from connector.sandbox.server import SandboxServer
from tests.support.fixtures.connector import Rig
from tests.support.fixtures.postgres import Database, MakeCluster, create_database
from tests.support.fixtures.served_connector import serving

PARTITIONS = 1_000
SPAN = 10.0
"""Seconds: one round of each look, and twenty of the rescuer's."""
ROUNDS = 4

GIFTS = (
    "(SELECT jsonb_agg('gift ' || g.gift_no ORDER BY g.gift_no) FROM oms.gift AS g WHERE g.ord_id = o.ord_id) AS tags"
)


@pytest.fixture
async def parted(make_cluster: MakeCluster, sandbox: SandboxServer, tmp_path: Path) -> AsyncIterator[Rig]:
    """The demo's OMS on a server of its own, with a table of a thousand partitions."""
    cluster = make_cluster(settings={"max_locks_per_transaction": "1000"})
    database = create_database(cluster)
    with database.connect() as conn:
        demo_oms.create(conn)
        demo_oms.seed(conn, 5, 7)
        conn.execute(
            "CREATE TABLE oms.gift (ord_id bigint, gift_no int, note text, PRIMARY KEY (ord_id, gift_no))"
            " PARTITION BY LIST (gift_no)"
        )
        conn.execute(
            f"DO $$ BEGIN FOR i IN 1..{PARTITIONS} LOOP EXECUTE format("
            "'CREATE TABLE oms.gift_%s PARTITION OF oms.gift FOR VALUES IN (%s)', i, i); END LOOP; END $$".encode()
        )
        conn.execute("ANALYZE")
    mapping = demo_oms.mapping().replace("to_jsonb(string_to_array(o.tag_list, ',')) AS tags", GIFTS)
    assert GIFTS in mapping
    made = Rig(database, sandbox, tmp_path, mapping)
    yield made
    await made.stop()


def processor_time(database: Database) -> dict[int, float]:
    """Seconds that each session of ours has cost, by process."""
    with database.connect() as conn:
        rows = conn.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'redo-connector'").fetchall()
    ticks = os.sysconf("SC_CLK_TCK")
    found = {}
    for (pid,) in rows:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        found[pid] = (int(fields[11]) + int(fields[12])) / ticks
    return found


async def cost(database: Database) -> float:
    """As a share of one core, of the sessions that last."""
    began, before = time.monotonic(), processor_time(database)
    await asyncio.sleep(SPAN)  # what is measured is a rate
    after = processor_time(database)
    return sum(after[pid] - before.get(pid, 0.0) for pid in after) / (time.monotonic() - began)


async def comes_below(share: float, database: Database) -> None:
    """Once what is done at the start alone is over."""
    spent = [await cost(database)]
    while spent[-1] >= share and len(spent) < ROUNDS:
        spent.append(await cost(database))
    assert spent[-1] < share, spent


on_linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processor time is read from /proc")


@on_linux
async def test_an_idle_connector_beside_a_thousand_partitions_costs_less_than_a_hundredth_of_a_core(
    parted: Rig,
) -> None:
    async with serving(parted):
        await comes_below(0.01, parted.database)


@on_linux
async def test_beside_an_oms_that_commits_all_the_time_the_looks_stay_cheap(parted: Rig) -> None:
    """Commits in tables that nobody maps: nothing may be concluded from there being none."""
    busy = asyncio.Event()

    async def commit() -> None:
        async with await psycopg.AsyncConnection.connect(parted.dsn, autocommit=True) as conn:
            while not busy.is_set():
                await conn.execute("SELECT pg_current_xact_id()")
                await asyncio.sleep(0.05)

    async with serving(parted):
        committing = asyncio.create_task(commit())
        try:
            await comes_below(0.03, parted.database)
        finally:
            busy.set()
            await committing
