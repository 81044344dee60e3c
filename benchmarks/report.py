"""Figures as a plain table and as the measured section of docs/performance.md: aims, loads, bulk, variants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Final, TypeAlias

from benchmarks.aims import reached
from benchmarks.phases import Figures

Run: TypeAlias = dict[str, Figures]
"""The figures of one run by phase."""

DOCS: Final = Path(__file__).resolve().parent.parent / "docs" / "performance.md"
BEGIN: Final = "<!-- measured: written by `python -m benchmarks.run --write-docs` -->"
END: Final = "<!-- /measured -->"

_WORST: Final = frozenset({"max_ms", "fan_max_ms", "last_max_ms", "peak_rss_mb"})
"""Of these the largest of all runs is shown, of all others the median."""

_TITLES: Final = {
    "fan_out": "200 commits/s, 5% of them of 50 orders",
    "backfill": "First fill",
    "catch_up": "Catching up",
    "sweep": "Sweep, nothing differs",
}
_WORDS: Final[Mapping[str, str]] = {
    "p50_ms": "commit to 200, p50",
    "p95_ms": "commit to 200, p95",
    "p99_ms": "commit to 200, p99",
    "max_ms": "commit to 200, max",
    "fan_p50_ms": "an order of many, p50",
    "fan_p95_ms": "an order of many, p95",
    "fan_p99_ms": "an order of many, p99",
    "fan_max_ms": "an order of many, max",
    "last_p50_ms": "the last of the 50, p50",
    "last_p95_ms": "the last of the 50, p95",
    "last_p99_ms": "the last of the 50, p99",
    "last_max_ms": "the last of the 50, max",
    "passed_p50": "orders of many accepted while a single one waited, p50",
    "passed_p99": "orders of many accepted while a single one waited, p99",
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
    "order_cpu_ms": "CPU of the connector an order",
    "connector_cpu_s": "CPU, connector",
    "redo_cpu_s": "CPU, Redo's stand-in",
    "postgres_cpu_s": "CPU, Postgres",
    "others_cpu_s": "CPU, everything else",
    "connector_cpu_share": "CPU, connector, of one core",
    "peak_rss_mb": "peak memory, connector",
}
_VARIANTS: Final = {
    "": "SQLite file, no TLS",
    "postgres": "Postgres store",
    "tls": "TLS",
    "sandbox": "sandbox as Redo",
}
_VARIED: Final = (
    "orders_per_s",
    "p50_ms",
    "p95_ms",
    "p99_ms",
    "order_cpu_ms",
    "redo_cpu_s",
    "postgres_cpu_s",
    "peak_rss_mb",
)
"""What is shown of a variant."""


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
        lines += [f"  {_WORDS[name]:<56}{shown(name, value):>14}" for name, value in figures.items()]
    return "\n".join(lines)


def word(name: str) -> str:
    return _WORDS[name]


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
    if name.startswith("passed_"):
        return f"{value:,.0f}"
    unit = name.rpartition("_")[2]
    if name == "order_cpu_ms":
        return f"{value:,.2f} ms"
    return f"{value:,.1f} {'MB' if unit == 'mb' else unit}"


def write_docs(text: str, path: Path = DOCS) -> None:
    """Renew the measured section. Raises ValueError when the page has none."""
    replace(text, BEGIN, END, path)


def replace(text: str, begin: str, end: str, path: Path = DOCS) -> None:
    """Replace what stands between two marks. Raises ValueError when they aren't there."""
    head, began, rest = path.read_text(encoding="utf-8").partition(begin)
    _, ended, tail = rest.partition(end)
    if not began or not ended:
        raise ValueError(f"{path.name} has no measured section to replace")
    path.write_text(f"{head}{begin}\n{text}\n{end}{tail}", encoding="utf-8")


def section(summary: Mapping[str, Figures], variants: Mapping[str, Run], facts: Mapping[str, str], scale: str) -> str:
    """Markdown: the machine, the aims, then a table for the loads, one for the bulk phases, one for each variant's."""
    loads = [phase for phase in summary if phase.startswith("latency_") or phase == "fan_out"]
    bulk = [phase for phase in summary if phase not in loads]
    lines = [f"Machine: {', '.join(f'{name} {value}' for name, value in facts.items())}. Measured: {scale}."]
    lines += ["", *_aims(summary)]
    for group in (loads, bulk):
        lines += ["", *_table(summary, group)]
    if variants:
        lines += ["", *_variants(summary, variants)]
    return "\n".join(lines)


def _aims(summary: Mapping[str, Figures]) -> list[str]:
    lines = ["| | aim | reached | |", "|---|---:|---:|---|"]
    for aim, value in reached(summary):
        cells = [shown(aim.name, each) for each in (aim.aim, value)]
        lines.append(f"| {aim.words} | {' | '.join(cells)} | {'met' if aim.met(value) else 'missed'} |")
    return lines


def _table(summary: Mapping[str, Figures], group: Sequence[str]) -> list[str]:
    rows = [name for name in _WORDS if any(name in summary[phase] for phase in group)]
    columns = [(title(phase), summary[phase]) for phase in group]
    return _markdown(columns, [(_WORDS[name], name) for name in rows])


def _variants(summary: Mapping[str, Figures], variants: Mapping[str, Run]) -> list[str]:
    """A column a variant, with rows of each phase that it was measured in."""
    runs = {"": summary, **variants}
    columns = [
        (_VARIANTS[name], {f"{phase} {each}": value for phase in run for each, value in run[phase].items()})
        for name, run in runs.items()
    ]
    phases = next(iter(variants.values()))
    rows = [(f"{title(phase)}: {_WORDS[name]}", f"{phase} {name}") for phase in phases for name in _VARIED]
    return _markdown(columns, [row for row in rows if row[1] in columns[1][1]])


def _markdown(columns: Sequence[tuple[str, Figures]], rows: Sequence[tuple[str, str]]) -> list[str]:
    """`rows`: words, and the figure's name, which may follow its phase's."""
    lines = ["| | " + " | ".join(words for words, _ in columns) + " |", "|---|" + "---:|" * len(columns)]
    for words, name in rows:
        cells = [shown(name.rpartition(" ")[2], figures[name]) if name in figures else "" for _, figures in columns]
        lines.append(f"| {words} | " + " | ".join(cells) + " |")
    return lines
