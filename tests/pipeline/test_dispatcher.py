"""Waiting for room: what the dispatcher waits for when there is none."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import suppress

from connector.model.orders import OrderKey, Outcome, OutcomeKind
from connector.pipeline.clock import Clock
from connector.pipeline.deliver.store_admissions import StoreAdmissions
from connector.pipeline.dispatch.capacity import Capacity
from connector.pipeline.dispatch.dispatcher import Dispatcher
from connector.pipeline.dispatch.ledger_queue import LedgerQueue
from connector.pipeline.holds.manual_pause import ManualPause
from connector.pipeline.ports.entries import Arrival, Entry, Lane, Room
from tests.support.pipeline_context import context_for_test, queue_for_test

A = OrderKey("a")


class Timer:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


class EndOfPause(Capacity):
    """A pause of Redo's ends just after it kept the order from being taken."""

    timer: Timer

    def room(self, freed: Collection[OrderKey] = ()) -> Room | None:
        found = super().room(freed)
        self.timer.seconds += 1_000.0
        return found


async def test_a_pause_that_ends_while_the_dispatcher_looks_is_noticed() -> None:
    timer, taken = Timer(), list[Entry]()
    clock = Clock(wall=timer, timer=timer)
    admissions, context = StoreAdmissions(4, None, clock=clock), context_for_test(clock=clock)
    await admissions.of("").acquire("b", Lane.LIVE)
    admissions.of("").release("b", Outcome(OutcomeKind.THROTTLED, status=429))
    queue: LedgerQueue = queue_for_test(context)
    capacity = EndOfPause(context, admissions, ManualPause(context, queue, admissions))
    capacity.timer = timer
    queue.open(capacity, taken.extend)
    await context.store.arrive([Arrival(1, 1.0, Lane.LIVE, frozenset({A}))], [])
    dispatcher = Dispatcher(context, queue, admissions)

    async def dispatch() -> None:
        while not taken:
            await dispatcher.step()

    task = asyncio.create_task(dispatch())
    with suppress(TimeoutError):
        await asyncio.wait_for(task, 2.0)
    assert [entry.key for entry in taken] == [A]
