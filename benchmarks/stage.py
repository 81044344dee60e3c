"""What the benchmark runs on: the demo's OMS on a Postgres with fsync on, the sandbox and the connector, each in a
process of its own, and the public doors by which they are watched.

Must not know what is measured.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from math import inf
from pathlib import Path
from typing import Any

import httpx2 as httpx
import orjson
import psycopg

from benchmarks import meter
from connector.demo import oms
from connector.demo.postgres.cluster import Cluster
from connector.demo.processes import Process, ProcessFailed
from connector.demo.run import free_port, judge
from connector.demo.scrape import Scrape, scrape
from connector.demo.verdict import Verdict

STORE, SECRET = "bench-store", "bench-secret"  # of a sandbox that holds made-up orders
PATIENCE = 600.0
LOOK_EVERY = 0.2


@dataclass(frozen=True, slots=True)
class Push:
    """One push as the sandbox saw it: `began` when its body had arrived, `ended` when its answer was ready."""

    order: int
    began: float
    ended: float


class Stage:
    """Everything that runs. The connector may be stopped and started again; the rest stays."""

    def __init__(self, cluster: Cluster, folder: Path, sandbox: Process, sandbox_url: str) -> None:
        """Made by `open_stage`."""
        self.cluster = cluster
        self.folder = folder
        self.sandbox = sandbox
        self.dsn = cluster.dsn("shop")
        self.client = httpx.AsyncClient(timeout=60.0)
        self._sandbox_url = sandbox_url
        self._port = free_port()
        self._connector: Process | None = None

    @property
    def connector(self) -> Process:
        if self._connector is None:
            raise ProcessFailed("the connector is not running")
        return self._connector

    async def start(self, env: Mapping[str, str] | None = None) -> float:
        """Start the connector. Returns the monotonic clock just before; does not wait until it is ready."""
        config = self.folder / "connector.toml"
        config.write_text(self._config(), encoding="utf-8")
        began = time.monotonic()
        process = Process("the connector", ["run", "--config", str(config)], self.folder / "connector.log", env)
        self._connector = await process.__aenter__()
        return began

    async def stop(self) -> None:
        """End the connector as an operator would. Raises ProcessFailed when it did not drain."""
        connector, self._connector = self._connector, None
        if connector is not None and (code := await connector.stop()) != 0:
            raise ProcessFailed(f"the connector ended with exit code {code}:\n{connector.tail()}")

    async def ready(self) -> None:
        """Wait until the running connector follows its slot: what is committed from now on is seen."""
        async with asyncio.timeout(PATIENCE):
            while (await self.client.get(f"http://127.0.0.1:{self._port}/readyz")).status_code != HTTPStatus.OK:
                self.connector.check()
                await asyncio.sleep(LOOK_EVERY)

    async def scrape(self) -> Scrape:
        """The running connector's metrics, as soon as it shows any."""
        return await self._until(lambda _: True)

    async def settled(self, orders: int) -> None:
        """Wait until the running connector has pushed, or found unchanged, this many orders since its start."""
        await self._until(lambda seen: seen.total("orders_total") >= orders)

    async def drained(self) -> None:
        """Wait until nothing waits in the ledger of the running connector. The metric may be a second old, so it must
        say so for two."""
        empty_since = inf

        def empty(seen: Scrape) -> bool:
            nonlocal empty_since
            now = time.monotonic()
            empty_since = min(empty_since, now) if seen.total("affected_orders") == 0 else inf
            return now - empty_since > 2.0

        await self._until(empty)

    async def swept(self, since: float) -> dict[str, Any]:
        """Wait until a sweep has ended that began after `since` (s since 1970); its state."""
        async with asyncio.timeout(PATIENCE):
            while True:
                sweep = await self._sweep()
                if sweep is not None and sweep["finished_at"] is not None and sweep["started_at"] >= since:
                    return sweep
                await asyncio.sleep(LOOK_EVERY)

    async def pushes(self, since: float) -> list[Push]:
        """What the sandbox was sent since `since` (monotonic clock)."""
        answer = await self.client.get(f"{self._sandbox_url}/_sandbox/log")
        began: dict[str, float] = {}
        found = []
        for event in map(orjson.loads, answer.content.splitlines()):
            if event["at"] < since:
                continue
            if event["what"] == "begin":
                began[event["order_id"]] = event["at"]
            elif event["order_id"] in began:
                found.append(Push(int(event["order_id"]), began.pop(event["order_id"]), event["at"]))
        return found

    async def stats(self) -> dict[str, Any]:
        """The sandbox's counts so far."""
        found: dict[str, Any] = orjson.loads((await self.client.get(f"{self._sandbox_url}/_sandbox/stats")).content)
        return found

    async def switch(self, **switches: Any) -> None:
        """Set the sandbox's switches; the others stay."""
        answer = await self.client.post(f"{self._sandbox_url}/_sandbox/switches", json=switches)
        answer.raise_for_status()

    async def judge(self) -> Verdict:
        """Compare every order at the sandbox with the mapping's answer."""
        return await judge(self.client, self._sandbox_url, self.dsn)

    def cost(self) -> meter.Cost:
        """CPU so far; the connector's counts from its own start."""
        pid = int((self.cluster.data / "postmaster.pid").read_text().split()[0])
        return meter.Cost.now(None if self._connector is None else self._connector.pid, self.sandbox.pid, pid)

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        """Run one statement of ours, in autocommit. Blocks."""
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            cursor = conn.execute(statement.encode())
            return cursor.fetchall() if cursor.description is not None else []

    async def _until(self, true: Callable[[Scrape], bool]) -> Scrape:
        async with asyncio.timeout(PATIENCE):
            while True:
                self.connector.check()
                with contextlib.suppress(httpx.TransportError):  # still starting
                    seen = await scrape(self.client, f"http://127.0.0.1:{self._port}/metrics")
                    if true(seen):
                        return seen
                await asyncio.sleep(LOOK_EVERY)

    async def _sweep(self) -> dict[str, Any] | None:
        self.connector.check()
        try:
            facts = (await self.client.get(f"http://127.0.0.1:{self._port}/api/status")).json()
        except httpx.TransportError:
            return None
        found: dict[str, Any] | None = facts["sweep"]
        return found

    def _config(self) -> str:
        return f"""
[source]
dsn = "{self.dsn}"
[mapping]
path = "{self.folder / "mapping.sql"}"
[redo]
base_url = "{self._sandbox_url}"
store_id = "{STORE}"
api_secret = "{SECRET}"
[checkpoints]
url = "sqlite:///{self.folder / "connector.db"}"
[status]
port = {self._port}
"""


