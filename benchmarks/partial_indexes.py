"""`python -m benchmarks.partial_indexes`: an OMS whose foreign keys have partial indexes only.

Its rows are marked as gone instead of deleted, and the indexes leave those out.

Measured: what `check` would advise there, the first fill, and live changes of every table, with the sequential scans
of large tables that Postgres counted meanwhile. At the end what Redo holds is compared with the mapping's answer.
Claimed, and an exit code 1 when it isn't so: no index is asked for, and no large table is read whole.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Final

import click
import psycopg

from benchmarks import phases, report
from benchmarks.furnish import create_databases
from benchmarks.machine import machine
from benchmarks.phases import Figures
from benchmarks.stage import Setup, Shop, Stage, open_stage
from connector import projection
from connector.demo.postgres.cluster import Cluster
from connector.projection import Assembler

BEGIN: Final = "<!-- partial indexes: written by `python -m benchmarks.partial_indexes --write-docs` -->"
END: Final = "<!-- /partial indexes -->"
LARGE: Final = 10_000
"""Rows of a table whose sequential scans are counted."""
_HERE: Final = Path(__file__).parent

WORDS: Final[Mapping[str, str]] = {
    "advised": "indexes that `check` asks for",
    "fill_per_s": "first fill, orders/s",
    "fill_postgres_ms": "first fill, CPU of Postgres an order (ms)",
    "fill_scans": "sequential scans of large tables during the first fill",
    "fill_scanned": "rows read by them, an order",
    "live_changes": "live changes",
    "live_scans": "sequential scans of large tables during the live changes",
    "live_scanned": "rows read by them, a change",
    "live_postgres_ms": "CPU of Postgres a live change (ms)",
}
_CHANGES: Final = (
    "UPDATE web.sale SET note = '{mark}' WHERE id = 'ord_{number}'",
    "UPDATE web.entry SET quantity = quantity + 1 WHERE id = 'ent_{number}'",
    "UPDATE web.line SET title = '{mark}' WHERE id = 'lin_{number}'",
    "UPDATE web.buyer SET family = '{mark}' WHERE id = 'cus_{third}'",
    "UPDATE web.place SET city = '{mark}' WHERE id = 'adr_{number}'",
    "UPDATE web.parcel SET tracking = '{mark}' WHERE id = 'par_{number}'",
)
_SCANS: Final = """
SELECT s.relname, s.seq_scan, s.seq_tup_read
FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid WHERE c.reltuples > {rows}
"""


def furnish(cluster: Cluster, orders: int, fan: int, seed: int) -> None:
    """Make the databases and fill the OMS. Blocks."""
    create_databases(cluster)
    with psycopg.connect(cluster.dsn("shop"), autocommit=True) as conn:
        conn.execute((_HERE / "partial_indexes.sql").read_text().replace(":orders", str(orders)).encode())
        conn.execute("VACUUM ANALYZE")


def mapping() -> str:
    return (_HERE / "partial_indexes.mapping.sql").read_text(encoding="utf-8")


SHOP: Final = Shop(furnish, mapping)


async def measure(orders: int, changes: int) -> tuple[Figures, str, bool]:
    """The figures, Postgres's version, and whether Redo holds the mapping's answer."""
    async with open_stage(Setup(orders, shop=SHOP)) as stage:
        version = str(stage.execute("SHOW server_version")[0][0])
        advised = await _advised(stage.dsn)
        scans, rows = _scans(stage)
        fill = await phases.backfill(stage, orders)
        await stage.drained()
        filled_scans, filled_rows = _scans(stage)
        before = stage.cost()
        await asyncio.to_thread(_change, stage, orders, changes)
        await stage.drained()
        cost = stage.cost() - before
        await stage.stop()
        live_scans, live_rows = _scans(stage)
        verdict = await stage.judge()
    figures = {
        "advised": float(advised),
        "fill_per_s": fill["orders_per_s"],
        "fill_postgres_ms": 1000 * fill["postgres_cpu_s"] / orders,
        "fill_scans": filled_scans - scans,
        "fill_scanned": (filled_rows - rows) / orders,
        "live_changes": float(changes),
        "live_scans": live_scans - filled_scans,
        "live_scanned": (live_rows - filled_rows) / changes,
        "live_postgres_ms": 1000 * cost.postgres / changes,
    }
    return figures, version, verdict.clean


async def _advised(dsn: str) -> int:
    """How many large tables `check` warns of."""
    found = await projection.load(
        mapping(), path="mapping.sql", read_dsn=dsn, timezone="UTC", statement_timeout_ms=60_000
    )
    assembler = Assembler(found, read_dsn=dsn, statement_timeout_ms=60_000)
    try:
        return sum(1 for read in (await assembler.plans()).whole_reads if read.large)
    finally:
        await assembler.aclose()


def _scans(stage: Stage) -> tuple[float, float]:
    """Sequential scans of large tables so far, and the rows that they read."""
    tables = stage.execute(_SCANS.format(rows=LARGE))
    return float(sum(scans for _, scans, _ in tables)), float(sum(rows for _, _, rows in tables))


def _change(stage: Stage, orders: int, changes: int) -> None:
    """So many single changes, of each table in turn. Blocks."""
    random = Random(stage.setup.seed)  # noqa: S311
    with psycopg.connect(stage.dsn, autocommit=True) as conn:
        for at in range(changes):
            number = random.randrange(1, orders + 1)
            change = _CHANGES[at % len(_CHANGES)]
            conn.execute(change.format(mark=f"changed {at}", number=number, third=number // 3 + 1).encode())


def section(figures: Figures, facts: Mapping[str, str], orders: int) -> str:
    """Markdown: the machine, and a row a figure."""
    about = ", ".join(f"{name} {value}" for name, value in facts.items())
    lines = [f"Machine: {about}. Measured: {orders:,} orders.", "", "| | |", "|---|---:|"]
    return "\n".join([*lines, *(f"| {words} | {shown(figures[name])} |" for name, words in WORDS.items())])


def shown(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) or value >= 100 else f"{value:,.2f}"


@click.command()
@click.option("--orders", type=click.IntRange(100), default=100_000, show_default=True, help="The OMS's size.")
@click.option("--changes", type=click.IntRange(1), default=600, show_default=True, help="Live changes after the fill.")
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write every figure there.")
@click.option("--write-docs", is_flag=True, help="Renew the section of docs/performance.md.")
def main(orders: int, changes: int, json_file: Path | None, write_docs: bool) -> None:
    """Measure an OMS with partial indexes only."""
    figures, version, clean = asyncio.run(measure(orders, changes))
    click.echo("\n".join(f"  {words:<60}{shown(figures[name]):>12}" for name, words in WORDS.items()))
    facts = machine(version)
    if json_file is not None:
        json_file.write_text(json.dumps({"machine": facts, "orders": orders, "figures": figures}), encoding="utf-8")
    if write_docs:
        report.replace(section(figures, facts, orders), BEGIN, END)
    whole = figures["advised"] or figures["fill_scans"] or figures["live_scans"]
    raise SystemExit(0 if clean and not whole else 1)


if __name__ == "__main__":
    main()
