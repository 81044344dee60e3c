"""The scenarios. Each says what it promises, plays it, and returns what it measured."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import TypeAlias

from tests.system.huge.stage import BOUND, Stage

Figures: TypeAlias = Mapping[str, str]
Scenario: TypeAlias = Callable[[Stage, int], Figures]


def new_orders(stage: Stage, rows: int) -> Figures:
    """One commit makes `rows` orders while Redo is away. Memory stays bounded, the slot passes the commit
    only when every key is in the ledger, a single change overtakes them all, and a restart keeps them."""
    stage.fill(20, 1)
    stage.begin()
    stage.redo.switch(outage=True)
    stage.execute("UPDATE shop.orders SET state = 1")
    stage.until("Redo counts as away", lambda: stage.facts()["state"] == "paused")
    stage.execute(f"INSERT INTO shop.orders SELECT g, true FROM generate_series(1000, {rows + 999}) g")
    end = stage.wal_end()
    early: list[int] = []

    def taken_in() -> bool:
        if stage.flushed(end):
            return True
        early.append(stage.waiting())
        return False

    seconds = stage.until("every key is in the ledger", taken_in)
    assert stage.waiting() == rows + 20, stage.waiting()
    assert any(early), "it came in parts"
    size = os.path.getsize(stage.store)
    stage.redo.switch(outage=False)
    stage.execute("UPDATE shop.orders SET state = 2 WHERE id = 7")
    overtaken = stage.until("a single change arrives", lambda: stage.redo.orders()["7"]["tags"] == ["state 2"])
    left = stage.waiting()
    assert left > rows / 3, "it didn't wait for the others"
    stopped = stage.stop()
    stage.start()
    began, from_there = time.monotonic(), stage.waiting()
    assert from_there >= left - 10_000 - left // 10, "the ledger was kept"
    stage.until("some more are dealt with", lambda: stage.waiting() < from_there - min(20_000, rows // 5))
    looked = (from_there - stage.waiting()) / (time.monotonic() - began)
    return {
        "keys taken in": f"{rows / seconds:,.0f}/s ({seconds:.0f} s)",
        "checkpoint file": f"{size / 2**20:,.0f} MB",
        "a single change, meanwhile": f"{overtaken:.1f} s",
        "SIGTERM to exit": f"{stopped:.1f} s",
        "looked at afterwards": f"{looked:,.0f}/s",
    }


def lines_of_few(stage: Stage, rows: int) -> Figures:
    """One UPDATE changes `rows` lines, a hundred an order. Every order is right afterwards, and pushed few times."""
    orders = rows // 100
    stage.fill(orders, 100)
    stage.begin()
    pushed = stage.facts()["counts"]["pushed"]
    began = time.monotonic()
    stage.execute("UPDATE shop.item SET qty = qty + 1")
    end, committed = stage.wal_end(), time.monotonic()
    stage.until("every key is in the ledger", lambda: stage.flushed(end))
    taken = time.monotonic() - committed
    stage.until("every order is pushed", stage.idle)
    total = time.monotonic() - committed
    stage.agrees(large=True)
    pushes = stage.facts()["counts"]["pushed"] - pushed
    assert orders <= pushes <= 1.5 * orders + 300
    return {
        "the OMS's UPDATE": f"{committed - began:.0f} s",
        "rows taken in": f"{rows / taken:,.0f}/s ({taken:.0f} s)",
        "commit to the last order's 200": f"{total:.0f} s",
        "pushes an order": f"{pushes / orders:.2f}",
    }


def tiny(stage: Stage, transactions: int) -> Figures:
    """So many transactions of one row, on a hundred orders, one after the other."""
    stage.fill(100, 1)
    stage.begin()
    stage.execute(
        "CREATE PROCEDURE shop.busy(n int) LANGUAGE plpgsql AS $$ BEGIN FOR i IN 1..n LOOP"
        " UPDATE shop.orders SET state = i WHERE id = 1 + i % 100; COMMIT; END LOOP; END $$"
    )
    began = time.monotonic()
    stage.execute(f"CALL shop.busy({transactions})")
    end, committed = stage.wal_end(), time.monotonic()
    stage.until("all are taken in", lambda: stage.flushed(end))
    stage.until("nothing waits", stage.idle)
    seconds = time.monotonic() - began
    stage.agrees()
    return {
        "the OMS commits": f"{transactions / (committed - began):,.0f}/s",
        "followed": f"{transactions / seconds:,.0f}/s",
        "last commit to quiet": f"{time.monotonic() - committed:.1f} s",
    }


def unrelated(stage: Stage, megabytes: int) -> Figures:
    """So much WAL of a table that nobody follows, half of it in one transaction, while an order changes now and then.
    The slot keeps little of it, and the order is there at once."""
    stage.fill(20, 1)
    stage.begin()
    began, start = time.monotonic(), stage.wal_end()
    row = "INSERT INTO shop.unrelated SELECT g, repeat('x', 20000) FROM generate_series(1, {}) g"
    slowest = 0.0
    stage.execute(row.format(megabytes * 25))
    for number in range(10):
        stage.execute(*[row.format(50)] * max(1, megabytes // 20))
        stage.execute(f"UPDATE shop.orders SET state = {number} WHERE id = 3")
        expected = [f"state {number}"]
        slowest = max(slowest, stage.until("it arrives", lambda: stage.redo.orders()["3"]["tags"] == expected))  # noqa: B023 -- used at once
    end = stage.wal_end()
    written = int(stage.ask(f"SELECT pg_wal_lsn_diff('{end}', '{start}')::int8"))
    stage.until("the slot lets go of it", lambda: stage.flushed(end))
    stage.until("the status says so", lambda: stage.facts()["slot_retained_bytes"] < 32 * 2**20)
    seconds = time.monotonic() - began
    stage.agrees()
    return {
        "WAL": f"{written / 2**20:,.0f} MB",
        "written and followed": f"{written / 2**20 / seconds:,.0f} MB/s",
        "an order's change meanwhile, at worst": f"{slowest:.1f} s",
    }


def large_columns(stage: Stage, orders: int) -> Figures:
    """Columns of 10 MB that aren't mapped, of 4 MB that are, updates that leave both alone, and one that is mapped and
    larger than Redo takes. Common orders don't wait for them, and nothing is lost but the one that Redo refuses."""
    stage.fill(orders + 20, 1)
    letters = "repeat(chr(97 + (id % 26)::int), {} * 1024 * 1024)"
    stage.execute(f"UPDATE shop.orders SET scan = {letters.format(10)} WHERE id <= {orders}")
    stage.begin()
    stage.execute(f"UPDATE shop.orders SET state = 1 WHERE id <= {orders}")
    stage.quiet()
    stage.agrees(large=True)
    unmapped = stage.peak
    began = time.monotonic()
    stage.execute(f"UPDATE shop.orders SET words = {letters.format(4)} WHERE id <= {orders}")
    stage.execute(f"UPDATE shop.orders SET state = 2 WHERE id > {orders}")
    common = stage.until(
        "common orders are there",
        lambda: all(stage.order(key)["tags"] == ["state 2"] for key in range(orders + 1, orders + 21)),
    )
    stage.quiet()
    seconds = time.monotonic() - began
    stage.execute("UPDATE shop.orders SET state = 3")
    stage.quiet()
    stage.agrees(large=True)
    assert len(stage.order(1)["salesChannel"]) == 4 * 1024 * 1024
    stage.execute(f"UPDATE shop.orders SET words = {letters.format(10)} WHERE id = 1")
    stage.quiet()
    stage.until("it's a dead letter", lambda: stage.facts()["dead_letters"] == {"rejected": 1})
    stage.execute("UPDATE shop.orders SET words = NULL WHERE id = 1")
    stage.quiet()
    stage.agrees(large=True)
    return {
        "peak memory while it isn't mapped": f"{unmapped} MB",
        "mapped": f"{orders / seconds:.1f} orders/s",
        "common orders behind them": f"{common:.1f} s",
    }


SCENARIOS: Mapping[str, tuple[Scenario, int, int]] = {
    "new orders in one commit": (new_orders, 5_000_000, 40_000),
    "lines changed in one commit": (lines_of_few, 1_000_000, 30_000),
    "tiny transactions": (tiny, 100_000, 4_000),
    "MB of unrelated WAL": (unrelated, 1_000, 40),
    "orders with columns of 10 MB": (large_columns, 40, 3),
}
"""By name: the scenario, its full size, and the suite's."""


def play(stage: Stage, name: str, size: int) -> Figures:
    """Raises AssertionError when a promise isn't kept."""
    figures = SCENARIOS[name][0](stage, size)
    peak = stage.measure()
    stage.stop()
    assert peak < BOUND, f"{peak} MB of memory"
    return {**figures, "peak memory": f"{peak} MB"}
