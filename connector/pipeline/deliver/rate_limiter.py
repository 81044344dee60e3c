"""Requests a second: slots handed out evenly (`RateLimiter`), and the rate that Redo's 429s allow (`AdaptiveRate`).

A window of concurrent requests can't follow a limit of N requests a second when answers take 5 ms, hence a rate. Times
are seconds of one clock that never goes back.
"""

from __future__ import annotations

from math import inf

CATCH_UP = 0.03
"""Slots missed by up to this many seconds are made up for, or a late event loop would cost throughput."""


class RateLimiter:
    """A cap on requests a second, evenly spaced. One may be shared by several stores: slots are taken in advance, one
    a store, so that all get their turn. `rate` None: no cap."""

    def __init__(self, rate: float | None = None) -> None:
        self.rate = rate
        self._next = -inf

    def reserve(self, now: float, *, late: bool = False) -> float:
        """When the next request may start; a time in the past means at once. `late`: the one before was started later
        than it might have been, through no lack of orders or places."""
        if self.rate is None:
            return now
        slot = max(self._next, now - CATCH_UP if late else now)
        self._next = slot + 1.0 / self.rate
        return slot


SLOWEST = 0.1
"""Never below one request in ten seconds."""
WINDOW = 60.0
"""A pause beyond that is a punishment or a long quota, and says nothing about the rate."""
IDLE = 0.25
"""A longer gap between two answers isn't Redo's limit but a lack of orders (unless the rate is as slow)."""
MARGIN = 0.95
"""Of a rate that proved too fast."""
CLOSE = 1.06
"""Bounds this close together are close enough: the search ends."""
WIDE = 1.5
BRIEF, LONG = 1.0, 2.0
"""How long one step of the search lasts while the bounds are wide, and when they aren't."""
BURST = 0.35
"""A rate that was borne for a while may have used up an allowance of about so many seconds."""
SPURT = 0.25
USED = 0.8
"""A rate of which less is used wasn't tried."""
PROBE_BY, PROBE_FOR = 1.2, 6.0
RAREST_PROBE, FIRST_PROBE = 300.0, 20.0


class AdaptiveRate:
    """The rate just below what Redo was measured to accept. None until the first 429.

    A search between two bounds: `_good` was borne (or measured: accepted requests over the time they took, the pause
    that followed included, which no limiter can be below), `_bad` led to a 429. Once they are close, the rate stays,
    and something faster is tried ever more rarely.
    """

    def __init__(self) -> None:
        self.limiter = RateLimiter()
        self._good, self._bad = 0.0, inf
        self._growth = 1.0
        self._probe_every, self._probe_at = FIRST_PROBE, inf
        self._probing = False
        self._cycle = Throughput()
        self._step = Throughput()
        self._closed_at: float | None = None

    @property
    def rate(self) -> float | None:
        return self.limiter.rate

    def accepted(self, now: float, *, pressed: bool = True) -> None:
        """`pressed`: there were more orders than requests in flight."""
        if self._closed_at is not None:
            self._cycle.accepted += 1  # it was sent before, or is the probe
            return
        idle = IDLE if self.rate is None else max(IDLE, 2.0 / self.rate)
        self._cycle.count(now, idle, pressed)
        if self.rate is None:
            return
        self._step.count(now, idle, pressed)
        if self._step.seconds >= self._patience():
            self._advance(now)

    def throttled(self, now: float) -> None:
        """The 429 that began a pause."""
        if self._closed_at is None:
            self._closed_at = now

    def reopened(self, now: float) -> None:
        """Requests flow again: the 429's pause is over."""
        if self._closed_at is None:
            return
        paused = min(now - self._closed_at, WINDOW)
        measured = self._cycle.accepted / max(self._cycle.seconds + paused, 0.01)
        too_fast = self.rate or self._cycle.fastest
        self._closed_at = None
        if self._probing and self._good < 0.97 * too_fast:
            self._probe_every = min(2 * self._probe_every, RAREST_PROBE)
            self._settle(now, self._good)
        else:
            self._probe_every = FIRST_PROBE
            self._bad = min(self._bad, too_fast) if self._good < 0.97 * self._bad else too_fast
            self._search(now, measured, too_fast)
        self._cycle = Throughput()

    def _search(self, now: float, measured: float, too_fast: float) -> None:
        held = self._good if self._good < 0.97 * too_fast else 0.0
        self._good = max(SLOWEST, min(max(measured, held), MARGIN * too_fast))
        self._growth = 1.15
        gap = self._bad / self._good
        if gap <= CLOSE:
            self._settle(now, self._good)
        else:
            self._probing, self._probe_at = False, inf
            self._try(self._good * min(self._growth, gap**0.3))

    def _patience(self) -> float:
        if self._probing:
            return PROBE_FOR
        assert self.rate is not None  # noqa: S101 -- asked only while there is a rate
        return BRIEF if self._bad / self.rate > WIDE else LONG

    def _advance(self, now: float) -> None:
        """A step of the search, or a while at the settled rate, is over without a 429."""
        rate, borne = self.rate, self._step.accepted / self._step.seconds
        assert rate is not None  # noqa: S101 -- asked only while there is a rate
        if borne < USED * rate:
            if self._bad == inf and 4 * borne < rate:
                self._forget()
            else:
                self._step = Throughput()
            return
        if self._probe_at < inf and not self._probing:
            self._maybe_probe(now, rate)
            return
        self._good = max(self._good, borne * self._step.seconds / (self._step.seconds + BURST))
        if self._probing:
            self._probing, self._probe_at, self._bad = False, inf, inf
        gap = self._bad / rate
        if gap <= CLOSE:
            self._settle(now, rate)
            return
        self._growth = min(2.0, self._growth * 1.4)
        self._try(rate * min(self._growth, gap**0.4))

    def _maybe_probe(self, now: float, rate: float) -> None:
        if now < self._probe_at:
            self._step = Throughput()
            return
        self._probing = True
        self._try(rate * PROBE_BY)

    def _settle(self, now: float, rate: float) -> None:
        self._probing, self._probe_at = False, now + self._probe_every
        self._good = rate
        self._try(rate)

    def _try(self, rate: float) -> None:
        self.limiter.rate = max(SLOWEST, rate)
        self._step = Throughput()

    def _forget(self) -> None:
        """The rate has long ceased to be what holds us back."""
        self.limiter.rate = None
        self._good, self._bad, self._probe_at = 0.0, inf, inf
        self._cycle = Throughput()


class Throughput:
    """Answers over a time of work; gaps count up to a bound. `fastest`: the most a second over a quarter of one,
    in which there was no lack of orders."""

    def __init__(self) -> None:
        self.accepted = 0
        self.seconds = 0.0
        self._last: float | None = None
        self._spurt, self._spurt_began = 0, 0.0
        self._fastest = 0.0

    @property
    def fastest(self) -> float:
        # Without a lack of places there was no telling how fast it could have been.
        return self._fastest if self.seconds > 1.0 and self._fastest else inf

    def count(self, now: float, idle: float, pressed: bool) -> None:
        if self._last is not None:
            self.seconds += min(max(0.0, now - self._last), idle)
        self._last = now
        self.accepted += 1
        if not pressed:
            self._spurt, self._spurt_began = 0, self.seconds
            return
        self._spurt += 1
        if self.seconds - self._spurt_began >= SPURT:
            self._fastest = max(self._fastest, self._spurt / (self.seconds - self._spurt_began))
            self._spurt, self._spurt_began = 0, self.seconds
