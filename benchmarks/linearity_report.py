"""The figures of `benchmarks.linearity`: what they must be, a plain table, and a section of docs/performance.md."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan
from typing import Final

from benchmarks.curve import ENOUGH
from benchmarks.phases import Figures

BEGIN: Final = "<!-- linearity: written by `python -m benchmarks.linearity --write-docs` -->"
END: Final = "<!-- /linearity -->"
MOST_WASTE: Final = 0.01

_WORDS: Final[Mapping[str, str]] = {
    "settled_after_s": "first request until the rate stays above 90%",
    "pushes_per_s": "pushes from then on",
    "limit_share": "of the limit",
    "possible_share": "of the limit or the ceiling, whichever is less",
    "settled_requests": "requests from then on",
    "settled_wasted_share": "wasted from then on",
    "requests": "requests, all",
    "throttled": "answered with 429",
    "failed": "failed otherwise",
    "repeated": "repeated in vain",
    "wasted_share": "wasted, all",
    "connections_per_1000": "connections opened per 1,000 requests",
    "connector_cpu_share": "CPU, connector, of one core",
    "others_cpu_share": "CPU, everything else, of one core",
}


def failures(found: Mapping[str, Figures]) -> list[str]:
    """The claims that don't hold, in words."""
    wrong = []
    for phase, figures in found.items():
        if phase == "ceiling":
            continue
        if isnan(figures["settled_after_s"]):
            wrong.append(f"{title(phase)}: the rate never stayed above {ENOUGH:.0%} of what is possible")
        if figures["possible_share"] < ENOUGH:
            wrong.append(f"{title(phase)}: {figures['possible_share']:.1%} of what is possible, {ENOUGH:.0%} claimed")
        if figures["settled_wasted_share"] >= MOST_WASTE:
            wrong.append(
                f"{title(phase)}: {figures['settled_wasted_share']:.2%} wasted, under {MOST_WASTE:.0%} claimed"
            )
    return wrong


def plain(found: Mapping[str, Figures], facts: Mapping[str, str]) -> str:
    """For a terminal."""
    lines = [", ".join(f"{name} {value}" for name, value in facts.items())]
    for phase, figures in found.items():
        lines += ["", title(phase)]
        lines += [f"  {_WORDS[name]:<48}{shown(name, value):>12}" for name, value in figures.items()]
    return "\n".join(lines)


def section(found: Mapping[str, Figures], facts: Mapping[str, str], scale: str) -> str:
    """Markdown: the machine, and a table with a column a limit."""
    lines = [f"Machine: {', '.join(f'{name} {value}' for name, value in facts.items())}. Measured: {scale}.", ""]
    lines += ["| | " + " | ".join(title(phase) for phase in found) + " |", "|---|" + "---:|" * len(found)]
    for name, words in _WORDS.items():
        cells = [shown(name, figures[name]) if name in figures else "" for figures in found.values()]
        lines.append(f"| {words} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def title(phase: str) -> str:
    return "no limit" if phase == "ceiling" else f"limit {int(phase.removeprefix('limit_')):,}/s"


def shown(name: str, value: float) -> str:
    if isnan(value):
        return "never"
    if name.endswith("_per_s"):
        return f"{value:,.1f}/s"
    if name.endswith("wasted_share"):
        return f"{value:.2%}"
    if name.endswith("_share"):
        return f"{value:.1%}"
    if name.endswith("_s"):
        return f"{value:.1f} s"
    return f"{value:,.1f}" if name == "connections_per_1000" else f"{value:,.0f}"
