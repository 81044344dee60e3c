"""A whole connector in the test's own process: real Postgres, real stream, real store, real HTTP to a real sandbox."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from connector.daemon import build
from connector.daemon.health.watchdog import Watchdog
from connector.daemon.mapping.mapping_watch import Parts
from connector.demo import oms as demo_oms
from connector.demo.verdict import Verdict, compare
from connector.model.changes import parse_lsn
from connector.pipeline.ports.records import Tally
from connector.sandbox.server import SandboxServer
from connector.settings.config import Settings
from connector.status.facts import Facts
from tests.support.fix_postgres import Database

WITHIN = 60.0


async def eventually(what: str, check: Callable[[], Awaitable[Any] | Any], within: float = WITHIN) -> Any:
    """Wait until `check` returns something true, and return it."""
    deadline = time.monotonic() + within
    while True:
        found = check()
        if isinstance(found, Awaitable):
            found = await found
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"did not come true in {within:.0f} s: {what}")
        await asyncio.sleep(0.02)


@dataclass(slots=True, repr=False)  # asyncio.Runner prints a fixture's result to itself: keep that short
class Rig:
    """One OMS database, one sandbox, and a connector that can be started and stopped between them."""

    database: Database
    sandbox: SandboxServer
    folder: Path
    mapping: str
    overrides: dict[str, dict[str, Any]] = field(default_factory=dict)
    watchdog: Watchdog | None = None
    """With one, the whole is judged too, as `serve` does it; start and stop it yourself."""
    approve_endpoints: bool = False
    """As `run --yes`."""
    parts: Parts | None = None
    _stack: AsyncExitStack | None = None
    _task: asyncio.Task[None] | None = None
    _stop: asyncio.Event | None = None

    @property
    def dsn(self) -> str:
        return self.database.dsn

    @property
    def running(self) -> Parts:
        assert self.parts is not None, "the connector is not running"
        return self.parts

    def settings(self) -> Settings:
        return Settings(**self.values())  # type: ignore[arg-type]

    def values(self) -> dict[str, dict[str, Any]]:
        """The settings by section, with the mapping written to its file."""
        (self.folder / "mapping.sql").write_text(self.mapping, encoding="utf-8")
        values: dict[str, dict[str, Any]] = {
            "source": {"dsn": self.dsn, "slot": self.slot, "publication": "redo_connector"},
            "mapping": {"path": str(self.folder / "mapping.sql")},
            "redo": {
                "base_url": self.sandbox.base_url,
                "store_id": self.sandbox.state.store_id,
                "api_secret": self.sandbox.state.api_secret,
                "confirm_after": 0.3,
            },
            "guard": {"removal_wait": 0.3},
            "checkpoints": {"url": f"sqlite:///{self.folder / 'connector.db'}"},
        }
        for section, changes in self.overrides.items():
            values.setdefault(section, {}).update(changes)
        return values

    def write_config(self, port: int = 0) -> Path:
        """The same settings as a file, for the command."""
        values = self.values()
        values.setdefault("status", {})["port"] = port
        config = self.folder / "connector.toml"
        config.write_text("\n".join(_toml(values)), encoding="utf-8")
        return config

    @property
    def slot(self) -> str:
        """Slots belong to the server, which tests share."""
        return f"slot_{self.database.name}"

    async def start(self) -> Parts:
        """Build and run; returns once the first backfill is over (or the pipeline has picked up where it was)."""
        self._stack = AsyncExitStack()
        self.parts = await build.build(
            self.settings(), self._stack, watchdog=self.watchdog, approve_endpoints=self.approve_endpoints
        )
        if self.watchdog is not None:
            await self.parts.facts_collector.start(self._stack)
            self.parts.facts_collector.started = True
            self.watchdog.watch(self.parts.heartbeats)
        self._stop = asyncio.Event()
        self._task = asyncio.create_task(self.parts.pipeline.run(self._stop))
        return self.parts

    def facts(self) -> Facts:
        return self.running.facts_collector.facts()

    async def stop(self) -> None:
        """Drain and end. Raises what ended the pipeline by itself."""
        if self._task is None or self._stack is None or self._stop is None:
            return
        self._stop.set()
        task, stack, self._task, self._stack = self._task, self._stack, None, None
        try:
            await task
        finally:
            if self.watchdog is not None:
                self.watchdog.watch()
            await stack.aclose()
            self.parts = None

    async def abandon(self) -> None:
        """Close what a start that failed has opened."""
        assert self._stack is not None
        stack, self._stack = self._stack, None
        await stack.aclose()

    def check(self) -> None:
        if self._task is not None and self._task.done():
            self._task.result()

    async def tally(self) -> Tally:
        self.check()
        return await self.running.pipeline.ports.store.tally()

    async def flushed(self) -> bool:
        """The slot may let go of everything written so far."""
        self.check()
        position = self.running.pipeline.ports.source.position()
        return position.flush_lsn >= self.wal_end()

    def wal_end(self) -> int:
        """Where the WAL of everything committed so far ends."""
        with self.database.connect() as conn:
            row = conn.execute("SELECT pg_current_wal_flush_lsn()::text").fetchone()
            assert row is not None
            return parse_lsn(row[0])

    async def read_up_to(self, lsn: int) -> None:
        def read() -> bool:
            self.check()
            return self.running.pipeline.ports.source.position().flush_lsn >= lsn

        await eventually("the slot's flush position passes what was written", read)

    async def quiet(self) -> None:
        """What was written so far was read, every order it affects was looked at, and no sweep is on."""
        await self.read_up_to(self.wal_end())
        await eventually("nothing waits any more", self._settled)

    async def _settled(self) -> bool:
        tally = await self.tally()
        pipeline = self.running.pipeline
        return tally.affected == 0 and tally.lookups == 0 and not pipeline.in_work and not pipeline.sweeps.active

    def stored(self) -> dict[str, Any]:
        """What the sandbox holds, by order id."""
        return {key: json.loads(body, parse_float=Decimal) for key, body in self.sandbox.state.orders.items()}

    async def verdict(self) -> Verdict:
        return await asyncio.to_thread(compare, self.dsn, self.mapping, self.stored())

    def execute(self, statement: str, *parameters: Any) -> None:
        with self.database.connect() as conn:
            conn.execute(statement.encode(), parameters or None)

    def copy_order(self, order: int, number: int) -> None:
        """A new order, like another one."""
        for table, values in (
            ("order_header", {"ord_id": number, "ord_no": f"N{number}"}),
            ("order_item", {"ord_id": number}),
        ):
            columns = f"(jsonb_populate_record(t, '{json.dumps(values)}')).*"
            self.execute(f"INSERT INTO oms.{table} SELECT {columns} FROM oms.{table} t WHERE ord_id = {order}")

    def switch(self, **switches: Any) -> None:
        assert self.sandbox.state.switches.change(switches) is None


def _toml(table: dict[str, Any], name: str = "") -> Iterator[str]:
    if name:
        yield f"[{name}]"
    yield from (f"{key} = {json.dumps(value)}" for key, value in table.items() if not isinstance(value, dict))
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _toml(value, f"{name}.{key}" if name else key)


@pytest.fixture
async def sandbox() -> AsyncIterator[SandboxServer]:
    async with SandboxServer() as server:
        yield server


@pytest.fixture
async def rig(oms: Database, sandbox: SandboxServer, tmp_path: Path) -> AsyncIterator[Rig]:
    """The demo's OMS with 40 orders; the connector isn't started yet."""
    with psycopg.connect(oms.dsn, autocommit=True) as conn:
        demo_oms.seed(conn, 40, 7)
    made = Rig(oms, sandbox, tmp_path, demo_oms.mapping())
    yield made
    await made.stop()
