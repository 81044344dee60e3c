"""`python -m benchmarks.linearity`: pushes a second against a Redo that allows 50, 200 and 1,000, and what is wasted.

Orders wait in the ledger, the whole connector pushes them to a sandbox that answers 429 beyond its limit, and the
sandbox's counts are what is reported. For each limit the connector starts anew and knows nothing of it. First of all
the same without a limit: more than that ceiling can't be asked of the machine.

Exit code 1 when a claim fails, or when an order at the sandbox differs from the mapping's answer in the end.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import nan
from pathlib import Path
from typing import Any, Final

import click
import orjson

from benchmarks import report
from benchmarks.curve import Curve, Sample
from benchmarks.linearity_report import BEGIN, END, failures, plain, section
from benchmarks.machine import machine
from benchmarks.phases import Figures
from benchmarks.stage import PATIENCE, Setup, Stage, open_stage

LOOK_EVERY: Final = 0.25
WARM: Final = 5.0
"""Seconds before the ceiling counts: processes warm up, and the stream is still being read."""
CHANGED_ONLY: Final = {"CONNECTOR_BACKFILL__ON_START": "never"}


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured: the OMS's size, the limits (requests/s), and for how long each (s). `kind` of limit and
    `latency_ms` are the sandbox's switches."""

    orders: int = 20_000
    limits: tuple[int, ...] = (50, 200, 1000)
    seconds: float = 45.0
    kind: str = "fixed"
    latency_ms: float = 0.0

    def __str__(self) -> str:
        return f"limits of kind {self.kind}, {self.seconds:.0f} s each, answers after {self.latency_ms:.0f} ms"


QUICK = Scale(orders=1_200, limits=(100,), seconds=8.0)


async def measure(scale: Scale, say: Callable[[str], None]) -> tuple[dict[str, Figures], str, bool]:
    """Figures by `ceiling` and `limit_N`, Postgres's version, and whether Redo holds the mapping's answer."""
    say(f"an OMS with {scale.orders:,} orders on a Postgres of its own ...")
    async with open_stage(Setup(scale.orders, sandbox=True)) as stage:
        version = str(stage.execute("SHOW server_version")[0][0])
        await stage.start(CHANGED_ONLY)
        await stage.scrape()
        await stage.ready()
        say("no limit ...")
        curve, costs = await push(stage, scale, None, scale.orders)
        ceiling = curve.rate(min(curve.began + WARM, curve.ended - WARM), curve.ended)
        found: dict[str, Figures] = {"ceiling": {"pushes_per_s": ceiling, **overall(curve), **costs}}
        for limit in scale.limits:
            say(f"{limit:,} requests/s ...")
            curve, costs = await push(stage, scale, limit, min(scale.orders, int(limit * scale.seconds)))
            found[f"limit_{limit}"] = {**judged(curve, limit, ceiling), **overall(curve), **costs}
        say("what is left ...")
        await stage.sandbox.switch(rate_limit=None, latency_ms=0.0)
        await stage.drained()
        verdict = await stage.judge()
        say(f"verdict: {verdict}")
        return found, version, verdict.clean


async def push(stage: Stage, scale: Scale, limit: int | None, orders: int) -> tuple[Curve, Figures]:
    """Change each order once while the connector is stopped, then let it push them, as long as the scale says or until
    they run out. The connector is left running."""
    await stage.stop()
    change = f"UPDATE oms.order_header SET tag_list = 'limit-{limit}' WHERE ord_id <= {orders}"  # noqa: S608 -- numbers
    await asyncio.to_thread(stage.execute, change)
    await stage.sandbox.switch(rate_limit=limit, rate_limit_kind=scale.kind, latency_ms=scale.latency_ms)
    before, cost = await stage.sandbox.stats(), stage.cost()
    await stage.start(CHANGED_ONLY)
    curve = await watch(stage, before, scale.seconds, orders - (limit or 0))
    cost, scraped = stage.cost() - cost, await stage.scrape()
    return curve, {
        "connections_per_1000": 1000 * scraped.total("http_connections_total") / scraped.total("http_requests_total"),
        "connector_cpu_share": cost.connector / (curve.ended - curve.began),
        "others_cpu_share": cost.others / (curve.ended - curve.began),
    }


