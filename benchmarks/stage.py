"""What the benchmark runs on: the demo's OMS on a Postgres with fsync on, what stands for Redo, and the connector,
each in a process of its own, and the public doors by which they are watched.

Must not know what is measured.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from http import HTTPStatus
from math import inf
from pathlib import Path
from typing import Any

import httpx2 as httpx
import psycopg

from benchmarks import meter
from benchmarks.furnish import FAN, STORE_DATABASE, furnish
from benchmarks.redo import SECRET, STORE, Receiver, Redo, Sandbox, refused
from connector.demo import oms
from connector.demo.postgres.cluster import Cluster
from connector.demo.processes import CONNECTOR, Process, ProcessFailed
from connector.demo.run import free_port
from connector.demo.scrape import Scrape, scrape
from connector.demo.verdict import Verdict, compare

PATIENCE = 600.0
SLOWEST = 100.0
"""Orders a second that are waited for, on top of PATIENCE (s)."""
LOOK_EVERY = 0.2


@dataclass(frozen=True, slots=True)
class Shop:
    """An OMS. `furnish` makes the databases of a cluster and fills them with so many orders, of which customers have so
    many, by a seed."""

    furnish: Callable[[Cluster, int, int, int], None] = furnish
    mapping: Callable[[], str] = oms.mapping


@dataclass(frozen=True, slots=True)
class Setup:
    """What the connector is measured with. `orders` in the OMS, the first half of them with customers of `fan` orders.

    `sandbox`: in the receiver's place; `tls`: to the receiver; `postgres`: the store is a database on the OMS's server,
    not a file. `checkout`: another checkout's connector, started by its own `.venv` if it has one.
    """

    orders: int
    fan: int = FAN
    sandbox: bool = False
    tls: bool = False
    postgres: bool = False
    checkout: Path | None = None
    seed: int = 1
    shop: Shop = Shop()

    def redo(self, folder: Path) -> Redo:
        return Sandbox(folder) if self.sandbox else Receiver(folder, tls=self.tls)

    @property
    def program(self) -> Sequence[str]:
        """How the connector is started."""
        if self.checkout is None:
            return CONNECTOR
        own = self.checkout / ".venv" / "bin" / "python"
        return ("env", "-C", str(self.checkout), str(own if own.exists() else sys.executable), "-m", "connector")


class Stage:
    """Everything that runs. The connector may be stopped and started again; the rest stays."""

    def __init__(self, setup: Setup, cluster: Cluster, folder: Path, redo: Redo) -> None:
        """Made by `open_stage`."""
        self.setup = setup
        self.cluster = cluster
        self.folder = folder
        self.redo = redo
        self.dsn = cluster.dsn("shop")
        self.client = httpx.AsyncClient(timeout=60.0)
        self.patience = PATIENCE + setup.orders / SLOWEST
        self._port = free_port()
        self._connector: Process | None = None

    @property
    def connector(self) -> Process:
        if self._connector is None:
            raise ProcessFailed("the connector is not running")
        return self._connector

    @property
    def sandbox(self) -> Sandbox:
        if not isinstance(self.redo, Sandbox):
            raise ProcessFailed("this stage has no sandbox")
        return self.redo

    async def start(self, env: Mapping[str, str] | None = None) -> float:
        """Start the connector. Returns the monotonic clock just before; does not wait until it is ready."""
        config = self.folder / "connector.toml"
        config.write_text(self._config(), encoding="utf-8")
        arguments, log = ["run", "--config", str(config)], self.folder / "connector.log"
        process = Process("the connector", arguments, log, {**self.redo.env, **(env or {})}, self.setup.program)
        began = time.monotonic()
        self._connector = await process.__aenter__()
        return began

    async def stop(self) -> None:
        """End the connector as an operator would. Raises ProcessFailed when it did not drain."""
        connector, self._connector = self._connector, None
        if connector is not None and (code := await connector.stop()) != 0:
            raise ProcessFailed(f"the connector ended with exit code {code}:\n{connector.tail()}")

    async def ready(self) -> None:
        """Wait until the running connector follows its slot: what is committed from now on is seen."""
        async with asyncio.timeout(self.patience):
            while True:
                self.connector.check()
                with contextlib.suppress(httpx.TransportError):  # still starting
                    answer = await self.client.get(f"http://127.0.0.1:{self._port}/readyz")
                    if answer.status_code == HTTPStatus.OK:
                        return
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
        async with asyncio.timeout(self.patience):
            while True:
                sweep = await self._sweep()
                if sweep is not None and sweep["finished_at"] is not None and sweep["started_at"] >= since:
                    return sweep
                await asyncio.sleep(LOOK_EVERY)

    async def judge(self, every: int = 1) -> Verdict:
        """Compare what Redo holds with the mapping's answer, and with the sandbox's rules: all orders, or those whose
        number `every` divides."""
        bodies = await self.redo.orders(every)
        if broken := refused(bodies):
            raise ProcessFailed(f"{len(broken)} orders were sent that break Redo's rules, order {broken[0]} among them")
        orders = [json.loads(body, parse_float=Decimal) for body in bodies]
        mapping = (
            f"SELECT * FROM ({self.setup.shop.mapping().rstrip().rstrip(';')}\n) AS m WHERE id::bigint % {every} = 0"  # noqa: S608
        )
        return await asyncio.to_thread(compare, self.dsn, mapping, {order["id"]: order for order in orders})

    def store_bytes(self) -> int:
        """What the connector's store takes on disk."""
        if self.setup.postgres:
            return int(self.execute(f"SELECT pg_database_size('{STORE_DATABASE}')")[0][0])
        return sum(file.stat().st_size for file in self.folder.glob("connector.db*"))

    def cost(self) -> meter.Cost:
        """CPU so far; the connector's counts from its own start."""
        pid = int((self.cluster.data / "postmaster.pid").read_text().split()[0])
        return meter.Cost.now(None if self._connector is None else self._connector.pid, self.redo.process.pid, pid)

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        """Run one statement of ours, in autocommit. Blocks."""
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            cursor = conn.execute(statement.encode())
            return cursor.fetchall() if cursor.description is not None else []

    async def _until(self, true: Callable[[Scrape], bool]) -> Scrape:
        async with asyncio.timeout(self.patience):
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
        store = self.cluster.dsn(STORE_DATABASE) if self.setup.postgres else f"sqlite:///{self.folder}/connector.db"
        return f"""
[source]
dsn = "{self.dsn}"
[mapping]
path = "{self.folder / "mapping.sql"}"
[redo]
base_url = "{self.redo.base_url}"
store_id = "{STORE}"
api_secret = "{SECRET}"
[checkpoints]
url = "{store}"
[status]
port = {self._port}
"""


@asynccontextmanager
async def open_stage(setup: Setup) -> AsyncIterator[Stage]:
    """A filled OMS and an empty Redo; the connector isn't started yet."""
    cluster = await asyncio.to_thread(Cluster.create)
    try:
        await asyncio.to_thread(setup.shop.furnish, cluster, setup.orders, setup.fan, setup.seed)
        with tempfile.TemporaryDirectory(prefix="redo-connector-bench-") as name:
            folder = Path(name)
            (folder / "mapping.sql").write_text(setup.shop.mapping(), encoding="utf-8")
            async with setup.redo(folder) as redo:
                stage = Stage(setup, cluster, folder, redo)
                try:
                    yield stage
                finally:
                    await stage.stop()
                    await stage.client.aclose()
    finally:
        await asyncio.to_thread(cluster.destroy)
