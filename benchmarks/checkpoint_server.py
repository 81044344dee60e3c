"""What a checkpoint database has to bear: `python -m benchmarks.checkpoint_server --orders 20000`.

The demo's OMS on one server, the checkpoints on another one with pg_stat_statements, and a receiver as Redo: a first
fill, then single changes. Statements, time in the server, WAL and size are the server's own counts.
https://www.postgresql.org/docs/current/pgstatstatements.html
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
import psycopg

from benchmarks.machine import machine
from benchmarks.redo import SECRET, STORE, Receiver
from connector.daemon.build import build
from connector.daemon.generation import Generation
from connector.demo import oms
from connector.settings.config import Settings
from tests.support.postgres.cluster import Cluster

COUNTS: Final = """
SELECT sum(calls)::float8, sum(total_exec_time)::float8, sum(wal_bytes)::float8,
       (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database())::float8
FROM pg_stat_statements WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
SIZE: Final = """
SELECT sum(pg_total_relation_size(oid))::float8 FROM pg_class
WHERE relnamespace = 'redo_connector'::regnamespace AND relkind = 'r'
"""


@dataclass(frozen=True, slots=True)
class Borne:
    """`milliseconds`: of the server's execution; `wal` in bytes."""

    statements: float
    milliseconds: float
    wal: float
    commits: float

    def per(self, orders: int, before: Borne) -> str:
        counts = (self.statements - before.statements, self.commits - before.commits)
        cost = f"{(self.milliseconds - before.milliseconds) / orders:.3f} ms"
        each = " | ".join(f"{count / orders:.2f}" for count in counts)
        return f"{each} | {cost} | {(self.wal - before.wal) / orders:,.0f} bytes"


@click.command()
@click.option("--orders", default=20_000, show_default=True)
@click.option("--changes", default=4_000, show_default=True)
@click.option("--per-second", default=100.0, show_default=True, help="Changes, one commit each.")
@click.option("--bindir", type=click.Path(path_type=Path), help="Of a Postgres with contrib.")
def main(orders: int, changes: int, per_second: float, bindir: Path | None) -> None:
    asyncio.run(_measure(orders, changes, per_second, bindir))


async def _measure(orders: int, changes: int, per_second: float, bindir: Path | None) -> None:
    statements = {"shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.track": "all"}
    with (
        Cluster.create(bindir=bindir) as shop,
        Cluster.create(bindir=bindir, settings=statements) as server,
        tempfile.TemporaryDirectory() as name,
    ):
        folder = Path(name)
        with psycopg.connect(shop.dsn(), autocommit=True) as conn:
            oms.create(conn)
            oms.seed(conn, orders, 1)
        (folder / "mapping.sql").write_text(oms.mapping(), encoding="utf-8")
        with psycopg.connect(server.dsn(), autocommit=True) as conn:
            conn.execute("CREATE EXTENSION pg_stat_statements")
            async with AsyncExitStack() as stack:
                redo = Receiver(folder)
                await stack.enter_async_context(redo)
                settings = Settings(
                    source={"dsn": shop.dsn()},
                    mapping={"path": str(folder / "mapping.sql")},
                    redo={"base_url": redo.base_url, "store_id": STORE, "api_secret": SECRET},
                    checkpoints={"url": server.dsn()},
                )
                parts = await build(settings, stack)
                stop = asyncio.Event()
                running = asyncio.create_task(parts.pipeline.run(stop))
                await _run(conn, shop, parts, orders, changes, per_second)
                stop.set()
                await running


async def _run(conn: Any, shop: Cluster, parts: Generation, orders: int, changes: int, per_second: float) -> None:
    empty = _borne(conn)
    began = time.monotonic()
    await _settled(parts, orders)
    filled = _borne(conn)
    click.echo(f"Machine: {machine('18')}")
    click.echo(f"first fill of {orders:,}: {orders / (time.monotonic() - began):,.0f}/s")
    click.echo("| | statements | commits | time in the server | WAL |")
    click.echo(f"| a new order, first fill | {filled.per(orders, empty)} |")
    click.echo(f"size an order: {conn.execute(SIZE).fetchone()[0] / orders:,.0f} bytes")
    idle = await _idle(conn, filled)
    await _change(shop, changes, per_second)
    await _settled(parts, orders)
    changed = _borne(conn)
    click.echo(f"| a changed order, {per_second:g} a second | {changed.per(changes, idle)} |")


async def _idle(conn: Any, before: Borne) -> Borne:
    await asyncio.sleep(10.0)
    after = _borne(conn)
    click.echo(f"| a second without changes | {after.per(10, before)} |")
    return after


async def _change(shop: Cluster, changes: int, per_second: float) -> None:
    chosen = random.Random(1)  # noqa: S311 -- to be repeated
    async with await psycopg.AsyncConnection.connect(shop.dsn(), autocommit=True) as conn:
        found = await (await conn.execute("SELECT ord_id FROM oms.order_header")).fetchall()
        begin = time.monotonic()
        for number, (order,) in enumerate(chosen.choices(found, k=changes)):
            await conn.execute("UPDATE oms.order_item SET qty = qty + 1 WHERE ord_id = %s", (order,))
            await asyncio.sleep(max(0.0, begin + number / per_second - time.monotonic()))


async def _settled(parts: Generation, orders: int) -> None:
    pipeline = parts.pipeline
    while True:
        await asyncio.sleep(0.2)
        tally = await pipeline.ports.store.tally()
        if tally.checkpoints >= orders * 0.9 and not (tally.affected or tally.lookups or pipeline.sweeps.active):
            await asyncio.sleep(1.0)
            return


def _borne(conn: Any) -> Borne:
    return Borne(*conn.execute(COUNTS).fetchone())


if __name__ == "__main__":
    main()
