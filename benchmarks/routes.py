"""`python -m benchmarks.routes`: how fast changed rows become order keys, and what the reverse index costs.

Measured on the demo's OMS, with a table of vendors behind its products, and with the connector's own parts in this
process: a column route (no query), a reverse query of one table and one of two, and the reverse index in
its SQLite file.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import click
import psycopg

from benchmarks.machine import machine
from connector import projection as projections
from connector.checkpoints.address import Address
from connector.checkpoints.opening import open_checkpoints
from connector.demo import oms
from connector.demo.postgres.cluster import Cluster
from connector.model.changes import Changes, Operation, TableName
from connector.model.orders import Lookup, Members, OrderKey
from connector.pipeline.ports.store import CheckpointStore
from connector.projection import Assembler, Projection

BATCH: Final = 500
"""Rows that are looked up at once, and orders that are assembled at once."""
COLUMN: Final = TableName("oms", "order_item")
ONE_HOP: Final = (TableName("oms", "customer"), "SELECT cust_id::text FROM oms.customer ORDER BY 1 LIMIT 5000")
TWO_HOPS: Final = (TableName("oms", "vendor"), "SELECT vendor_cd FROM oms.vendor ORDER BY 1")
_PRODUCTS: Final = "JOIN oms.product AS p ON p.product_id = i.product_id"
VENDORS: Final = """
UPDATE oms.product SET vendor_cd = 'V' || product_id;
CREATE TABLE oms.vendor AS SELECT DISTINCT vendor_cd FROM oms.product;
ALTER TABLE oms.vendor ADD PRIMARY KEY (vendor_cd);
CREATE INDEX ON oms.product (vendor_cd);
ANALYZE"""

Figures = dict[str, float]


async def measure(orders: int, folder: Path) -> tuple[Figures, str]:
    """All figures by name, and Postgres's version."""
    with ExitStack() as stack:
        cluster = stack.enter_context(Cluster.create())
        connection = stack.enter_context(psycopg.connect(cluster.dsn(), autocommit=True))
        oms.create(connection)
        oms.seed(connection, orders, 1)
        connection.execute(VENDORS)
        mapping = oms.mapping().replace(_PRODUCTS, f"{_PRODUCTS}\nJOIN oms.vendor AS v ON v.vendor_cd = p.vendor_cd")
        version = connection.execute("SHOW server_version").fetchone()
        projection = await projections.load(
            mapping, path="mapping.sql", read_dsn=cluster.dsn(), timezone="UTC", statement_timeout_ms=60_000
        )
        assembler = Assembler(projection, read_dsn=cluster.dsn(), statement_timeout_ms=60_000)
        try:
            figures = {"column route, rows/s": column_route(projection)}
            for name, (table, query) in (("one hop", ONE_HOP), ("two hops", TWO_HOPS)):
                rows = [text for (text,) in connection.execute(query.encode())]
                figures |= await reverse_query(name, assembler, projection, table, rows)
            figures |= await reverse_index(assembler, folder)
        finally:
            await assembler.aclose()
    return figures, str(version[0]) if version else ""


def column_route(projection: Projection) -> float:
    """Rows a second whose order's key stands in the row itself."""
    columns = projection.routes.interest[COLUMN]
    images = [tuple(str(row // 3) if name == "ord_id" else "1" for name in columns) for row in range(300_000)]
    changes = Changes(COLUMN, Operation.INSERT, len(images), tuple(images))
    began = time.perf_counter()
    projection.routes.affected(changes)
    return len(images) / (time.perf_counter() - began)


async def reverse_query(
    name: str, assembler: Assembler, projection: Projection, table: TableName, rows: Sequence[str]
) -> Figures:
    """Keys a second, and how many orders a row led to."""
    routes = [route.name for route in projection.routes.by_table[table] if route.name is not None]
    lookups = [Lookup(routes[0], (row,)) for row in rows]
    found = 0
    began = time.perf_counter()
    for at in range(0, len(lookups), BATCH):
        cursor: str | None = None
        while True:
            page = await assembler.resolve(lookups[at : at + BATCH], cursor, 1000)
            found += len(page.keys)
            if (cursor := page.cursor) is None:
                break
    seconds = time.perf_counter() - began
    return {f"{name}, keys/s": found / seconds, f"{name}, orders a row": found / len(rows)}


async def reverse_index(assembler: Assembler, folder: Path) -> Figures:
    """What every order's child rows cost in the file, to write and to find."""
    memory = open_checkpoints(Address(f"sqlite:///{folder / 'routes.db'}"))
    try:
        members = await all_members(assembler)
        before = size(folder)
        writing = await timed(lambda: enroll(memory, members))
        index, rows = largest(members)
        finding = await timed(lambda: find(memory, index, rows))
    finally:
        await memory.close()
    return {
        "reverse index, child rows an order": sum(len(r) for m in members.values() for r in m.values()) / len(members),
        "reverse index, bytes an order": (size(folder) - before) / len(members),
        "reverse index, us an order to write": writing / len(members) * 1e6,
        "reverse index, keys found/s": len(rows) / finding,
    }


async def all_members(assembler: Assembler) -> dict[OrderKey, Members]:
    found: dict[OrderKey, Members] = {}
    cursor: str | None = None
    while True:
        page = await assembler.scan(cursor, BATCH)
        if page.keys:
            found |= (await assembler.assemble(page.keys)).members
        if (cursor := page.cursor) is None:
            return found


async def enroll(memory: CheckpointStore, members: dict[OrderKey, Members]) -> None:
    keys = list(members)
    for at in range(0, len(keys), BATCH):
        await memory.enroll({key: members[key] for key in keys[at : at + BATCH]})


async def find(memory: CheckpointStore, index: str, rows: Sequence[str]) -> None:
    for at in range(0, len(rows), BATCH):
        await memory.enrolled(index, rows[at : at + BATCH], None, 1000)


def largest(members: dict[OrderKey, Members]) -> tuple[str, list[str]]:
    """The index with the most rows, and those."""
    rows: dict[str, list[str]] = {}
    for each in members.values():
        for index, some in each.items():
            rows.setdefault(index, []).extend(some)
    index = max(rows, key=lambda name: len(rows[name]))
    return index, rows[index]


async def timed(work: Callable[[], Awaitable[None]]) -> float:
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


@click.command()
@click.option("--orders", type=click.IntRange(100), default=20_000, show_default=True, help="The OMS's size.")
def main(orders: int) -> None:
    """Measure routes and the reverse index."""
    with tempfile.TemporaryDirectory() as folder:
        figures, version = asyncio.run(measure(orders, Path(folder)))
    for name, value in figures.items():
        click.echo(f"{name:40}{value:14,.1f}")
    click.echo(", ".join(f"{name} {value}" for name, value in machine(version).items()))


if __name__ == "__main__":
    main()
