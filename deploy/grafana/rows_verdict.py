"""Whether all is well, and how the process is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from deploy.grafana.panels import (
    BAD_ABOVE_0,
    WARN_ABOVE_0,
    M,
    Panel,
    Query,
    Steps,
    lines,
    number,
    of,
    quantiles,
    rate,
    timeline,
)

SLO: Final = 0.99
_IN_TIME: Final = 'le="60.0"'
_GOOD: Final = "backfilling|streaming|catching_up|held|standby"
_STATES: Final = (
    ("starting", "blue"),
    ("backfilling", "purple"),
    ("streaming", "green"),
    ("catching_up", "yellow"),
    ("held", "orange"),
    ("paused", "dark-orange"),
    ("disconnected", "red"),
    ("stalled", "dark-red"),
    ("stopping", "#808080"),
    ("standby", "super-light-green"),
)
_SHARE: Final[Steps] = ((None, "red"), (SLO, "green"))
_BUDGET: Final[Steps] = ((None, "red"), (0.0001, "orange"), (0.25, "green"))
_AGE: Final[Steps] = ((None, "green"), (60, "orange"), (900, "red"))


def verdict() -> Sequence[Panel]:
    firing = 'ALERTS{alertname=~"RedoConnector.*", alertstate="firing"}'
    good = of(M + "state", f'state=~"{_GOOD}"')
    arrived = f"sum(increase({of(M + 'sync_latency_seconds_count')}[30d]))"
    in_time = f"sum(increase({of(M + 'sync_latency_seconds_bucket', _IN_TIME)}[30d]))"
    waiting = f"sum({of('redo_connector:orders_overdue')})"
    late = f"({arrived} - {in_time} + {waiting}) / ({arrived} + {waiting})"
    present = " or ".join(
        f"""{place} * ({of(M + "state", f'state="{state}"')} == 1)""" for place, (state, _) in enumerate(_STATES, 1)
    )
    return (
        number(
            "Sync lag",
            "The age of the oldest committed change that Redo may not have. It grows while the OMS can't be reached.",
            Query(f"max({of(M + 'sync_lag_seconds')})"),
            unit="s",
            steps=_AGE,
        ),
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
            "Orders held",
            "A change of an unlikely size waits for a person: redo-connector approve --list",
            Query(f"sum({of(M + 'held_orders')})"),
            steps=WARN_ABOVE_0,
        ),
        number(
            "Dead letters",
            "Orders refused until they change: redo-connector dead-letters list",
            Query(f"sum({of(M + 'dead_letters')})"),
            steps=WARN_ABOVE_0,
        ),
        number(
            "Stores paused",
            "Nothing is pushed to them.",
            Query(f"sum({of(M + 'delivery_paused')})"),
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
        number(
            "Mapping refused",
            "By so many connectors; the one before stays at work. redo-connector status names file, line and column.",
            Query(f"sum({of(M + 'mapping_refused')})"),
            steps=WARN_ABOVE_0,
        ),
        number(
            "OMS tables failing",
            "Their own UPDATEs and DELETEs fail because of a publication: mend that at once.",
            Query(f"sum({of(M + 'oms_failing_tables')})"),
            steps=BAD_ABOVE_0,
        ),
        timeline(
            "State",
            "Of each connector.",
            Query(f"sum by (instance) ({present})", "{{instance}}"),
            words={str(place): one for place, one in enumerate(_STATES, 1)},
            width=12,
        ),
        lines(
            "Sync lag, over time",
            "And where it comes from: what waits in the ledger, and the stream that is behind.",
            Query(f"max({of(M + 'sync_lag_seconds')})", "sync lag"),
            Query(f"max({of(M + 'oldest_affected_age_seconds')})", "oldest waiting change"),
            Query(f"max({of(M + 'replication_lag_seconds')})", "stream behind"),
            unit="s",
            width=12,
        ),
        lines(
            "From commit to Redo's 200",
            "Live changes that arrived. What waits has no sample yet: see the oldest waiting change.",
            *quantiles(M + "sync_latency_seconds"),
            unit="s",
            steps=((None, "transparent"), (60, "red")),
            width=12,
        ),
        lines(
            "Burn rate",
            "How many times faster than allowed the error budget is used. Alerts: 14.4 over 1 h, 6 over 6 h,"
            " 3 over 1 d, 1 over 3 d.",
            *(
                Query(f"max({of('redo_connector:orders_late:ratio' + window)}) / {1 - SLO:.2g}", window)
                for window in ("5m", "1h", "6h", "1d", "3d")
            ),
            unit="none",
            steps=((None, "transparent"), (1, "orange"), (14.4, "red")),
            width=12,
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
            "Leaders",
            "Of connectors with the same checkpoints one leads, the others stand by.",
            Query(f"sum({of(M + 'leader')})"),
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
            width=8,
        ),
        lines("CPU", "Cores.", Query(rate("process_cpu_seconds_total"), "{{instance}}"), unit="none"),
        lines("Memory", "", Query(of("process_resident_memory_bytes"), "{{instance}}"), unit="bytes"),
        lines(
            "Open files",
            "Connections are files, too.",
            Query(of("process_open_fds"), "{{instance}}"),
        ),
    )
