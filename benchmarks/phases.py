"""The measurements. Each phase takes a stage at rest and leaves one, and returns its figures by name.

Names end in their unit: `_ms`, `_s`, `_per_s`, `_mb` (10**6 bytes), `_cpu_s`. Everything is measured from outside: the
load says when it committed, what stands for Redo when it accepted, /proc what it cost.
"""

from __future__ import annotations

import asyncio
import json
import math
import sys
import time
from collections.abc import Sequence
from random import Random
from statistics import median
from typing import Final, TypeAlias

from benchmarks import meter
from benchmarks.load import ORDER, Done, Plan, Row
from benchmarks.redo import ROOT, Push
from benchmarks.stage import PATIENCE, Stage
from connector.model.errors import ConnectorError

Figures: TypeAlias = dict[str, float]

_FLOOR_SLOT: Final = "bench_floor"
_CHANGE: Final = """
DO $$
BEGIN
  FOR number IN 1..{orders} LOOP
    UPDATE oms.order_header SET tag_list = '{mark}' WHERE ord_id = number;
    COMMIT;
  END LOOP;
END $$
"""


class WrongResult(ConnectorError):
    """What was measured did not do its work, so its figures mean nothing."""


async def backfill(stage: Stage, orders: int) -> Figures:
    """The first fill: an empty checkpoint file, an empty Redo, every order pushed. The connector is left running."""
    before, wall = stage.cost(), time.time()
    began = await stage.start()
    await stage.swept(wall)
    cost, peak = stage.cost() - before, meter.peak_rss(stage.connector.pid)
    pushes = await all_pushed(stage, set(range(1, orders + 1)), began)
    return {**_spans(pushes, began), **costs(cost, orders), "peak_rss_mb": peak / 1e6}


async def latency(stage: Stage, orders: int, rate: float, seconds: float, mark: str) -> Figures:
    """Commit to 200 under a steady load, after one second of the same load that isn't counted. The connector is started
    anew: one that read in bulk before would have plans of that."""
    await stage.stop()
    await stage.start()
    await stage.ready()
    count, warm = int(rate * seconds), int(rate)
    chosen: list[Row] = [(ORDER, number) for number in Random(mark).sample(range(1, orders + 1), count + warm)]  # noqa: S311
    await play(stage, rate, chosen[:warm], mark)
    meter.forget_peak(stage.connector.pid)
    before, began = stage.cost(), time.monotonic()
    commits = await play(stage, rate, chosen[warm:], mark)
    elapsed = max(done.returned for done in commits) - min(done.sent for done in commits)
    cost, peak = stage.cost() - before, meter.peak_rss(stage.connector.pid)
    pushes = await all_pushed(stage, {done.number for done in commits}, began)
    accepted = {push.order: push.ended for push in reversed(pushes)}
    after = sorted((accepted[done.number] - done.returned) * 1000 for done in commits)
    return {
        "commits_per_s": len(commits) / elapsed,
        **delays("", [accepted[done.number] - done.sent for done in commits]),
        "after_commit_p50_ms": quantile(after, 0.5),
        "after_commit_p99_ms": quantile(after, 0.99),
        "commit_p50_ms": median(done.returned - done.sent for done in commits) * 1000,
        "pushes_per_change": len(pushes) / len(commits),
        **costs(cost, len(commits)),
        "connector_cpu_share": cost.connector / elapsed,
        "peak_rss_mb": peak / 1e6,
    }


async def catch_up(stage: Stage, orders: int, mark: str) -> Figures:
    """Every order is changed while the connector is stopped, each in a transaction of its own; then it starts. In
    between, `pg_recvlogical` drains the same WAL from a slot of its own: no connector can be faster than that."""
    await stage.stop()
    stage.execute(f"SELECT pg_create_logical_replication_slot('{_FLOOR_SLOT}', 'pgoutput')")
    lsn = stage.execute("SELECT pg_current_wal_insert_lsn()::text")[0][0]
    await asyncio.to_thread(stage.execute, _CHANGE.format(orders=orders, mark=mark))
    end, written = stage.execute(f"SELECT pg_current_wal_insert_lsn()::text, pg_current_wal_insert_lsn() - '{lsn}'")[0]
    floor = await _drain(stage, end)
    stage.execute("CHECKPOINT")
    before = stage.cost()
    began = await stage.start()
    await stage.settled(orders)
    cost, peak = stage.cost() - before, meter.peak_rss(stage.connector.pid)
    pushes = await all_pushed(stage, set(range(1, orders + 1)), began)
    return {
        **_spans(pushes, began),
        "pushes_per_change": len(pushes) / orders,
        "wal_mb": float(written) / 1e6,
        "floor_s": floor,
        "floor_per_s": orders / floor,
        **costs(cost, orders),
        "peak_rss_mb": peak / 1e6,
    }


