"""Latency of orders that change by themselves, while other commits change a row that many orders show.

Single changes and those orders are told apart by their numbers, so that no push is counted for the wrong one.
"""

from __future__ import annotations

import time
from bisect import bisect
from random import Random
from typing import Final

from benchmarks import meter
from benchmarks.furnish import fans
from benchmarks.load import CUSTOMER, ORDER, Row
from benchmarks.phases import Figures, all_pushed, costs, delays, play, quantile
from benchmarks.stage import Setup, Stage

EVERY: Final = 20
"""One commit of so many changes a customer."""


async def fan_out(stage: Stage, rate: float, seconds: float, mark: str) -> Figures:
    """Connector running. At most as long as there are customers of many orders that weren't changed yet."""
    setup = stage.setup
    wide = fans(setup.orders, setup.fan)
    count, warm = min(int(rate * seconds), EVERY * wide), int(rate)
    rows = _rows(setup, warm, count, mark)
    await play(stage, rate, rows[:warm], mark)
    meter.forget_peak(stage.connector.pid)
    before, began = stage.cost(), time.monotonic()
    commits = await play(stage, rate, rows[warm:], mark)
    sent = {done.number: done.sent for done in commits if done.kind == ORDER}
    renamed = {done.number: done.sent for done in commits if done.kind == CUSTOMER}
    fan = {order: name for name in renamed for order in range((name - 1) * setup.fan + 1, name * setup.fan + 1)}
    pushes = await all_pushed(stage, sent.keys() | fan.keys(), began)
    cost, peak = stage.cost() - before, meter.peak_rss(stage.connector.pid)
    elapsed = max(push.ended for push in pushes) - min(done.sent for done in commits)
    accepted = {push.order: push.ended for push in reversed(pushes)}
    last: dict[int, float] = {}
    for order, name in fan.items():
        last[name] = max(last.get(name, 0.0), accepted[order] - renamed[name])
    answers = sorted(accepted[order] for order in fan)
    passed = sorted(bisect(answers, accepted[order]) - bisect(answers, at) for order, at in sent.items())
    return {
        "commits_per_s": len(commits) / (max(done.returned for done in commits) - min(done.sent for done in commits)),
        **delays("", [accepted[order] - at for order, at in sent.items()]),
        **delays("fan_", [accepted[order] - renamed[name] for order, name in fan.items()]),
        **delays("last_", list(last.values())),
        "passed_p50": float(quantile(passed, 0.5)),
        "passed_p99": float(quantile(passed, 0.99)),
        "pushes_per_change": len(pushes) / len(accepted),
        **costs(cost, len(accepted)),
        "connector_cpu_share": cost.connector / elapsed,
        "peak_rss_mb": peak / 1e6,
    }


def _rows(setup: Setup, warm: int, count: int, mark: str) -> list[Row]:
    """So many orders of customers of few, to warm up; then `count` rows, each EVERY-th a customer of many."""
    wide, random = fans(setup.orders, setup.fan), Random(mark)  # noqa: S311
    orders = random.sample(range(wide * setup.fan + 1, setup.orders + 1), warm + count)
    rows: list[Row] = [(ORDER, order) for order in orders]
    rows[warm + EVERY - 1 :: EVERY] = [(CUSTOMER, name) for name in random.sample(range(1, wide + 1), count // EVERY)]
    return rows
