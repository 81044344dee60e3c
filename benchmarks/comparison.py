"""Two connectors measured in one sitting: figures beside each other, and how much their ratio varied from run to run.

Must not know how they were measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Final

from benchmarks.report import Run, summarise, title, word

NAMES: Final = (
    "orders_per_s",
    "p50_ms",
    "p99_ms",
    "passed_p50",
    "passed_p99",
    "fan_p50_ms",
    "fan_p99_ms",
    "last_max_ms",
    "order_cpu_ms",
    "postgres_cpu_s",
    "peak_rss_mb",
)
"""What is compared, in this order."""


def plain(old: Sequence[Run], new: Sequence[Run]) -> str:
    """A table: the figure, old, new, new by old (the median of the runs), and the smallest and largest ratio of a run.
    Runs that differ more among each other than from the other side say nothing."""
    before, after = summarise(old), summarise(new)
    lines = [f"{'':<58}{'old':>12}{'new':>12}{'new/old':>10}{'of a run':>16}"]
    for phase, figures in after.items():
        lines += ["", title(phase)]
        for name in NAMES:
            if name in figures and name in before[phase]:
                all_of_them = ratios(old, new, phase, name)
                spread = f"{min(all_of_them):.2f} .. {max(all_of_them):.2f}"
                values = f"{before[phase][name]:>12,.2f}{figures[name]:>12,.2f}{median(all_of_them):>10.2f}"
                lines.append(f"  {word(name):<56}{values}{spread:>16}")
    return "\n".join(lines)


def ratios(old: Sequence[Run], new: Sequence[Run], phase: str, name: str) -> list[float]:
    """New by old, run by run."""
    pairs = [(one[phase][name], other[phase][name]) for one, other in zip(old, new, strict=True) if phase in one]
    return [after / before if before else 1.0 for before, after in pairs]
