"""The gate in front of Redo: who may send now, and when nobody may.

How many at once is the window's business (`adaptive`), how many a second the pacers' (`pace`), what an outcome means
for everyone the table's (`policy`). A closed gate opens by a single probe: one order goes first, and its answer
decides. The gate knows outcomes, not orders, HTTP or ledgers.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count

from connector.orders import Outcome, OutcomeKind
from connector.pipeline.adaptive import Window
from connector.pipeline.backoff import ORDER_BACKOFF, Backoff
from connector.pipeline.entries import Lane
from connector.pipeline.pace import Pacer, Throttle
from connector.pipeline.policy import FAILURES_TO_CLOSE, LONGEST_PAUSE, Everyone, action

__all__ = ["ORDER_BACKOFF", "Backoff", "Gate", "Pause"]

PROBERS = 3
"""Orders that are called for the end of a pause: one probes, and another when that one's time has not come."""
TURN = 0.1
"""Seconds between any others that were turned away. The gate's opening calls all of them, and until then looking at
them would be in vain."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Why nothing is sent: `reason` fits a metric label, `message` and `advice` are for people. `since`, `until`:
    seconds since 1970."""

    kind: OutcomeKind
    reason: str
    message: str
    since: float
    until: float
    attempt: int

    @property
    def advice(self) -> str:
        return action(self.kind).advice


@dataclass(slots=True)
class _Attempt:
    number: int
    started: float


