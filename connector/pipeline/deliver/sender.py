"""One delivery: admitted for its store, sent to Redo, and concluded from the answer. It must not know the ledger."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from connector.model.orders import Outcome, OutcomeKind, delivery_id
from connector.pipeline.context import Context
from connector.pipeline.deliver.admission import Admission
from connector.pipeline.deliver.conclude import conclude, put_back, set_aside
from connector.pipeline.deliver.failing_orders import FailingOrders
from connector.pipeline.deliver.policy import POLICY, Fate
from connector.pipeline.deliver.store_admissions import StoreAdmissions
from connector.pipeline.deliveries import Action, Delivery, Result, Settled
from connector.pipeline.examine.order_log import log_answer
from connector.pipeline.failpoints import reach
from connector.pipeline.holds.first_fill import FirstFill
from connector.pipeline.holds.manual_pause import ManualPause
from connector.pipeline.ports.chronicle import Attempt
from connector.pipeline.ports.entries import Lane
from connector.pipeline.ports.protocols import Redo

MOMENT = 0.1
PROBED_LAST = 1.0
"""Seconds that a failed probe stands behind the orders that wait with it."""


class Sender:
    """`last_accepted_at`: when Redo took an order last (seconds since 1970)."""

    def __init__(
        self,
        context: Context,
        redo: Redo,
        admissions: StoreAdmissions,
        failing: FailingOrders,
        manual_pause: ManualPause,
        first_fill: FirstFill,
    ) -> None:
        self._observer = context.observer
        self._chronicle = context.chronicle
        self._terms = context.terms
        self._clock = context.clock.now
        self._wall = context.clock.wall
        self._redo = redo
        self._admissions = admissions
        self._failing = failing
        self._manual_pause = manual_pause
        self._first_fill = first_fill
        self.last_accepted_at: float | None = None
        self.reopened = False
        """A pause is over: what waited for that may go."""

    async def send(self, delivery: Delivery) -> Settled:
        """One request, or none while the store is paused."""
        entry = delivery.entry
        self._first_fill.sending(entry)
        admission = self._admissions.of(delivery.place.store_id)
        if self._failing.is_set_aside(entry):
            return self._set_aside(delivery)
        standing = self._failing.standing(entry, delivery.place.store_id)
        if not await admission.acquire(entry.key, entry.lane, standing):
            # A probe may be on its way: its answer is worth a moment.
            return put_back(delivery, max(admission.retry_at(standing), self._clock() + MOMENT), self._terms)
        if self._manual_pause.since is not None:  # begun while it waited for its turn
            admission.release(entry.key, None)
            return put_back(delivery, self._clock() + MOMENT, self._terms)
        outcome: Outcome | None = None
        was_closed, sent_at = admission.pause is not None, self._clock()
        try:
            reach("deliver.before_push")
            outcome = await self._request(delivery)
            reach("deliver.after_push")
        finally:
            admission.release(entry.key, outcome)
        self.reopened = self.reopened or (was_closed and admission.pause is None)
        settled = await self._concluded(delivery, outcome, sent_at, admission)
        log_answer(delivery, outcome, settled, self._clock() - sent_at)
        if settled.result is None and admission.pause_until is not None and settled.settlement.again is not None:
            # A probe that failed lets another order probe next: it may be at fault itself.
            last = PROBED_LAST if was_closed and outcome.kind is not OutcomeKind.THROTTLED else 0.0
            settled = _not_before(settled, admission.pause_until + last)
        self._tell(delivery, outcome, settled, sent_at)
        return settled

    async def _concluded(self, delivery: Delivery, outcome: Outcome, sent_at: float, admission: Admission) -> Settled:
        store_id, failure = delivery.place.store_id, None
        if outcome.kind in (OutcomeKind.ACCEPTED, OutcomeKind.REJECTED):
            self._failing.answered(delivery, pushed=outcome.kind is OutcomeKind.ACCEPTED)
        elif POLICY[outcome.kind].fate is Fate.AGAIN:
            failure = self._failing.failed(delivery, outcome, closed=admission.pause is not None)
        settled = conclude(delivery, outcome, sent_at, self._clock(), self._terms, failure, self._wall())
        if failure is not None and failure.unclear:
            await self._failing.send_canaries(store_id)
        return settled

    def _set_aside(self, delivery: Delivery) -> Settled:
        """A person gave up on it, and it goes once nothing of it can land at Redo any more."""
        late = delivery.entry.late_until
        if late is not None and self._clock() < late:
            return put_back(delivery, late, self._terms)
        return set_aside(delivery, self._clock(), self._terms)

    async def _request(self, delivery: Delivery) -> Outcome:
        if delivery.order is None:
            return await self._redo.delete(delivery.place)
        return await self._redo.push(delivery.order)

    def _tell(self, delivery: Delivery, outcome: Outcome, settled: Settled, sent_at: float) -> None:
        now, entry = self._clock(), delivery.entry
        latency: float | None = None
        if settled.result is None:
            self._observer.retry(outcome.reason or outcome.kind.value)
        elif settled.result is Result.PUSHED:
            self.last_accepted_at = self._wall()
            if entry.lane is not Lane.SWEEP and entry.since != entry.late_until:
                latency = now - entry.since
                self._observer.sync_latency(latency)
        elif settled.result is Result.MISSING:
            self._observer.removed("deleted" if delivery.action is Action.DELETE else "cancelled")
        if settled.settlement.warnings:
            for kind, times in Counter(one.kind for one in settled.settlement.warnings).items():
                self._observer.warned(kind, times)
        self._chronicle.attempted(
            Attempt(
                entry.key,
                self._wall(),
                "again" if settled.result is None else settled.result.value,
                "" if settled.result is Result.PUSHED else outcome.reason or outcome.kind.value,
                outcome.status,
                now - sent_at,
                latency,
                delivery.place.store_id,
                delivery_id(delivery.order.fingerprint if delivery.order is not None else None),
                delivery.place.order_id,
            )
        )


def _not_before(settled: Settled, moment: float) -> Settled:
    settlement = settled.settlement
    assert settlement.again is not None  # noqa: S101 -- the caller looked
    again = replace(settlement.again, due=max(settlement.again.due, moment))
    return replace(settled, settlement=replace(settlement, again=again))