async def sweep(stage: Stage, orders: int) -> Figures:
    """Every order is compared and none differs."""
    await stage.stop()
    before, wall = stage.cost(), time.time()
    began = await stage.start({"CONNECTOR_BACKFILL__ON_START": "always"})
    found = await stage.swept(wall)
    cost, peak = stage.cost() - before, meter.peak_rss(stage.connector.pid)
    if pushed := len(await stage.redo.pushes(began)):
        raise WrongResult(f"nothing had changed, yet the sweep pushed {pushed} orders")
    if found["scanned"] != orders:
        raise WrongResult(f"the sweep walked {found['scanned']} of {orders} orders")
    span = found["finished_at"] - found["started_at"]
    return {
        "start_up_s": found["started_at"] - wall,
        "span_s": span,
        "orders_per_s": orders / span,
        **costs(cost, orders),
        "peak_rss_mb": peak / 1e6,
    }


def delays(kind: str, seconds: Sequence[float]) -> Figures:
    """Quantiles and the maximum in ms; `kind` begins their names."""
    took = sorted(1000 * each for each in seconds)
    shares = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("max", 1.0))
    return {f"{kind}{name}_ms": quantile(took, share) for name, share in shares}


def quantile(ascending: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of all values don't exceed (nearest rank)."""
    return ascending[max(1, math.ceil(share * len(ascending))) - 1]


async def play(stage: Stage, rate: float, rows: Sequence[Row], mark: str) -> list[Done]:
    """Have the load commit; what it did."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.load"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    output, _ = await process.communicate(Plan(stage.dsn, rate, tuple(rows), mark).dump())
    if process.returncode != 0:
        raise WrongResult("the load failed; its message is above")
    return [Done(**json.loads(line)) for line in output.splitlines()]


async def _drain(stage: Stage, end: str) -> float:
    """Seconds that `pg_recvlogical` takes to drain the floor's slot up to `end`; the slot is dropped."""
    publication = stage.execute("SELECT pubname FROM pg_publication")[0][0]
    started = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        str(stage.cluster.installation.bindir / "pg_recvlogical"),
        *("--dbname", stage.dsn, "--slot", _FLOOR_SLOT, "--start", "--no-loop", "--endpos", end, "--file", "/dev/null"),
        *("--option", "proto_version=1", "--option", f"publication_names={publication}"),
        stdin=asyncio.subprocess.DEVNULL,
    )
    if await asyncio.wait_for(process.wait(), PATIENCE) != 0:
        raise WrongResult("pg_recvlogical failed; its message is above")
    took = time.monotonic() - started
    stage.execute(f"SELECT pg_drop_replication_slot('{_FLOOR_SLOT}')")
    return took


async def all_pushed(stage: Stage, wanted: set[int], since: float) -> list[Push]:
    """Wait until Redo has accepted every wanted order; all pushes of them since `since`, by time."""
    async with asyncio.timeout(stage.patience):
        while True:
            pushes = [push for push in await stage.redo.pushes(since) if push.order in wanted]
            if len({push.order for push in pushes}) == len(wanted):
                return pushes
            await asyncio.sleep(0.5)


def _spans(pushes: Sequence[Push], began: float) -> Figures:
    first, last = min(push.began for push in pushes), max(push.ended for push in pushes)
    orders = len({push.order for push in pushes})
    return {
        "start_up_s": first - began,
        "span_s": last - first,
        "orders_per_s": orders / (last - first),
        "with_start_up_per_s": orders / (last - began),
    }


def costs(cost: meter.Cost, orders: int) -> Figures:
    """CPU by process, and of the connector by order."""
    return {
        "order_cpu_ms": 1000 * cost.connector / orders,
        "connector_cpu_s": cost.connector,
        "redo_cpu_s": cost.redo,
        "postgres_cpu_s": cost.postgres,
        "others_cpu_s": cost.others,
    }
