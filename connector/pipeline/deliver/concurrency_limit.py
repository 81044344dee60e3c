"""The concurrency limit: how many requests at once Redo takes well, found out by trying. No I/O, no clock of its own.

Slow start, then additive increase and multiplicative decrease, as TCP does it (RFC 5681). Attempts are numbered, so
that the answers to one round of requests lower the limit once, not once each.
"""

from __future__ import annotations

from connector.model.orders import OutcomeKind

START = 4
FEWEST_SAMPLES = 16
"""Answers that are needed before the latency is judged: one slow order says nothing."""
WORSE_FACTOR, WORSE_BY = 2.0, 0.1
"""Latency is worse when it exceeds both times the usual one; 0.1 s is beyond any queueing of our own."""
OURS = 0.9
"""When a lower limit leaves more than this share of the latency, the requests weren't what caused it."""
RISE, FALL, RECENT, STRAGGLER = 0.00002, 0.1, 0.1, 0.3
"""Weights of one sample: the usual latency is nearly the lowest one, so that a queue of our making isn't mistaken."""


class Latency:
    """Whether answers have become clearly slower. Seconds."""

    def __init__(self) -> None:
        self.usual: float | None = None
        self._recent = 0.0
        self._samples = 0
        self._before: float | None = None

    def judge(self, sample: float) -> bool:
        """True: the limit should be lowered."""
        if self.usual is None:
            self.usual = sample
        self.usual += (FALL if sample < self.usual else RISE) * (sample - self.usual)
        self._samples += 1
        self._recent += max(RECENT, 1.0 / self._samples) * (sample - self._recent)
        if self._samples < FEWEST_SAMPLES:
            return False
        if self._recent <= max(WORSE_FACTOR * self.usual, self.usual + WORSE_BY):
            self._before = None
            return False
        if self._before is not None and self._recent > OURS * self._before:
            # The last decrease didn't help: Redo is slower for reasons of its own, and fewer requests only cost more.
            self.usual, self._before = self._recent, None
            return False
        self._before = self._recent
        self.forget_recent()
        return True

    def straggler(self, sample: float) -> None:
        """An answer to an attempt from before the last decrease: the latest of them saw the fullest queue."""
        if self._before is not None:
            self._before += max(0.0, STRAGGLER * (sample - self._before))

    def forget_recent(self) -> None:
        self._recent, self._samples = 0.0, 0


class ConcurrencyLimit:
    """`limit` requests at once, between 1 and `most`."""

    def __init__(self, most: int) -> None:
        self._most = max(1, most)
        self._size = float(min(START, self._most))
        self._threshold = float(self._most)
        self._next = 0
        self._counts_from = 0
        self._failed: set[str] = set()
        self._latency = Latency()

    @property
    def limit(self) -> int:
        return int(self._size)

    def started(self) -> int:
        """The number of a new attempt."""
        self._next += 1
        return self._next - 1

    def ended(self, order: str, attempt: int, kind: OutcomeKind, seconds: float, *, full: bool) -> None:
        """`full`: the limit was used up until now; else success says nothing about a higher one."""
        healthy = kind in (OutcomeKind.ACCEPTED, OutcomeKind.REJECTED)
        failing = kind in (OutcomeKind.UNAVAILABLE, OutcomeKind.UNKNOWN)
        if healthy:
            self._failed.clear()
        elif failing:
            self._failed.add(order)
        if attempt < self._counts_from:
            if kind is OutcomeKind.ACCEPTED:
                self._latency.straggler(seconds)
            return
        if kind is OutcomeKind.THROTTLED:
            self._shrink(0.75)  # the rate does the rest
        elif failing and len(self._failed) > 1:  # a single order may fail for ever, for reasons of its own
            self._shrink(0.5)
        elif kind is OutcomeKind.ACCEPTED and self._latency.judge(seconds):
            self._shrink(0.8)
        elif healthy and full:
            self._grow()

    def restart(self, *, outage: bool = True) -> None:
        """After an outage: start small, and be quick up to half of what was accepted before. When there was none, what
        failed meanwhile was no reason to shrink below that."""
        self._size = min(self._size if outage else float(START), float(START), float(self._most))
        self._counts_from = self._next
        self._failed.clear()
        self._latency.forget_recent()

    def _grow(self) -> None:
        by = 1.0 if self._size < self._threshold else 1.0 / self._size
        self._size = min(float(self._most), self._size + by)

    def _shrink(self, factor: float) -> None:
        self._size = max(1.0, self._size * factor)
        self._threshold = max(2.0, self._size)
        self._counts_from = self._next
        self._latency.forget_recent()
