"""What the dashboard shows, row by row: first whether all is well, then the road from the OMS to Redo in its order."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model

from deploy.grafana.panels import (
    BAD_ABOVE_0,
    SOURCE,
    WARN_ABOVE_0,
    Panel,
    Query,
    Steps,
    lines,
    number,
    of,
    quantile,
    rate,
)

FILE: Final = Path(__file__).with_name("redo-connector.json")
M: Final = "redo_connector_"
SLO: Final = 0.99

_IN_TIME: Final = 'le="60.0"'
_GOOD: Final = "backfilling|streaming|catching_up|held"
_FAILED: Final = 'code!~"2.."'
_PUSHED: Final = 'result="pushed"'
_SHARE: Final[Steps] = ((None, "red"), (SLO, "green"))
_BUDGET: Final[Steps] = ((None, "red"), (0.0001, "orange"), (0.25, "green"))
_AGE: Final[Steps] = ((None, "green"), (60, "orange"), (900, "red"))
_DAYS: Final[Steps] = ((None, "green"), (2 * 86_400, "orange"))
_TIME_LEFT: Final[Steps] = ((None, "red"), (3_600, "orange"), (6 * 3_600, "green"))


def verdict() -> Sequence[Panel]:
    firing = 'ALERTS{alertname=~"RedoConnector.*", alertstate="firing"}'
    good = of(M + "state", f'state=~"{_GOOD}"')
    arrived = f"sum(increase({of(M + 'sync_latency_seconds_count')}[30d]))"
    in_time = f"sum(increase({of(M + 'sync_latency_seconds_bucket', _IN_TIME)}[30d]))"
    waiting = f"sum({of('redo_connector:orders_overdue')})"
    late = f"({arrived} - {in_time} + {waiting}) / ({arrived} + {waiting})"
    return (
        number(
            "Verdict",
            "Whether every connector chosen gets on. /readyz says why not, and what to do next.",
            Query(f"min(sum without (state) ({good}))"),
            steps=((None, "red"), (1, "green")),
            words={"1": ("gets on", "green"), "0": ("does not get on", "red")},
        ),
        number(
            "Alerts firing",
            "Each has a page in docs/runbooks.",
            Query(f"count({firing}) or vector(0)"),
            steps=BAD_ABOVE_0,
        ),
        number(
            "Orders in time, 30 days",
            "At Redo within 60 s of their commit. Orders that wait for longer count as late already. Objective: 99%.",
            Query(f"1 - {late}"),
            unit="percentunit",
            steps=_SHARE,
            decimals=3,
        ),
        number(
            "Error budget left, 30 days",
            "Of the 1% of orders that may be late.",
            Query(f"1 - {late} / {1 - SLO:.2g}"),
            unit="percentunit",
            steps=_BUDGET,
            decimals=1,
        ),
        number(
            "Oldest waiting change",
            "How long ago the oldest change was committed that isn't dealt with.",
            Query(f"max({of(M + 'oldest_affected_age_seconds')})"),
            unit="s",
            steps=_AGE,
        ),
        number(
            "Orders waiting",
            "In the ledger, durably: nothing of it is lost when the connector is.",
            Query(f"sum({of(M + 'affected_orders')})"),
        ),
        lines(
            "State",
            "1 for the state that each connector is in.",
            Query(f"{of(M + 'state')} == 1", "{{state}} {{instance}}"),
        ),
        lines(
            "From commit to Redo's 200",
            "Live changes that arrived. What waits has no sample yet: see the oldest waiting change.",
            *(Query(quantile(share, M + "sync_latency_seconds"), f"p{share * 100:g}") for share in (0.5, 0.95, 0.99)),
            unit="s",
            steps=((None, "transparent"), (60, "red")),
        ),
        lines(
            "Burn rate",
            "How many times faster than allowed the error budget is used. Alerts: 14.4 over 1 h, 6 over 6 h,"
            " 3 over 1 d, 1 over 3 d.",
            *(
                Query(f"max({of('redo_connector:orders_late:ratio' + window)}) / {1 - SLO:.2g}", window)
                for window in ("5m", "1h", "6h", "1d", "3d")
            ),
            steps=((None, "transparent"), (1, "orange"), (14.4, "red")),
        ),
    )


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
            "Each has every order compared.",
            Query(f"sum(increase({of(M + 'stream_gaps_total')}[1d]))"),
            steps=WARN_ABOVE_0,
            decimals=0,
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


def redo() -> Sequence[Panel]:
    requests = M + "http_requests_total"
    return (
        lines(
            "Requests a second, by answer",
            "`timeout`, `cut` and `connect` had no answer.",
            Query(f"sum by (method, code) ({rate(requests)})", "{{method}} {{code}}"),
            unit="reqps",
            stacked=True,
        ),
        lines(
            "Share of requests that failed",
            "Everything that isn't 2xx; and by answer.",
            Query(f"(sum({rate(requests, _FAILED)}) or vector(0)) / sum({rate(requests)})", "all"),
            Query(
                f"sum by (code) ({rate(requests, _FAILED)}) / ignoring (code) group_left sum({rate(requests)})",
                "{{code}}",
            ),
            unit="percentunit",
        ),
        lines(
            "Duration of a request",
            "Answered or not.",
            *(
                Query(quantile(share, M + "http_request_duration_seconds"), f"p{share * 100:g}")
                for share in (0.5, 0.95, 0.99)
            ),
            unit="s",
        ),
        lines(
            "Requests at once",
            "The limit adapts to how Redo answers, between 1 and redo.max_concurrency.",
            Query(f"sum({of(M + 'http_in_flight')})", "under way"),
            Query(f"sum({of(M + 'http_concurrency_limit')})", "limit"),
        ),
        lines(
            "Pace",
            "What is sent, and what Redo was found to bear (nothing while it never throttled).",
            Query(f"sum({rate(requests)})", "requests"),
            Query(f"sum({of(M + 'http_requests_per_second_limit')})", "limit"),
            Query(f"sum({rate(M + 'http_connections_total')})", "new connections"),
            unit="reqps",
        ),
        lines(
            "Pushes to be tried again, by reason",
            "",
            Query(f"sum by (reason) ({rate(M + 'http_retries_total')})", "{{reason}}"),
            unit="ops",
        ),
    )


def refused() -> Sequence[Panel]:
    return (
        number(
            "Dead letters",
            "Orders refused until they change: redo-connector dead-letters list",
            Query(f"sum({of(M + 'dead_letters')})"),
            steps=WARN_ABOVE_0,
        ),
        number(
            "Orders held",
            "A change of an unlikely size waits for a person: redo-connector approve --list",
            Query(f"sum({of(M + 'held_orders')})"),
            steps=WARN_ABOVE_0,
        ),
        number(
            "Stores paused",
            "Nothing is pushed to them.",
            Query(f"sum({of(M + 'delivery_paused')})"),
            steps=BAD_ABOVE_0,
        ),
        number(
            "Since the last reconcile",
            "Every order was compared with what Redo accepted.",
            Query(f"time() - min({of(M + 'reconcile_last_success_timestamp_seconds')})"),
            unit="s",
            steps=_DAYS,
        ),
        number(
            "Verified until",
            "Every commit that is older than this was found at Redo, or is a dead letter.",
            Query(f"time() - min({of(M + 'reconcile_verified_through_timestamp_seconds')})"),
            unit="s",
            steps=_DAYS,
        ),
        number(
            "Drift found, a day",
            "Orders that a reconcile found different from what Redo had accepted.",
            Query(f"sum(increase({of(M + 'reconcile_drift_total')}[1d]))"),
            steps=WARN_ABOVE_0,
            decimals=0,
        ),
        lines(
            "Dead letters and held orders",
            "",
            Query(f"sum by (reason) ({of(M + 'dead_letters')})", "{{reason}}"),
            Query(f"sum({of(M + 'held_orders')})", "held for approval"),
        ),
        lines(
            "Stores paused, by reason",
            "",
            Query(f"sum by (reason) ({of(M + 'delivery_paused')})", "{{reason}}"),
        ),
        lines(
            "What looked wrong, an hour",
            "Drift by kind, orders that look wrong in the light of their history, orders taken away at Redo.",
            Query(f"sum by (kind) (increase({of(M + 'reconcile_drift_orders_total')}[1h]))", "drift: {{kind}}"),
            Query(f"sum by (kind) (increase({of(M + 'order_warnings_total')}[1h]))", "warning: {{kind}}"),
            Query(f"sum by (action) (increase({of(M + 'removed_orders_total')}[1h]))", "{{action}} at Redo"),
        ),
    )


def process() -> Sequence[Panel]:
    return (
        number(
            "Running for",
            "Of the connector that was started last.",
            Query(f"time() - max({of('process_start_time_seconds')} and on (job, instance) {of(M + 'build_info')})"),
            unit="s",
        ),
        number(
            "Connectors",
            "That Prometheus sees.",
            Query(f"count({of(M + 'build_info')})"),
            steps=((None, "red"), (1, "green")),
        ),
        number(
            "Stalled parts",
            "Parts that have work and don't get on; past a bound the process ends, to be started again.",
            Query(f"sum({of(M + 'stalled_parts')})"),
            steps=BAD_ABOVE_0,
        ),
        lines(
            "Versions",
            "",
            Query(f"count by (version, python) ({of(M + 'build_info')})", "{{version}}, Python {{python}}"),
            width=12,
        ),
        lines("CPU", "Cores.", Query(rate("process_cpu_seconds_total"), "{{instance}}")),
        lines("Memory", "", Query(of("process_resident_memory_bytes"), "{{instance}}"), unit="bytes"),
        lines(
            "Open files",
            "Connections are files, too.",
            Query(of("process_open_fds"), "open {{instance}}"),
            Query(of("process_max_fds"), "most {{instance}}"),
        ),
    )


ROWS: Final = (
    ("Verdict and SLO", verdict),
    ("The road", road),
    ("Source safety", source),
    ("Redo API", redo),
    ("Dead letters and holds", refused),
    ("Process", process),
)


def dashboard() -> model.Dashboard:
    made = (
        build.Dashboard("redo-connector")
        .uid("redo-connector")
        .description("Whether Redo's copy of the OMS's orders is true, and what stands in the way.")
        .tags(["redo-connector"])
        .timezone("browser")
        .time("now-6h", "now")
        .refresh("30s")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .with_variable(build.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(_variable("job", f"label_values({M}build_info, job)"))
        .with_variable(_variable("instance", f'label_values({M}build_info{{job=~"$job"}}, instance)'))
    )
    numbers = itertools.count(1)
    for title, panels in ROWS:
        made.with_row(build.Row(title).id(next(numbers)))
        for panel in panels():
            made.with_panel(panel.id(next(numbers)))
    return made.build()


def _variable(name: str, query: str) -> build.QueryVariable:
    return (
        build.QueryVariable(name)
        .label(name.capitalize())
        .datasource(SOURCE)
        .query(query)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
    )


def rendered() -> str:
    return json.dumps(dashboard(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"
