"""What the connector is to reach, beside what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from benchmarks.phases import Figures


@dataclass(frozen=True, slots=True)
class Aim:
    """A figure by phase and name, and what is wanted of it."""

    words: str
    phase: str
    name: str
    aim: float

    def met(self, reached: float) -> bool:
        return reached >= self.aim if self.name.endswith("_per_s") else reached <= self.aim


AIMS: Final = (
    Aim("first fill", "backfill", "orders_per_s", 2000),
    Aim("catching up", "catch_up", "orders_per_s", 2000),
    Aim("CPU of the connector an order, in bulk", "catch_up", "order_cpu_ms", 0.45),
    Aim("CPU of the connector an order, at 200 commits/s", "latency_200", "order_cpu_ms", 1.0),
    Aim("commit to 200 at 200 commits/s, p50", "latency_200", "p50_ms", 5),
    Aim("commit to 200 at 200 commits/s, p99", "latency_200", "p99_ms", 25),
    Aim("the same beside changes of 50 orders each, p50", "fan_out", "p50_ms", 10),
    Aim("the same beside changes of 50 orders each, p99", "fan_out", "p99_ms", 60),
    Aim("sweep in which nothing differs", "sweep", "orders_per_s", 10000),
    Aim("peak memory, catching up", "catch_up", "peak_rss_mb", 110),
)


def reached(summary: Mapping[str, Figures]) -> list[tuple[Aim, float]]:
    """Those whose figure was measured."""
    return [(aim, summary[aim.phase][aim.name]) for aim in AIMS if aim.name in summary.get(aim.phase, {})]
