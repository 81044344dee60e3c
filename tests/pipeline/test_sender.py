"""One delivery: admitted for its store, sent, and concluded."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from connector.checkpoints.opening import in_memory
from connector.contract.order_builder import RedoContract
from connector.model.orders import Order, OrderKey, Outcome, OutcomeKind, Place, former
from connector.pipeline.clock import Clock
from connector.pipeline.deliver.failing_orders import FailingOrders
from connector.pipeline.deliver.sender import Sender
from connector.pipeline.deliver.store_admissions import StoreAdmissions
from connector.pipeline.deliveries import Action, Delivery, Remembered, Result
from connector.pipeline.holds.first_fill import FirstFill
from connector.pipeline.holds.limits import Limits
from connector.pipeline.holds.manual_pause import ManualPause
from connector.pipeline.holds.open_holds import OpenHolds
from connector.pipeline.ports.entries import Entry, Lane
from connector.pipeline.ports.protocols import Redo
from connector.pipeline.ports.records import Checkpoint, Settlement
from connector.pipeline.sweeps.state import Sweeps
from connector.status.history import History
from tests.support.ledger import entries_taken
from tests.support.pipeline_context import context_for_test, queue_for_test
from tests.support.sample_orders import document

CONTRACT = RedoContract()


class Refusing:
    """Redo behind a firewall that turns everything away."""

    async def push(self, order: Order) -> Outcome:
        return Outcome(OutcomeKind.REFUSED, 403, "http_403")

    async def delete(self, place: Place) -> Outcome:
        return Outcome(OutcomeKind.REFUSED, 403, "http_403")


NOW = 1_000.0


def sender(redo: Redo, at_once: int) -> tuple[Sender, StoreAdmissions, ManualPause, History]:
    clock, history = Clock(wall=lambda: NOW), History()
    context = replace(context_for_test(clock=clock), chronicle=history)
    admissions, queue = StoreAdmissions(at_once, None, clock=clock), queue_for_test(context)
    manual_pause = ManualPause(context, queue, admissions)
    first_fill = FirstFill(context, OpenHolds(context, Limits()), Sweeps(context), {})
    sending = Sender(context, redo, admissions, FailingOrders(context, queue), manual_pause, first_fill)
    return sending, admissions, manual_pause, history


def refused() -> tuple[Sender, StoreAdmissions, Delivery]:
    sending, admissions, _, _ = sender(Refusing(), 4)
    order = CONTRACT.order(document(), NOW)
    entry = Entry(OrderKey("1"), 1, 1, NOW, Lane.LIVE, 0, False)
    return sending, admissions, Delivery(entry, Action.PUSH, order.place, order, Remembered())


async def test_of_many_that_wait_for_a_store_few_are_looked_at_while_it_is_paused() -> None:
    """Looking at all of them at the end of each pause kept other stores' orders waiting."""
    sending, admissions, delivery = refused()
    await sending.send(delivery)
    settled = [(await sending.send(delivery)).settlement.again for _ in range(1_000)]
    until = admissions.of("").pause_until
    assert until is not None
    waits = [again.due - until for again in settled if again is not None]
    assert len(waits) == 1_000
    assert waits[:4] == [0, 0, 0, pytest.approx(0.1)]
    assert sum(wait < 60 for wait in waits) < 610
    assert waits == sorted(waits)


async def test_a_refused_probe_lets_another_order_probe_next() -> None:
    sending, admissions, delivery = refused()
    first = (await sending.send(delivery)).settlement.again
    admission = admissions.of("")
    assert first is not None
    assert admission.pause_until is not None
    assert first.due == admission.pause_until
    admission._reopens = 0.0  # the pause is over
    probe = (await sending.send(delivery)).settlement.again
    assert probe is not None
    assert probe.attempts == 1, "the ledger takes others first"
    assert probe.due > admission.pause_until


class Slow(Refusing):
    """Redo that answers once it is let."""

    def __init__(self) -> None:
        self.asked = asyncio.Semaphore(0)
        self.let = asyncio.Event()
        self.pushed: list[str] = []

    async def push(self, order: Order) -> Outcome:
        self.pushed.append(order.order_id)
        self.asked.release()
        await self.let.wait()
        return Outcome(OutcomeKind.ACCEPTED, 200)


async def test_as_a_pause_by_hand_begins_what_is_in_flight_ends_and_what_waits_for_its_turn_goes_back() -> None:
    redo = Slow()
    sending, admissions, manual_pause, history = sender(redo, 1)
    order = CONTRACT.order(document(), NOW)
    deliveries = [
        Delivery(Entry(OrderKey(key), 1, 1, NOW, Lane.LIVE, 2, True), Action.PUSH, order.place, order, Remembered())
        for key in ("1", "2", "3")
    ]
    first, second = (asyncio.create_task(sending.send(one)) for one in deliveries[:2])
    await redo.asked.acquire()
    await manual_pause.begin()
    redo.let.set()
    third = await sending.send(deliveries[2])
    for settled in (await second, third):
        again = settled.settlement.again
        assert settled.result is None
        assert again is not None
        assert (again.attempts, again.confirm) == (2, True)
    assert (await first).result is Result.PUSHED
    assert (len(redo.pushed), admissions.in_flight) == (1, 0)
    assert [one.key for one in history.recent(5)] == ["1"]
    await manual_pause.end()
    assert (await sending.send(deliveries[1])).result is Result.PUSHED


async def test_nothing_that_would_be_taken_away_shows_whether_redo_is_up() -> None:
    """What is of a former key may be taken over yet, and what has left the mapping stays where it is."""
    memory = in_memory()
    keys = [former(OrderKey("1"), 1), OrderKey("2"), OrderKey("3")]
    for key in keys:
        entry = Entry(key, 1, 1, NOW, Lane.LIVE, 0, False)
        checkpoint = Checkpoint(key, key, b"f", NOW, store_id="s", missing=key == "2")
        await memory.settle([Settlement(entry, checkpoint)])
    context = context_for_test(memory, Clock(wall=lambda: NOW))
    await FailingOrders(context, queue_for_test(context)).send_canaries("s")
    asked = await entries_taken(memory, 9, NOW, frozenset(), list(Lane))
    assert [entry.key for entry in asked] == ["3"]
