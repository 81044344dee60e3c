"""Carries out what the comparison decided: settlements are written, each delivery is sent by a task of its own.

It must not know how an order was read, nor what an answer of Redo's means.
"""

from __future__ import annotations

from connector.model.orders import delivery_id
from connector.pipeline.context import Context
from connector.pipeline.deliver.failing_orders import FailingOrders
from connector.pipeline.deliver.group_commit import GroupCommit
from connector.pipeline.deliver.sender import Sender
from connector.pipeline.deliveries import Delivery, Settled
from connector.pipeline.dispatch.ledger_queue import LedgerQueue
from connector.pipeline.examine.comparer import Findings
from connector.pipeline.examine.place_claims import PlaceClaims
from connector.pipeline.ports.chronicle import Attempt
from connector.pipeline.ports.entries import BLAMED


class Deliverer:
    def __init__(
        self,
        context: Context,
        queue: LedgerQueue,
        sender: Sender,
        claims: PlaceClaims,
        failing: FailingOrders,
        group_commit: GroupCommit,
    ) -> None:
        self._chronicle = context.chronicle
        self._clock = context.clock
        self._large = context.in_work.large
        self._tasks = context.tasks
        self._queue = queue
        self._sender = sender
        self._claims = claims
        self._failing = failing
        self._group_commit = group_commit

    def start(self, found: Findings) -> None:
        for settled in found.settled:
            self._group_commit.settle(settled)
            self._tell(settled)
        for delivery in found.deliveries:
            self._large.started(delivery)
            self._tasks.begin(self._deliver(delivery))

    async def _deliver(self, delivery: Delivery) -> None:
        try:
            settled = await self._sender.send(delivery)
        finally:
            self._claims.release(delivery)
            self._large.finished(delivery)
        if self._sender.reopened:
            self._sender.reopened = False
            # What is known to fail keeps its time: a pause says nothing about it.
            await self._queue.hasten(BLAMED - 1)
        if self._failing.recovered:
            self._failing.recovered = False
            await self._queue.hasten()
        self._group_commit.settle(settled)

    def _tell(self, settled: Settled) -> None:
        """What kept an order from being sent."""
        letter = settled.settlement.dead_letter
        if letter is not None and settled.result is not None:
            result, named = settled.result.value, delivery_id(letter.fingerprint)
            attempt = Attempt(
                letter.key,
                self._clock.wall(),
                result,
                letter.reason,
                store_id=letter.store_id,
                delivery=named,
                order_id=letter.order_id,
            )
            self._chronicle.attempted(attempt)
