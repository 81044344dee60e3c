"""`python -m benchmarks.run`: all phases on one stage, a table on the screen, and the section of docs/performance.md.

Exit code 1 when an order at the sandbox differs from the mapping's answer in the end: then the figures mean nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click
import orjson

from benchmarks import phases, report
from benchmarks.machine import machine
from benchmarks.phases import Figures
from benchmarks.stage import open_stage

Run = dict[str, Figures]
"""The figures of one run by phase."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured: the OMS's size, the loads (commits/s), for how long each, and how often all of it."""

    orders: int = 20_000
    rates: tuple[int, ...] = (50, 200)
    seconds: float = 20.0
    runs: int = 3


QUICK = Scale(orders=2_000, seconds=5.0, runs=1)


async def measure(scale: Scale, say: Callable[[str], None]) -> tuple[list[Run], str, bool]:
    """Every phase, `runs` times (the backfill once). Returns the runs, Postgres's version, and whether all is well."""
    say(f"an OMS with {scale.orders:,} orders on a Postgres of its own ...")
    async with open_stage(scale.orders) as stage:
        version = str(stage.execute("SHOW server_version")[0][0])
        say("backfill ...")
        first = await phases.backfill(stage, scale.orders)
        runs: list[Run] = []
        for number in range(scale.runs):
            run: Run = {} if runs else {"backfill": first}
            runs.append(run)
            for rate in scale.rates:
                say(f"run {number + 1}: {rate} commits/s for {scale.seconds:.0f} s ...")
                mark = f"{rate},{number}"
                run[f"latency_{rate}"] = await phases.latency(stage, scale.orders, rate, scale.seconds, mark)
            say(f"run {number + 1}: catching up ...")
            run["catch_up"] = await phases.catch_up(stage, scale.orders, f"caught-up,{number}")
            say(f"run {number + 1}: a sweep in which nothing differs ...")
            run["sweep"] = await phases.sweep(stage, scale.orders)
        verdict = await stage.judge()
        say(f"verdict: {verdict}")
        return runs, version, verdict.clean


@click.command()
@click.option("--quick", is_flag=True, help="Small numbers: does it run? The figures mean little.")
@click.option("--runs", type=click.IntRange(1), help="How often each phase is measured; medians are shown.")
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write every figure there.")
@click.option("--write-docs", is_flag=True, help="Renew the measured section of docs/performance.md.")
def main(quick: bool, runs: int | None, json_file: Path | None, write_docs: bool) -> None:
    """Measure the whole connector from outside."""
    chosen = QUICK if quick else Scale()
    scale = Scale(chosen.orders, chosen.rates, chosen.seconds, runs or chosen.runs)
    found, version, clean = asyncio.run(measure(scale, lambda text: click.echo(text, err=True)))
    facts = machine(version)
    summary = report.summarise(found)
    click.echo(report.plain(summary, facts))
    if json_file is not None:
        content = {"machine": facts, "scale": scale, "summary": summary, "runs": found}
        json_file.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2))
    if write_docs:
        report.write_docs(summary, facts, f"{scale.orders:,} orders, {scale.seconds:.0f} s a load, {scale.runs} runs")
    raise SystemExit(0 if clean else 1)


if __name__ == "__main__":
    main()
