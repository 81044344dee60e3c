"""`python -m benchmarks.run`: all phases on one stage, a table on the screen, and the tables of docs/performance.md.

With `--old CHECKOUT` another checkout's connector is measured in the same sitting, phase by phase in turns, each on a
stage of its own; the table then shows ratios.

Exit code 1 when an order that Redo holds differs from the mapping's answer in the end: then the figures mean nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import click
import orjson

from benchmarks import comparison, phases, report
from benchmarks.fan_out import fan_out
from benchmarks.furnish import FAN
from benchmarks.machine import machine
from benchmarks.phases import Figures
from benchmarks.report import Run
from benchmarks.stage import Setup, Stage, open_stage

Say = Callable[[str], None]
Phase = Callable[[Stage, str], Awaitable[Figures]]
"""Takes what it is to write into the rows."""
NEW, OLD = "new", "old"
VARIANTS: Final = ("postgres", "tls", "sandbox")
"""What else is measured, each on a stage of its own: switches of the Setup."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured: the OMS's size, the loads (commits/s), for how long each, and how often all of it."""

    orders: int = 20_000
    rates: tuple[int, ...] = (50, 200)
    mixed_rate: int = 200
    fan: int = FAN
    seconds: float = 20.0
    runs: int = 3
    variants: tuple[str, ...] = VARIANTS

    def __str__(self) -> str:
        return f"{self.orders:,} orders, {self.seconds:.0f} s a load, {self.runs} runs"

    def phases(self) -> Iterator[tuple[str, str, Phase]]:
        """Those after the first fill, by name, with words for whoever waits."""
        for rate in self.rates:
            words = f"{rate} commits/s for {self.seconds:.0f} s"
            yield f"latency_{rate}", words, _latency(self, rate)
        yield "fan_out", f"{self.mixed_rate} commits/s, some of many orders", self._fan_out
        yield "catch_up", "catching up", lambda stage, mark: phases.catch_up(stage, self.orders, mark)
        yield "sweep", "a sweep in which nothing differs", lambda stage, _: phases.sweep(stage, self.orders)

    async def _fan_out(self, stage: Stage, mark: str) -> Figures:
        return await fan_out(stage, self.mixed_rate, self.seconds, mark)


QUICK = Scale(orders=2_000, seconds=5.0, runs=1, variants=())


def _latency(scale: Scale, rate: int) -> Phase:
    return lambda stage, mark: phases.latency(stage, scale.orders, rate, scale.seconds, mark)


@dataclass(slots=True)
class Measured:
    """The runs by side: NEW, and OLD where there is another checkout. `variants`: one run each."""

    runs: dict[str, list[Run]]
    variants: dict[str, Run]
    version: str = ""
    clean: bool = True


async def measure(scale: Scale, say: Say, old: Path | None = None, only: tuple[str, ...] = ()) -> Measured:
    """Every phase, or `only` some after the first fill, `runs` times (the first fill once)."""
    setup = Setup(scale.orders, scale.fan)
    setups = {NEW: setup} if old is None else {OLD: replace(setup, checkout=old), NEW: setup}
    found = Measured({side: [] for side in setups}, {})
    async with AsyncExitStack() as stack:
        stages: dict[str, Stage] = {}
        for side, each in setups.items():
            say(f"{side}: an OMS with {scale.orders:,} orders on a Postgres of its own ...")
            stages[side] = await stack.enter_async_context(open_stage(each))
        found.version = str(stages[NEW].execute("SHOW server_version")[0][0])
        for number in range(scale.runs):
            for side, run in (await _run(scale, stages, number, only, say)).items():
                found.runs[side].append(run)
        for stage in stages.values():
            await _judge(stage, found, say)
    for name in scale.variants if old is None else ():
        found.variants[name] = await _variant(scale, name, found, say)
    return found


async def _run(scale: Scale, stages: dict[str, Stage], number: int, only: tuple[str, ...], say: Say) -> dict[str, Run]:
    """One run of each side, in turns: whoever began a phase is second in the next run."""
    runs: dict[str, Run] = {side: {} for side in stages}
    turns = list(stages.items())[:: -1 if number % 2 else 1]
    if number == 0:
        for side, stage in turns:
            say(f"{side}: first fill ...")
            runs[side]["backfill"] = await phases.backfill(stage, scale.orders)
    for name, words, phase in scale.phases():
        for side, stage in turns if not only or name in only else ():
            say(f"run {number + 1}, {side}: {words} ...")
            runs[side][name] = await phase(stage, f"{name},{number}")
    return runs


async def _variant(scale: Scale, name: str, found: Measured, say: Say) -> Run:
    say(f"{name}: first fill, {scale.rates[-1]} commits/s, catching up ...")
    switch: dict[str, Any] = {name: True}
    async with open_stage(replace(Setup(scale.orders, scale.fan), **switch)) as stage:
        run: Run = {"backfill": await phases.backfill(stage, scale.orders)}
        for phase in (f"latency_{scale.rates[-1]}", "catch_up"):
            measured = next(call for each, _, call in scale.phases() if each == phase)
            run[phase] = await measured(stage, f"{phase},{name}")
        await _judge(stage, found, say)
        return run


async def _judge(stage: Stage, found: Measured, say: Say) -> None:
    verdict = await stage.judge()
    say(f"verdict: {verdict}")
    found.clean = found.clean and verdict.clean


@click.command()
@click.option("--quick", is_flag=True, help="Small numbers: does it run? The figures mean little.")
@click.option("--runs", type=click.IntRange(1), help="How often each phase is measured; medians are shown.")
@click.option("--only", multiple=True, help="A phase (latency_200, fan_out, catch_up, sweep); no variants then.")
@click.option(
    "--old", type=click.Path(path_type=Path, file_okay=False, exists=True), help="Another checkout, to compare."
)
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write every figure there.")
@click.option("--write-docs", is_flag=True, help="Renew the measured section of docs/performance.md.")
def main(
    quick: bool, runs: int | None, only: tuple[str, ...], old: Path | None, json_file: Path | None, write_docs: bool
) -> None:
    """Measure the whole connector from outside."""
    scale = QUICK if quick else Scale()
    scale = replace(scale, runs=runs or scale.runs, variants=() if only else scale.variants)
    old = None if old is None else old.resolve()
    found = asyncio.run(measure(scale, lambda text: click.echo(text, err=True), old, only))
    facts = machine(found.version)
    summary = report.summarise(found.runs[NEW])
    click.echo(report.plain(summary, facts) if old is None else comparison.plain(found.runs[OLD], found.runs[NEW]))
    if json_file is not None:
        content = {"machine": facts, "scale": scale, "summary": summary, "runs": found.runs, "variants": found.variants}
        json_file.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2))
    if write_docs:
        report.write_docs(report.section(summary, found.variants, facts, str(scale)))
    raise SystemExit(0 if found.clean else 1)


if __name__ == "__main__":
    main()
