"""What the page remembers of the last hour, and of what happened before. Records only; times are seconds since 1970."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Minute:
    """A minute of the last hour. `at`: when it began; `lag`: the longest sync lag in it (s), None while none was known;
    `pushed`, `refused`: orders that Redo accepted in it, and that became dead letters."""

    at: float
    lag: float | None = None
    pushed: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """What happened at `at`, or from then `until`; None: it took no time, or goes on (`open`). `text` is for people."""

    kind: str
    at: float
    text: str
    until: float | None = None
    open: bool = False
