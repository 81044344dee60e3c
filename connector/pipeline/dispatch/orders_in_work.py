"""The orders that were taken from the ledger and aren't settled yet, each at most once (invariant 5)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from connector.model.orders import Members, OrderKey
from connector.pipeline.deliver.store_admissions import StoreAdmissions
from connector.pipeline.deliveries import Remembered, remembered
from connector.pipeline.heartbeat import Heartbeat
from connector.pipeline.ports.entries import Lane
from connector.pipeline.ports.records import Known, Taken
from connector.pipeline.read.large_orders import LargeOrders


class OrdersInWork:
    """Orders that failed before (`failing`) and large ones take no room from the others."""

    def __init__(self, admissions: StoreAdmissions) -> None:
        self._admissions = admissions
        self._lanes: dict[OrderKey, Lane] = {}
        self._failing: set[OrderKey] = set()
        self._remembered: dict[OrderKey, Remembered] = {}
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

    def using_room(self, freed: Collection[OrderKey] = ()) -> int:
        """How many keep others from being taken, once the `freed` ones are settled."""
        using = len(self._lanes) - self.large.exempt - len(self._failing)
        return using - sum(1 for key in freed if not self._takes_no_room(key))

    def of_sweeps(self, freed: Collection[OrderKey] = ()) -> int:
        """The same, of those that no live change brought."""
        waiting = (key for key, lane in self._lanes.items() if lane is not Lane.LIVE and key not in freed)
        return sum(1 for key in waiting if not self._takes_no_room(key))

    @property
    def any_live(self) -> bool:
        return Lane.LIVE in self._lanes.values()

    @property
    def sweeps_are_done(self) -> bool:
        """Nothing of a sweep is in work, but for what fails."""
        return all(lane is not Lane.SWEEP or key in self._failing for key, lane in self._lanes.items())

    def _takes_no_room(self, key: OrderKey) -> bool:
        return key in self.large or key in self._failing

    def take(self, taken: Taken) -> None:
        self._lanes |= {entry.key: entry.lane for entry in taken.entries}
        self._failing |= {entry.key for entry in taken.entries if entry.attempts}
        self._remembered |= remembered(taken.known, [entry.key for entry in taken.entries])

    def remembered(self, key: OrderKey) -> Remembered:
        """What was known about an order when it was taken. It doesn't change while the order is in work."""
        return self._remembered[key]

    def remember(self, known: Known, keys: Iterable[OrderKey]) -> None:
        """Orders of these took over what was stored by former keys."""
        self._remembered |= remembered(known, keys)

    def are_enrolled(self, key: OrderKey, members: Members) -> bool:
        """Whether the reverse index is known to hold all of these rows for an order."""
        enrolled = self._remembered[key].members
        return enrolled is not None and all(rows <= enrolled.get(name, frozenset()) for name, rows in members.items())

    def enrolled(self, members: Mapping[OrderKey, Members]) -> None:
        """The reverse index holds these rows, too: which exactly isn't known any more."""
        for key in members:
            self._remembered[key] = replace(self._remembered[key], members=None)

    def remove(self, keys: Iterable[OrderKey]) -> None:
        """They are settled, and may be taken again."""
        for key in keys:
            self._lanes.pop(key, None)
            self._remembered.pop(key, None)
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
