"""The verdict at the end of a life: what Redo holds, what is remembered, and what is left over."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from connector.contract.canonical import fingerprint, ignoring
from connector.model.errors import InvalidOrder
from connector.model.orders import Order, OrderKey, Place
from connector.pipeline.ports.records import Checkpoint, DeadLetter, Known
from connector.pipeline.start import SETTING_UP_NOTE
from tests.system.life.oms import REFUSED, Header, Mood, Row
from tests.system.life.witness import cancelled, key_of
from tests.system.life.world import World

PATIENCE = 600
"""Virtual seconds within which everything must have come to rest, and the time of all that was before: a sweep rests as
long as the one before took."""
IGNORED = ignoring(("updatedAt",))


async def rest(world: World) -> None:
    """Until nothing is left to do, approving what is held."""
    for _ in range(PATIENCE + int(world.loop.time())):
        await asyncio.sleep(1.0)
        if world.life.running.done():
            world.life.running.result()
        for hold in await world.memory.holds():
            await world.life.pipeline.control.approve(hold.number, None)
        if await _resting(world):
            return
    tally = await world.memory.tally()
    raise AssertionError(f"it never came to rest: {tally}")


async def _resting(world: World) -> bool:
    pipeline, tally = world.life.pipeline, await world.memory.tally()
    begun = world.life.source.connected and await world.memory.noted(SETTING_UP_NOTE) == "no"
    told = begun and world.slot.told >= world.oms.end
    waiting = (
        tally.affected or tally.lookups or tally.held or pipeline.sweeps.active or len(pipeline.stations.visibility)
    )
    return told and not waiting and not pipeline.in_work


@dataclass(slots=True)
class Verdict:
    """`wrong`: sentences about what isn't as it should be. `redriven`: no dead letter may be out of date."""

    world: World
    known: Known
    redriven: bool
    wrong: list[str] = field(default_factory=list)

    def judge(self, keys: Sequence[OrderKey]) -> list[str]:
        for key in keys:
            self._judge(key)
        for store in self.world.state.all_stores():
            for order_id, body in store.orders.items():
                self._judge_held(Place(store.store_id, order_id), body)
        return self.wrong

    def _judge(self, key: OrderKey) -> None:
        letter, checkpoint = self.known.dead_letters.get(key), self.known.checkpoints.get(key)
        reason, order = self.expected(key)
        if key in self.known.held:
            self._say(key, "is held")
        if reason == "gone":
            if letter is not None:
                self._say(key, f"left the mapping and is a dead letter: {letter.reason}")
            if checkpoint is not None and not checkpoint.missing:
                self._say(key, "left the mapping, which its checkpoint doesn't say")
        elif reason is not None:
            also = "rejected" if order is not None and REFUSED.encode() in order.body else reason
            if letter is None or letter.reason not in (reason, also):
                self._say(key, f"should be a dead letter ({reason}) and is {letter}")
        elif order is not None:
            self._judge_good(key, order, checkpoint, letter)
        if (reason is None or reason == "gone") and self.known.leftovers.get(key):
            self._say(key, f"has leftovers {self.known.leftovers[key]}")

    def _judge_good(
        self, key: OrderKey, order: Order, checkpoint: Checkpoint | None, letter: DeadLetter | None
    ) -> None:
        if letter is not None:
            refused_once = letter.reason == "rejected" and letter.fingerprint == order.fingerprint
            if self.redriven or not refused_once:
                self._say(key, f"is fine and yet a dead letter: {letter}")
            return
        if checkpoint is None or checkpoint.missing:
            self._say(key, f"has no checkpoint: {checkpoint}")
        elif (checkpoint.place, checkpoint.fingerprint) != (order.place, order.fingerprint):
            self._say(key, f"has an older checkpoint at {checkpoint.place}")
        body = self._held(order.place)
        if body is None:
            self._say(key, f"is not at Redo at {order.place}")
        elif _fingerprint(body) != order.fingerprint:
            self._say(key, f"is stale at {order.place}: {_short(body)}")

    def expected(self, key: OrderKey) -> tuple[str | None, Order | None]:
        """Why it is no order of Redo's (a dead letter's reason, or `gone`), or the order that Redo must hold."""
        header: Header | None = self.world.oms.latest.get(Row("order", key))
        if header is not None and header.mood is Mood.UNREADABLE:
            return "mapping", None
        documents = self.world.present(key)
        if not documents:
            return "gone", None
        if len(documents) > 1:
            return "duplicate", None
        try:
            order = self.world.order(documents[0])
        except InvalidOrder:
            return "invalid", None
        if self._owner(key, order) is not None:
            return "duplicate", order
        return ("rejected", order) if REFUSED.encode() in order.body else (None, order)

    def _owner(self, key: OrderKey, order: Order) -> OrderKey | None:
        """Another order of the OMS that Redo has at this place, and that hasn't left it."""
        for other, checkpoint in self.known.checkpoints.items():
            if other != key and not checkpoint.missing and checkpoint.place == order.place:
                present = self.world.present(other)
                header: Header | None = self.world.oms.latest.get(Row("order", other))
                claims = header is not None and (header.store_id, header.order_id) == (
                    order.store_id,
                    order.order_id,
                )
                broken = header is not None and header.mood not in (Mood.FINE, Mood.CANCELLED, Mood.HEAVY, Mood.LEFT)
                if (present and (claims or broken)) or (header is not None and header.mood is Mood.UNREADABLE):
                    return other
        return None

    def _judge_held(self, place: Place, body: bytes) -> None:
        order = json.loads(body)
        key = OrderKey(key_of(order))
        reason, expected = self.expected(key)
        checkpoint = self.known.checkpoints.get(key)
        here = checkpoint is not None and checkpoint.place == place and not checkpoint.missing
        if reason is None and expected is not None and expected.place == place:
            return
        if reason not in (None, "gone"):
            if place in self.known.leftovers.get(key, ()):
                return
            if here and checkpoint is not None:
                if checkpoint.fingerprint and _fingerprint(body) != checkpoint.fingerprint:
                    self._say(key, f"({reason}) is at Redo at {place} other than its checkpoint says: {_short(body)}")
                return
        missing = self.world.setup.missing
        if missing == "delete" or (missing == "cancel" and not cancelled(order)):
            self._say(key, f"({reason}) is still at {place}: {_short(body)}")

    def _held(self, place: Place) -> bytes | None:
        store = self.world.state.store(place.store_id)
        return None if store is None else store.orders.get(place.order_id)

    def _say(self, key: OrderKey, what: str) -> None:
        self.wrong.append(f"{key} {what}")


def _fingerprint(body: bytes) -> bytes:
    return fingerprint(json.loads(body), IGNORED)


def _short(body: bytes) -> str:
    order = json.loads(body)
    return f"{key_of(order)} {order['tags']} {order['salesChannel']} {order['customer']['firstName']}"
