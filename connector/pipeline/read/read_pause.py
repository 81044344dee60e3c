"""How long nothing is read after the OMS or the mapping failed, so that an outage costs few queries."""

from __future__ import annotations

from connector.model.errors import ConnectorError, MappingFails
from connector.pipeline.backoff import Backoff
from connector.pipeline.clock import Clock

READ_BACKOFF = Backoff(base=0.5, cap=15.0, floor=0.2)
SLOW_SHARE = 3.0
"""What couldn't be read is tried again no sooner than after so many times as long as the last try took, ..."""
SHARE = 10.0
"""... so many while the mapping fails for all orders, ..."""
CHANGED_SHARE = 3.0
"""... so many after a change, ..."""
CHANGED_LEAST = 1.0
"""... and then no sooner than after so many seconds."""


class ReadPause:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._attempt = 0
        self._tried_at = self._took = 0.0
        self.until = 0.0
        """Nothing is read until then (by the clock's `now`)."""
        self.trouble: ConnectorError | None = None
        """What keeps orders from being read, None when nothing does."""

    def failed(self, error: ConnectorError, seconds: float) -> None:
        """A read failed, through no order's fault, after `seconds`."""
        now = self._clock.now()
        self.trouble, self._tried_at, self._took = error, now, seconds
        if now >= self.until:
            share = SHARE if isinstance(error, MappingFails) else SLOW_SHARE
            self.until = now + max(READ_BACKOFF.delay(self._attempt), share * seconds)
            self._attempt += 1

    def changed(self) -> None:
        """Something arrived: it may be what mends the mapping's failure."""
        if isinstance(self.trouble, MappingFails):
            self.until = min(self.until, self._tried_at + max(CHANGED_LEAST, CHANGED_SHARE * self._took))

    def succeeded(self) -> None:
        """Orders were read."""
        self.trouble, self._attempt = None, 0

    def end(self) -> None:
        """Orders can be read again."""
        self.succeeded()
        self.until = 0.0
