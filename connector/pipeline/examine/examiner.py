"""Reads what was taken from the ledger: how many orders at once, which of them apart, and what follows when they can't
be read.

No other waits for an order that takes too long: it's read apart from them, and once it has failed alone, it's set
aside. Apart reads and those of sweeps take turns, so that live changes find a connection free. It must not know
requests, or when an entry is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

from connector.model.errors import (
    ConnectorError,
    LimitExceeded,
    MappingBroken,
    MappingFails,
    OrderUnreadable,
    ReadingVoid,
    SourceUnavailable,
)
from connector.model.off_loop import uncollected
from connector.model.orders import OrderKey
from connector.pipeline.context import Context
from connector.pipeline.deliver.deliverer import Deliverer
from connector.pipeline.deliver.group_commit import GroupCommit
from connector.pipeline.deliveries import MAPPING
from connector.pipeline.dispatch.ledger_queue import LedgerQueue
from connector.pipeline.examine.comparer import Comparer
from connector.pipeline.examine.decide import postpone, refuse, requeue
from connector.pipeline.examine.slow_orders import SlowOrders
from connector.pipeline.holds.vanished_rows import VanishedRows
from connector.pipeline.ports.entries import Entry, Lane
from connector.pipeline.read.batch import ReadLane, divided


class Examiner:
    def __init__(
        self,
        context: Context,
        queue: LedgerQueue,
        comparer: Comparer,
        deliverer: Deliverer,
        group_commit: GroupCommit,
        vanished_rows: VanishedRows,
    ) -> None:
        self._clock = context.clock.now
        self._in_work = context.in_work
        self._large = context.in_work.large
        self._tasks = context.tasks
        self._queue = queue
        self._pause = queue.read_pause
        self._comparer = comparer
        self._deliverer = deliverer
        self._group_commit = group_commit
        self._vanished_rows = vanished_rows
        self._live = ReadLane(overtaken=1)
        self.others = ReadLane()
        """Of reads that aren't live: they take turns."""
        self._apart = ReadLane(sharing=self.others)
        self._blamed: MappingFails | None = None
        self.slow = SlowOrders()

    def start(self, entries: Sequence[Entry]) -> None:
        """Look at orders that were taken, at those of a lane together that come while its last query runs."""
        for lane, live in ((self._live, True), (self.others, False)):
            share = [one for one in entries if (one.lane is Lane.LIVE) == live and one.key not in self.slow]
            if share and not lane.joined(share):
                self._tasks.begin(self._look(share, lane))
        now = self._clock()
        for entry in entries:
            if entry.key not in self.slow:
                continue
            if self.slow.due(entry) > now:
                self._group_commit.settle(postpone(entry, self.slow.wait(entry)))
            else:
                self._read_apart([entry], brief=False)

    async def _look(
        self, entries: Sequence[Entry], lane: ReadLane, *, large: bool = False, brief: bool | None = None
    ) -> None:
        """`brief`: whether there is little time for it; None: as the lane has it."""
        turn = self._large.reads if large and lane is not self._apart else lane.turn()
        async with turn:
            lane.closed(entries)
            if large:
                await self._large.until_room()
            entries = self._as_many_as_fit(entries, lane, large=large, brief=brief)
            began = self._clock()
            if began < self._pause.until and self._pause.trouble is not None:
                self._put_back(entries, self._pause.trouble)
                return
            hurried = lane.batch.brief and not large if brief is None else brief
            try:
                with uncollected() if large else nullcontext():
                    found = await self._comparer.diff(entries, large=large, brief=hurried)
            except LimitExceeded as error:
                await self._exceeded(entries, error, lane, self._clock() - began, large=large, brief=hurried)
                return
            except (SourceUnavailable, MappingBroken, OrderUnreadable) as error:
                if isinstance(error, ReadingVoid):
                    await self._vanished_rows.reading_was_void(error.cause)
                self._cannot_read(entries, error, self._clock() - began)
                return
        self._was_read(entries, lane, self._clock() - began)
        self._deliverer.start(found)
        for group in self._large.groups(found.oversized):
            self._tasks.begin(self._look(group, self._live, large=True))

    def _as_many_as_fit(
        self, entries: Sequence[Entry], lane: ReadLane, *, large: bool, brief: bool | None
    ) -> Sequence[Entry]:
        size = lane.batch.size
        if len(entries) <= size:
            return entries
        self._tasks.begin(self._look(entries[size:], lane, large=large, brief=brief))
        return entries[:size]

    def _was_read(self, entries: Sequence[Entry], lane: ReadLane, seconds: float) -> None:
        self._pause.succeeded()
        lane.batch.passed(len(entries), seconds)
        for entry in entries:
            self.slow.forget(entry.key)
        self._in_work.progressed()

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
        controls, keys = self._comparer.controls, [entry.key for entry in entries]
        try:
            others_are_brief = await controls.brief(keys)
            if not brief and not others_are_brief:
                await controls.within_limits(keys, error)
        except (SourceUnavailable, MappingBroken, OrderUnreadable) as trouble:
            self._cannot_read(entries, trouble, seconds)
            return
        if brief and not others_are_brief:
            lane.batch.needs_time(seconds)
            self._tasks.begin(self._look(entries, lane, large=large, brief=False))
            return
        if lane is not self._apart:
            lane.batch.exceeded(len(entries), seconds)
        if len(entries) > 1:
            self._read_apart(entries, large=large, brief=others_are_brief)
        elif brief:
            self._read_apart(entries, large=large, brief=False)
        else:
            self._group_commit.settle(self.slow.set_aside(entries[0], error, seconds, self._clock()))

    def _read_apart(self, entries: Sequence[Entry], *, large: bool = False, brief: bool) -> None:
        self._large.add(entries)
        for part in divided(entries):
            self._tasks.begin(self._look(part, self._apart, large=large, brief=brief))

    def _cannot_read(self, entries: Sequence[Entry], error: ConnectorError, seconds: float) -> None:
        """The OMS or the mapping is at fault, not the orders: all go back, and nothing is read for a while."""
        self._pause.failed(error, seconds)
        if isinstance(error, MappingFails) and error.order is not None and error is not self._blamed:
            # For whose row the mapping fails.
            self._tasks.begin(self._queue.add([OrderKey(error.order)], Lane.LIVE))
        self._put_back(entries, error)

    def _put_back(self, entries: Sequence[Entry], error: ConnectorError) -> None:
        for entry in entries:
            again = requeue(entry, self._pause.until)
            if isinstance(error, MappingFails) and entry.key == error.order and error is not self._blamed:
                self._blamed = error
                self._group_commit.settle(refuse(entry, MAPPING, str(error), self._clock(), again=again))
            else:
                self._group_commit.settle(postpone(entry, again))
