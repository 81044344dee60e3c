"""Figures as a plain table and as the measured section of docs/performance.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.phases import Figures

DOCS: Final = Path(__file__).resolve().parent.parent / "docs" / "performance.md"
BEGIN: Final = "<!-- measured: written by `python -m benchmarks.run --write-docs` -->"
END: Final = "<!-- /measured -->"

_WORST: Final = frozenset({"max_ms", "peak_rss_mb"})
"""Of these the largest of all runs is shown, of all others the median."""

_TITLES: Final = {
    "backfill": "First fill",
    "catch_up": "Catching up",
    "sweep": "Sweep, nothing differs",
}
_WORDS: Final[Mapping[str, str]] = {
    "p50_ms": "commit to 200, p50",
    "p95_ms": "commit to 200, p95",
    "p99_ms": "commit to 200, p99",
    "max_ms": "commit to 200, max",
    "after_commit_p50_ms": "from COMMIT's return, p50",
    "after_commit_p99_ms": "from COMMIT's return, p99",
    "commit_p50_ms": "COMMIT itself, p50",
    "commits_per_s": "commits",
    "orders_per_s": "orders, first push to last",
    "with_start_up_per_s": "orders, process start to last push",
    "start_up_s": "process start to first order",
    "span_s": "first order to last",
    "pushes_per_change": "pushes a change",
    "wal_mb": "WAL written meanwhile",
    "floor_s": "floor: pg_recvlogical drains it in",
    "floor_per_s": "floor: orders",
    "connector_cpu_s": "CPU, connector",
    "sandbox_cpu_s": "CPU, sandbox",
    "postgres_cpu_s": "CPU, Postgres",
    "others_cpu_s": "CPU, everything else",
    "connector_cpu_share": "CPU, connector, of one core",
    "peak_rss_mb": "peak memory, connector",
}


def summarise(runs: Sequence[Mapping[str, Figures]]) -> dict[str, Figures]:
    """One figure for all runs, by phase and name."""
    names = {phase: [*figures] for run in runs for phase, figures in run.items()}
    return {
        phase: {name: _one(name, [run[phase][name] for run in runs if phase in run]) for name in figures}
        for phase, figures in names.items()
    }


def _one(name: str, values: Sequence[float]) -> float:
    return max(values) if name in _WORST else median(values)


def plain(summary: Mapping[str, Figures], facts: Mapping[str, str]) -> str:
    """For a terminal."""
    lines = [", ".join(f"{name} {value}" for name, value in facts.items())]
    for phase, figures in summary.items():
        lines += ["", title(phase)]
        lines += [f"  {_WORDS[name]:<36}{shown(name, value):>14}" for name, value in figures.items()]
    return "\n".join(lines)


def title(phase: str) -> str:
    return _TITLES.get(phase) or f"{phase.removeprefix('latency_')} commits/s"


def shown(name: str, value: float) -> str:
    """With its unit, and as many digits as mean something."""
    if name.endswith("_per_s"):
        return f"{value:,.0f}/s"
    if name.endswith("_share"):
        return f"{value:.0%}"
    if name == "pushes_per_change":
        return f"{value:.3f}"
    unit = name.rpartition("_")[2]
    return f"{value:,.1f} {'MB' if unit == 'mb' else unit}"


def write_docs(summary: Mapping[str, Figures], facts: Mapping[str, str], scale: str, path: Path = DOCS) -> None:
    """Renew the measured section. Raises ValueError when the page has none."""
    replace(section(summary, facts, scale), BEGIN, END, path)


def replace(text: str, begin: str, end: str, path: Path = DOCS) -> None:
    """Replace what stands between two marks. Raises ValueError when they aren't there."""
    head, began, rest = path.read_text(encoding="utf-8").partition(begin)
    _, ended, tail = rest.partition(end)
    if not began or not ended:
        raise ValueError(f"{path.name} has no measured section to replace")
    path.write_text(f"{head}{begin}\n{text}\n{end}{tail}", encoding="utf-8")


def section(summary: Mapping[str, Figures], facts: Mapping[str, str], scale: str) -> str:
    """Markdown: the machine, then a table for the loads and one for the bulk phases."""
    loads = [phase for phase in summary if phase.startswith("latency_")]
    bulk = [phase for phase in summary if phase not in loads]
    lines = [f"Machine: {', '.join(f'{name} {value}' for name, value in facts.items())}. Measured: {scale}."]
    for group in (loads, bulk):
        lines += ["", *_table(summary, group)]
    return "\n".join(lines)


def _table(summary: Mapping[str, Figures], group: Sequence[str]) -> list[str]:
    names = [name for name in _WORDS if any(name in summary[phase] for phase in group)]
    lines = ["| | " + " | ".join(title(phase) for phase in group) + " |", "|---|" + "---:|" * len(group)]
    for name in names:
        cells = [shown(name, summary[phase][name]) if name in summary[phase] else "" for phase in group]
        lines.append(f"| {_WORDS[name]} | " + " | ".join(cells) + " |")
    return lines
