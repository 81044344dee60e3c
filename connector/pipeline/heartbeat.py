"""Whether the parts of the connector get on: each has a heartbeat, so that whoever watches them needn't know the parts.

A part rests while it has nothing to do, or waits for what may take any time (a change, a person, Redo in an outage).
Otherwise it works, and beats whenever it got a step further. Beats may come from any thread; who watches, and what is
done about a part that doesn't get on, is not known here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass


class Heartbeat:
    """Rests at first. `name` and `work` are for people."""

    def __init__(self, name: str, work: str, *, root: bool = False) -> None:
        """`root`: others don't get on when it doesn't, so that it is named before them."""
        self.name = name
        self.work = work
        self.root = root
        self.allowance = 0.0
        """Seconds that one step may take by a time limit of its own."""
        self.beats = 0
        self.rests = True

    def beat(self) -> None:
        """It got on, and has more to do."""
        self.beats += 1
        self.rests = False

    def rest(self) -> None:
        """It has nothing to do."""
        self.rests = True

    @contextmanager
    def resting(self) -> Iterator[None]:
        """While it waits for something that may take any time."""
        self.rest()
        try:
            yield
        finally:
            self.beat()

    @contextmanager
    def working(self) -> Iterator[None]:
        """While it has something to do."""
        self.beat()
        try:
            yield
        finally:
            self.rest()

    @contextmanager
    def allowing(self, seconds: float) -> Iterator[None]:
        """While a step may take longer than usual."""
        usual, self.allowance = self.allowance, seconds
        try:
            yield
        finally:
            self.allowance = usual


@dataclass(frozen=True, slots=True)
class Stall:
    """A part that has work and didn't get on for `seconds`, of which `beyond` are beyond its allowance."""

    name: str
    work: str
    seconds: float
    beyond: float
    root: bool = False

    def __str__(self) -> str:
        return f"the {self.name} ({self.work}) has not got on for {self.seconds:.3g} s, though it has work"


@dataclass(slots=True)
class _Seen:
    beats: int
    seconds: float = 0.0


class Stalls:
    """Counts for how long each heartbeat ought to have beaten and didn't.

    In time that was watched, not by the clock: after the process was suspended or starved, no part looks stalled.
    """

    def __init__(self) -> None:
        self._seen: dict[Heartbeat, _Seen] = {}

    def look(self, heartbeats: Sequence[Heartbeat], passed: float) -> list[Stall]:
        """Whoever didn't get on, roots first, then the longest. `passed`: watched seconds since the last look."""
        self._seen = {heartbeat: self._judge(heartbeat, passed) for heartbeat in heartbeats}
        found = [
            Stall(heartbeat.name, heartbeat.work, seen.seconds, seen.seconds - heartbeat.allowance, heartbeat.root)
            for heartbeat, seen in self._seen.items()
        ]
        return sorted((stall for stall in found if stall.beyond > 0), key=lambda stall: (not stall.root, -stall.beyond))

    def _judge(self, heartbeat: Heartbeat, passed: float) -> _Seen:
        seen, beats = self._seen.get(heartbeat), heartbeat.beats
        if seen is None or seen.beats != beats or heartbeat.rests:
            return _Seen(beats)
        seen.seconds += passed
        return seen
