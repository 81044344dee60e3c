"""The Prometheus metrics: events as they happen (it is the pipeline's Observer), gauges from a snapshot of facts.

It must not know where either comes from.
"""

from __future__ import annotations

import platform
from collections import Counter as Counted
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import nan
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from connector import __version__
from connector.contract.rules.rule_book import WARNINGS
from connector.model.changes import Changes, TableName
from connector.pipeline.ports.records import SweepKind
from connector.status import metric_names as names
from connector.status.facts import Facts, State

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
"""https://prometheus.io/docs/instrumenting/exposition_formats/"""


class Metrics:
    """All metrics of one connector, in a registry of their own. Series whose labels are known ahead begin at 0, so that
    a rate over the first event is right."""

    def __init__(self, version: str = __version__) -> None:
        # For the whole process: `_created` series would nearly double ours, and nothing reads them.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry(auto_describe=True)
        self.settled: dict[str, int] = {}
        """Orders by result, for the facts: asking the registry would collect every metric there is."""
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._changes = self._counter(names.CHANGES, "table", "operation")
        self._transactions = self._counter(names.TRANSACTIONS)
        self._orders = self._counter(names.ORDERS, "result")
        self._sync_latency = self._histogram(names.SYNC_LATENCY_SECONDS, names.SYNC_BUCKETS)
        self._assemble = self._histogram(names.ASSEMBLE_DURATION_SECONDS, names.CALL_BUCKETS)
        self._requests = self._counter(names.HTTP_REQUESTS, "method", "code")
        self._request_duration = self._histogram(names.HTTP_REQUEST_DURATION_SECONDS, names.CALL_BUCKETS, "code")
        self._retries = self._counter(names.HTTP_RETRIES, "reason")
        self._backfilled = self._counter(names.BACKFILL_ORDERS)
        self._drift = self._counter(names.RECONCILE_DRIFT)
        self._drift_orders = self._counter(names.RECONCILE_DRIFT_ORDERS, "kind")
        self._warnings = self._counter(names.ORDER_WARNINGS, "kind")
        self._removed = self._counter(names.REMOVED_ORDERS, "action")
        self._connections = self._counter(names.HTTP_CONNECTIONS)
        self._gaps = self._counter(names.STREAM_GAPS, "cause")
        self._gauges = {name: self._gauge(name) for name in _READINGS}
        self._state = self._gauge(names.STATE, "state")
        self._dead_letters = self._gauge(names.DEAD_LETTERS, "reason")
        self._paused = self._gauge(names.DELIVERY_PAUSED, "reason")
        self._gauge(names.BUILD_INFO, "version", "python").labels(version, platform.python_version()).set(1)
        self._begin_at_zero()

    def expect(self, tables: Iterable[TableName]) -> None:
        """Begin the series of these tables at 0."""
        for table in tables:
            for operation in names.OPERATIONS:
                self._changes.labels(str(table), operation)

    def update(self, facts: Facts) -> None:
        """Set every gauge."""
        for name, reading in _READINGS.items():
            value = reading(facts)
            self._gauges[name].set(nan if value is None else value)
        for state in State:
            self._state.labels(state.value).set(state is facts.state)
        letters = {**dict.fromkeys(names.DEAD_LETTER_REASONS, 0), **facts.tally.dead_letters}
        _set_all(self._dead_letters, letters if facts.counted else dict.fromkeys(letters, nan))
        paused = Counted(facts.paused_stores.values())
        _set_all(self._paused, {**dict.fromkeys(names.PAUSE_REASONS, 0), **paused})

    def exposition(self) -> bytes:
        """Everything in Prometheus's text format (CONTENT_TYPE)."""
        return generate_latest(self.registry)

    def transaction(self, changes: Sequence[Changes], *, whole: bool) -> None:
        self._transactions.inc(whole)
        for change in changes:
            self._changes.labels(str(change.table), change.operation.value).inc(change.rows)

    def order(self, result: str, count: int = 1) -> None:
        self._orders.labels(result).inc(count)
        self.settled[result] = self.settled.get(result, 0) + count

    def sync_latency(self, seconds: float) -> None:
        # The source's clock may be ahead of ours.
        self._sync_latency.observe(max(0.0, seconds))

    def assembled(self, seconds: float, keys: int) -> None:
        self._assemble.observe(seconds)

    def retry(self, reason: str) -> None:
        self._retries.labels(reason).inc()

    def swept(self, kind: SweepKind, orders: int) -> None:
        if kind is SweepKind.BACKFILL:
            self._backfilled.inc(orders)

    def gap(self, cause: str) -> None:
        self._gaps.labels(cause).inc()

    def drift(self, kind: str) -> None:
        self._drift.inc()
        self._drift_orders.labels(kind).inc()

    def removed(self, action: str) -> None:
        self._removed.labels(action).inc()

    def warned(self, kind: str, count: int = 1) -> None:
        self._warnings.labels(kind).inc(count)

    def http_connection(self) -> None:
        """A new connection to Redo."""
        self._connections.inc()

    def http_request(self, method: str, code: str, seconds: float) -> None:
        """One request to Redo; `code` is the status, or the reason there was none (`timeout`)."""
        self._requests.labels(method, code).inc()
        self._request_duration.labels(code).observe(seconds)

    def _begin_at_zero(self) -> None:
        for counter, labels in (
            (self._orders, names.RESULTS),
            (self._retries, names.RETRY_REASONS),
            (self._drift_orders, names.DRIFT_KINDS),
            (self._warnings, WARNINGS),
            (self._gaps, names.GAPS),
            (self._removed, names.REMOVALS),
        ):
            for label in labels:
                counter.labels(label)
        self._requests.labels("POST", "200")
        self._request_duration.labels("200")

    def _counter(self, name: str, *labels: str) -> Counter:
        return Counter(name, names.HELP[name], labels, registry=self.registry)

    def _gauge(self, name: str, *labels: str) -> Gauge:
        return Gauge(name, names.HELP[name], labels, registry=self.registry)

    def _histogram(self, name: str, buckets: Sequence[float], *labels: str) -> Histogram:
        return Histogram(name, names.HELP[name], labels, registry=self.registry, buckets=buckets)


