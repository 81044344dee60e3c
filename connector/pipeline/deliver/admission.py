"""Admission of requests to one store of Redo: who may send now, and when nobody may.

`concurrency_limit` says how many at once, `rate_limiter` how many a second, `policy` what an outcome means for all
requests, `circuit_breaker` whether a failure is Redo's or an order's. A pause ends by a single probe: one order goes
first, and its answer decides. Orders that are known to fail go beside the others, a few at a time. It must not know
orders, HTTP or the ledger.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from connector.model.orders import Outcome, OutcomeKind
from connector.pipeline.clock import MACHINE
from connector.pipeline.deliver.circuit_breaker import CircuitBreaker, Pause, Standing
from connector.pipeline.deliver.concurrency_limit import ConcurrencyLimit
from connector.pipeline.deliver.policy import LONGEST_PAUSE, POLICY, Everyone
from connector.pipeline.deliver.rate_limiter import AdaptiveRate, RateLimiter
from connector.pipeline.deliver.waiting_line import SHARE, Waiting, WaitingLine
from connector.pipeline.ports.entries import Lane

PROBERS = 3
"""Orders that are called for the end of a pause: one probes, and another when that one's time has not come."""
PROBES_LAST = 2.0
"""Seconds after a pause in which no order that is known to fail may probe: its failure would prove nothing."""
MOST_FAILING = 4
"""Of what is known to fail at most so many at once, beside the concurrency limit: waiting for what times out costs the
others nothing."""
TURN = 0.1
"""Seconds between any others that were turned away. The end of the pause calls all of them, and until then looking at
them would be in vain."""


@dataclass(slots=True)
class _Attempt:
    number: int
    started: float
    standing: Standing
    failing: bool


