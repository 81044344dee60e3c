"""What a scenario plays on: an OMS, the real command, a local Redo; and what the command costs.

Must not know what happens.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx2 as httpx

from tests.support.fixtures.cli import Cli, Daemon, LocalRedo
from tests.support.fixtures.postgres import Database
from tests.support.oms.minimal_mapping import mapping

BOUND = 300
"""Megabytes of memory that the command may take."""

SCHEMA = """
CREATE SCHEMA shop;
CREATE TABLE shop.orders (
    id bigint PRIMARY KEY, draft bool NOT NULL DEFAULT false, state int NOT NULL DEFAULT 0, words text, scan text
);
CREATE TABLE shop.item (order_id bigint, line int, qty int NOT NULL, PRIMARY KEY (order_id, line));
CREATE TABLE shop.unrelated (id bigint, body text);
ALTER TABLE shop.unrelated ALTER body SET STORAGE EXTERNAL;
ALTER TABLE shop.orders ALTER words SET STORAGE EXTERNAL, ALTER scan SET STORAGE EXTERNAL;
"""
MAPPING = mapping(
    "o.id, o.words AS sales_channel, ARRAY['state ' || o.state] AS tags",
    "shop.orders o WHERE o.draft IS NOT TRUE",  # the stream alone doesn't tell that a draft is none
    items="(SELECT jsonb_agg(jsonb_build_object('id', i.order_id || '-' || i.line, 'product_id', 'p', 'sku', 's',"
    " 'title', 't', 'quantity', i.qty, 'price_set', 1) ORDER BY i.line) FROM shop.item i WHERE i.order_id = o.id)",
)
"""Of an order: `words`, `state`, and its items' quantities."""


@dataclass(slots=True)
class Stage:
    """The OMS has no orders yet, and the command isn't started."""

    database: Database
    cli: Cli
    redo: LocalRedo
    peak: int = 0
    _daemon: Daemon | None = field(default=None)
    _client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=60))

    def __post_init__(self) -> None:
        self.cli.mapping = MAPPING
        self.execute(SCHEMA)

    def execute(self, *statements: str) -> None:
        """One commit a statement."""
        with self.database.connect() as conn:
            for statement in statements:
                conn.execute(statement.encode())

    def ask(self, query: str) -> Any:
        """The first column of the first row."""
        with self.database.connect() as conn:
            row = conn.execute(query.encode()).fetchone()
        return None if row is None else row[0]

    def fill(self, orders: int, lines: int) -> None:
        """Orders 1 to `orders`, of so many lines each."""
        self.execute(
            f"INSERT INTO shop.orders SELECT g FROM generate_series(1, {orders}) g",
            f"INSERT INTO shop.item SELECT g, l, 1 FROM generate_series(1, {orders}) g, generate_series(1, {lines}) l",
            "ANALYZE",
        )

    def start(self) -> None:
        self._daemon = self.cli.start("run")
        self._daemon.until_said("started")

    def begin(self) -> None:
        """Start, and wait until every order was looked at."""
        self.start()
        self.until("the first fill", lambda: (self.facts()["sweep"] or {}).get("finished_at"))
        self.quiet()

    def close(self) -> None:
        """Whoever looked at Redo looks no more."""
        self._client.close()

    def stop(self) -> float:
        """Seconds that it took."""
        self.measure()
        began = time.monotonic()
        assert self.daemon.stop() == 0
        return time.monotonic() - began

    @property
    def daemon(self) -> Daemon:
        assert self._daemon is not None
        return self._daemon

    @property
    def store(self) -> Path:
        return self.cli.folder / "connector.db"

    def facts(self) -> Any:
        self.measure()
        try:
            return self.cli.facts()
        except httpx.TransportError as error:
            raise AssertionError(f"the command is gone:\n{self.daemon.said()}") from error

    def measure(self) -> int:
        """Peak resident memory of the command so far, in MB (VmHWM, proc_pid_status(5))."""
        status = Path(f"/proc/{self.daemon.process.pid}/status").read_text()
        self.peak = max(self.peak, int(status.split("VmHWM:")[1].split()[0]) // 1024)
        return self.peak

    def until(self, what: str, check: Callable[[], Any], within: float = 1800.0) -> float:
        """Wait until it is so: seconds that it took."""
        began = time.monotonic()
        while not check():
            assert self.daemon.process.poll() is None, f"it ended:\n{self.daemon.said()}"
            assert time.monotonic() - began < within, f"did not come true in {within:.0f} s: {what}"
            time.sleep(0.1)
        self.measure()
        return time.monotonic() - began

    def flushed(self, lsn: str) -> bool:
        """Whether the slot may let go of everything before that position."""
        slot = f"pg_replication_slots WHERE database = '{self.database.name}'"
        return bool(self.ask(f"SELECT confirmed_flush_lsn >= '{lsn}'::pg_lsn FROM {slot}"))

    def wal_end(self) -> str:
        return str(self.ask("SELECT pg_current_wal_lsn()::text"))

    def waiting(self) -> int:
        """Orders in the ledger. What the status says may be a second old."""
        return self._count("ledger")

    def idle(self) -> bool:
        """Nothing waits, and nothing is under way."""
        return not (self._count("ledger", 1) or self._count("lookup", 1)) and self.facts()["state"] == "streaming"

    def _count(self, table: str, limit: int = -1) -> int:
        with closing(sqlite3.connect(f"file:{self.store}?mode=ro", uri=True)) as file:
            return int(file.execute(f"SELECT count(*) FROM (SELECT 1 FROM {table} LIMIT {limit})").fetchone()[0])

    def quiet(self) -> None:
        """Everything that was committed is taken in and dealt with."""
        end = self.wal_end()
        self.until("the slot is told of it", lambda: self.flushed(end))
        self.until("nothing waits", self.idle)

    def order(self, key: int) -> Any:
        """One order as Redo holds it."""
        answer = self._client.get(f"{self.redo.base_url}/_sandbox/orders/{key}")
        assert answer.status_code == HTTPStatus.OK, f"order {key}: {answer.status_code}"
        return answer.json()

    def agrees(self, *, large: bool = False) -> None:
        """What Redo holds is what the OMS holds, computed without the mapping. `large`: read order by order."""
        query = (
            "SELECT o.id::text, 'state ' || o.state, sum(i.qty)::int FROM shop.orders o JOIN shop.item i"
            " ON i.order_id = o.id WHERE NOT o.draft GROUP BY o.id"
        )
        with self.database.connect() as conn:
            wanted = {key: (state, quantity) for key, state, quantity in conn.execute(query.encode())}
        orders = map(self.order, map(int, wanted)) if large else self.redo.orders().values()
        held = {
            order["id"]: (order["tags"][0], sum(item["quantity"] for item in order["lineItems"])) for order in orders
        }
        assert held == wanted