_READINGS: Final[Mapping[str, Callable[[Facts], float | None]]] = {
    names.SYNC_LAG_SECONDS: lambda facts: facts.sync_lag_seconds,
    names.LEADER: lambda facts: facts.leads,
    names.REPLICATION_LAG_BYTES: lambda facts: facts.replication_lag_bytes,
    names.REPLICATION_LAG_SECONDS: lambda facts: facts.replication_lag_seconds,
    names.SLOT_RETAINED_WAL_BYTES: lambda facts: facts.slot_retained_bytes,
    names.SLOT_SAFE_WAL_BYTES: lambda facts: facts.slot_safe_bytes,
    names.SLOT_SECONDS_TO_LIMIT: lambda facts: facts.slot_seconds_to_limit,
    names.WAL_BUDGET_BYTES: lambda facts: facts.wal_budget_bytes,
    names.STALLED_PARTS: lambda facts: len(facts.stalled_parts),
    names.MAPPING_REFUSED: lambda facts: facts.mapping_refused is not None,
    names.FAILING_TABLES: lambda facts: len(facts.failing_tables),
    names.AFFECTED_ORDERS: lambda facts: facts.tally.affected if facts.counted else None,
    names.OLDEST_AFFECTED_AGE_SECONDS: lambda facts: facts.oldest_age if facts.counted else None,
    names.HTTP_IN_FLIGHT: lambda facts: facts.in_flight,
    names.HTTP_CONCURRENCY_LIMIT: lambda facts: facts.concurrency_limit,
    names.FAILING_ORDERS: lambda facts: facts.failing_orders if facts.counted else None,
    names.HELD_ORDERS: lambda facts: facts.held_orders if facts.counted else None,
    names.BACKFILL_REMAINING_ORDERS: lambda facts: facts.backfill_remaining if facts.counted else None,
    names.RECONCILE_VERIFIED_THROUGH: lambda facts: facts.verified_through,
    names.HTTP_PACE: lambda facts: facts.pace,
    names.RECONCILE_LAST_SUCCESS: lambda facts: facts.reconciled_at,
}
"""The gauges without labels, and the fact each one shows."""


def _set_all(gauge: Gauge, values: Mapping[str, float]) -> None:
    # A reason that no longer holds goes, and the ones known ahead stay at 0.
    gauge.clear()
    for reason, value in values.items():
        gauge.labels(reason).set(value)
