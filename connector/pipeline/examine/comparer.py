"""From keys to intended requests: orders are read, compared, and admitted by the places' claims and the guard.

One look is one snapshot for a batch of entries. What comes out is settled already, or a delivery. It must not know
requests, or when an entry is taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

from connector.model.errors import InvalidOrder, OrderUnreadable
from connector.model.off_loop import Breaks, off_loop
from connector.model.orders import Order, OrderKey, is_former
from connector.model.rows import Row
from connector.pipeline.context import Context
from connector.pipeline.deliveries import MAPPING, REMOVAL, Action, Delivery, Remembered, Result, Settled
from connector.pipeline.examine.decide import decide, must_push, reaches_new_place, refuse, unreadable, wait_for_late
from connector.pipeline.examine.place_claims import PlaceClaims
from connector.pipeline.holds.guard import Guard
from connector.pipeline.ports.entries import Again, Entry
from connector.pipeline.ports.records import Settlement, Venture
from connector.pipeline.read.control_reads import ControlReads
from connector.pipeline.read.large_orders import COMMON, TOGETHER
from connector.pipeline.read.reader import Reader, Reading
from connector.pipeline.sweeps.former_keys import FormerKeys
from connector.pipeline.sweeps.second_looks import SecondLooks


@dataclass(slots=True)
class Findings:
    """What one look came to: settled without a request, or to be delivered."""

    settled: list[Settled] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    oversized: list[tuple[Entry, int]] = field(default_factory=list)
    """To be looked at again, with the bytes of their documents."""
    unfit: list[OrderKey] = field(default_factory=list)
    """Keys that are none any more, of orders that Redo holds or may hold."""
    weight: int = 0
    """Bytes of all that is to be sent."""


class Comparer:
    def __init__(
        self,
        context: Context,
        reader: Reader,
        guard: Guard,
        claims: PlaceClaims,
        former: FormerKeys,
        second_looks: SecondLooks,
    ) -> None:
        self._store = context.store
        self._contract = context.contract
        self._digests = context.row_digests
        self._terms = context.terms
        self._clock = context.clock.now
        self._in_work = context.in_work
        self._reader = reader
        self._guard = guard
        self._claims = claims
        self._former = former
        self._second_looks = second_looks

    @property
    def controls(self) -> ControlReads:
        return self._reader.controls

    async def diff(self, entries: Sequence[Entry], *, large: bool = False, brief: bool = False) -> Findings:
        """`large`: larger orders too; `brief`: in little time. Raises as `Reader.read` does."""
        async with self._reader.reading([entry.key for entry in entries], large=large, brief=brief) as readings:
            await self._take_over(entries, readings, large=large)
            found, breaks = Findings(), Breaks()
            pushes = []
            for entry, reading in zip(entries, readings, strict=True):
                if (delivery := await self._diff(entry, reading, found, large=large)) is not None:
                    pushes.append(delivery)
                await breaks.take()
            if found.unfit:
                await self._former.retire(found.unfit)
            admitted, turned_away = await self._claims.admit(pushes)
            found.settled += turned_away
            for delivery in await self._with_history(admitted, large=large):
                await self._guarded(delivery, found)
            await self._claims.displace(found.deliveries)
            await self._enroll(readings, found.deliveries)
        return found

    async def _diff(self, entry: Entry, reading: Reading, found: Findings, *, large: bool) -> Delivery | None:
        """A push; everything else is added to what was found."""
        if reading.oversized:
            found.oversized.append((entry, reading.oversized))
            return None
        remembered = self._in_work.remembered(entry.key)
        if reading.misfit and not is_former(entry.key):
            self._misfit(entry, remembered, found)
            return None
        decide_it = partial(self._decide, entry, reading, remembered)
        decision = await off_loop(decide_it) if large else decide_it()
        letter = remembered.dead_letter
        if letter is not None and letter.reason == MAPPING and _was_read(reading, decision):
            self._second_looks.readable(letter)
        if isinstance(decision, Settled):
            found.settled.append(decision)
        elif decision.action is Action.PUSH:
            return decision
        elif found.weight > TOGETHER:
            found.oversized.append((entry, TOGETHER))  # what is sent is as large as the order was
        else:
            await self._remove(decision, found)
        return None

    async def _take_over(self, entries: Sequence[Entry], readings: Sequence[Reading], *, large: bool) -> None:
        """Orders without checkpoints take over what is stored by former keys at their places."""
        if not self._former.exist:
            return
        wanted = {}
        for entry, reading in zip(entries, readings, strict=True):
            if self._in_work.remembered(entry.key).checkpoint is None and len(reading.rows) == 1:
                order = partial(self._order, reading.rows[0], entry.since)
                with suppress(InvalidOrder, OrderUnreadable):
                    wanted[entry.key] = (await off_loop(order) if large else order()).place
        if claimed := await self._former.claim(wanted):
            self._in_work.remember(await self._store.known([*claimed]), claimed)

    def _order(self, row: Row, seen_at: float) -> Order:
        return self._contract.order(row.document(), seen_at)

    def _misfit(self, entry: Entry, remembered: Remembered, found: Findings) -> None:
        """A key that is none any more isn't judged before every order had its chance to take over what is stored."""
        late = entry.late_until
        again = wait_for_late(entry) if late is not None and self._clock() < late else None
        gone = again is None
        settlement = Settlement(entry, again=again, clear_dead_letter=gone, members={} if gone else None)
        found.settled.append(Settled(settlement, None))
        if gone and (remembered.checkpoint is not None or remembered.leftovers):
            found.unfit.append(entry.key)

    def _decide(self, entry: Entry, reading: Reading, remembered: Remembered) -> Settled | Delivery:
        now = self._clock()
        if remembered.held is not None and remembered.held.confirm:
            entry = replace(entry, confirm=True)
        hidden = reading.hidden.touches(entry.first_revision, entry.revision)
        if reading.error is not None:
            return unreadable(entry, reading.error, now, remembered, hidden=hidden)
        return decide(
            entry,
            reading.rows,
            remembered,
            self._contract,
            self._terms,
            hidden=hidden,
            now=now,
            members=reading.members,
            row_digest=self._digests.of(reading.rows, reading.members),
        )

    async def _guarded(self, delivery: Delivery, found: Findings) -> None:
        kept = await self._guard.judge(delivery, self._clock())
        if kept is None:
            found.deliveries.append(delivery)
        else:
            self._claims.release(delivery)
            found.settled.append(kept)
        if (kept is None or kept.settlement.held is not None) and delivery.order is not None:
            found.weight += len(delivery.order.body)

    async def _enroll(self, readings: Sequence[Reading], deliveries: Sequence[Delivery]) -> None:
        """Before anything is sent: the child rows of what was read, and places where Redo may hold orders from now on.
        Mostly there is nothing new, and nothing is written."""
        members = {one.key: one.members for one in readings if one.members and not one.oversized}
        members = {key: found for key, found in members.items() if not self._in_work.are_enrolled(key, found)}
        kept = self._terms.keep_payload
        new = [
            Venture(one.entry.key, one.place, one.order.body if kept and one.order is not None else None)
            for one in deliveries
            if reaches_new_place(one, self._terms)
        ]
        if members or new:
            await self._store.enroll(members, new)
            self._in_work.enrolled(members)

    async def _remove(self, delivery: Delivery, found: Findings) -> None:
        settled = await self._claims.claim_removal(delivery)
        if settled is None and delivery.action is Action.CANCEL:
            delivery, settled = await self._cancelled(delivery)
        if settled is None:
            await self._guarded(delivery, found)
            return
        self._claims.release(delivery)
        found.settled.append(settled)

    async def _cancelled(self, delivery: Delivery) -> tuple[Delivery, Settled | None]:
        """With the order to push, or why there is none."""
        key, place, now = delivery.entry.key, delivery.place, self._clock()
        payload = await self._store.payload(key, place)
        if payload is None:
            message = (
                "can't be cancelled: what Redo accepted wasn't kept, or its key is gone (checkpoints.payload_keys)"
            )
            return delivery, refuse(delivery.entry, REMOVAL, message, now, place=place)
        cancel = partial(self._contract.cancelled, payload, place, now)
        order = await off_loop(cancel) if len(payload) > COMMON else cancel()
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

    async def _with_history(self, deliveries: Sequence[Delivery], *, large: bool) -> list[Delivery]:
        """With their line items, where these aren't known, and with what is suspicious in the light of what Redo
        accepted, of this order and of others."""
        new: dict[OrderKey, frozenset[int]] = {}

        def look() -> list[Delivery]:
            return [self._with_line_items(delivery, new) for delivery in deliveries]

        def judge() -> list[Delivery]:
            return [self._suspected(one, new.get(one.entry.key, frozenset()), owners) for one in looked_at]

        looked_at = await off_loop(look) if large else look()
        lines = frozenset().union(*new.values())
        owners = await self._store.line_item_owners([*lines]) if lines else {}
        return await off_loop(judge) if large else judge()

    def _with_line_items(self, delivery: Delivery, new: dict[OrderKey, frozenset[int]]) -> Delivery:
        """`new` gets those that the order didn't have before."""
        checkpoint, order = delivery.remembered.checkpoint, delivery.order
        if order is None or (checkpoint is not None and checkpoint.traits == order.traits and not checkpoint.missing):
            return delivery
        before = self._contract.line_items(checkpoint.traits) if checkpoint is not None else frozenset()
        line_items = self._contract.line_items(order.traits)
        new[delivery.entry.key] = line_items - before
        return replace(delivery, line_items=line_items)

    def _suspected(
        self, delivery: Delivery, new: frozenset[int], owners: Mapping[int, tuple[OrderKey, ...]]
    ) -> Delivery:
        checkpoint, order, key = delivery.remembered.checkpoint, delivery.order, delivery.entry.key
        if delivery.line_items is None or order is None:
            return delivery
        found = delivery.suspicions
        if checkpoint is not None:
            found = (*found, *self._contract.suspicions(checkpoint.traits, order.traits))
        others = {line: owner for line in new for owner in owners.get(line, ()) if owner != key}
        if others:
            found = (*found, *self._contract.reused(order.traits, others))
        return delivery if found is delivery.suspicions else replace(delivery, suspicions=found)


def _was_read(reading: Reading, decision: Settled | Delivery) -> bool:
    """Whether the mapping makes a row of the order that can be read. Where it is looked at again, that look tells."""
    if reading.error is not None or isinstance(decision, Delivery):
        return reading.error is None
    letter = decision.settlement.dead_letter
    return decision.result is not None and (letter is None or letter.reason != MAPPING)
