"""An admission for each store: a token that is refused in one stops no other. The dispatcher sees their sum."""

from __future__ import annotations

import asyncio

from connector.pipeline.clock import MACHINE, Clock
from connector.pipeline.deliver.admission import Admission
from connector.pipeline.deliver.circuit_breaker import Pause
from connector.pipeline.deliver.policy import LONGEST_PAUSE
from connector.pipeline.deliver.rate_limiter import RateLimiter


class StoreAdmissions:
    """Made when first needed, the default store's at once. `rate`: requests a second to all stores; `longest_pause`:
    seconds."""

    def __init__(
        self,
        most: int,
        rate: float | None,
        default: str = "",
        clock: Clock = MACHINE,
        longest_pause: float = LONGEST_PAUSE,
    ) -> None:
        self._most = most
        self._limiter = RateLimiter(rate)
        self._clock = clock
        self._longest_pause = longest_pause
        self._admissions: dict[str, Admission] = {}
        self.of(default)

    def of(self, store_id: str) -> Admission:
        admission = self._admissions.get(store_id)
        if admission is None:
            admission = self._admissions[store_id] = Admission(
                self._most, self._limiter, self._clock.now, self._clock.timer, self._longest_pause
            )
        return admission

    @property
    def stores(self) -> list[str]:
        """Those that something was, or was to be, sent to, and the default one."""
        return [*self._admissions]

    @property
    def limit(self) -> int:
        """Requests at once that the stores without a pause allow."""
        return sum(admission.limit for admission in self._admissions.values())

    @property
    def failing_limit(self) -> int:
        """Orders that are known to fail and may be tried at once, beside that."""
        return sum(admission.failing_limit for admission in self._admissions.values() if admission.pause is None)

    @property
    def in_flight(self) -> int:
        return sum(admission.in_flight for admission in self._admissions.values())

    @property
    def pause(self) -> Pause | None:
        """The pause that has lasted longest, None when there is none."""
        pauses = [admission.pause for admission in self._admissions.values() if admission.pause is not None]
        return min(pauses, key=lambda pause: pause.since, default=None)

    @property
    def closed(self) -> bool:
        """Nothing can be sent to any store."""
        return all(admission.pause is not None for admission in self._admissions.values())

    @property
    def paused(self) -> dict[str, Pause]:
        """By store."""
        return {store: admission.pause for store, admission in self._admissions.items() if admission.pause is not None}

    @property
    def learned_rate(self) -> float | None:
        """Requests a second that Redo was found to accept, of all stores that ever throttled; None: none did."""
        rates = [
            admission.learned_rate for admission in self._admissions.values() if admission.learned_rate is not None
        ]
        return sum(rates) if rates else None

    def end_pauses(self) -> list[Pause]:
        """One order is sent at once to each store that is paused. Returns the pauses."""
        ended = [admission.end_pause() for admission in self._admissions.values()]
        return [pause for pause in ended if pause is not None]

    def capacity(self) -> int:
        """How many entries are worth taking now."""
        return sum(admission.capacity() for admission in self._admissions.values())

    async def wait(self) -> None:
        """Until `capacity()` may have grown."""
        waits = [
            asyncio.ensure_future(admission.wait())
            for admission in self._admissions.values()
            if admission.pause is not None
        ]
        if not waits:
            return
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
