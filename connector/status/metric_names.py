"""Every metric's name, help, and the label values known ahead. The one place where a metric is named.

Base units; no order id in a label.
"""

from __future__ import annotations

from typing import Final

PREFIX: Final = "redo_connector_"

STATE: Final = PREFIX + "state"
SYNC_LAG_SECONDS: Final = PREFIX + "sync_lag_seconds"
LEADER: Final = PREFIX + "leader"
REPLICATION_LAG_BYTES: Final = PREFIX + "replication_lag_bytes"
REPLICATION_LAG_SECONDS: Final = PREFIX + "replication_lag_seconds"
SLOT_RETAINED_WAL_BYTES: Final = PREFIX + "slot_retained_wal_bytes"
SLOT_SAFE_WAL_BYTES: Final = PREFIX + "slot_safe_wal_bytes"
SLOT_SECONDS_TO_LIMIT: Final = PREFIX + "slot_seconds_to_limit"
WAL_BUDGET_BYTES: Final = PREFIX + "wal_budget_bytes"
STALLED_PARTS: Final = PREFIX + "stalled_parts"
MAPPING_REFUSED: Final = PREFIX + "mapping_refused"
FAILING_TABLES: Final = PREFIX + "oms_failing_tables"
CHANGES: Final = PREFIX + "changes_total"
TRANSACTIONS: Final = PREFIX + "transactions_total"
AFFECTED_ORDERS: Final = PREFIX + "affected_orders"
OLDEST_AFFECTED_AGE_SECONDS: Final = PREFIX + "oldest_affected_age_seconds"
ORDERS: Final = PREFIX + "orders_total"
SYNC_LATENCY_SECONDS: Final = PREFIX + "sync_latency_seconds"
ASSEMBLE_DURATION_SECONDS: Final = PREFIX + "assemble_duration_seconds"
HTTP_REQUESTS: Final = PREFIX + "http_requests_total"
HTTP_REQUEST_DURATION_SECONDS: Final = PREFIX + "http_request_duration_seconds"
HTTP_RETRIES: Final = PREFIX + "http_retries_total"
HTTP_IN_FLIGHT: Final = PREFIX + "http_in_flight"
HTTP_CONCURRENCY_LIMIT: Final = PREFIX + "http_concurrency_limit"
DEAD_LETTERS: Final = PREFIX + "dead_letters"
FAILING_ORDERS: Final = PREFIX + "failing_orders"
DELIVERY_PAUSED: Final = PREFIX + "delivery_paused"
HELD_ORDERS: Final = PREFIX + "held_orders"
BACKFILL_ORDERS: Final = PREFIX + "backfill_orders_total"
BACKFILL_REMAINING_ORDERS: Final = PREFIX + "backfill_remaining_orders"
RECONCILE_DRIFT: Final = PREFIX + "reconcile_drift_total"
RECONCILE_DRIFT_ORDERS: Final = PREFIX + "reconcile_drift_orders_total"
RECONCILE_VERIFIED_THROUGH: Final = PREFIX + "reconcile_verified_through_timestamp_seconds"
ORDER_WARNINGS: Final = PREFIX + "order_warnings_total"
REMOVED_ORDERS: Final = PREFIX + "removed_orders_total"
HTTP_CONNECTIONS: Final = PREFIX + "http_connections_total"
HTTP_PACE: Final = PREFIX + "http_requests_per_second_limit"
RECONCILE_LAST_SUCCESS: Final = PREFIX + "reconcile_last_success_timestamp_seconds"
STREAM_GAPS: Final = PREFIX + "stream_gaps_total"
BUILD_INFO: Final = PREFIX + "build_info"

