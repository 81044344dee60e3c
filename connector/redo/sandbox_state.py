"""What the sandbox holds and has seen, and the switches by which it misbehaves. No HTTP."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final

LOG_LENGTH: Final = 200_000
"""Events kept; the oldest are forgotten first."""


@dataclass(slots=True)
class Switches:
    """How the sandbox misbehaves. Numbers named after a kind of trouble count the pushes it still befalls."""

    latency_ms: float = 0.0
    error_rate: float = 0.0
    """Share of requests (0 to 1) answered with 500 and not applied."""
    throttle: int = 0
    """Requests still answered with 429."""
    rate_limit: float | None = None
    """Requests a second above which 429 is answered."""
    retry_after: int = 1
    """Seconds, sent with 429 and 503."""
    unauthorized: bool = False
    forbidden: bool = False
    outage: bool = False
    """503 for everything."""
    cut: int = 0
    """Apply, then close the connection without an answer."""
    hang: int = 0
    """Apply, then stay silent for `hang_seconds` and close the connection."""
    hang_seconds: float = 3600.0
    late: int = 0
    """Apply and answer `late_seconds` after the request came, whether or not anyone still waits."""
    late_seconds: float = 1.0
    reject: list[str] = field(default_factory=list)
    """Order ids that get a 400."""

    def change(self, values: Mapping[str, Any]) -> str | None:
        """Set some switches; what is wrong with the first bad one, or None and all are set."""
        known = {each.name: getattr(self, each.name) for each in fields(self)}
        for name, value in values.items():
            if name not in known:
                return f"unknown switch; known are {', '.join(sorted(known))}"
            if not _fits(name, value, known[name]):
                return f"{name} has another type"
        for name, value in values.items():
            setattr(self, name, value)
        return None

    def spend(self, name: str) -> bool:
        """True when this push is one of those that the trouble still befalls."""
        left: int = getattr(self, name)
        if left > 0:
            setattr(self, name, left - 1)
        return left > 0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def _fits(name: str, value: Any, present: Any) -> bool:
    if isinstance(present, bool):
        return isinstance(value, bool)
    if name == "rate_limit" and value is None:
        return True
    if isinstance(present, list):
        return isinstance(value, list) and all(isinstance(each, str) for each in value)
    kinds = int if isinstance(present, int) else (int, float)
    return isinstance(value, kinds) and not isinstance(value, bool) and value >= 0


@dataclass(frozen=True, slots=True)
class Event:
    """A push of one order began or ended; `sequence` grows by one with each event. `at`: the machine's monotonic clock
    (s), the same in all of its processes."""

    sequence: int
    order_id: str
    what: str
    at: float = 0.0


@dataclass(slots=True)
class State:
    """One store and everything that happened to it."""

    store_id: str = "sandbox-store"
    api_secret: str = "sandbox-secret"  # noqa: S105  not a secret: the sandbox holds nothing but test orders
    switches: Switches = field(default_factory=Switches)
    orders: dict[str, bytes] = field(default_factory=dict)
    """The bodies as they were accepted, by order id."""
    redo_ids: dict[str, str] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)
    """Requests by method and status, e.g. `POST 200`; `POST cut` for those that got no answer."""
    pushes: Counter[str] = field(default_factory=Counter)
    in_flight: Counter[str] = field(default_factory=Counter)
    most_in_flight: int = 0
    most_per_order: int = 0
    overlaps: int = 0
    """Pushes that began while another one of the same order was in flight."""
    log: deque[Event] = field(default_factory=lambda: deque(maxlen=LOG_LENGTH))
    sequence: int = 0
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set at shutdown: whoever hangs lets go."""

    @contextmanager
    def pushing(self, order_id: str) -> Iterator[None]:
        """Count and log one push while it lasts."""
        self.pushes[order_id] += 1
        self.in_flight[order_id] += 1
        running = self.in_flight[order_id]
        self.overlaps += running > 1
        self.most_per_order = max(self.most_per_order, running)
        self.most_in_flight = max(self.most_in_flight, self.in_flight.total())
        self._note(order_id, "begin")
        try:
            yield
        finally:
            self._note(order_id, "end")
            self.in_flight[order_id] -= 1
            if not self.in_flight[order_id]:
                del self.in_flight[order_id]

    def store(self, order_id: str, body: bytes) -> str:
        """Create or replace an order; Redo's own id for it."""
        self.orders[order_id] = body
        return self.redo_ids.setdefault(order_id, f"redo-{len(self.redo_ids) + 1:024x}")

    def find(self, name: str) -> str | None:
        """The external id of an order, given that or Redo's own id."""
        if name in self.orders:
            return name
        return next((order for order, redo in self.redo_ids.items() if redo == name and order in self.orders), None)

    def stats(self) -> dict[str, Any]:
        return {
            "requests": sum(self.answers.values()),
            "answers": dict(self.answers),
            "accepted": self.answers["POST 200"],
            "rejected": self.answers["POST 400"],
            "orders": len(self.orders),
            "pushes": dict(self.pushes),
            "max_in_flight": self.most_in_flight,
            "max_concurrent_per_order": self.most_per_order,
            "overlaps": self.overlaps,
        }

    def reset(self) -> None:
        """Forget orders and everything seen; switches stay."""
        self.orders.clear()
        self.redo_ids.clear()
        self.answers.clear()
        self.pushes.clear()
        self.log.clear()
        self.most_in_flight = self.most_per_order = self.overlaps = 0

    def _note(self, order_id: str, what: str) -> None:
        self.sequence += 1
        self.log.append(Event(self.sequence, order_id, what, time.monotonic()))
