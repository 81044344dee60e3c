"""What the demo shows: progress while it runs, a table at the end. Knows numbers and rich; starts nothing."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from connector.demo.scrape import Scrape
from connector.demo.verdict import Verdict

LINE_EVERY = 5.0


@dataclass(slots=True)
class Tally:
    """What the traffic did."""

    transactions: int = 0
    rows: int = 0
    by_kind: Counter[str] = field(default_factory=Counter)


def milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:,.0f} ms"


def order_results(now: Scrape, before: Scrape) -> dict[str, int]:
    results = ("pushed", "unchanged", "rejected", "invalid", "missing")
    return {name: int(now.value("orders_total", name) - before.value("orders_total", name)) for name in results}


class ProgressDisplay:
    """On a terminal a live table; elsewhere a line every few seconds."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._live: Live | None = None
        self._said = 0.0

    def __enter__(self) -> ProgressDisplay:
        if self.console.is_terminal:
            self._live = Live(console=self.console, refresh_per_second=8, transient=True)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, phase: str, tally: Tally, now: Scrape, before: Scrape) -> None:
        results = order_results(now, before)
        waiting = int(now.value("affected_orders"))
        if self._live is None:
            if time.monotonic() - self._said >= LINE_EVERY:
                self._said = time.monotonic()
                self.console.print(
                    f"{phase}: {tally.transactions} transactions, {tally.rows} rows changed, "
                    f"{results['pushed']} pushed, {results['unchanged']} unchanged, {waiting} waiting",
                    soft_wrap=True,
                )
            return
        table = Table(show_header=False, box=None, pad_edge=False)
        table.add_column(style="dim")
        table.add_column(justify="right")
        for name, value in (
            ("transactions committed", tally.transactions),
            ("rows changed", tally.rows),
            ("orders pushed", results["pushed"]),
            ("orders unchanged, suppressed", results["unchanged"]),
            ("orders refused", results["rejected"] + results["invalid"]),
            ("orders waiting", waiting),
        ):
            table.add_row(name, f"{value:,}")
        latency = now.quantile("sync_latency_seconds", 0.5, before)
        table.add_row("commit to 200, median", milliseconds(latency))
        kinds = ", ".join(f"{kind} {count}" for kind, count in tally.by_kind.most_common(6))
        self._live.update(Group(Text(phase, "bold"), table, Text(kinds, "dim")))


def summary(tally: Tally, now: Scrape, before: Scrape, verdict: Verdict) -> Table:
    """The table at the end."""
    results = order_results(now, before)
    table = Table(title="What happened", title_justify="left", show_header=False)
    table.add_column("")
    table.add_column("", justify="right")
    affected = sum(results.values())
    rows = [
        ("transactions committed", f"{tally.transactions:,}"),
        ("rows changed", f"{tally.rows:,}"),
        ("orders affected (looked at again)", f"{affected:,}"),
        ("  unchanged for Redo, suppressed", f"{results['unchanged']:,}"),
        ("  pushed and accepted", f"{results['pushed']:,}"),
        ("  rejected before or by Redo", f"{results['rejected'] + results['invalid']:,}"),
        ("commit to Redo's 200, p50", milliseconds(now.quantile("sync_latency_seconds", 0.50, before))),
        ("commit to Redo's 200, p95", milliseconds(now.quantile("sync_latency_seconds", 0.95, before))),
        ("commit to Redo's 200, p99", milliseconds(now.quantile("sync_latency_seconds", 0.99, before))),
        ("orders at Redo", f"{verdict.orders:,}"),
    ]
    for row in rows:
        table.add_row(*row)
    return table