@asynccontextmanager
async def open_stage(orders: int, seed: int = 1) -> AsyncIterator[Stage]:
    """A filled OMS and an empty sandbox; the connector isn't started yet."""
    cluster = await asyncio.to_thread(Cluster.create)
    try:
        await asyncio.to_thread(_furnish, cluster, orders, seed)
        with tempfile.TemporaryDirectory(prefix="redo-connector-bench-") as name:
            folder, port = Path(name), free_port()
            (folder / "mapping.sql").write_text(oms.mapping(), encoding="utf-8")
            arguments = ["sandbox", "--port", str(port), "--store-id", STORE, "--api-secret", SECRET]
            async with Process("the sandbox", arguments, folder / "sandbox.log") as sandbox:
                url = f"http://127.0.0.1:{port}"
                await sandbox.until_answers(f"{url}/_sandbox/stats")
                stage = Stage(cluster, folder, sandbox, url)
                try:
                    yield stage
                finally:
                    await stage.stop()
                    await stage.client.aclose()
    finally:
        await asyncio.to_thread(cluster.destroy)


def _furnish(cluster: Cluster, orders: int, seed: int) -> None:
    with psycopg.connect(cluster.dsn(), autocommit=True) as conn:
        conn.execute("CREATE DATABASE shop")
    with psycopg.connect(cluster.dsn("shop"), autocommit=True) as conn:
        oms.create(conn)
        oms.seed(conn, orders, seed)
        conn.execute("VACUUM ANALYZE")
