"""Orders that the mapping failed for are looked at again when the cause may have gone: a row that made several of them
fail leads to one of them only, so that its change affects no other.

A walk over the dead letters, paced, so that many of them cost the OMS little however often something changes.
"""

from __future__ import annotations

import asyncio
import re

from connector.model.orders import OrderKey
from connector.pipeline.context import Context
from connector.pipeline.deliveries import MAPPING
from connector.pipeline.dispatch.ledger_queue import LedgerQueue
from connector.pipeline.heartbeat import Heartbeat
from connector.pipeline.ports.entries import Lane
from connector.pipeline.ports.records import DeadLetter

PAGE = 500
PER_SECOND = 50.0
"""Orders that are looked at again, on average."""
EVERY = 60.0
"""Seconds from the beginning of a walk to that of the next one, at least."""
ANY = ""
_SQLSTATE = re.compile(r"SQLSTATE (\w{5})")


class SecondLooks:
    def __init__(self, context: Context, queue: LedgerQueue) -> None:
        self._store = context.store
        self._clock = context.clock
        self._queue = queue
        self._causes: set[str] = set()
        self._wanted = asyncio.Event()
        self._not_before = 0.0
        self.heartbeat = Heartbeat("second look", "looking again at orders that the mapping failed for")

    def readable(self, letter: DeadLetter) -> None:
        """An order can be read that couldn't: the others that failed in the same way may be, too."""
        found = _SQLSTATE.search(letter.message)
        self.suspect(ANY if found is None else found[1])

    def suspect(self, sqlstate: str = ANY) -> None:
        """The cause of such failures may have gone."""
        self._causes.add(sqlstate)
        self._wanted.set()

    async def step(self) -> None:
        """Wait until a walk is wanted and due, and walk."""
        with self.heartbeat.resting():
            await self._wanted.wait()
            await asyncio.sleep(max(0.0, self._not_before - self._clock.timer()))
        self._not_before = self._clock.timer() + EVERY
        self._wanted.clear()
        causes, self._causes = self._causes, set()
        after: OrderKey | None = None
        while letters := await self._store.dead_letters(after, PAGE):
            keys = frozenset(letter.key for letter in letters if _caused(letter, causes))
            if keys:
                await self._queue.add(keys, Lane.FANOUT)
            after = letters[-1].key
            with self.heartbeat.resting():
                await asyncio.sleep(len(keys) / PER_SECOND)


def _caused(letter: DeadLetter, causes: set[str]) -> bool:
    return letter.reason == MAPPING and (ANY in causes or any(cause in letter.message for cause in causes))
