"""Reads what was taken from the ledger: how many orders at once, which of them apart, and what follows when they can't
be read.

Nobody waits for an order that takes too long: it's read apart from the others, and once it has failed alone, it's set
aside. Apart reads and those of sweeps take turns, so that live changes find a connection free. It must not know gates,
requests, or when an entry is taken.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence

from connector.model.errors import (
    ConnectorError,
    LimitExceeded,
    MappingBroken,
    MappingFails,
    OrderUnreadable,
    ReadingVoid,
    SourceUnavailable,
)
from connector.model.orders import OrderKey
from connector.pipeline.decide import MAPPING, Settled, refuse
from connector.pipeline.examine.differ import Differ, Findings
from connector.pipeline.examine.slow_orders import SlowOrders
from connector.pipeline.ports.entries import Again, Entry, Lane
from connector.pipeline.ports.records import Settlement
from connector.pipeline.read.batch import divided
from connector.pipeline.read.lanes import ReadLane
from connector.pipeline.read.large_orders import LargeOrders

SLOW_SHARE = 3.0
"""What couldn't be read is tried again no sooner than after so many times as long as the last try took, ..."""
SHARE = 10.0
"""... so many while the mapping fails for all orders, ..."""
CHANGED_SHARE = 3.0
"""... so many after a change, ..."""
CHANGED_LEAST = 1.0
"""... and then no sooner than after so many seconds."""


async def _told_nobody(_: str) -> None:
    pass


