"""Changes of an unlikely size wait for a person: a mapping gone wrong must not rewrite a shop, nor empty one.

What a sweep finds to differ is gathered until the sweep's end, removals until their burst is over. A set within bounds
then goes on its way; a larger one is held until it's approved. What the stream brings flows on meanwhile, order by
order, but nothing goes to an endpoint that is to be approved first. It must not know how an order is pushed.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from connector.model.orders import is_former
from connector.pipeline.clock import MACHINE, Clock
from connector.pipeline.decide import Action, Delivery, Settled, look_again, must_push, wait_for_late
from connector.pipeline.heartbeat import Heartbeat
from connector.pipeline.holds.endpoints import Endpoints, unapproved
from connector.pipeline.holds.vanished_rows import VanishedRows
from connector.pipeline.ports.entries import Arrival, Lane
from connector.pipeline.ports.holds import Held, Hold, HoldKind, HoldState
from connector.pipeline.ports.protocols import Contract
from connector.pipeline.ports.records import Checkpoint, Settlement, Sweep, SweepKind
from connector.pipeline.ports.store import CheckpointStore
from connector.pipeline.sweeps.sweep import APPROVED_NOTE, OLD_STORE

log = structlog.get_logger("connector.guard")

LEAST = 10
"""Fewer orders than this are never an unlikely size, whatever share of a small shop they are."""
AT_ONCE = 2_000
"""Orders released in one commit: some 70 ms of the store."""
BURSTS = 3600.0
"""Seconds in which removals count as one burst, so that a trickle doesn't pass what a flood may not."""
PATIENCE = 6
"""A burst that doesn't end is judged after so many times `removal_wait`."""
VANISHED = "no longer in the mapping, and no delete was seen"
REMOVED_FOR_KEY = "the order key changed, and no order has taken over what is stored by the former keys"


@dataclass(frozen=True, slots=True)
class Limits:
    """`max_share` and `max_removal_share` are shares of all checkpoints; `removal_wait` in seconds."""

    max_share: float = 0.2
    max_orders: int | None = None
    max_removal_share: float = 0.01
    removal_wait: float = 5.0

    @property
    def off(self) -> bool:
        """No change that a sweep finds is too large."""
        return self.max_share >= 1 and self.max_orders is None

    def bound(self, kind: HoldKind, checkpoints: int) -> float:
        """How many orders may pass unseen, of changes and removals."""
        if kind is HoldKind.VANISHED:
            return 0
        share = self.max_share if kind is HoldKind.CHANGES else self.max_removal_share
        likely = max(float(LEAST), share * checkpoints) if share < 1 else math.inf
        return likely if self.max_orders is None else min(likely, self.max_orders)


