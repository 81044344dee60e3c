"""Which addresses and stores of Redo the checkpoints count for, and whether orders may go there yet.

Another address, or another store, is another place: what one accepted says nothing of the other. So at each start the
settings are compared with what is remembered. Where they differ, what the former endpoints accepted is parked, what the
present ones accepted earlier comes back, and every order is looked at. Nothing goes to an endpoint that has accepted
nothing yet until a person approves it, because an address may be wrong; unless nothing was accepted before anywhere. It
must not know how an order is pushed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from connector.pipeline.context import Context
from connector.pipeline.failpoints import reach
from connector.pipeline.ports.entries import Arrival, Lane
from connector.pipeline.ports.records import Endpoint, Rebinding, Sweep, SweepKind
from connector.pipeline.sweeps.state import APPROVED_NOTE, ELSEWHERE, RESENDING

log = structlog.get_logger("connector.endpoints")

HOW_TO_APPROVE = "`redo-connector approve` shows them and lets them go, `approve --canary` some of them first"


@dataclass(frozen=True, slots=True)
class Change:
    """From what is remembered to what the settings say. `came`: new endpoints, and such that orders went to before."""

    left: tuple[Endpoint, ...]
    came: tuple[Endpoint, ...]
    stayed: tuple[Endpoint, ...]
    first: bool
    """Nothing was accepted anywhere so far."""

    @property
    def held(self) -> bool:
        """Whether a person must approve an endpoint before anything goes there. A store that comes to the others is
        none: where the others are doesn't change."""
        return bool(self.left) and not self.first and not all(one.approved for one in self.came)

    @property
    def returns(self) -> bool:
        """What was accepted at an endpoint that was left counts again."""
        return any(one.orders for one in self.came)

    @property
    def accepted_here(self) -> int:
        return sum(one.orders for one in (*self.came, *self.stayed))

    def __str__(self) -> str:
        """For people, as a part of a sentence."""
        parts = [f"the checkpoints were accepted by {_named(self.left)}"] if self.left else []
        parts += [_accepted(one) for one in self.came]
        return "; ".join(parts if self.came else [*parts, "they are kept, and count once it is in the settings again"])


def compare(remembered: Sequence[Endpoint], urls: Mapping[str, str]) -> Change | None:
    """None where the settings name what is remembered as active, or nothing is remembered."""
    wanted = [*urls.items()]
    active = [one for one in remembered if one.active]
    if not active or {(one.store_id, one.url) for one in active} == set(wanted):
        return None
    known = {(one.store_id, one.url): one for one in remembered}
    stayed = tuple(one for one in active if (one.store_id, one.url) in wanted)
    came = tuple(
        known.get((store, url), Endpoint(store, url, active=False, approved=False, orders=0))
        for store, url in wanted
        if (store, url) not in {(one.store_id, one.url) for one in stayed}
    )
    left = tuple(one for one in active if one not in stayed)
    return Change(left, came, stayed, first=not any(one.orders for one in remembered))


def unapproved(endpoints: Sequence[Endpoint]) -> str:
    """Why orders wait, for people; empty when they don't."""
    waiting = [one for one in endpoints if one.active and not one.approved]
    if not waiting:
        return ""
    elsewhere = [one for one in endpoints if not one.active and one.orders]
    parts = [f"the checkpoints were accepted by {_named(elsewhere)}"] if elsewhere else []
    return "; ".join([*parts, *(_accepted(one) for one in waiting)])


class Endpoints:
    """`urls`: where each store's orders are pushed to; without any, nothing is bound. `yes`: somebody approved them."""

    def __init__(self, context: Context, urls: Mapping[str, str], *, yes: bool = False) -> None:
        self._store = context.store
        self._revisions = context.revisions
        self._clock = context.clock
        self._urls = urls
        self._yes = yes
        self.all: tuple[Endpoint, ...] = ()
        """As of the start, or of the last approval."""
        self.waiting: frozenset[str] = frozenset()
        """Stores whose endpoint is to be approved."""

    async def change(self) -> Change | None:
        """At start: from what is remembered to what the settings say; None where nothing changes."""
        return compare(await self._store.endpoints(), self._urls) if self._urls else None

    async def load(self, change: Change | None, late_until: float) -> None:
        """At start, before anything of the store is used. `late_until`: until then an earlier request may land."""
        if not self._urls:
            return
        if change is not None:
            await self._go_to(change, late_until)
        elif not await self._store.endpoints():
            await self._bind()
        await self._look()
        if self.waiting and self._yes:
            await self._approve_with_sweep()
        if self.waiting and change is None:
            log.warning("endpoint_not_approved", found=unapproved(self.all), next=HOW_TO_APPROVE)

    async def approve(self) -> None:
        """Orders may go to all of them."""
        await self._store.approve_endpoints()
        reach("endpoints.after_approve")
        await self._look()

    async def _look(self) -> None:
        self.all = tuple(await self._store.endpoints())
        self.waiting = frozenset(one.store_id for one in self.all if one.active and not one.approved)

    async def _bind(self) -> None:
        """The first start, or the first with a store from before addresses were remembered."""
        await self._store.rebind(Rebinding(self._urls, True, self._requeue()))
        if orders := (await self._store.tally()).checkpoints:
            here = [Endpoint(store, url, True, True, 0) for store, url in self._urls.items()]
            log.info("checkpoints_bound", to=[str(one) for one in here], orders=orders)

    async def _go_to(self, change: Change, late_until: float) -> None:
        kind = SweepKind.RECONCILE if change.accepted_here else SweepKind.BACKFILL
        requeue, former = self._requeue(), await self._store.sweep()
        unfinished = former is not None and former.finished_at is None and former.cause in RESENDING
        sweep = Sweep(kind, ELSEWHERE, requeue.revision, requeue.revision, requeue.since)
        reach("endpoints.before_rebind")
        await self._store.rebind(
            Rebinding(self._urls, not change.held, requeue, sweep, doubted=unfinished, late_until=late_until)
        )
        reach("endpoints.after_rebind")
        held = f"nothing goes there before it is approved: {HOW_TO_APPROVE}"
        then = "every order is compared with what was accepted there, and what differs is pushed"
        log.warning("endpoint_changed", found=str(change), next=held if change.held and not self._yes else then)

    async def _approve_with_sweep(self) -> None:
        """What the present walk finds isn't held for being much, either."""
        sweep = await self._store.sweep()
        if sweep is not None and sweep.finished_at is None:
            await self._store.note(APPROVED_NOTE, str(sweep.revision))
        await self.approve()

    def _requeue(self) -> Arrival:
        return Arrival(self._revisions.next(), self._clock.now(), Lane.SWEEP)


def _named(endpoints: Sequence[Endpoint]) -> str:
    return " and ".join(f"{one} ({_orders(one.orders)})" for one in endpoints)


def _accepted(one: Endpoint) -> str:
    if not one.orders:
        return f"{one} has accepted none yet: every order is to be pushed"
    return f"{one} has accepted {_orders(one.orders)}: every order is compared with those"


def _orders(number: int) -> str:
    return "1 order" if number == 1 else f"{number:,} orders"
