"""The orders that were taken from the ledger and aren't settled yet, each at most once (invariant 5)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from connector.model.orders import OrderKey
from connector.pipeline.deliver.store_admissions import StoreAdmissions
from connector.pipeline.heartbeat import Heartbeat
from connector.pipeline.ports.entries import Entry, Lane
from connector.pipeline.read.large_orders import LargeOrders


class OrdersInWork:
    """Orders that failed before (`failing`) and large ones take no room from the others."""

    def __init__(self, admissions: StoreAdmissions) -> None:
        self._admissions = admissions
        self._lanes: dict[OrderKey, Lane] = {}
        self._failing: set[OrderKey] = set()
        self.large = LargeOrders()
        self.heartbeat = Heartbeat("road", "reading and pushing orders")
        """Of all of them together. It rests while nothing can be sent, because they go back to the ledger then."""
        self.longest_step = 0.0
        """Seconds that one of them may take for its next step."""

    def __contains__(self, key: object) -> bool:
        return key in self._lanes

    def __len__(self) -> int:
        return len(self._lanes)

    @property
    def keys(self) -> frozenset[OrderKey]:
        return frozenset(self._lanes)

    @property
    def failing(self) -> int:
        return len(self._failing)

    @property
    def using_room(self) -> int:
        """How many keep others from being taken."""
        return len(self._lanes) - self.large.exempt - len(self._failing)

    @property
    def of_sweeps(self) -> int:
        """How many that no live change brought keep others from being taken."""
        return sum(1 for key, lane in self._lanes.items() if lane is not Lane.LIVE and not self._takes_no_room(key))

    @property
    def sweeps_are_done(self) -> bool:
        """Nothing of a sweep is in work, but for what fails."""
        return all(lane is not Lane.SWEEP or key in self._failing for key, lane in self._lanes.items())

    def _takes_no_room(self, key: OrderKey) -> bool:
        return key in self.large or key in self._failing

    def take(self, entries: Sequence[Entry]) -> None:
        self._lanes |= {entry.key: entry.lane for entry in entries}
        self._failing |= {entry.key for entry in entries if entry.attempts}

    def remove(self, keys: Iterable[OrderKey]) -> None:
        """They are settled, and may be taken again."""
        for key in keys:
            self._lanes.pop(key, None)
            self._failing.discard(key)
            self.large.remove(key)
        self.progressed()

    def progressed(self) -> None:
        """One of them got further, or there is none."""
        if not self._lanes:
            self.heartbeat.rest()
            return
        rate = self._admissions.learned_rate
        self.heartbeat.allowance = self.longest_step + (0.0 if rate is None else 1 / rate)
        self.heartbeat.beat()
