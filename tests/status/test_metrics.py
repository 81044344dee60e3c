"""The metrics say what happened, under the names that are promised."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from connector.model.changes import Changes, Lsn, Operation, StreamPosition, TableName
from connector.pipeline.ports.protocols import Observer
from connector.pipeline.ports.records import Sweep, SweepKind, Tally
from connector.status import metric_names as names
from connector.status.facts import Facts, State
from connector.status.metrics import Metrics

PROMISED = {
    "redo_connector_state": ("gauge", {"state"}),
    "redo_connector_sync_lag_seconds": ("gauge", set()),
    "redo_connector_leader": ("gauge", set()),
    "redo_connector_replication_lag_bytes": ("gauge", set()),
    "redo_connector_replication_lag_seconds": ("gauge", set()),
    "redo_connector_slot_retained_wal_bytes": ("gauge", set()),
    "redo_connector_slot_safe_wal_bytes": ("gauge", set()),
    "redo_connector_changes_total": ("counter", {"table", "operation"}),
    "redo_connector_transactions_total": ("counter", set()),
    "redo_connector_slot_seconds_to_limit": ("gauge", set()),
    "redo_connector_wal_budget_bytes": ("gauge", set()),
    "redo_connector_stalled_parts": ("gauge", set()),
    "redo_connector_mapping_refused": ("gauge", set()),
    "redo_connector_oms_failing_tables": ("gauge", set()),
    "redo_connector_stream_gaps_total": ("counter", {"cause"}),
    "redo_connector_affected_orders": ("gauge", set()),
    "redo_connector_oldest_affected_age_seconds": ("gauge", set()),
    "redo_connector_orders_total": ("counter", {"result"}),
    "redo_connector_sync_latency_seconds": ("histogram", set()),
    "redo_connector_assemble_duration_seconds": ("histogram", set()),
    "redo_connector_http_requests_total": ("counter", {"method", "code"}),
    "redo_connector_http_request_duration_seconds": ("histogram", {"code"}),
    "redo_connector_http_retries_total": ("counter", {"reason"}),
    "redo_connector_http_in_flight": ("gauge", set()),
    "redo_connector_http_concurrency_limit": ("gauge", set()),
    "redo_connector_dead_letters": ("gauge", {"reason"}),
    "redo_connector_failing_orders": ("gauge", set()),
    "redo_connector_delivery_paused": ("gauge", {"reason"}),
    "redo_connector_held_orders": ("gauge", set()),
    "redo_connector_backfill_orders_total": ("counter", set()),
    "redo_connector_backfill_remaining_orders": ("gauge", set()),
    "redo_connector_reconcile_drift_total": ("counter", set()),
    "redo_connector_reconcile_drift_orders_total": ("counter", {"kind"}),
    "redo_connector_reconcile_verified_through_timestamp_seconds": ("gauge", set()),
    "redo_connector_order_warnings_total": ("counter", {"kind"}),
    "redo_connector_removed_orders_total": ("counter", {"action"}),
    "redo_connector_http_connections_total": ("counter", set()),
    "redo_connector_http_requests_per_second_limit": ("gauge", set()),
    "redo_connector_reconcile_last_success_timestamp_seconds": ("gauge", set()),
    "redo_connector_build_info": ("gauge", {"version", "python"}),
}

ITEMS = TableName("oms", "order_items")


def facts(state: State = State.STREAMING, **more: object) -> Facts:
    return Facts(now=1_000.0, state=state, started_at=900.0, version="1.2.3", **more)  # type: ignore[arg-type]


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("1.2.3")


def test_metrics_have_exactly_the_promised_names_types_and_labels(metrics: Metrics) -> None:
    metrics.expect([ITEMS])
    metrics.update(facts())
    found = {}
    for family in text_string_to_metric_families(metrics.exposition().decode()):
        if family.name.startswith(names.PREFIX):
            # The parser takes `_total` off a counter's family; its samples carry the name that queries use.
            name = f"{family.name}_total" if family.type == "counter" else family.name
            labels = {label for sample in family.samples for label in sample.labels} - {"le"}
            assert all(sample.name.startswith(name) for sample in family.samples)
            found[name] = (family.type, labels)
    assert found == PROMISED


def test_every_metric_has_a_help_text() -> None:
    assert set(names.HELP) == set(PROMISED)


def test_the_process_and_the_interpreter_are_measured_too(metrics: Metrics) -> None:
    families = {family.name for family in text_string_to_metric_families(metrics.exposition().decode())}
    assert {"process_cpu_seconds", "process_resident_memory_bytes", "python_info"} <= families


def test_two_connectors_in_one_process_count_apart(metrics: Metrics) -> None:
    metrics.order("pushed")
    assert value(Metrics("1.2.3"), "redo_connector_orders_total", result="pushed") == 0


def test_series_known_ahead_begin_at_zero(metrics: Metrics) -> None:
    metrics.expect([ITEMS])
    for result in ("pushed", "unchanged", "rejected", "invalid", "missing"):
        assert value(metrics, "redo_connector_orders_total", result=result) == 0
    for operation in Operation:
        assert value(metrics, "redo_connector_changes_total", table="oms.order_items", operation=operation) == 0
    assert value(metrics, "redo_connector_http_retries_total", reason="timeout") == 0


def test_the_pipeline_can_tell_it_everything(metrics: Metrics) -> None:
    observer: Observer = metrics
    observer.transaction(
        [Changes(ITEMS, Operation.UPDATE, 3, (("1",),)), Changes(ITEMS, Operation.DELETE, 1, ())], whole=True
    )
    observer.order("unchanged", 4)
    observer.sync_latency(0.02)
    observer.sync_latency(-5.0)
    observer.assembled(0.2, 17)
    observer.retry("http_502")
    observer.swept(SweepKind.BACKFILL, 500)
    observer.swept(SweepKind.RECONCILE, 900)
    observer.drift("missed")
    observer.drift("changed")
    metrics.http_request("POST", "timeout", 30.0)
    assert value(metrics, "redo_connector_transactions_total") == 1
    assert value(metrics, "redo_connector_changes_total", table="oms.order_items", operation="update") == 3
    assert value(metrics, "redo_connector_changes_total", table="oms.order_items", operation="delete") == 1
    assert value(metrics, "redo_connector_orders_total", result="unchanged") == 4
    assert value(metrics, "redo_connector_sync_latency_seconds_bucket", le="0.005") == 1
    assert value(metrics, "redo_connector_sync_latency_seconds_bucket", le="0.025") == 2
    assert value(metrics, "redo_connector_sync_latency_seconds_sum") == pytest.approx(0.02)
    assert value(metrics, "redo_connector_assemble_duration_seconds_count") == 1
    assert value(metrics, "redo_connector_http_retries_total", reason="http_502") == 1
    assert value(metrics, "redo_connector_backfill_orders_total") == 500
    assert value(metrics, "redo_connector_reconcile_drift_total") == 2
    assert value(metrics, "redo_connector_http_requests_total", method="POST", code="timeout") == 1
    assert value(metrics, "redo_connector_http_request_duration_seconds_count", code="timeout") == 1
    assert value(metrics, "redo_connector_http_request_duration_seconds_count", code="200") == 0


def test_sync_latency_tells_5_ms_from_10_minutes(metrics: Metrics) -> None:
    metrics.sync_latency(599)
    assert value(metrics, "redo_connector_sync_latency_seconds_bucket", le="300.0") == 0
    assert value(metrics, "redo_connector_sync_latency_seconds_bucket", le="600.0") == 1


def test_gauges_show_the_facts(metrics: Metrics) -> None:
    metrics.update(
        facts(
            position=StreamPosition(Lsn(900), Lsn(800), Lsn(1000), 0.0, True),
            sync_lag_seconds=75.5,
            replication_lag_seconds=1.5,
            counted=True,
            slot_retained_bytes=4096,
            slot_safe_bytes=8192,
            wal_budget_bytes=10_000,
            slot_seconds_to_limit=90.5,
            stalled_parts=("settler", "checkpoint store"),
            tally=Tally(12, 1, 940.0, 100, 2, {"rejected": 3, "mapping": 1}),
            sweep=Sweep(SweepKind.BACKFILL, "first start", 1, 1, 900.0),
            sweep_remaining=70,
            in_flight=5,
            concurrency_limit=32,
            held_orders=6,
            reconciled_at=950.0,
        )
    )
    expected = {
        "sync_lag_seconds": 75.5,
        "replication_lag_bytes": 200,
        "replication_lag_seconds": 1.5,
        "slot_retained_wal_bytes": 4096,
        "slot_safe_wal_bytes": 8192,
        "wal_budget_bytes": 10_000,
        "slot_seconds_to_limit": 90.5,
        "stalled_parts": 2,
        "affected_orders": 12,
        "oldest_affected_age_seconds": 60,
        "http_in_flight": 5,
        "http_concurrency_limit": 32,
        "held_orders": 6,
        "backfill_remaining_orders": 70,
        "reconcile_last_success_timestamp_seconds": 950,
    }
    assert {name: value(metrics, f"redo_connector_{name}") for name in expected} == expected
    letters = {
        reason: value(metrics, "redo_connector_dead_letters", reason=reason) for reason in ("rejected", "mapping")
    }
    assert letters == {"rejected": 3, "mapping": 1}


def test_what_is_not_known_is_not_a_number(metrics: Metrics) -> None:
    metrics.update(facts())
    lags = ("sync_lag_seconds", "replication_lag_bytes", "replication_lag_seconds", "oldest_affected_age_seconds")
    counts = ("affected_orders", "held_orders", "failing_orders", "backfill_remaining_orders")
    for name in (*lags, *counts, "slot_safe_wal_bytes", "slot_seconds_to_limit", "wal_budget_bytes"):
        reading = value(metrics, f"redo_connector_{name}")
        assert reading is not None
        assert math.isnan(reading)
    letters = [value(metrics, "redo_connector_dead_letters", reason=reason) for reason in names.DEAD_LETTER_REASONS]
    assert all(reading is not None and math.isnan(reading) for reading in letters)


def test_what_was_last_counted_is_not_shown_once_it_cannot_be_counted_any_more(metrics: Metrics) -> None:
    counted = facts(counted=True, tally=Tally(12, 1, 940.0, 100, 2, {"rejected": 3}), held_orders=6)
    metrics.update(counted)
    assert value(metrics, "redo_connector_dead_letters", reason="rejected") == 3
    metrics.update(replace(counted, counted=False))
    shown = [value(metrics, f"redo_connector_{name}") for name in ("affected_orders", "held_orders")]
    shown.append(value(metrics, "redo_connector_dead_letters", reason="rejected"))
    assert all(reading is not None and math.isnan(reading) for reading in shown)


def test_exactly_one_state_is_the_present_one(metrics: Metrics) -> None:
    for state in State:
        metrics.update(facts(state))
        shown = {other: value(metrics, "redo_connector_state", state=other) for other in State}
        assert shown == {other: float(other is state) for other in State}


def test_a_pause_shows_its_reason_and_goes(metrics: Metrics) -> None:
    metrics.update(facts(State.PAUSED, paused_reason="http_401", paused_stores={"": "http_401"}))
    assert value(metrics, "redo_connector_delivery_paused", reason="http_401") == 1
    metrics.update(facts(State.PAUSED, paused_reason="http_503", paused_stores={"": "http_503"}))
    assert value(metrics, "redo_connector_delivery_paused", reason="http_401") == 0
    assert value(metrics, "redo_connector_delivery_paused", reason="http_503") == 1
    metrics.update(facts())
    assert not value(metrics, "redo_connector_delivery_paused", reason="http_503")


def test_a_cleared_dead_letter_leaves_the_gauge(metrics: Metrics) -> None:
    metrics.update(facts(counted=True, tally=Tally(0, 0, None, 0, 0, {"rejected": 3})))
    metrics.update(facts(counted=True))
    assert value(metrics, "redo_connector_dead_letters", reason="rejected") == 0
