"""Which order may push to a place, or take away what is there.

Two orders with one id would overwrite each other for ever, and a place that one order leaves may be another's by now:
ids are swapped, renumbered, and given to a row that takes the place of another. It must not know why an order is pushed
or removed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from connector.model.orders import OrderKey, Place, is_former
from connector.pipeline.context import Context
from connector.pipeline.deliveries import Delivery, Result, Settled
from connector.pipeline.dispatch.ledger_queue import LedgerQueue
from connector.pipeline.examine.decide import postpone, refuse, requeue, wait_for_late
from connector.pipeline.ports.entries import Again, Entry
from connector.pipeline.ports.records import Settlement

LOOKS = 3
"""How often an order whose place is another's is looked at again before it is refused."""
MOMENT = 0.5
"""Seconds until the first such look, and while a request about the place is under way."""
REMEMBERED = 50_000
"""Orders that are known to leave their places. One that was forgotten costs another look."""
GIVES_WAY = frozenset({("id",), ("store_id",), ("missing",)})
"""The `fields` of a held order that isn't at its place any more."""


class PlaceClaims:
    def __init__(self, context: Context, queue: LedgerQueue) -> None:
        self._store = context.store
        self._clock = context.clock.now
        self._in_work = context.in_work
        self._queue = queue
        self._claimed: dict[Place, OrderKey] = {}
        self._leaving: dict[OrderKey, Place] = {}
        """Orders that are to be pushed to another place, and the one that they leave."""
        self._looks: Counter[OrderKey] = Counter()

    def release(self, delivery: Delivery) -> None:
        """The delivery is over, or isn't to be: its place is free."""
        if self._claimed.get(delivery.place) == delivery.entry.key:
            del self._claimed[delivery.place]

    async def admit(self, pushes: Sequence[Delivery]) -> tuple[list[Delivery], list[Settled]]:
        """Those that may be pushed, and what becomes of the others."""
        asked = [one.place for one in pushes if _old_place(one) != one.place or one.entry.confirm]
        owners = await self._store.owners(asked) if asked else {}
        for delivery in pushes:
            self._remember_leaving(delivery)
        admitted, others = [], []
        for delivery in pushes:
            owning = [key for key in owners.get(delivery.place, ()) if key != delivery.entry.key]
            if self._under_way(delivery):
                others.append(self._soon(delivery.entry))
            elif (rival := await self._rival(delivery.place, owning)) is not None:
                others.append(await self._turned_away(delivery, rival))
            else:
                self._looks.pop(delivery.entry.key, None)
                self._claimed[delivery.place] = delivery.entry.key
                admitted.append(replace(delivery, displaces=tuple(owning)) if owning else delivery)
        return admitted, others

    async def displace(self, deliveries: Iterable[Delivery]) -> None:
        """These are about to take over places. Who is there is looked at again, and pushed: it may be back by now."""
        for delivery in deliveries:
            if delivery.displaces:
                await self._queue.add(delivery.displaces, delivery.entry.lane, confirm=True)

    async def claim_removal(self, delivery: Delivery) -> Settled | None:
        """Claim the place of a removal. A settlement when it can't begin, or when the place is another order's now."""
        key, place = delivery.entry.key, delivery.place
        if self._under_way(delivery):
            return self._soon(delivery.entry)
        owners = (await self._store.owners([place])).get(place, ())
        others = [owner for owner in owners if owner != key]
        if others:
            return await self._taken(delivery, others)
        self._claimed[place] = key
        return None

    async def _taken(self, delivery: Delivery, owners: Sequence[OrderKey]) -> Settled:
        """Nothing is to be removed there. A request of ours may still land, so the owner is pushed again after it."""
        entry, now = delivery.entry, self._clock()
        if entry.late_until is not None and now < entry.late_until:
            return postpone(entry, wait_for_late(entry))
        await self._queue.add(owners, entry.lane, confirm=True)
        more = any(place != delivery.place for place in delivery.remembered.leftovers)
        here = _old_place(delivery) == delivery.place
        settlement = Settlement(
            entry,
            clear_dead_letter=not more and not delivery.refused,
            again=Again(now, 0, confirm=False, approved=entry.approved) if more else None,
            members={} if here else None,
            forget=here,
            settled_places=(delivery.place,),
        )
        return Settled(settlement, None if more else Result.MISSING if here else Result.UNCHANGED)

    def _soon(self, entry: Entry) -> Settled:
        return postpone(entry, requeue(entry, self._clock() + MOMENT))

    def _under_way(self, delivery: Delivery) -> bool:
        """Another order's request about the place."""
        return self._claimed.get(delivery.place, delivery.entry.key) != delivery.entry.key

    async def _rival(self, place: Place, owning: Sequence[OrderKey]) -> OrderKey | None:
        """The first owner that stays."""
        for owner in owning:
            if not await self._gives_way(owner, place):
                return owner
        return None

    async def _gives_way(self, owner: OrderKey, place: Place) -> bool:
        if self._leaving.get(owner) == place or is_former(owner):
            return True
        held = (await self._store.known([owner])).held.get(owner)
        return held is not None and held.fields in GIVES_WAY

    async def _turned_away(self, delivery: Delivery, rival: OrderKey) -> Settled:
        """The rival may just have left its place, or the mapping: look at it too, and only then refuse."""
        entry, key = delivery.entry, delivery.entry.key
        looks = self._looks[key]
        if looks < LOOKS:
            self._looks[key] += 1
            if rival not in self._in_work:
                await self._queue.add([rival], entry.lane)
            return postpone(entry, requeue(entry, self._clock() + MOMENT * 2**looks))
        del self._looks[key]
        message = f"the mapping gives this order the same id as order {rival}: make `id` unique"
        cause = "the mapping gives this order the same id as another one"
        return refuse(
            entry,
            "duplicate",
            message,
            self._clock(),
            paths=("id",),
            cause=cause,
            remembered=delivery.remembered,
            place=delivery.place,
        )

    def _remember_leaving(self, delivery: Delivery) -> None:
        """Whoever wants the place that an order is about to leave needn't wait until it has."""
        key, old = delivery.entry.key, _old_place(delivery)
        self._leaving.pop(key, None)
        if old is not None and old != delivery.place:
            self._leaving[key] = old
            if len(self._leaving) > REMEMBERED:
                del self._leaving[next(iter(self._leaving))]


def _old_place(delivery: Delivery) -> Place | None:
    checkpoint = delivery.remembered.checkpoint
    return checkpoint.place if checkpoint is not None and not checkpoint.missing else None
