"""The demo: an embedded Postgres, a sample OMS under traffic, a local Redo, and the real connector between them.

Sandbox and connector run in processes of their own, started as a user would; everything the demo says of them it read
from their public doors.
"""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2 as httpx
import psycopg
from rich.console import Console

from connector.demo import oms
from connector.demo.postgres.cluster import Cluster
from connector.demo.processes import Process, ProcessFailed
from connector.demo.progress_display import ProgressDisplay, Tally, summary
from connector.demo.scrape import Scrape, scrape
from connector.demo.shop.traffic import Traffic
from connector.demo.verdict import Verdict, compare
from connector.model.changes import parse_lsn

STORE, SECRET = "demo-store", "demo-secret"
QUIET_WITHIN = 120.0


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that runs."""

    dsn: str
    sandbox_url: str
    status_url: str
    sandbox: Process
    connector: Process
    client: httpx.AsyncClient

    async def scrape(self) -> Scrape:
        self.connector.check()
        return await scrape(self.client, f"{self.status_url}/metrics")


async def run(console: Console, *, seconds: float | None, orders: int, rate: float, seed: int) -> int:
    """Play, compare, report. `seconds` None: until Ctrl-C. Returns the exit code: 1 when any order differs."""
    enough = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, enough.set)
    async with AsyncExitStack() as stack:
        stage = await _set_stage(console, stack, orders, seed)
        before, tally = await stage.scrape(), Tally()
        with ProgressDisplay(console) as display:
            await _play(stage, display, before, tally, enough, seconds, rate, seed)
            after = await _until_quiet(stage, display, before, tally)
        verdict = await judge(stage.client, stage.sandbox_url, stage.dsn)
        console.print(summary(tally, after, before, verdict))
        console.print(f"Verdict: {verdict}.", style="bold green" if verdict.clean else "bold red")
        return 0 if verdict.clean else 1


async def _set_stage(console: Console, stack: AsyncExitStack, orders: int, seed: int) -> Stage:
    console.print(f"Starting Postgres and an OMS of 2009 with {orders:,} orders ...")
    cluster = await asyncio.to_thread(Cluster.create)
    stack.enter_context(cluster)
    await asyncio.to_thread(_furnish, cluster, orders, seed)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="redo-connector-demo-")))
    client = await stack.enter_async_context(httpx.AsyncClient())
    console.print("Starting a local Redo and the connector, each in its own process ...")
    sandbox_port, status_port = free_port(), free_port()
    sandbox_url, status_url = f"http://127.0.0.1:{sandbox_port}", f"http://127.0.0.1:{status_port}"
    arguments = ["sandbox", "--port", str(sandbox_port), "--store-id", STORE, "--api-secret", SECRET]
    sandbox = await stack.enter_async_context(Process("the sandbox", arguments, folder / "sandbox.log"))
    await sandbox.until_answers(f"{sandbox_url}/_sandbox/stats")
    config = _write_config(folder, cluster.dsn("shop"), sandbox_url, status_port)
    arguments = ["run", "--config", str(config)]
    connector = await stack.enter_async_context(Process("the connector", arguments, folder / "connector.log"))
    await connector.until_answers(f"{status_url}/healthz")
    console.print(
        f"Status page {status_url}/  metrics {status_url}/metrics  orders {sandbox_url}/_sandbox/orders", soft_wrap=True
    )
    stage = Stage(cluster.dsn("shop"), sandbox_url, status_url, sandbox, connector, client)
    began = time.monotonic()
    await _until_filled(stage)
    console.print(f"Backfill: {orders:,} orders in {time.monotonic() - began:.1f} s. Now people go to work.")
    return stage


def _furnish(cluster: Cluster, orders: int, seed: int) -> None:
    with psycopg.connect(cluster.dsn(), autocommit=True) as conn:
        conn.execute("CREATE DATABASE shop")
    with psycopg.connect(cluster.dsn("shop"), autocommit=True) as conn:
        oms.create(conn)
        oms.seed(conn, orders, seed)
        conn.execute("ANALYZE")


def _write_config(folder: Path, dsn: str, sandbox_url: str, status_port: int) -> Path:
    (folder / "mapping.sql").write_text(oms.mapping(), encoding="utf-8")
    config = folder / "connector.toml"
    config.write_text(
        f"""