class Examiner:
    """`begin` starts a task; `settle` and `found` are told what came of a look; `delay`: seconds until orders are read
    again, by attempt."""

    def __init__(
        self,
        differ: Differ,
        begin: Callable[[Coroutine[None, None, None]], None],
        settle: Callable[[Settled], None],
        found: Callable[[Findings], None],
        delay: Callable[[int], float],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._differ = differ
        self._begin = begin
        self._settle = settle
        self._found = found
        self._delay = delay
        self._clock = clock
        self._live = ReadLane(beside=1)
        self._others = ReadLane()
        self._apart = ReadLane(among=self._others)
        self._attempt = 0
        self._tried_at = self._took = 0.0
        self._blamed: MappingFails | None = None
        self.large = LargeOrders()
        self.slow = SlowOrders()
        self.not_before = 0.0
        """Nothing is read until then."""
        self.trouble: ConnectorError | None = None
        self.on_void: Callable[[str], Awaitable[None]] = _told_nobody
        """Told why what was read doesn't count."""
        self.culprit: Callable[[OrderKey], None] = lambda _: None
        """Told of the order for whose row the mapping fails for all."""

    def start(self, entries: Sequence[Entry]) -> None:
        """Look at orders that were taken."""
        for lane, live in ((self._live, True), (self._others, False)):
            share = [one for one in entries if (one.lane is Lane.LIVE) == live and one.key not in self.slow]
            if share:
                self._begin(self._look(share, lane))
        now = self._clock()
        for entry in entries:
            if entry.key not in self.slow:
                continue
            if self.slow.due(entry) > now:
                self._settle(Settled(Settlement(entry, again=self.slow.wait(entry)), None))
            else:
                self.large.apart([entry])
                self._begin(self._look([entry], self._apart, brief=False))

    def hasten(self) -> None:
        """Orders can be read again."""
        self.not_before, self._attempt, self.trouble = 0.0, 0, None

    def changed(self) -> None:
        """Something arrived: it may be what mends the mapping's failure."""
        if isinstance(self.trouble, MappingFails):
            self.not_before = min(self.not_before, self._tried_at + max(CHANGED_LEAST, CHANGED_SHARE * self._took))

    async def _look(
        self, entries: Sequence[Entry], lane: ReadLane, *, large: bool = False, brief: bool | None = None
    ) -> None:
        """`brief`: whether there is little time for it; None: as the seat has it."""
        turn = self.large.reads if large and lane is not self._apart else lane.turn()
        async with turn:
            if large:
                await self.large.room()
            entries = self._as_many_as_fit(entries, lane, large=large, brief=brief)
            began = self._clock()
            if began < self.not_before and self.trouble is not None:
                self._put_back(entries, self.trouble)
                return
            hurried = lane.batch.brief and not large if brief is None else brief
            try:
                found = await self._differ.look(entries, large=large, brief=hurried)
            except LimitExceeded as error:
                await self._exceeded(entries, error, lane, self._clock() - began, large=large, brief=hurried)
                return
            except (SourceUnavailable, MappingBroken, OrderUnreadable) as error:
                if isinstance(error, ReadingVoid):
                    await self.on_void(error.cause)
                self._cannot_read(entries, error, self._clock() - began)
                return
        self._read(entries, lane, self._clock() - began)
        self._found(found)
        for group in self.large.groups(found.oversized):
            self._begin(self._look(group, self._live, large=True))

    def _as_many_as_fit(
        self, entries: Sequence[Entry], lane: ReadLane, *, large: bool, brief: bool | None
    ) -> Sequence[Entry]:
        size = lane.batch.size
        if len(entries) <= size:
            return entries
        self._begin(self._look(entries[size:], lane, large=large, brief=brief))
        return entries[:size]

    def _read(self, entries: Sequence[Entry], lane: ReadLane, seconds: float) -> None:
        self.trouble, self._attempt = None, 0
        lane.batch.passed(len(entries), seconds)
        for entry in entries:
            self.slow.forget(entry.key)

    async def _exceeded(
        self,
        entries: Sequence[Entry],
        error: LimitExceeded,
        lane: ReadLane,
        seconds: float,
        *,
        large: bool,
        brief: bool,
    ) -> None:
        """One of them, or all together, took too long: read them apart from the others, in parts, unless it was the
        time that was too little."""
        controls, keys = self._differ.controls, [entry.key for entry in entries]
        try:
            others_are_brief = await controls.brief(keys)
            if not brief and not others_are_brief:
                await controls.within_limits(keys, error)
        except (SourceUnavailable, MappingBroken, OrderUnreadable) as trouble:
            self._cannot_read(entries, trouble, seconds)
            return
        if brief and not others_are_brief:
            lane.batch.needs_time(seconds)
        elif lane is not self._apart:
            lane.batch.exceeded(len(entries), seconds)
        if brief and not others_are_brief:
            self._begin(self._look(entries, lane, large=large, brief=False))
        elif brief and len(entries) == 1:
            self.large.apart(entries)
            self._begin(self._look(entries, self._apart, large=large, brief=False))
        elif len(entries) > 1:
            self.large.apart(entries)
            for part in divided(entries):
                self._begin(self._look(part, self._apart, large=large, brief=others_are_brief))
        else:
            self._settle(self.slow.set_aside(entries[0], error, seconds, self._clock()))

    def _cannot_read(self, entries: Sequence[Entry], error: ConnectorError, seconds: float) -> None:
        """The OMS or the mapping is at fault, not the orders: all go back, and nothing is read for a while."""
        now = self._clock()
        self.trouble, self._tried_at, self._took = error, now, seconds
        if now >= self.not_before:
            share = SHARE if isinstance(error, MappingFails) else SLOW_SHARE
            self.not_before = now + max(self._delay(self._attempt), share * seconds)
            self._attempt += 1
        if isinstance(error, MappingFails) and error.order is not None and error is not self._blamed:
            self.culprit(OrderKey(error.order))
        self._put_back(entries, error)

    def _put_back(self, entries: Sequence[Entry], error: ConnectorError) -> None:
        for entry in entries:
            again = Again(self.not_before, entry.attempts, entry.confirm, entry.late_until, entry.approved)
            if isinstance(error, MappingFails) and entry.key == error.order and error is not self._blamed:
                self._blamed = error
                self._settle(refuse(entry, MAPPING, str(error), self._clock(), again=again))
            else:
                self._settle(Settled(Settlement(entry, again=again), None))
