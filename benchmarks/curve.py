"""What a server counted over time, and what follows from it: rates, when a rate was found, what was wasted.

Counts alone; must not know where they come from.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

ENOUGH = 0.9
"""Of a limit: less isn't using it."""
SPAN = 2.0
"""Seconds over which a rate is taken: servers count by the second, and a pause of one must show."""
HELD = 5.0
"""Seconds that a rate must hold to count as found."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Totals since the beginning. `at`: seconds of a monotonic clock. `throttled`: answered with 429; `failed`: any
    other answer but 200, or none; `repeated`: accepted without need, the order had been accepted already."""

    at: float
    accepted: int = 0
    throttled: int = 0
    failed: int = 0
    repeated: int = 0

    @property
    def requests(self) -> int:
        return self.accepted + self.throttled + self.failed

    @property
    def wasted(self) -> int:
        return self.throttled + self.failed + self.repeated


class Curve:
    """Samples in the order of time, at least one; the first is the zero."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.samples = tuple(samples)
        self._times = [sample.at for sample in samples]

    def sample(self, at: float) -> Sample:
        """The first one not before `at`, else the last."""
        return self.samples[min(bisect_left(self._times, at), len(self.samples) - 1)]

    @property
    def began(self) -> float:
        """When the first request was seen: the last sample without one."""
        return [self.samples[0], *takewhile(lambda sample: not sample.requests, self.samples)][-1].at

    @property
    def ended(self) -> float:
        return self._times[-1]

    def rate(self, since: float, until: float) -> float:
        """Useful pushes a second."""
        first, last = self.sample(since), self.sample(until)
        useful = last.accepted - last.repeated - (first.accepted - first.repeated)
        return useful / (last.at - first.at) if last.at > first.at else 0.0

    def waste(self, since: float, until: float) -> float:
        """The share of requests that were of no use."""
        first, last = self.sample(since), self.sample(until)
        requests = last.requests - first.requests
        return (last.wasted - first.wasted) / requests if requests else 0.0

    def settled(self, rate: float) -> float | None:
        """From when on the rate stayed above ENOUGH of `rate` for HELD seconds, in every SPAN of them; None: never."""
        good = [
            sample.at
            for sample in self.samples
            if self.began <= sample.at <= self.ended - SPAN and self.rate(sample.at, sample.at + SPAN) >= ENOUGH * rate
        ]
        every = [at for at in self._times if self.began <= at <= self.ended - SPAN]
        since = None
        for at in every:
            if at not in good:
                since = None
            elif since is None:
                since = at
            if since is not None and at + SPAN - since >= HELD:
                return since
        return None