class Gate:
    """Admission to Redo. `limit`: the most requests at once; `rate`: requests a second, None for no cap, a Pacer when
    several gates share the cap.

    `clock` is the wall's, for what people and the ledger read; `timer` is what durations are measured by: it must never
    go back, and run as fast as the event loop's.
    """

    def __init__(
        self,
        limit: int,
        rate: float | Pacer | None = None,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self.in_flight = 0
        self.pause: Pause | None = None
        self._window = Window(limit)
        self._cap = rate if isinstance(rate, Pacer) else Pacer(rate)
        self._throttle = Throttle()
        self._clock = clock
        self._timer = timer
        self._reopens = 0.0
        self._probe: str | None = None
        self._failed: set[str] = set()
        self._probers = 0
        self._turned_away = 0
        self._attempts: dict[str, _Attempt] = {}
        self._waiting: list[tuple[int, int, str, asyncio.Future[bool]]] = []
        self._order = count()
        self._slot: float | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._changed = asyncio.Event()

    @property
    def limit(self) -> int:
        """How many requests at once, at present."""
        return self._window.limit

    @property
    def pace(self) -> float | None:
        """Requests a second that Redo was found to bear; None: it never said."""
        return self._throttle.pace

    @property
    def pause_until(self) -> float | None:
        """When orders that are put back should be tried again (seconds since 1970), None while the gate is open."""
        return None if self.pause is None else self.pause.until

    def turned_away(self) -> float:
        """When an order that wasn't let in should ask again (seconds since 1970)."""
        until = max(self.pause_until or 0.0, self._clock())
        if self._probers < PROBERS:
            self._probers += 1
            return until
        self._turned_away += 1
        return until + TURN * self._turned_away

    def capacity(self) -> int:
        """How many entries are worth taking now: all that the window allows, one probe, or none."""
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

    async def enter(self, order: str, lane: Lane) -> bool:
        """Wait for a place and a slot; live orders first. False: the gate closed, so the order goes back to the ledger.

        An order may be inside once at a time.
        """
        if self.pause is not None:
            if not self._may_probe():
                return False
            self._probe = order
        place: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (lane, next(self._order), order, place))
        self._admit()
        try:
            return await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled() and place.result():
                self.leave(order, None)
            elif self._probe == order:
                self._probe = None
                self._changed.set()
            raise

    def leave(self, order: str, outcome: Outcome | None) -> None:
        """The request is over. `outcome` None: it was never sent."""
        attempt = self._attempts.pop(order)
        if outcome is not None:
            self._learn(order, attempt, outcome)
            self._observe(order, outcome)
        if order == self._probe:
            self._probe = None
        self.in_flight -= 1
        self._admit()
        self._changed.set()

    def _may_probe(self) -> bool:
        return self._probe is None and self._timer() >= self._reopens

    def _admit(self) -> None:
        """Let in whoever is first, as far as there are places and slots; come back when the next slot begins."""
        late = self._slot is not None
        while self._waiting:
            _, _, order, place = self._waiting[0]
            if place.done():
                heapq.heappop(self._waiting)
                continue
            if self.pause is None and self.in_flight >= self.limit:
                return
            now = self._timer()
            if self._slot is None:
                self._slot = max(self._cap.reserve(now, late=late), self._throttle.pacer.reserve(now, late=late))
            if self._slot > now:
                self._come_back(self._slot - now)
                return
            self._slot = None
            heapq.heappop(self._waiting)
            self.in_flight += 1
            self._attempts[order] = _Attempt(self._window.started(), now)
            place.set_result(True)

    def _come_back(self, delay: float) -> None:
        if self._alarm is None:
            self._alarm = asyncio.get_running_loop().call_later(delay, self._rung)

    def _rung(self) -> None:
        self._alarm = None
        self._admit()

    def _learn(self, order: str, attempt: _Attempt, outcome: Outcome) -> None:
        """Window and pace."""
        now = self._timer()
        if self.pause is None:
            full = self.in_flight >= self.limit
            self._window.ended(order, attempt.number, outcome.kind, now - attempt.started, full=full)
        if outcome.kind in (OutcomeKind.ACCEPTED, OutcomeKind.REJECTED):
            self._throttle.accepted(now, pressed=bool(self._waiting))

    def _observe(self, order: str, outcome: Outcome) -> None:
        probed = order == self._probe
        everyone = action(outcome.kind).everyone
        if everyone is Everyone.GO_ON:
            self._failed.clear()
            if probed:
                self._open()
            return
        self._failed.add(order)
        asked = outcome.retry_after or 0.0
        if probed or (
            self.pause is None and (everyone is Everyone.PAUSE or asked > 0 or len(self._failed) >= FAILURES_TO_CLOSE)
        ):
            self._close(outcome)
        elif self.pause is not None and asked > 0:
            self._prolong(asked)

    def _open(self) -> None:
        assert self.pause is not None  # noqa: S101 -- a probe is sent only during a pause
        if self.pause.kind in (OutcomeKind.UNAVAILABLE, OutcomeKind.UNKNOWN):
            self._window.restart()
        self.pause = None
        self._turned_away = 0
        self._throttle.reopened(self._timer())

    def _close(self, outcome: Outcome) -> None:
        now, before = self._clock(), self.pause
        attempt = before.attempt + 1 if before is not None else 0
        since = before.since if before is not None else now
        backoff = action(outcome.kind).pause_backoff
        assert backoff is not None  # noqa: S101 -- whatever pauses has one: a test goes through the table
        delay = max(backoff.delay(attempt), min(outcome.retry_after or 0.0, LONGEST_PAUSE))
        self._reopens = self._timer() + delay
        self._probers = 0
        self.pause = Pause(outcome.kind, outcome.reason, outcome.message, since, now + delay, attempt)
        if outcome.kind is OutcomeKind.THROTTLED:
            self._throttle.refused(self._timer())
        while self._waiting:
            place = heapq.heappop(self._waiting)[3]
            if not place.done():
                place.set_result(False)

    def _prolong(self, asked: float) -> None:
        """An answer that was on its way asks for a longer pause than we made."""
        reopens = self._timer() + min(asked, LONGEST_PAUSE)
        if self.pause is not None and reopens > self._reopens:
            self._reopens = reopens
            self.pause = replace(self.pause, until=self._clock() + min(asked, LONGEST_PAUSE))
