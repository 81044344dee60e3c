"""`python -m benchmarks.growth`: what happens to first fill, sweep, memory and store as the OMS grows a hundredfold.

Each size has a stage of its own. At the end what Redo holds is compared with the mapping's answer, for a sample where
there are very many orders; that each of them was pushed is checked of all. A million orders take a quarter of an hour.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import click
import orjson

from benchmarks import phases, report
from benchmarks.furnish import BLOCK
from benchmarks.machine import machine
from benchmarks.phases import Figures
from benchmarks.stage import Setup, open_stage

BEGIN: Final = "<!-- growth: written by `python -m benchmarks.growth --write-docs` -->"
END: Final = "<!-- /growth -->"
JUDGED: Final = 20_000
"""Orders that are compared at the end; more take a minute for a hundred thousand."""

WORDS: Final[Mapping[str, str]] = {
    "fill_per_s": "first fill, orders",
    "fill_cpu_ms": "first fill, CPU of the connector an order",
    "fill_postgres_cpu_ms": "first fill, CPU of Postgres an order",
    "fill_peak_mb": "first fill, peak memory",
    "sweep_per_s": "sweep in which nothing differs, orders",
    "sweep_cpu_ms": "sweep, CPU of the connector an order",
    "sweep_postgres_cpu_ms": "sweep, CPU of Postgres an order",
    "sweep_peak_mb": "sweep, peak memory",
    "store_mb": "the connector's store on disk",
    "store_order_bytes": "of which an order",
}


async def grow(setup: Setup) -> tuple[Figures, str, bool]:
    """One size: its figures, Postgres's version, and whether Redo holds the mapping's answer."""
    async with open_stage(setup) as stage:
        version = str(stage.execute("SHOW server_version")[0][0])
        fill = await phases.backfill(stage, setup.orders)
        sweep = await phases.sweep(stage, setup.orders)
        await stage.stop()
        size = stage.store_bytes()
        verdict = await stage.judge(max(1, setup.orders // JUDGED))
    figures = {"store_mb": size / 1e6, "store_order_bytes": size / setup.orders}
    for name, phase in (("fill", fill), ("sweep", sweep)):
        figures[f"{name}_per_s"] = phase["orders_per_s"]
        figures[f"{name}_cpu_ms"] = phase["order_cpu_ms"]
        figures[f"{name}_postgres_cpu_ms"] = 1000 * phase["postgres_cpu_s"] / setup.orders
        figures[f"{name}_peak_mb"] = phase["peak_rss_mb"]
    return figures, version, verdict.clean


def rows(found: Mapping[int, Figures]) -> list[list[str]]:
    """Words, a cell a size, and the largest size's figure by the smallest's."""
    table = []
    for name, words in WORDS.items():
        values = [figures[name] for figures in found.values()]
        table.append([words, *(shown(name, value) for value in values), f"{values[-1] / values[0]:.2f}"])
    return table


def shown(name: str, value: float) -> str:
    """With its unit."""
    if name.endswith("_bytes"):
        return f"{value:,.0f} bytes"
    return f"{value:.2f} ms" if name.endswith("_ms") else report.shown(name, value)


def section(found: Mapping[int, Figures], facts: Mapping[str, str]) -> str:
    """Markdown: the machine, and a column a size."""
    titles = [f"{orders:,} orders" for orders in found]
    lines = [f"Machine: {', '.join(f'{name} {value}' for name, value in facts.items())}.", ""]
    lines += [f"| | {' | '.join(titles)} | last by first |", "|---|" + "---:|" * (len(found) + 1)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows(found))])


@click.command()
@click.option("--sizes", default="10000,100000,1000000", show_default=True, help=f"Orders: {BLOCK} or multiples of it.")
@click.option("--postgres", is_flag=True, help="The connector's store is a Postgres database.")
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write every figure there.")
@click.option("--write-docs", is_flag=True, help="Renew the section of docs/performance.md.")
def main(sizes: str, postgres: bool, json_file: Path | None, write_docs: bool) -> None:
    """Measure OMSs of several sizes."""
    found: dict[int, Figures] = {}
    version, all_clean = "", True
    for orders in map(int, sizes.split(",")):
        click.echo(f"{orders:,} orders ...", err=True)
        found[orders], version, clean = asyncio.run(grow(replace(Setup(orders), postgres=postgres)))
        click.echo("\n".join(f"  {WORDS[name]:<44}{shown(name, found[orders][name]):>14}" for name in WORDS))
        all_clean = all_clean and clean
    facts = machine(version)
    if json_file is not None:
        content = {"machine": facts, "found": {str(orders): figures for orders, figures in found.items()}}
        json_file.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2))
    if write_docs:
        report.replace(section(found, facts), BEGIN, END)
    raise SystemExit(0 if all_clean else 1)


if __name__ == "__main__":
    main()
