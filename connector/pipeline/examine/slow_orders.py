"""Orders that can't be read within the server's limits, not even alone: each is tried apart from the others, ever more
rarely, so that it costs the OMS a small share of one connection. Pure: no I/O, no clock of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from connector.model.errors import LimitExceeded
from connector.model.orders import OrderKey
from connector.pipeline.deliveries import Settled
from connector.pipeline.ports.entries import Again, Entry
from connector.pipeline.ports.records import DeadLetter, Settlement

SLOW = "slow"
"""The reason of a dead letter of an order that can't be read within the server's limits."""
ADVICE = "see what makes this order's reading dear; `redo-connector check` names the tables that are read whole"
REST = 10.0
"""It rests this many times as long as the last try took, then twice as long each time, ..."""
LONGEST = 3600.0
"""... at most so many seconds."""
CHANGED_REST = 3.0
"""A change is a reason to try at once. With each one that didn't help the next waits for so many times longer, up to
`REST`."""


ALL_REST = 3.0
"""After a try in vain no other one of them is tried for so many times as long as that took, ..."""
CHANGED_ALL_REST = 1.0
"""... or so many, if it changed."""


@dataclass(slots=True)
class _Slow:
    tries: int = 0
    changes: int = 0
    revision: int = 0
    tried_at: float = 0.0
    took: float = 0.0


class SlowOrders:
    def __init__(self) -> None:
        self._known: dict[OrderKey, _Slow] = {}
        self._last: tuple[OrderKey | None, float, float] = (None, 0.0, 0.0)
        """Which was tried in vain last, when, and how long that took."""

    def __contains__(self, key: OrderKey) -> bool:
        return key in self._known

    def load(self, keys: Iterable[OrderKey]) -> None:
        """Those of the last run: each is tried once, apart."""
        self._known |= {key: _Slow() for key in keys if key not in self._known}

    def due(self, entry: Entry) -> float:
        """When it may be tried."""
        slow = self._known[entry.key]
        rest = min(LONGEST, slow.took * REST * 2.0 ** (min(slow.tries, 32) - 1))
        changed = slow.tries > 0 and entry.revision > slow.revision
        if changed:
            rest = min(rest, slow.took * min(REST, CHANGED_REST * slow.changes))
        last, at, took = self._last
        others = 0.0 if last == entry.key else at + took * (CHANGED_ALL_REST if changed else ALL_REST)
        return max(others, slow.tried_at + rest if slow.tries else 0.0)

    def tried(self, entry: Entry, seconds: float, now: float) -> None:
        """In vain."""
        slow = self._known.setdefault(entry.key, _Slow())
        changed = slow.tries > 0 and entry.revision > slow.revision
        slow.tries = 1 if changed else slow.tries + 1
        slow.changes = slow.changes + 1 if changed else 0
        slow.revision, slow.tried_at, slow.took = entry.revision, now, seconds
        self._last = entry.key, now, seconds

    def forget(self, key: OrderKey) -> None:
        """It was read."""
        self._known.pop(key, None)

    def wait(self, entry: Entry) -> Again:
        """Until its next try it doesn't count as waiting."""
        due = self.due(entry)
        return Again(due, 0, entry.confirm, entry.late_until, entry.approved, since=due)

    def set_aside(self, entry: Entry, error: LimitExceeded, seconds: float, now: float) -> Settled:
        self.tried(entry, seconds, now)
        again = self.wait(entry)
        hint = f": {error.hint}" if error.hint else ""
        message = (
            f"reading this order {error.limit}{hint}; others go on, and it is tried again when it changes, "
            f"and in {again.due - now:,.0f} s"
        )
        cause = f"reading the order {error.limit}"
        letter = DeadLetter(entry.key, SLOW, message, (), None, now, now, 1, cause=cause)
        return Settled(Settlement(entry, dead_letter=letter, again=again), None)