[source]
dsn = "{dsn}"
[mapping]
path = "{folder / "mapping.sql"}"
[redo]
base_url = "{sandbox_url}"
store_id = "{STORE}"
api_secret = "{SECRET}"
[checkpoints]
url = "sqlite:///{folder / "connector.db"}"
[status]
port = {status_port}
""",
        encoding="utf-8",
    )
    return config


async def _until_filled(stage: Stage) -> None:
    """The backfill has finished."""
    deadline = time.monotonic() + QUIET_WITHIN
    while time.monotonic() < deadline:
        stage.connector.check()
        facts = (await stage.client.get(f"{stage.status_url}/api/status")).json()
        if facts["sweep"] is not None and facts["sweep"]["finished_at"] is not None and facts["affected"] == 0:
            return
        await asyncio.sleep(0.1)
    raise ProcessFailed(f"the backfill did not finish in {QUIET_WITHIN:.0f} s:\n{stage.connector.tail()}")


async def _play(
    stage: Stage,
    display: ProgressDisplay,
    before: Scrape,
    tally: Tally,
    enough: asyncio.Event,
    seconds: float | None,
    rate: float,
    seed: int,
) -> None:
    until = asyncio.Event()
    loop = asyncio.get_running_loop()
    ending = None if seconds is None else loop.call_later(seconds, enough.set)
    async with _watching(stage, display, before, tally), await _connect(stage.dsn) as conn:
        stopper = asyncio.ensure_future(enough.wait())
        stopper.add_done_callback(lambda _: until.set())
        async for edit in Traffic(conn, seed).play(rate, until):
            tally.transactions += 1
            tally.rows += edit.rows
            tally.by_kind[edit.kind.value] += 1
    if ending is not None:
        ending.cancel()


async def _connect(dsn: str) -> psycopg.AsyncConnection[Any]:
    return await psycopg.AsyncConnection.connect(dsn, autocommit=True)


@asynccontextmanager
async def _watching(stage: Stage, display: ProgressDisplay, before: Scrape, tally: Tally) -> AsyncIterator[None]:
    """Keep the display fresh meanwhile. A dead connector ends the demo."""

    async def watch() -> None:
        while True:
            display.show("People at work", tally, await stage.scrape(), before)
            await asyncio.sleep(0.5)

    async with asyncio.TaskGroup() as group:
        watcher = group.create_task(watch())
        yield
        watcher.cancel()


async def _until_quiet(stage: Stage, display: ProgressDisplay, before: Scrape, tally: Tally) -> Scrape:
    """Everything committed so far was read, and nothing waits in the ledger."""
    async with await _connect(stage.dsn) as conn:
        row = await (await conn.execute("SELECT pg_current_wal_lsn()::text")).fetchone()
    assert row is not None  # noqa: S101 -- a SELECT without FROM has one row
    target = parse_lsn(row[0])
    deadline = time.monotonic() + QUIET_WITHIN
    read_at: float | None = None
    while time.monotonic() < deadline:
        stage.connector.check()
        facts = (await stage.client.get(f"{stage.status_url}/api/status")).json()
        now = await stage.scrape()
        display.show("Waiting until all is delivered", tally, now, before)
        if read_at is None and parse_lsn(facts["flush_lsn"]) >= target:
            read_at = time.monotonic()
        # Counts in the facts may be a second old, so they count from two seconds after the last row was read.
        if read_at is not None and time.monotonic() - read_at > 2.0 and facts["affected"] + facts["lookups"] == 0:
            return now
        await asyncio.sleep(0.25)
    raise ProcessFailed(f"not all was delivered in {QUIET_WITHIN:.0f} s:\n{stage.connector.tail()}")


async def judge(client: httpx.AsyncClient, sandbox_url: str, dsn: str) -> Verdict:
    """Compare every order that the sandbox holds with the mapping's answer."""
    answer = await client.get(f"{sandbox_url}/_sandbox/orders", timeout=60.0)
    orders = [json.loads(line, parse_float=Decimal) for line in answer.content.splitlines()]
    return await asyncio.to_thread(compare, dsn, oms.mapping(), {order["id"]: order for order in orders})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
