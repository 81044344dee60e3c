"""What happened to single orders, for people who look at one. Records only; keys and places, never a value.

Times are seconds since 1970.
"""

from __future__ import annotations

from dataclasses import dataclass

from connector.model.orders import OrderKey


@dataclass(frozen=True, slots=True)
class SourceChange:
    """A change that affected an order. Not `exact`: found by a reverse lookup for several commits, of which this is the
    latest."""

    table: str
    operation: str
    commit_lsn: int
    commit_time: float
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Attempt:
    """One look at an order that came to something. `result`: `pushed`, `rejected`, `invalid`, `missing`, or `again`
    (it is tried again). `reason` is short and enumerable. `seconds`: of the request, None when none was sent;
    `latency`: from the commit to Redo's 200, None where that says nothing (a sweep, a retry). `delivery`: as the log
    names it, None for what had no payload."""

    key: OrderKey
    at: float
    result: str
    reason: str = ""
    status: int | None = None
    seconds: float | None = None
    latency: float | None = None
    store_id: str = ""
    delivery: str | None = None
    order_id: str = ""
    """At Redo; empty where that isn't known."""
