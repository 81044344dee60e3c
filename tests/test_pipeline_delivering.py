"""One delivery through the gate of its store."""

from __future__ import annotations

from connector.orders import Order, OrderKey, Outcome, OutcomeKind, Place
from connector.pipeline.decide import Action, Delivery, Remembered, Terms
from connector.pipeline.delivering import Deliverer
from connector.pipeline.entries import Entry, Lane
from connector.pipeline.gates import Gates
from connector.redo.contract import RedoContract
from connector.status.metrics import Metrics
from tests.sample_orders import document

CONTRACT = RedoContract()


class Refusing:
    """Redo behind a firewall that turns everything away."""

    async def push(self, order: Order) -> Outcome:
        return Outcome(OutcomeKind.REFUSED, 403, "http_403")

    async def delete(self, place: Place) -> Outcome:
        return Outcome(OutcomeKind.REFUSED, 403, "http_403")

    def serves(self, store_id: str) -> bool:
        return True


async def test_a_refused_probe_lets_another_order_probe_next() -> None:
    now = 1_000.0
    gates = Gates(4, None, clock=lambda: now)
    deliverer = Deliverer(Refusing(), CONTRACT, gates, Metrics(), Terms(), clock=lambda: now)
    order = CONTRACT.order(document(), now)
    entry = Entry(OrderKey("1"), 1, 1, now, Lane.LIVE, 0, False)
    delivery = Delivery(entry, Action.PUSH, order.place, order, Remembered())
    first = (await deliverer.deliver(delivery)).settlement.again
    gate = gates.of("")
    assert first is not None
    assert gate.pause_until is not None
    assert first.due == gate.pause_until
    gate._reopens = 0.0  # the pause is over
    probe = (await deliverer.deliver(delivery)).settlement.again
    assert probe is not None
    assert probe.attempts == 0
    assert probe.due > gate.pause_until