HELP: Final = {
    STATE: "1 for the state the connector is in, 0 for the others",
    SYNC_LAG_SECONDS: "Age of the oldest committed change that Redo may not have; 0 when it has everything",
    LEADER: "1 while this connector leads, 0 while it waits for another one to end",
    REPLICATION_LAG_BYTES: "WAL between the source's end and the position the slot was told to keep; NaN when unknown",
    REPLICATION_LAG_SECONDS: "How far the ledger is behind the source, 0 when all is in it; NaN when unknown",
    SLOT_RETAINED_WAL_BYTES: "WAL that the slot keeps on the source's disk; NaN when unknown",
    SLOT_SAFE_WAL_BYTES: "WAL that can still be written before the slot is lost; NaN without a limit",
    SLOT_SECONDS_TO_LIMIT: "Until the WAL that the slot keeps reaches max_slot_wal_keep_size or source.wal_budget; NaN"
    " when it doesn't grow towards one",
    WAL_BUDGET_BYTES: "The setting source.wal_budget; NaN without one",
    STALLED_PARTS: "Parts of the connector that have work and don't get on",
    MAPPING_REFUSED: "1 while the mapping as it is now can't be taken up, else 0",
    FAILING_TABLES: "Tables of the OMS whose own UPDATEs and DELETEs fail because of a publication",
    CHANGES: "Row changes read from the stream",
    TRANSACTIONS: "Transactions read from the stream",
    AFFECTED_ORDERS: "Orders in the ledger, waiting to be looked at",
    OLDEST_AFFECTED_AGE_SECONDS: "How long ago the oldest waiting change was committed, those of orders that fail while"
    " others are accepted left out; 0 when nothing waits",
    ORDERS: "Orders settled, by what became of them",
    SYNC_LATENCY_SECONDS: "From commit in the source to Redo's 200",
    ASSEMBLE_DURATION_SECONDS: "One run of the mapping for a batch of orders",
    HTTP_REQUESTS: "Requests to Redo by status code, or by what happened when there was no answer",
    HTTP_REQUEST_DURATION_SECONDS: "One request to Redo, by status code or by what happened when there was no answer",
    HTTP_RETRIES: "Pushes that will be tried again, by reason",
    HTTP_IN_FLIGHT: "Requests to Redo under way",
    HTTP_CONCURRENCY_LIMIT: "Requests to Redo allowed at once at present",
    DEAD_LETTERS: "Orders refused until they change or a person redrives them, and those that fail again and again",
    FAILING_ORDERS: "Orders that Redo fails again and again while it accepts others; they are still tried",
    DELIVERY_PAUSED: "Stores to which nothing is pushed for this reason",
    HELD_ORDERS: "Orders whose change waits for approval",
    BACKFILL_ORDERS: "Orders walked by backfills",
    BACKFILL_REMAINING_ORDERS: "About how many orders the running backfill has still to walk; 0 when none runs",
    RECONCILE_DRIFT: "Orders that a reconcile found to differ from what Redo had accepted",
    RECONCILE_DRIFT_ORDERS: "The same by kind: not at Redo, different there, or no longer in the mapping",
    RECONCILE_VERIFIED_THROUGH: "Every commit before this time was found at Redo; seconds since 1970, NaN if unknown",
    ORDER_WARNINGS: "Orders pushed although they break a rule of Redo's, by the rule",
    REMOVED_ORDERS: "Orders that left the mapping and were cancelled or deleted at Redo",
    HTTP_CONNECTIONS: "Connections opened to Redo; far fewer than requests while keep-alive works",
    HTTP_PACE: "Requests a second that Redo was found to bear; NaN while it never throttled",
    RECONCILE_LAST_SUCCESS: "When the last reconcile finished, seconds since 1970; NaN before the first",
    STREAM_GAPS: "Times that the stream may have lacked changes, so that every order was looked at",
    BUILD_INFO: "Always 1; the labels tell versions",
}

OPERATIONS: Final = ("insert", "update", "delete", "truncate")
RESULTS: Final = ("pushed", "unchanged", "rejected", "invalid", "missing")
RETRY_REASONS: Final = ("http_429", "http_500", "http_503", "timeout", "cut", "connect")
"""The usual ones; others begin when they first happen."""
PAUSE_REASONS: Final = ("http_401", "http_403", "http_404", "tls", "dns", "by_hand")
DEAD_LETTER_REASONS: Final = (
    "rejected",
    "invalid",
    "mapping",
    "duplicate",
    "removal",
    "slow",
    "failing",
    "set_aside",
)
DRIFT_KINDS: Final = ("missed", "changed", "extra")
GAPS: Final = (
    "new_slot",
    "slot_gone",
    "slot_lost",
    "slot_undecodable",
    "slot_moved",
    "other_slot",
    "database",
    "system",
    "timeline",
    "history",
    "unknown",
)
REMOVALS: Final = ("cancelled", "deleted")

SYNC_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
CALL_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
