"""One gate a store: a token that is refused in one stops no other. Together they look like one to who takes work."""

from __future__ import annotations

import asyncio

from connector.pipeline.clock import MACHINE, Clock
from connector.pipeline.deliver.admission import Gate, Pause
from connector.pipeline.deliver.rate_limiter import Pacer


class Gates:
    """Gates are made when first needed, the default store's at once. `rate`: requests a second to all stores."""

    def __init__(self, most: int, rate: float | None, default: str = "", clock: Clock = MACHINE) -> None:
        self._most = most
        self._pacer = Pacer(rate)
        self._clock = clock
        self._gates: dict[str, Gate] = {}
        self.of(default)

    def of(self, store_id: str) -> Gate:
        gate = self._gates.get(store_id)
        if gate is None:
            gate = self._gates[store_id] = Gate(self._most, self._pacer, self._clock.wall, self._clock.timer)
        return gate

    @property
    def stores(self) -> list[str]:
        """Those that something was, or was to be, sent to, and the default one."""
        return [*self._gates]

    @property
    def limit(self) -> int:
        """Requests at once that the open gates allow."""
        return sum(gate.limit for gate in self._gates.values())

    @property
    def beside(self) -> int:
        """Orders that are known to fail and may be tried at once, beside that."""
        return sum(gate.beside for gate in self._gates.values() if gate.pause is None)

    @property
    def in_flight(self) -> int:
        return sum(gate.in_flight for gate in self._gates.values())

    @property
    def pause(self) -> Pause | None:
        """The pause that has lasted longest, None when all gates are open."""
        pauses = [gate.pause for gate in self._gates.values() if gate.pause is not None]
        return min(pauses, key=lambda pause: pause.since, default=None)

    @property
    def closed(self) -> bool:
        """Nothing can be sent to any store."""
        return all(gate.pause is not None for gate in self._gates.values())

    @property
    def paused(self) -> dict[str, Pause]:
        """By store."""
        return {store: gate.pause for store, gate in self._gates.items() if gate.pause is not None}

    @property
    def pace(self) -> float | None:
        """Requests a second that Redo was found to bear, of all stores that ever throttled; None: none did."""
        paces = [gate.pace for gate in self._gates.values() if gate.pace is not None]
        return sum(paces) if paces else None

    def capacity(self) -> int:
        """How many entries are worth taking now."""
        return sum(gate.capacity() for gate in self._gates.values())

    async def wait(self) -> None:
        """Until `capacity()` may have grown."""
        waits = [asyncio.ensure_future(gate.wait()) for gate in self._gates.values() if gate.pause is not None]
        if not waits:
            return
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
