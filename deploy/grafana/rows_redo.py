"""How Redo answers, and the orders that need a person."""

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
    quantiles,
    rate,
)

_FAILED: Final = 'code!~"2.."'
_DAYS: Final[Steps] = ((None, "green"), (2 * 86_400, "orange"))


def redo() -> Sequence[Panel]:
    requests, duration = M + "http_requests_total", M + "http_request_duration_seconds"
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
            *quantiles(duration),
            unit="s",
        ),
        lines(
            "Duration of a request, by answer",
            "95% took no longer. Refusals are quick, time-outs slow: together they hide what accepted orders take.",
            Query(quantile(0.95, duration, by="code"), "{{code}}"),
            unit="s",
            width=6,
        ),
        lines(
            "Requests at once",
            "The limit adapts to how Redo answers, between 1 and redo.max_concurrency.",
            Query(f"sum({of(M + 'http_in_flight')})", "under way"),
            Query(f"sum({of(M + 'http_concurrency_limit')})", "limit"),
            width=6,
        ),
        lines(
            "Pace",
            "What is sent, and what Redo was found to bear (nothing while it never throttled).",
            Query(f"sum({rate(requests)})", "requests"),
            Query(f"sum({of(M + 'http_requests_per_second_limit')})", "limit"),
            Query(f"sum({rate(M + 'http_connections_total')})", "new connections"),
            unit="reqps",
            width=6,
        ),
        lines(
            "Pushes to be tried again, by reason",
            "",
            Query(f"sum by (reason) ({rate(M + 'http_retries_total')})", "{{reason}}"),
            unit="ops",
            width=6,
        ),
    )


def refused() -> Sequence[Panel]:
    return (
        number(
            "Since the last reconcile",
            "Every order was compared with what Redo accepted.",
            Query(f"time() - min({of(M + 'reconcile_last_success_timestamp_seconds')})"),
            unit="s",
            steps=_DAYS,
            width=8,
        ),
        number(
            "Verified until",
            "Every commit that is older than this was found at Redo, or is a dead letter.",
            Query(f"time() - min({of(M + 'reconcile_verified_through_timestamp_seconds')})"),
            unit="s",
            steps=_DAYS,
            width=8,
        ),
        number(
            "Drift found, a day",
            "Orders that a reconcile found different from what Redo had accepted, after another mapping left out.",
            Query(f"sum(increase({of(M + 'reconcile_drift_total')}[1d]))"),
            steps=WARN_ABOVE_0,
            width=8,
        ),
        lines(
            "Dead letters and held orders",
            "",
            Query(f"sum by (reason) ({of(M + 'dead_letters')})", "{{reason}}"),
            Query(f"sum({of(M + 'failing_orders')})", "failed again and again, still tried"),
            Query(f"sum({of(M + 'held_orders')})", "held for approval"),
        ),
        lines(
            "Stores paused, by reason",
            "",
            Query(f"sum by (reason) ({of(M + 'delivery_paused')})", "{{reason}}"),
        ),
        lines(
            "What looked wrong, an hour",
            "Drift by kind, orders pushed with a warning by rule, orders taken away at Redo.",
            Query(f"sum by (kind) (increase({of(M + 'reconcile_drift_orders_total')}[1h]))", "drift: {{kind}}"),
            Query(f"sum by (kind) (increase({of(M + 'order_warnings_total')}[1h]))", "warning: {{kind}}"),
            Query(f"sum by (action) (increase({of(M + 'removed_orders_total')}[1h]))", "{{action}} at Redo"),
        ),
    )
