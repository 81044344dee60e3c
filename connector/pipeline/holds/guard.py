"""Changes of an unlikely size wait for a person: a mapping gone wrong must not rewrite a shop, nor empty one.

What a sweep finds to differ is gathered until the sweep's end, removals until their burst is over. A set within bounds
then goes on its way; a larger one is held until it's approved (`reviews`). What the stream brings flows on meanwhile,
order by order, but nothing goes to an endpoint that is to be approved first. It must not know how an order is pushed.
"""

from __future__ import annotations

from connector.model.orders import is_former
from connector.pipeline.context import Context
from connector.pipeline.deliveries import Action, Delivery, Settled
from connector.pipeline.examine.decide import look_again, must_push, postpone, wait_for_late
from connector.pipeline.holds.endpoints import Endpoints, unapproved
from connector.pipeline.holds.open_holds import OpenHolds
from connector.pipeline.holds.vanished_rows import VanishedRows
from connector.pipeline.intake.progress import Progress
from connector.pipeline.ports.entries import Lane
from connector.pipeline.ports.holds import Held, HoldKind
from connector.pipeline.ports.records import Settlement, SweepKind
from connector.pipeline.sweeps.state import EXPECTED, OLD_STORE, Sweeps

VANISHED = "no longer in the mapping, and no delete was seen"
REMOVED_FOR_KEY = "the order key changed, and no order has taken over what is stored by the former keys"


class Guard:
    def __init__(
        self,
        context: Context,
        holds: OpenHolds,
        endpoints: Endpoints,
        vanished_rows: VanishedRows,
        sweeps: Sweeps,
        progress: Progress,
    ) -> None:
        self._contract = context.contract
        self._observer = context.observer
        self._holds = holds
        self._endpoints = endpoints
        self._vanished_rows = vanished_rows
        self._sweeps = sweeps
        self._progress = progress

    async def judge(self, delivery: Delivery, now: float) -> Settled | None:
        """The settlement that keeps this order back, None when it may go."""
        kept = await self._keep_back(delivery, now)
        if kept is None or kept.settlement.held is not None:
            self._count_drift(delivery)
        return kept

    async def _keep_back(self, delivery: Delivery, now: float) -> Settled | None:
        """A hold doesn't know what may still land at Redo, so an order waits for that moment first."""
        kind, entry = self._kind(delivery, now), delivery.entry
        removable = self._progress.same_history
        if kind is None and (delivery.action is Action.PUSH or removable):
            return None
        if delivery.hidden:
            return postpone(entry, look_again(entry, now))
        if entry.late_until is not None and now < entry.late_until:
            return postpone(entry, wait_for_late(entry))
        if kind is None or (kind is HoldKind.REMOVALS and not removable):
            return postpone(entry, look_again(entry, now))
        before = delivery.remembered.held
        hold = await self._holds.add(kind, self._cause(kind, delivery), None if before is None else before.hold)
        order_id = delivery.place.order_id
        held = Held(hold.number, self._fields(delivery), entry.since, must_push(entry, now), order_id)
        return Settled(Settlement(entry, held=held), None)

    def _kind(self, delivery: Delivery, now: float) -> HoldKind | None:
        entry = delivery.entry
        if entry.approved and (delivery.action is Action.PUSH or self._vanished_rows.approval_covers(entry)):
            return None
        if delivery.action is Action.PUSH and delivery.place.store_id in self._endpoints.waiting:
            return HoldKind.ENDPOINT
        if delivery.hidden:
            return None
        if delivery.action is not Action.PUSH:
            return HoldKind.VANISHED if self._why_doubtful(delivery) is not None else HoldKind.REMOVALS
        sweep = self._sweeps.current
        if entry.lane is not Lane.SWEEP or sweep is None or sweep.kind is not SweepKind.RECONCILE:
            return None
        if self._holds.limits.off or self._sweeps.is_approved(sweep):
            return None
        if must_push(entry, now) and (sweep.cause != OLD_STORE or _same(delivery)):
            return None
        return HoldKind.CHANGES

    def _why_doubtful(self, delivery: Delivery) -> str | None:
        """Why it isn't known that the order was deleted. What has vanished once stays so until the stream shows that it
        was deleted, or a person says so."""
        held, entry = delivery.remembered.held, delivery.entry
        if is_former(entry.key):
            return REMOVED_FOR_KEY
        if held is not None and self._holds.is_of_vanished(held.hold) and not self._vanished_rows.deleted(entry.key):
            return "it was held before"
        return self._vanished_rows.why_doubtful(entry)

    def _fields(self, delivery: Delivery) -> tuple[str, ...]:
        checkpoint, order = delivery.remembered.checkpoint, delivery.order
        if delivery.action is not Action.PUSH:
            return ("missing",)
        if checkpoint is None or order is None:
            return ("new",)
        if checkpoint.place != order.place:
            return ("id",) if checkpoint.store_id == order.store_id else ("store_id",)
        return self._contract.changed_fields(checkpoint.digest, order.digest) or ("unknown",)

    def _cause(self, kind: HoldKind, delivery: Delivery) -> str:
        sweep = self._sweeps.current
        match kind:
            case HoldKind.VANISHED:
                return f"{VANISHED}: {self._why_doubtful(delivery)}"
            case HoldKind.ENDPOINT:
                return unapproved(self._endpoints.all)
            case HoldKind.CHANGES if sweep is not None:
                return sweep.cause
        return "orders left the mapping"

    def _count_drift(self, delivery: Delivery) -> None:
        """What a reconcile finds to differ is drift, once: not when it's approved later, nor when it's tried again;
        what a backfill finds isn't, because nothing was known before, nor what another mapping makes different."""
        entry, sweep = delivery.entry, self._sweeps.current
        if entry.lane is not Lane.SWEEP or entry.approved or entry.attempts or entry.confirm:
            return
        kind = _drift(delivery)
        self._sweeps.found(kind)
        if sweep is not None and sweep.kind is SweepKind.RECONCILE and sweep.cause not in EXPECTED:
            self._observer.drift(kind)


def _same(delivery: Delivery) -> bool:
    checkpoint, order = delivery.remembered.checkpoint, delivery.order
    return checkpoint is not None and order is not None and checkpoint.fingerprint == order.fingerprint


def _drift(delivery: Delivery) -> str:
    """What a reconcile found: an order Redo hasn't, one that differs, or one that left the mapping."""
    if delivery.action is not Action.PUSH:
        return "extra"
    return "missed" if delivery.remembered.checkpoint is None else "changed"
