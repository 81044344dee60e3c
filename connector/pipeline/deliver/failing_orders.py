"""Orders that Redo fails: whether the cause is the order or Redo, when each is tried again, and which one is the probe.

A failure is the order's when Redo accepted others since its last one; the ledger keeps how often (`attempts`), so that
a new start knows it. It must not know how requests are admitted, or HTTP.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from connector.model.orders import OrderKey, Outcome, is_former
from connector.pipeline.context import Context
from connector.pipeline.deliver.circuit_breaker import Standing, reached
from connector.pipeline.deliver.policy import POLICY
from connector.pipeline.deliveries import REMOVAL, Action, Delivery
from connector.pipeline.dispatch.ledger_queue import LedgerQueue
from connector.pipeline.ports.entries import BLAMED, Entry, Lane
from connector.pipeline.ports.records import FAILING, SET_ASIDE, Settlement

ATTEMPTS, SPREAD = 5, 600.0
"""Failures, and seconds from the first to the last, after which an order is said to fail again and again."""
SUSPENSE = 30.0
"""Most seconds until an order is tried again whose failure may be Redo's."""
HINT_EVERY = 60.0
"""Seconds between two times that all are tried at once because one of them was accepted."""
LOOK_EVERY = 0.1
"""Seconds between two looks whether orders are set aside."""
REMEMBERED = 50_000
"""Orders of which it is known when they failed. One that was forgotten counts as failing from its next failure on."""
ACCEPTED, AT_ONCE, TIMES, LASTS = 64, 3, 8, 20.0
"""How many orders that a store accepted are remembered; how many of them are pushed again to see if it still takes
them, and how often at most until one is accepted. Some may wait already, in their turn, or be gone: after so many
seconds (the last number) others are."""
FIRST_IN_TURN = 0
"""A revision before all others: it is no change that must be seen, and it goes before those that wait."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What follows for the order: `attempts` in the ledger from now on, `delay` (s) until it is tried again. `lasting`:
    it fails again and again. `unclear`: nothing shows yet whether Redo or the order is at fault."""

    attempts: int
    delay: float
    lasting: bool
    unclear: bool


@dataclass(slots=True)
class _Trouble:
    first: float
    last: float
    tries: int = 0


@dataclass(slots=True)
class _Store:
    """What one store accepted last: `at` by the timer; `orders`, the latest last. `canaries`: some of them that are on
    their way to show whether Redo is up, since `asked_at`; `asked`: how often that was in vain."""

    at: float | None = None
    orders: deque[OrderKey] = field(default_factory=lambda: deque(maxlen=ACCEPTED))
    canaries: set[OrderKey] = field(default_factory=set)
    asked_at: float = 0.0
    asked: int = 0


