"""The last hour as three bar charts, a bar a minute: geometry and words, no markup. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from connector.status.facts import LAG_WORTH_TELLING, duration
from connector.status.headline import hour
from connector.status.last_hour import Minute

MINUTES: Final = 60
STEP: Final = 4
"""Units from one bar to the next; a bar is one narrower."""
HEIGHT: Final = 40
"""Units of the highest bar."""
_LEAST: Final = {"lag": 10.0, "pushed": 5.0, "refused": 5.0}
"""What the highest bar stands for at least, so that next to nothing looks like it."""

_NOTHING: Final = {"lag": "under 1 s"}


@dataclass(frozen=True, slots=True)
class Bar:
    """Of one minute: its left edge and height in units from the baseline; `words` for who points at it."""

    x: int
    height: float
    tone: str
    words: str


@dataclass(frozen=True, slots=True)
class Chart:
    """`figure`: what the highest bar stands for; `note` says more. `known`: left edge and width of each run of minutes
    that something is known of."""

    name: str
    title: str
    figure: str
    note: str
    bars: tuple[Bar, ...]
    known: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Hour:
    """`begins`, `ends`: the minutes at the edges, as `02:26`."""

    charts: tuple[Chart, ...]
    begins: str
    ends: str


def last_hour(minutes: tuple[Minute, ...]) -> Hour | None:
    """The hour that ends with the last of these; None where nothing is known of it."""
    if all(one.lag is None and not one.pushed and not one.refused for one in minutes):
        return None
    last = minutes[-1].at
    lag = _chart("lag", "Lag", minutes, lambda one: one.lag, duration, _lag_note)
    pushed = _chart("pushed", "Pushed a minute", minutes, lambda one: one.pushed, _whole, _count_note)
    refused = _chart("refused", "Refused a minute", minutes, lambda one: one.refused, _whole, _count_note)
    return Hour((lag, pushed, refused), hour(last - 60 * (MINUTES - 1)), hour(last))


def _chart(
    name: str,
    title: str,
    minutes: Sequence[Minute],
    of: Callable[[Minute], float | None],
    words: Callable[[float], str],
    note: Callable[[Sequence[tuple[Minute, float]]], str],
) -> Chart:
    last = minutes[-1].at
    known = [(minute, value) for minute in minutes if (value := of(minute)) is not None]
    most = max((value for _, value in known), default=0.0)
    scale = HEIGHT / max(most, _LEAST[name])
    bars = tuple(
        Bar(
            _x(minute, last),
            max(1.5, round(value * scale, 1)),
            _tone(name, value),
            f"{hour(minute.at)}: {words(value)}",
        )
        for minute, value in known
        if value >= 1
    )
    figure = "unknown" if not known else f"at most {words(most)}" if most >= 1 else _NOTHING.get(name, "none")
    return Chart(name, title, figure, note(known), bars, tuple(_runs([_x(minute, last) for minute, _ in known])))


def _x(minute: Minute, last: float) -> int:
    return (MINUTES - 1 - round((last - minute.at) / 60.0)) * STEP


def _tone(name: str, value: float) -> str:
    if name == "lag":
        return "bad" if value >= 5 * LAG_WORTH_TELLING else "busy" if value >= LAG_WORTH_TELLING else "calm"
    return "bad" if name == "refused" else "calm"


def _runs(edges: Sequence[int]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for x in edges:
        if runs and sum(runs[-1]) == x:
            runs[-1] = (runs[-1][0], runs[-1][1] + STEP)
        else:
            runs.append((x, STEP))
    return runs


def _lag_note(known: Sequence[tuple[Minute, float]]) -> str:
    minute, most = max(known, key=lambda one: one[1], default=(Minute(0.0), 0.0))
    return f"at {hour(minute.at)}" if most >= 1 else ""


def _count_note(known: Sequence[tuple[Minute, float]]) -> str:
    whole = sum(value for _, value in known)
    return f"{whole:,.0f} in this hour" if whole else ""


def _whole(value: float) -> str:
    return f"{value:,.0f}"