class Admission:
    """`limit`: the most requests at once; `rate`: requests a second, None for no cap, a RateLimiter when several stores
    share the cap.

    `clock` is the ledger's, `timer` what durations are measured by: see `Clock`. `longest_pause`: seconds.
    """

    def __init__(
        self,
        limit: int,
        rate: float | RateLimiter | None = None,
        clock: Callable[[], float] = MACHINE.now,
        timer: Callable[[], float] = MACHINE.timer,
        longest_pause: float = LONGEST_PAUSE,
    ) -> None:
        self.in_flight = 0
        self.pause: Pause | None = None
        self._concurrency = ConcurrencyLimit(limit)
        self._cap = rate if isinstance(rate, RateLimiter) else RateLimiter(rate)
        self._adaptive = AdaptiveRate()
        self._clock = clock
        self._timer = timer
        self._longest_pause = longest_pause
        self._hastened = False
        """Somebody ended the present pause early: that Redo accepts an order then says nothing about the pause."""
        self._reopens = 0.0
        self._probe: str | None = None
        self._breaker = CircuitBreaker()
        self._probers = 0
        self._turned_away = 0
        self._attempts: dict[str, _Attempt] = {}
        self._line = WaitingLine()
        self._failing_in_flight = 0
        self._slot: float | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._changed = asyncio.Event()

    @property
    def limit(self) -> int:
        """How many requests at once, at present."""
        return self._concurrency.limit

    @property
    def failing_limit(self) -> int:
        """How many orders that are known to fail may be tried at once, beside that."""
        return max(1, min(MOST_FAILING, self.limit // SHARE))

    @property
    def learned_rate(self) -> float | None:
        """Requests a second that Redo was found to accept; None: it never throttled."""
        return self._adaptive.rate

    @property
    def pause_until(self) -> float | None:
        """When orders that are put back should be tried again (seconds since 1970), None while there is no pause."""
        return None if self.pause is None else self.pause.until

    def retry_at(self, standing: Standing = Standing.HEALTHY) -> float:
        """When an order that wasn't let in should ask again (seconds since 1970)."""
        until = max(self.pause_until or 0.0, self._clock())
        if standing is Standing.FAILING:
            return until + PROBES_LAST
        if self._probers < PROBERS:
            self._probers += 1
            return until
        self._turned_away += 1
        return until + TURN * self._turned_away

    def capacity(self) -> int:
        """How many entries are worth taking now: all that the concurrency limit allows, one probe, or none."""
        if self.pause is None:
            return self.limit
        return 1 if self._may_probe() else 0

    async def wait(self) -> None:
        """Until `capacity()` may have grown: the pause ran out or the state changed."""
        self._changed.clear()
        if self.pause is None or self._probe is not None:
            await self._changed.wait()
            return
        timeout = self._reopens - self._timer()
        if timeout > 0:
            try:
                await asyncio.wait_for(self._changed.wait(), timeout)
            except TimeoutError:
                return

    async def acquire(self, order: str, lane: Lane, standing: Standing = Standing.HEALTHY) -> bool:
        """Wait for a place and a slot; live orders first. False: nothing may be sent, or enough that fail are tried, so
        the order goes back to the ledger.

        An order may be inside once at a time.
        """
        failing = standing is Standing.FAILING and self.pause is None
        if self.pause is not None:
            if not self._may_probe(standing):
                return False
            self._probe = order
        elif failing and self._failing_in_flight + self._line.failing >= self.failing_limit:
            return False
        if self._is_free() and not failing:
            self._line.passed()
            self._enter(order, standing, failing, self._timer())
            return True
        waiting = Waiting(order, standing, asyncio.get_running_loop().create_future(), failing)
        self._line.add(lane, waiting)
        self._admit()
        admitted = await self._until_admitted(waiting)
        if admitted and self.pause is not None and order != self._probe:
            self.release(order, None)  # a pause began in the moment between
            return False
        return admitted

    def _is_free(self) -> bool:
        """Nobody waits, there is a place, and no pace to keep."""
        paced = self._slot is not None or self._cap.rate is not None or self._adaptive.rate is not None
        room = self.in_flight - self._failing_in_flight < self.limit
        return self.pause is None and not paced and room and self._line.is_empty()

    async def _until_admitted(self, waiting: Waiting) -> bool:
        admitted = waiting.admitted
        try:
            return await admitted
        except asyncio.CancelledError:
            if admitted.done() and not admitted.cancelled() and admitted.result():
                self.release(waiting.order, None)
            elif self._probe == waiting.order:
                self._probe = None
                self._changed.set()
            raise

    def release(self, order: str, outcome: Outcome | None) -> None:
        """The request is over. `outcome` None: it was never sent."""
        attempt = self._attempts.pop(order)
        if outcome is not None:
            self._learn(order, attempt, outcome)
            self._observe(order, attempt.standing, outcome)
        if order == self._probe:
            self._probe = None
        self.in_flight -= 1
        self._failing_in_flight -= attempt.failing
        self._admit()
        self._changed.set()

    def _may_probe(self, standing: Standing = Standing.HEALTHY) -> bool:
        last = PROBES_LAST if standing is Standing.FAILING else 0.0
        return self._probe is None and self._timer() >= self._reopens + last

    def _first(self) -> Waiting | None:
        """Whose turn it is, None while there is no place."""
        if self._line.is_empty():
            return None
        room = self.pause is not None or self.in_flight - self._failing_in_flight < self.limit
        return self._line.first(usual=room, failing=self._failing_in_flight < self.failing_limit)

    def _admit(self) -> None:
        """Let in whoever is first, as far as there are places and slots; come back when the next slot begins."""
        late = self._slot is not None
        while (first := self._first()) is not None:
            now = self._timer()
            if self._slot is None:
                self._slot = max(self._cap.reserve(now, late=late), self._adaptive.limiter.reserve(now, late=late))
            if self._slot > now:
                self._come_back(self._slot - now)
                return
            self._slot = None
            self._let_in(first, now)

    def _let_in(self, first: Waiting, now: float) -> None:
        self._line.remove(first)
        self._enter(first.order, first.standing, first.failing, now)
        first.admitted.set_result(True)

    def _enter(self, order: str, standing: Standing, failing: bool, now: float) -> None:
        self._failing_in_flight += failing
        self.in_flight += 1
        self._attempts[order] = _Attempt(self._concurrency.started(), now, standing, failing)

    def _come_back(self, delay: float) -> None:
        if self._alarm is None:
            self._alarm = asyncio.get_running_loop().call_later(delay, self._rung)

    def _rung(self) -> None:
        self._alarm = None
        self._admit()

    def _learn(self, order: str, attempt: _Attempt, outcome: Outcome) -> None:
        """Concurrency and rate. What is known to fail says nothing about how many at once Redo takes, nor does what
        fails while others are accepted."""
        now = self._timer()
        answered = outcome.kind in (OutcomeKind.ACCEPTED, OutcomeKind.REJECTED, OutcomeKind.THROTTLED)
        if self.pause is None and not attempt.failing and (answered or not self._breaker.cautious):
            full = self.in_flight - self._failing_in_flight >= self.limit
            self._concurrency.ended(order, attempt.number, outcome.kind, now - attempt.started, full=full)
        if outcome.kind in (OutcomeKind.ACCEPTED, OutcomeKind.REJECTED):
            self._adaptive.accepted(now, pressed=self._line.any_usual)

    def _observe(self, order: str, standing: Standing, outcome: Outcome) -> None:
        probed, now = order == self._probe, self._timer()
        if POLICY[outcome.kind].everyone is Everyone.GO_ON:
            self._breaker.accepted(now)
            if probed:
                self._open()
            return
        many = self._breaker.failed(order, outcome, standing, now)
        asked = 0.0 if standing is Standing.FAILING and not many else outcome.retry_after or 0.0
        if probed or (self.pause is None and many):
            self._close(outcome, proven=standing is not Standing.FAILING)
        elif self.pause is not None and asked > 0:
            self._prolong(asked)

    def _open(self) -> None:
        assert self.pause is not None  # noqa: S101 -- a probe is sent only during a pause
        waited = self.pause.attempt == 0 and not self._hastened
        false_alarm = waited and self.pause.kind is not OutcomeKind.THROTTLED
        if false_alarm:
            self._breaker.false_alarm()
        if self.pause.kind in (OutcomeKind.UNAVAILABLE, OutcomeKind.UNKNOWN):
            self._concurrency.restart(outage=not false_alarm)
        self.pause = None
        self._turned_away = 0
        self._adaptive.reopened(self._timer())

    def _close(self, outcome: Outcome, *, proven: bool) -> None:
        """`proven`: the order isn't known to fail, so that a probe's failure prolongs the next pause."""
        now, before = self._clock(), self.pause
        attempt = before.attempt + proven if before is not None else 0
        since = before.since if before is not None else now
        backoff = POLICY[outcome.kind].pause_backoff
        assert backoff is not None  # noqa: S101 -- whatever pauses has one: a test goes through the table
        delay = min(max(backoff.delay(attempt), outcome.retry_after or 0.0), self._longest_pause)
        self._reopens = self._timer() + delay
        self._probers = 0
        self._hastened = False
        self.pause = Pause(outcome.kind, outcome.reason, outcome.message, since, now + delay, attempt)
        if outcome.kind is OutcomeKind.THROTTLED:
            self._adaptive.throttled(self._timer())
        self._line.turn_all_away()

    def _prolong(self, asked: float) -> None:
        """An answer that was on its way asks for a longer pause than we made."""
        asked = min(asked, self._longest_pause)
        if self.pause is not None and self._timer() + asked > self._reopens:
            self._reopens = self._timer() + asked
            self.pause = replace(self.pause, until=self._clock() + asked)

    def end_pause(self) -> Pause | None:
        """Somebody says that Redo may answer again: one order is sent at once, and its answer decides. Returns the
        pause that would have gone on; None: there is none, or it is over and a probe is on its way."""
        pause = self.pause
        if pause is None or self._probe is not None:
            return None
        self._reopens, self._probers, self._hastened = self._timer() - PROBES_LAST, 0, True
        self.pause = replace(pause, until=self._clock())
        self._changed.set()
        return pause
