"""The road from the OMS to Redo, and what the OMS's disk has to fear."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from deploy.grafana.panels import (
    WARN_ABOVE_0,
    M,
    Panel,
    Query,
    Steps,
    lines,
    number,
    of,
    quantile,
    rate,
)

_NOT_THE_FIRST: Final = 'cause!="new_slot"'
_PUSHED: Final = 'result="pushed"'
_TIME_LEFT: Final[Steps] = ((None, "red"), (3_600, "orange"), (6 * 3_600, "green"))


def road() -> Sequence[Panel]:
    return (
        lines(
            "Orders a second, per station",
            "Transactions are read, orders are assembled in batches, settled, and those that changed are pushed.",
            Query(f"sum({rate(M + 'transactions_total')})", "transactions read"),
            Query(f"sum({rate(M + 'assemble_duration_seconds_count')})", "batches assembled"),
            Query(f"sum({rate(M + 'orders_total')})", "orders settled"),
            Query(f"sum({rate(M + 'orders_total', _PUSHED)})", "orders pushed"),
            Query(f"sum({rate(M + 'backfill_orders_total')})", "orders walked by a backfill"),
            unit="ops",
        ),
        lines(
            "Lag per station",
            "Of the stream, of what waits in the ledger, of one assembly, and of one request.",
            Query(f"max({of(M + 'replication_lag_seconds')})", "stream behind"),
            Query(f"max({of(M + 'oldest_affected_age_seconds')})", "oldest waiting change"),
            Query(quantile(0.95, M + "assemble_duration_seconds"), "assembly p95"),
            Query(quantile(0.95, M + "http_request_duration_seconds"), "request p95"),
            unit="s",
        ),
        lines(
            "Orders that wait",
            "In the ledger; and how many a running backfill has still to walk.",
            Query(f"sum({of(M + 'affected_orders')})", "affected"),
            Query(f"sum({of(M + 'backfill_remaining_orders')})", "backfill, remaining"),
        ),
        lines(
            "Row changes read, by table",
            "",
            Query(f"sum by (table) ({rate(M + 'changes_total')})", "{{table}}"),
            unit="ops",
            stacked=True,
            width=12,
        ),
        lines(
            "Orders settled, by result",
            "`unchanged` is what a comparison with the checkpoint saved Redo from.",
            Query(f"sum by (result) ({rate(M + 'orders_total')})", "{{result}}"),
            unit="ops",
            stacked=True,
            width=12,
        ),
    )


def source() -> Sequence[Panel]:
    retained = M + "slot_retained_wal_bytes"
    return (
        number(
            "Time until the slot's limit",
            "At the pace of the last two minutes; unknown while the kept WAL doesn't grow, or without a limit.",
            Query(f"min({of(M + 'slot_seconds_to_limit')})"),
            unit="s",
            steps=_TIME_LEFT,
        ),
        number(
            "WAL that the slot keeps",
            "On the disk of the OMS database.",
            Query(f"max({of(retained)})"),
            unit="bytes",
        ),
        number(
            "WAL budget",
            "source.wal_budget.",
            Query(f"min({of(M + 'wal_budget_bytes')})"),
            unit="bytes",
        ),
        number(
            "Left until the slot is lost",
            "Until max_slot_wal_keep_size.",
            Query(f"min({of(M + 'slot_safe_wal_bytes')})"),
            unit="bytes",
        ),
        number(
            "Gaps in the stream, a day",
            "Each has every order compared. The first slot isn't one.",
            Query(f"sum(increase({of(M + 'stream_gaps_total', _NOT_THE_FIRST)}[1d]))"),
            steps=WARN_ABOVE_0,
        ),
        number(
            "Stream behind",
            "WAL between the source's end and what the slot may let go.",
            Query(f"max({of(M + 'replication_lag_bytes')})"),
            unit="bytes",
        ),
        lines(
            "WAL that the slot keeps, and its limits",
            "A saw is usual: the slot's restart position moves in steps.",
            Query(of(retained), "kept {{instance}}"),
            Query(f"{of(retained)} + {of(M + 'slot_safe_wal_bytes')}", "max_slot_wal_keep_size {{instance}}"),
            Query(of(M + "wal_budget_bytes"), "source.wal_budget {{instance}}"),
            unit="bytes",
            width=12,
        ),
        lines(
            "Stream behind, over time",
            "",
            Query(of(M + "replication_lag_bytes"), "{{instance}}"),
            unit="bytes",
            width=6,
        ),
        lines(
            "Gaps in the stream, by cause",
            "Times that the stream may have lacked changes.",
            Query(f"sum by (cause) (increase({of(M + 'stream_gaps_total')}[1h])) > 0", "{{cause}}"),
            width=6,
        ),
    )
