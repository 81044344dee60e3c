"""From keys to intended requests: read the orders, diff them, and ask everyone who may object.

One look is one snapshot for a batch of entries. What comes out is settled already, or a delivery. It must not know
gates, requests, or when an entry is taken.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from connector.model.errors import InvalidOrder
from connector.model.orders import Order, OrderKey, is_former
from connector.pipeline.decide import (
    MAPPING,
    REMOVAL,
    Action,
    Delivery,
    Remembered,
    Result,
    Settled,
    Terms,
    decide,
    must_push,
    reaches_new_place,
    refuse,
    unreadable,
    wait_for_late,
)
from connector.pipeline.examine.claims import PlaceClaims
from connector.pipeline.holds.guard import Guard
from connector.pipeline.ports.entries import Again, Entry
from connector.pipeline.ports.protocols import Contract
from connector.pipeline.ports.records import DeadLetter, Known, Settlement, Venture
from connector.pipeline.ports.store import CheckpointStore
from connector.pipeline.read.control_reads import ControlReads
from connector.pipeline.read.large_orders import TOGETHER
from connector.pipeline.read.reader import Reader, Reading
from connector.pipeline.sweeps.former_keys import FormerKeys


@dataclass(slots=True)
class Findings:
    """What one look came to. `held`: deliveries that the guard keeps, with their settlements."""

    settled: list[Settled] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    held: list[tuple[Delivery, Settled]] = field(default_factory=list)
    oversized: list[tuple[Entry, int]] = field(default_factory=list)
    """To be looked at again, with the bytes of their documents."""


class Differ:
    def __init__(
        self,
        store: CheckpointStore,
        reader: Reader,
        contract: Contract,
        guard: Guard,
        terms: Terms,
        claims: PlaceClaims,
        former: FormerKeys,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._reader = reader
        self._contract = contract
        self._guard = guard
        self._terms = terms
        self._claims = claims
        self._former = former
        self._clock = clock
        self.readable: Callable[[DeadLetter], None] = lambda _: None
        """Told of an order that can be read, and couldn't."""

    @property
    def controls(self) -> ControlReads:
        return self._reader.controls

    async def look(self, entries: Sequence[Entry], *, large: bool = False, brief: bool = False) -> Findings:
        """`heavy`: larger orders too; `brief`: in little time. Raises as `Reader.read` does."""
        keys = [entry.key for entry in entries]
        # What is known of an order doesn't change while it is in work.
        asked = asyncio.ensure_future(self._store.known(keys))
        try:
            readings = await self._reader.read(keys, large=large, brief=brief)
        finally:
            known = await asked
        found, pushes = Findings(), []
        known = await self._with_claims(entries, readings, known)
        unfit = []
        for entry, reading in zip(entries, readings, strict=True):
            if reading.oversized:
                found.oversized.append((entry, reading.oversized))
                continue
            if reading.misfit and not is_former(entry.key):
                found.settled.append(self._unfit(entry))
                if found.settled[-1].settlement.again is None and _is_stored(known, entry.key):
                    unfit.append(entry.key)
                continue
            letter = known.dead_letters.get(entry.key)
            if letter is not None and letter.reason == MAPPING and reading.error is None:
                self.readable(letter)
            decision = self._decide(entry, reading, _remembered(known, entry.key))
            if isinstance(decision, Settled):
                found.settled.append(decision)
            elif decision.action is Action.PUSH:
                pushes.append(decision)
            elif _weight(found) > TOGETHER:
                found.oversized.append((entry, TOGETHER))  # what Redo is told is as large as the order was
            else:
                await self._removal(decision, found)
        if unfit:
            await self._former.retire(unfit)
        admitted, retry_at = await self._claims.admit(pushes)
        found.settled += retry_at
        for delivery in await self._with_history(admitted):
            await self._guarded(delivery, found)
        await self._claims.displace(found.deliveries)
        await self._record_new_places(found.deliveries)
        return found

    async def _with_claims(self, entries: Sequence[Entry], readings: Sequence[Reading], known: Known) -> Known:
        """What is known once orders without checkpoints have taken over what is stored at their places."""
        if not self._former.any:
            return known
        wanted = {}
        for entry, reading in zip(entries, readings, strict=True):
            if entry.key not in known.checkpoints and len(reading.documents) == 1:
                with suppress(InvalidOrder):
                    wanted[entry.key] = self._contract.order(reading.documents[0], entry.since).place
        if not await self._former.claim(wanted):
            return known
        return await self._store.known([entry.key for entry in entries])

    def _unfit(self, entry: Entry) -> Settled:
        """A key that is none any more isn't judged before every order had its chance to take over what is stored."""
        late = entry.late_until
        again = wait_for_late(entry) if late is not None and self._clock() < late else None
        gone = again is None
        return Settled(Settlement(entry, again=again, clear_dead_letter=gone, members={} if gone else None), None)

    def release(self, delivery: Delivery) -> None:
        """The delivery is over: its place is free."""
        self._claims.release(delivery)

    def _decide(self, entry: Entry, reading: Reading, remembered: Remembered) -> Settled | Delivery:
        now = self._clock()
        if remembered.held is not None and remembered.held.confirm:
            entry = replace(entry, confirm=True)
        hidden = reading.hidden.touches(entry.first_revision, entry.revision)
        if reading.error is not None:
            return unreadable(entry, reading.error, now, remembered, hidden=hidden)
        return decide(
            entry,
            reading.documents,
            remembered,
            self._contract,
            self._terms,
            hidden=hidden,
            now=now,
            members=reading.members,
        )

    async def _guarded(self, delivery: Delivery, found: Findings) -> None:
        kept = await self._guard.judge(delivery, self._clock())
        if kept is None:
            found.deliveries.append(delivery)
            return
        self.release(delivery)
        if kept.settlement.held is None:
            found.settled.append(kept)
        else:
            found.held.append((delivery, kept))

    async def _record_new_places(self, deliveries: Sequence[Delivery]) -> None:
        kept = self._terms.keep_payload
        new = [
            Venture(one.entry.key, one.place, one.order.body if kept and one.order is not None else None)
            for one in deliveries
            if reaches_new_place(one, self._terms)
        ]
        if new:
            await self._store.venture(new)

    async def _removal(self, delivery: Delivery, found: Findings) -> None:
        settled = await self._claims.removal(delivery)
        if settled is None and delivery.action is Action.CANCEL:
            delivery, settled = await self._cancelled(delivery)
        if settled is None:
            await self._guarded(delivery, found)
            return
        self.release(delivery)
        found.settled.append(settled)

    async def _cancelled(self, delivery: Delivery) -> tuple[Delivery, Settled | None]:
        """With the order to push, or why there is none."""
        key, place, now = delivery.entry.key, delivery.place, self._clock()
        payload = await self._store.payload(key, place)
        if payload is None:
            message = (
                "can't be cancelled: what Redo accepted wasn't kept, or its key is gone (checkpoints.payload_keys)"
            )
            return delivery, refuse(delivery.entry, REMOVAL, message, now, store_id=place.store_id)
        order = self._contract.cancelled(payload, place, now)
        if order is not None:
            return replace(delivery, order=order), None
        checkpoint = delivery.remembered.checkpoint
        if checkpoint is None or not must_push(delivery.entry, now):
            return delivery, self._cancelled_already(delivery)
        # The OMS cancelled it before it went, but Redo may hold something older.
        same = Order(place.order_id, payload, checkpoint.fingerprint, checkpoint.digest, place.store_id)
        return replace(delivery, order=same), None

    def _cancelled_already(self, delivery: Delivery) -> Settled:
        """The OMS cancelled it before it went: Redo knows."""
        checkpoint = delivery.remembered.checkpoint
        here = checkpoint is not None and checkpoint.place == delivery.place
        more = any(place != delivery.place for place in delivery.remembered.leftovers)
        again = Again(self._clock(), 0, confirm=False, late_until=delivery.entry.late_until) if more else None
        marked = replace(checkpoint, missing=True) if checkpoint is not None and here else None
        settlement = Settlement(
            delivery.entry,
            marked,
            clear_dead_letter=not more and not delivery.refused,
            again=again,
            settled_places=(delivery.place,),
        )
        return Settled(settlement, None if more else Result.MISSING)

    async def _with_history(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        """What is suspicious in the light of what Redo accepted, of this order and of others."""
        new: dict[OrderKey, frozenset[int]] = {}
        for delivery in deliveries:
            checkpoint, order = delivery.remembered.checkpoint, delivery.order
            if order is not None and (checkpoint is None or checkpoint.traits != order.traits):
                before = self._contract.line_items(checkpoint.traits) if checkpoint is not None else frozenset()
                new[delivery.entry.key] = self._contract.line_items(order.traits) - before
        lines = frozenset().union(*new.values())
        owners = await self._store.line_item_owners([*lines]) if lines else {}
        return [self._suspected(delivery, new.get(delivery.entry.key), owners) for delivery in deliveries]

    def _suspected(
        self, delivery: Delivery, new: frozenset[int] | None, owners: Mapping[int, tuple[OrderKey, ...]]
    ) -> Delivery:
        checkpoint, order, key = delivery.remembered.checkpoint, delivery.order, delivery.entry.key
        if new is None or order is None:
            return delivery
        found = self._contract.suspicions(checkpoint.traits, order.traits) if checkpoint is not None else ()
        for line in new:
            other = next((owner for owner in owners.get(line, ()) if owner != key), None)
            if other is not None:
                found = (*found, self._contract.reused(order.traits, line, other))
        return replace(delivery, suspicions=found) if found else delivery


def _weight(found: Findings) -> int:
    deliveries = [*found.deliveries, *(delivery for delivery, _ in found.held)]
    return sum(len(delivery.order.body) for delivery in deliveries if delivery.order is not None)


def _is_stored(known: Known, key: OrderKey) -> bool:
    """Whether Redo holds the order, or may."""
    return key in known.checkpoints or key in known.leftovers


def _remembered(known: Known, key: OrderKey) -> Remembered:
    return Remembered(
        known.checkpoints.get(key), known.dead_letters.get(key), known.leftovers.get(key, ()), known.held.get(key)
    )