async def watch(stage: Stage, before: Mapping[str, Any], seconds: float, orders: int) -> Curve:
    """The sandbox's counts, until `seconds` after its first request or until so many orders were accepted."""
    samples, give_up = [Sample(time.monotonic())], time.monotonic() + PATIENCE
    while True:
        stage.connector.check()
        samples.append(counted(before, await stage.sandbox.stats(), time.monotonic()))
        curve = Curve(samples)
        if samples[-1].accepted >= orders or (samples[-1].requests and curve.ended - curve.began > seconds):
            return curve
        if time.monotonic() > give_up:
            raise TimeoutError(f"the connector pushed too little in {PATIENCE:.0f} s")
        await asyncio.sleep(LOOK_EVERY)


def counted(before: Mapping[str, Any], after: Mapping[str, Any], at: float) -> Sample:
    """What happened between two looks at the sandbox's stats. Every order was changed once, so a second push of one is
    a repeat."""
    accepted, throttled, requests = (after[name] - before[name] for name in ("accepted", "throttled", "requests"))
    known = before["pushes"]
    pushed = [count - known.get(order, 0) for order, count in after["pushes"].items()]
    repeated = sum(count - 1 for count in pushed if count > 1)
    return Sample(at, accepted, throttled, requests - accepted - throttled, repeated)


def judged(curve: Curve, limit: int, ceiling: float) -> Figures:
    """Once the limit is found. When it never is, from the middle on."""
    possible = min(limit, ceiling)
    settled = curve.settled(possible)
    since = (curve.began + curve.ended) / 2 if settled is None else settled
    rate = curve.rate(since, curve.ended)
    return {
        "settled_after_s": nan if settled is None else settled - curve.began,
        "pushes_per_s": rate,
        "limit_share": rate / limit,
        "possible_share": rate / possible,
        "settled_requests": float(curve.sample(curve.ended).requests - curve.sample(since).requests),
        "settled_wasted_share": curve.waste(since, curve.ended),
    }


def overall(curve: Curve) -> Figures:
    last = curve.samples[-1]
    return {
        "requests": float(last.requests),
        "throttled": float(last.throttled),
        "failed": float(last.failed),
        "repeated": float(last.repeated),
        "wasted_share": curve.waste(curve.began, curve.ended),
    }


@click.command()
@click.option("--quick", is_flag=True, help="Small numbers: does it run? No claim is judged.")
@click.option("--kind", type=click.Choice(("fixed", "sliding", "bucket")), default="fixed", show_default=True)
@click.option("--latency", type=click.FloatRange(0), default=0.0, help="Milliseconds that the sandbox takes.")
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write every figure there.")
@click.option("--write-docs", is_flag=True, help="Renew the section of docs/performance.md.")
def main(quick: bool, kind: str, latency: float, json_file: Path | None, write_docs: bool) -> None:
    """Measure the connector against limits."""
    scale = replace(QUICK if quick else Scale(), kind=kind, latency_ms=latency)
    found, version, clean = asyncio.run(measure(scale, lambda text: click.echo(text, err=True)))
    facts = machine(version)
    click.echo(plain(found, facts))
    if json_file is not None:
        json_file.write_bytes(orjson.dumps({"machine": facts, "scale": scale, "found": found}))
    if write_docs:
        report.replace(section(found, facts, str(scale)), BEGIN, END)
    failed = [] if quick else failures(found)
    for failure in failed:
        click.echo(f"claim failed: {failure}", err=True)
    raise SystemExit(0 if clean and not failed else 1)


if __name__ == "__main__":
    main()