class Guard:
    """`judge` is asked about each intended request, `step` is its own task, `sweep_over` belongs to the sweeper."""

    def __init__(
        self,
        store: CheckpointStore,
        contract: Contract,
        limits: Limits,
        endpoints: Endpoints,
        next_revision: Callable[[], int],
        sweep: Callable[[], Sweep | None],
        wake: Callable[[], None],
        vanished_rows: VanishedRows,
        clock: Clock = MACHINE,
    ) -> None:
        self._store = store
        self._vanished_rows = vanished_rows
        self._contract = contract
        self._limits = limits
        self._endpoints = endpoints
        self._next_revision = next_revision
        self._sweep = sweep
        self._wake = wake
        self._clock = clock
        self._open: dict[tuple[HoldKind, str], Hold] = {}
        """Those that orders are put into. Each reason why rows may have vanished has its own: who approves one knows
        nothing of another."""
        self._going: Counter[int] = Counter()
        """Holds that are on their way as a whole: nothing else joins them."""
        self._vanished: set[int] = set()
        """Holds of orders of which it isn't known that they were deleted."""
        self._opening = asyncio.Lock()
        self._last_removal = 0.0
        self._released: deque[tuple[float, int]] = deque()
        self._approved: int | None = None
        self._unwritten: Counter[int] = Counter()
        self._poked = asyncio.Event()
        self.heartbeat = Heartbeat("guard", "judging held orders")

    async def load(self) -> None:
        """At start: holds of the last run. One that the present settings let pass goes; the sets that were gathering
        are judged when their sweep ends."""
        noted = await self._store.noted(APPROVED_NOTE)
        self._approved = int(noted) if noted else None
        for hold in await self._store.holds():
            self._take(hold)
            if hold.state is HoldState.HELD and hold.orders <= await self._bound(hold.kind):
                log.info("hold_released", hold=hold.number, orders=hold.orders, because="the settings let it pass now")
                await self._release(hold, None)

    async def judge(self, delivery: Delivery, now: float) -> Settled | None:
        """The settlement that keeps this order back, None when it may go. A hold doesn't know what may still land at
        Redo, so an order waits for that moment first."""
        kind, entry = self._kind(delivery, now), delivery.entry
        if kind is None and (delivery.action is Action.PUSH or self._vanished_rows.same_history()):
            return None
        if delivery.hidden:
            return Settled(Settlement(entry, again=look_again(entry, now)), None)
        if entry.late_until is not None and now < entry.late_until:
            return Settled(Settlement(entry, again=wait_for_late(entry)), None)
        if kind is None or (kind is HoldKind.REMOVALS and not self._vanished_rows.same_history()):
            return Settled(Settlement(entry, again=look_again(entry, now)), None)
        async with self._opening:
            hold = await self._current(kind, delivery, now)
            self._unwritten[hold.number] += 1
        if kind is HoldKind.REMOVALS:
            self._last_removal = self._clock.timer()
        self._poked.set()
        held = Held(hold.number, self._fields(delivery), entry.since, must_push(entry, now))
        return Settled(Settlement(entry, held=held), None)

    def written(self, settlements: Sequence[Settlement]) -> None:
        """These are in the store: a hold goes only once all that belongs to it is there."""
        for settlement in settlements:
            if settlement.held is not None:
                self._unwritten[settlement.held.hold] -= 1

    def _kind(self, delivery: Delivery, now: float) -> HoldKind | None:
        entry = delivery.entry
        if entry.approved and (delivery.action is Action.PUSH or self._vanished_rows.approved(entry)):
            return None
        if delivery.action is Action.PUSH and delivery.place.store_id in self._endpoints.waiting:
            return HoldKind.ENDPOINT
        if delivery.hidden:
            return None
        if delivery.action is not Action.PUSH:
            return HoldKind.VANISHED if self._why_doubtful(delivery) is not None else HoldKind.REMOVALS
        sweep = self._sweep()
        if entry.lane is not Lane.SWEEP or sweep is None or sweep.kind is not SweepKind.RECONCILE:
            return None
        if self._limits.off or sweep.revision == self._approved:
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
        if held is not None and held.hold in self._vanished and not self._vanished_rows.deleted(entry.key):
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

    async def _current(self, kind: HoldKind, delivery: Delivery, now: float) -> Hold:
        cause, before = self._cause(kind, delivery), delivery.remembered.held
        hold = self._open.get(_slot(kind, cause))
        if kind is HoldKind.VANISHED and before is not None:
            hold = next((one for one in self._open.values() if one.number == before.hold), hold)
        if hold is None:
            hold = await self._store.open_hold(kind, cause, now)
            self._take(hold)
        return hold

    def _cause(self, kind: HoldKind, delivery: Delivery) -> str:
        sweep = self._sweep()
        match kind:
            case HoldKind.VANISHED:
                return f"{VANISHED}: {self._why_doubtful(delivery)}"
            case HoldKind.ENDPOINT:
                return unapproved(self._endpoints.all)
            case HoldKind.CHANGES if sweep is not None:
                return sweep.cause
        return "orders left the mapping"

    def _take(self, hold: Hold) -> None:
        if not self._going[hold.number]:
            self._open[_slot(hold.kind, hold.cause)] = hold
        if hold.kind is HoldKind.VANISHED:
            self._vanished.add(hold.number)

    async def step(self) -> None:
        """Judge what has been gathered, twice a second while there is something."""
        with self.heartbeat.resting():
            if not self._open:
                self._poked.clear()
                await self._poked.wait()
            await asyncio.sleep(min(0.5, self._limits.removal_wait / 2))
        await self._look(walked=self._idle())

    async def sweep_over(self) -> int | None:
        """Everything that the sweep put on the road was looked at. None when some of it goes on its way only now, else
        how many orders are held."""
        sweep = self._sweep()
        if await self._look(walked=True):
            return None
        if sweep is not None:
            await self._vanished_rows.compared(sweep.revision)
        return (await self._store.tally()).held

    def _idle(self) -> bool:
        sweep = self._sweep()
        return sweep is None or sweep.finished_at is not None

    async def _look(self, *, walked: bool) -> bool:
        released = 0
        for hold in await self._store.holds():
            self._take(hold)
            if hold.state is not HoldState.GATHERING or self._unwritten[hold.number]:
                continue
            bound = await self._bound(hold.kind)
            if hold.orders and hold.orders + self._recent(hold.kind) > bound:
                await self._hold(hold, bound)
            elif self._over(hold, walked=walked):
                released += await self._end(hold)
        await self._forget_gone()
        return released > 0

    async def _forget_gone(self) -> None:
        async with self._opening:
            left = {hold.number for hold in await self._store.holds()}
            for slot, hold in [*self._open.items()]:
                if hold.number not in left and not self._unwritten[hold.number]:
                    del self._open[slot]

    async def _hold(self, hold: Hold, bound: float) -> None:
        await self._store.mark_hold(hold.number, HoldState.HELD)
        log.warning(
            "held_for_approval",
            hold=hold.number,
            kind=hold.kind.value,
            cause=hold.cause,
            orders=hold.orders,
            allowed=int(bound),
            next="redo-connector approve --list",
        )

    def _over(self, hold: Hold, *, walked: bool) -> bool:
        """Whether all that belongs to it is known."""
        match hold.kind:
            case HoldKind.CHANGES | HoldKind.VANISHED:
                return walked
            case HoldKind.REMOVALS:
                return self._burst_over(hold)
            case HoldKind.ENDPOINT:
                return not self._endpoints.waiting

    def _burst_over(self, hold: Hold) -> bool:
        wait = self._limits.removal_wait
        return (
            self._clock.timer() - self._last_removal >= wait or self._clock.wall() - hold.opened_at >= PATIENCE * wait
        )

    def _recent(self, kind: HoldKind) -> int:
        """Removals that passed within the present burst."""
        if kind is not HoldKind.REMOVALS:
            return 0
        while self._released and self._released[0][0] < self._clock.timer() - BURSTS:
            self._released.popleft()
        return sum(orders for _, orders in self._released)

    async def _bound(self, kind: HoldKind) -> float:
        if kind is HoldKind.ENDPOINT:
            return 0 if self._endpoints.waiting else math.inf
        return self._limits.bound(kind, (await self._store.tally()).checkpoints)

    async def approve(self, number: int, limit: int | None = None) -> int | None:
        """Let a hold go, or the first `limit` orders of it. Returns how many; None: there is no such hold."""
        hold = next((one for one in await self._store.holds() if one.number == number), None)
        if hold is None:
            return None
        if limit is None and hold.kind in (HoldKind.CHANGES, HoldKind.ENDPOINT):
            await self._approve_sweep()
        if limit is None and hold.kind is HoldKind.ENDPOINT:
            await self._endpoints.approve()
        released = await self._release(hold, limit)
        log.info("hold_approved", hold=number, released=released)
        return released

    async def _approve_sweep(self) -> None:
        """What it goes on to find isn't held again."""
        sweep = self._sweep()
        if sweep is not None and sweep.finished_at is None:
            self._approved = sweep.revision
            await self._store.note(APPROVED_NOTE, str(sweep.revision))

    async def _end(self, hold: Hold) -> int:
        """It is within its bound. Returns how many orders go on their way."""
        if hold.kind is not HoldKind.VANISHED:
            return await self._release(hold, None)
        # It was empty a moment ago; if it isn't any more, it is held.
        await self._store.mark_hold(hold.number, HoldState.HELD)
        return 0

    async def _release(self, hold: Hold, limit: int | None) -> int:
        if limit is not None:
            return await self._release_most(hold, limit)
        # What is judged from now on goes into another hold; what was, is waited for.
        self._going[hold.number] += 1
        try:
            self._open = {slot: one for slot, one in self._open.items() if one.number != hold.number}
            while self._unwritten[hold.number]:  # noqa: ASYNC110 -- a settlement away
                await asyncio.sleep(0.01)
            return await self._release_most(hold, None)
        finally:
            self._going[hold.number] -= 1

    async def _release_most(self, hold: Hold, limit: int | None) -> int:
        released = 0
        while limit is None or released < limit:
            moved = await self._release_some(hold.number, AT_ONCE if limit is None else min(AT_ONCE, limit - released))
            released += moved
            self._wake()
            if moved == 0:
                break
        if hold.kind is HoldKind.REMOVALS and hold.state is HoldState.GATHERING:
            self._released.append((self._clock.timer(), released))
        return released

    async def _release_some(self, number: int, most: int) -> int:
        arrival = Arrival(self._next_revision(), self._clock.wall(), Lane.SWEEP, approved=True)
        return await self._store.release(number, arrival, most)


def _slot(kind: HoldKind, cause: str) -> tuple[HoldKind, str]:
    return kind, cause if kind is HoldKind.VANISHED else ""


def _same(delivery: Delivery) -> bool:
    checkpoint, order = delivery.remembered.checkpoint, delivery.order
    return checkpoint is not None and order is not None and checkpoint.fingerprint == order.fingerprint


def drift(delivery: Delivery) -> str:
    """What a reconcile found: an order Redo hasn't, one that differs, or one that left the mapping."""
    checkpoint: Checkpoint | None = delivery.remembered.checkpoint
    if delivery.action is not Action.PUSH:
        return "extra"
    return "missed" if checkpoint is None else "changed"
