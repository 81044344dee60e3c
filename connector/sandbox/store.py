"""What the sandbox holds for one store, and the record of its requests. No HTTP, no waiting."""

from __future__ import annotations

import hashlib
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from connector.sandbox.faults.rate_limits import Limiter
from connector.sandbox.faults.switches import Switches

LOG_LENGTH: Final = 200_000
"""Events kept; the oldest are forgotten first."""
HISTORY_LENGTH: Final = 100
"""Landings kept of each order; the oldest are forgotten first."""


@dataclass(frozen=True, slots=True)
class Event:
    """A push of one order began or ended; `sequence` grows by one with each event. `at`: the sandbox's clock (s), by
    default the machine's monotonic one, the same in all of its processes.

    `what`: `begin`, `end` (answered, or nobody waits any more), `landed` (applied after its end), and `delete-begin`,
    `delete-end`, `delete-landed`.
    """

    sequence: int
    order_id: str
    what: str
    at: float = 0.0


class Landing(NamedTuple):
    """A push or delete that was applied. `what`: `accepted` or `deleted`. `at`: the sandbox's clock (s). `digest`:
    SHA-256 of the body in hex, empty for a delete. `stale`: what it replaced had been sent after it."""

    at: float
    what: str
    digest: str
    stale: bool


def never_disconnected() -> bool:
    """For `gone`: the client waits for its answer, however long it takes."""
    return False


@dataclass(slots=True, eq=False)
class Flight:
    """A push or delete that isn't over. `number` counts them as they come in. `gone()`: its client gave up."""

    order_id: str
    number: int
    gone: Callable[[], bool]
    prefix: str = ""
    left: bool = False


@dataclass(slots=True)
class Store:
    """One store and everything that happened to it."""

    store_id: str = "sandbox-store"
    api_secret: str = "sandbox-secret"  # noqa: S105  not a secret: the sandbox holds nothing but test orders
    switches: Switches = field(default_factory=Switches)
    orders: dict[str, bytes] = field(default_factory=dict)
    """The bodies as they were accepted, by order id."""
    redo_ids: dict[str, str] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)
    """Requests by method and status, e.g. `POST 200`; `POST cut` for those that got no (whole) answer, `POST html` and
    `POST wrong_body` for those with a 200 that isn't the contract's."""
    pushes: Counter[str] = field(default_factory=Counter)
    in_flight: Counter[str] = field(default_factory=Counter)
    most_in_flight: int = 0
    most_per_order: int = 0
    overlaps: int = 0
    """Pushes and deletes that began while the client still waited for another one of the same order."""
    stale_landings: int = 0
    """Late applications that replaced (or deleted, or brought back) a newer state."""
    repeats: int = 0
    """Accepted pushes of the very body that the store held."""
    log: deque[Event] = field(default_factory=lambda: deque(maxlen=LOG_LENGTH))
    sequence: int = 0
    clock: Callable[[], float] = time.monotonic
    limiter: Limiter = field(default_factory=Limiter)
    _landings: dict[str, list[Landing]] = field(default_factory=dict)
    _newest: dict[str, int] = field(default_factory=dict)
    """By order, the number of the newest push or delete that was applied."""
    _flights: dict[Flight, None] = field(default_factory=dict)
    _flown: int = 0

    @contextmanager
    def in_flight_request(
        self, order_id: str, gone: Callable[[], bool] = never_disconnected, prefix: str = ""
    ) -> Iterator[Flight]:
        """Log a push, or a delete (`prefix` is `delete-`), and count it as in flight, while it lasts."""
        if not prefix:
            self.pushes[order_id] += 1
        self._flown += 1
        flight = Flight(order_id, self._flown, gone, prefix)
        if self.in_flight[order_id] or len(self._flights) >= self.most_in_flight:
            self._leave_gone()
        self._flights[flight] = None
        self.in_flight[order_id] += 1
        running = self.in_flight[order_id]
        self.overlaps += running > 1
        self.most_per_order = max(self.most_per_order, running)
        self.most_in_flight = max(self.most_in_flight, len(self._flights))
        self._note(order_id, f"{prefix}begin")
        try:
            yield flight
        finally:
            self._leave(flight)

    def land(self, flight: Flight, body: bytes | None) -> str:
        """Apply a push, or a delete when there is no body. Returns Redo's own id of the order."""
        if flight.gone():
            self._leave(flight)
        order_id, held = flight.order_id, self.orders.get(flight.order_id)
        stale = flight.number < self._newest.get(order_id, 0) and held != body
        self.stale_landings += stale
        self._newest[order_id] = max(flight.number, self._newest.get(order_id, 0))
        if body is None:
            self.orders.pop(order_id, None)
            self._remember(order_id, Landing(self.clock(), "deleted", "", stale))
        else:
            self.repeats += held == body
            self.orders[order_id] = body
            self._remember(order_id, Landing(self.clock(), "accepted", hashlib.sha256(body).hexdigest(), stale))
        if flight.left:
            self._note(order_id, f"{flight.prefix}landed")
        redo_id = self.redo_ids.get(order_id)
        if redo_id is None:
            redo_id = self.redo_ids[order_id] = f"redo-{len(self.redo_ids) + 1:024x}"
        return redo_id

    def history(self, order_id: str) -> tuple[Landing, ...]:
        """What was accepted and deleted of one order, oldest first; the latest 100."""
        return tuple(self._landings.get(order_id, ()))

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
            "throttled": sum(count for answer, count in self.answers.items() if answer.endswith(" 429")),
            "orders": len(self.orders),
            "pushes": dict(self.pushes),
            "repeats": self.repeats,
            "max_in_flight": self.most_in_flight,
            "max_concurrent_per_order": self.most_per_order,
            "overlaps": self.overlaps,
            "stale_landings": self.stale_landings,
        }

    def reset(self) -> None:
        """Forget orders and everything seen; switches stay."""
        for seen in (self.orders, self.redo_ids, self.answers, self.pushes, self.log, self._landings, self._newest):
            seen.clear()
        self.most_in_flight = self.most_per_order = self.overlaps = self.stale_landings = self.repeats = 0

    def _remember(self, order_id: str, landing: Landing) -> None:
        landings = self._landings.setdefault(order_id, [])
        landings.append(landing)
        if len(landings) > HISTORY_LENGTH:
            del landings[0]

    def _leave_gone(self) -> None:
        """Requests whose client has gone are no longer in flight, though they may still be applied."""
        for flight in [flight for flight in self._flights if flight.gone()]:
            self._leave(flight)

    def _leave(self, flight: Flight) -> None:
        if flight.left:
            return
        flight.left = True
        del self._flights[flight]
        self._note(flight.order_id, f"{flight.prefix}end")
        self.in_flight[flight.order_id] -= 1
        if not self.in_flight[flight.order_id]:
            del self.in_flight[flight.order_id]

    def _note(self, order_id: str, what: str) -> None:
        self.sequence += 1
        self.log.append(Event(self.sequence, order_id, what, self.clock()))