class FailingOrders:
    def __init__(self, context: Context, queue: LedgerQueue) -> None:
        self._store = context.store
        self._clock = context.clock
        self._queue = queue
        self._troubles: dict[OrderKey, _Trouble] = {}
        self._stores: dict[str, _Store] = {}
        self._set_aside: set[OrderKey] = set()
        self._hinted_at: float | None = None
        self.recovered = False
        """One that was known to fail was accepted: the others may be, too."""

    def standing(self, entry: Entry, store_id: str) -> Standing:
        if entry.attempts == 0:
            return Standing.HEALTHY
        if entry.attempts >= BLAMED:
            return Standing.FAILING
        trouble, accepted_at = self._troubles.get(entry.key), self._answers(store_id).at
        since = accepted_at is not None and (trouble is None or accepted_at > trouble.last)
        return Standing.FAILING if since else Standing.SUSPECTED

    def answered(self, delivery: Delivery, *, pushed: bool) -> None:
        """Redo took the order (`pushed`), or refused it for its contents."""
        entry = delivery.entry
        store, now = self._answers(delivery.place.store_id), self._clock.timer()
        self._troubles.pop(entry.key, None)
        store.at, store.asked = now, 0
        store.canaries.clear()
        if not pushed or delivery.action is not Action.PUSH:
            return
        if entry.key in store.orders:
            store.orders.remove(entry.key)
        store.orders.append(entry.key)
        if entry.attempts >= BLAMED and (self._hinted_at is None or now - self._hinted_at >= HINT_EVERY):
            self._hinted_at, self.recovered = now, True

    def failed(self, delivery: Delivery, outcome: Outcome, *, closed: bool) -> Failure:
        """`closed`: the store is paused, so that all orders wait, and none is blamed."""
        entry, store = delivery.entry, self._answers(delivery.place.store_id)
        standing = self.standing(entry, delivery.place.store_id)
        trouble = self._remember(entry.key)
        attempts = entry.attempts
        if reached(outcome):
            blamed = standing is Standing.FAILING and not closed
            attempts = entry.attempts + 1 if blamed else max(1, entry.attempts)
        backoff = POLICY[outcome.kind].order_backoff
        assert backoff is not None  # noqa: S101 -- whatever is tried again has one: a test goes through the table
        delay = backoff.delay(max(entry.attempts, trouble.tries - 1))
        if standing is not Standing.FAILING:
            delay = min(delay, SUSPENSE)
        unclear = reached(outcome) and (closed or standing is Standing.SUSPECTED)
        if entry.key in store.canaries:
            store.canaries.discard(entry.key)
            unclear = False  # another one's turn: it may fail for reasons of its own
        return Failure(attempts, delay, self._lasts(delivery, attempts, trouble), unclear)

    async def send_canaries(self, store_id: str) -> None:
        """Have an order that the store accepted lately pushed once more: its answer shows whether Redo is at fault or
        the orders that fail. It goes through the ledger, as one that isn't known to fail."""
        store, now = self._answers(store_id), self._clock.timer()
        if (store.canaries and now - store.asked_at < LASTS) or store.asked >= TIMES:
            return
        store.asked, store.asked_at = store.asked + 1, now
        if store.at is None and not store.orders:
            store.orders += await self._accepted_before(store_id)
        if not store.orders:
            return
        store.canaries = set(random.sample(list(store.orders), min(AT_ONCE, len(store.orders))))
        for key in store.canaries:
            store.orders.remove(key)
        await self._queue.add(store.canaries, Lane.LIVE, revision=FIRST_IN_TURN, confirm=True)

    async def _accepted_before(self, store_id: str) -> list[OrderKey]:
        """Some orders that the store accepted in an earlier run. What has left the mapping, or is of a former key,
        would not be pushed but taken away."""
        keys = await self._store.page_checkpoints(None, ACCEPTED)
        known = await self._store.known(keys)
        there = [one for one in known.checkpoints.values() if not one.missing and not is_former(one.key)]
        return [one.key for one in there if one.store_id == store_id]

    async def set_aside(self, keys: Sequence[OrderKey]) -> int:
        """A person gives up on these, as far as they fail again and again: they leave the ledger, until they change or
        are redriven. Returns once they have, and how many; what can still land at Redo is waited for."""
        letters = (await self._store.known(keys)).dead_letters
        wanted = frozenset(key for key, letter in letters.items() if letter.reason == FAILING)
        if not wanted:
            return 0
        self._set_aside |= wanted
        await self._queue.add(wanted, Lane.LIVE, revision=FIRST_IN_TURN)
        while self._set_aside & wanted:  # noqa: ASYNC110 -- seldom asked for, and each goes its way through the ledger
            await asyncio.sleep(LOOK_EVERY)
        left = (await self._store.known([*wanted])).dead_letters
        return sum(letter.reason in (SET_ASIDE, REMOVAL) for letter in left.values())

    def is_set_aside(self, entry: Entry) -> bool:
        return entry.attempts > 0 and entry.key in self._set_aside

    def written(self, settlements: Sequence[Settlement]) -> None:
        """Those without another look have left the ledger."""
        self._set_aside.difference_update(one.entry.key for one in settlements if one.again is None)

    def _lasts(self, delivery: Delivery, attempts: int, trouble: _Trouble) -> bool:
        letter = delivery.remembered.dead_letter
        if letter is not None and letter.reason == FAILING:
            return True
        return attempts >= ATTEMPTS and self._clock.timer() - trouble.first >= SPREAD

    def _remember(self, key: OrderKey) -> _Trouble:
        now = self._clock.timer()
        trouble = self._troubles.pop(key, None) or _Trouble(now, now)
        self._troubles[key] = trouble
        if len(self._troubles) > REMEMBERED:
            del self._troubles[next(iter(self._troubles))]
        trouble.last, trouble.tries = now, trouble.tries + 1
        return trouble

    def _answers(self, store_id: str) -> _Store:
        return self._stores.setdefault(store_id, _Store())
